//! Under a key: what was recorded is worth nothing, and what is sealed for a life opens in it.

use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::{Envelope, Key, Recipient, Sealed};
use alan_proto::wire::Message;
use alan_proto::{Action, Config, Incarnation, LockEvent, PeerEvent, Rejection, Warning};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::support::{
    Cluster, Datagram, Delivered, addr, encoded, heartbeat, join, leave, plain, sealed,
};
use super::{SECOND, is_full_mesh, left, peer_events, rejected, warnings};

/// A message under a random nonce, as a classic node that has the key seals it.
fn sealed_by_nobody(message: &[u8]) -> Vec<u8> {
    let mut envelope = Sealed::new(&Key::from_bytes(&[7; 32]).expect("32 bytes"));
    let mut datagram = vec![0; envelope.prefix() + message.len() + envelope.suffix()];
    datagram[envelope.prefix()..][..message.len()].copy_from_slice(message);
    let seed = u64::from(message.iter().map(|byte| u32::from(*byte)).sum::<u32>());
    envelope.seal(&mut ChaCha8Rng::seed_from_u64(seed), Recipient::Anyone, &mut datagram);
    datagram
}

/// All that users of a node can see of what happened.
#[derive(PartialEq, Eq, Debug)]
struct Seen {
    events: Vec<Action>,
    deliveries: Vec<String>,
    members: Vec<(SocketAddr, Option<Incarnation>)>,
}

/// A request's id is a draw, of which an attacker may cause one more.
fn without_id(delivered: &Delivered) -> String {
    match delivered {
        Delivered::Request { from, payload, .. } => format!("{from} asks {payload:?}"),
        other => format!("{other:?}"),
    }
}

fn seen(cluster: &Cluster) -> Vec<(SocketAddr, Seen)> {
    let nodes = cluster.nodes.iter().map(|(at, running)| {
        let warned = |action: &&Action| !matches!(action, Action::Warning(_));
        let members = running.node.members().map(|peer| (peer.addr, peer.incarnation));
        let events = running.actions.iter().filter(warned).copied().collect();
        let deliveries = running.deliveries.iter().map(without_id).collect();
        (*at, Seen { events, deliveries, members: members.collect() })
    });
    nodes.collect()
}

/// A history with everything in it: joins, traffic, a crash and a restart, a goodbye.
struct History {
    cluster: Cluster,
    /// How often everything that was recorded is sent again, and to whom.
    attacks: usize,
    /// No two messages say the same.
    said: u32,
}

impl History {
    fn new(attacks: usize) -> Self {
        let mut cluster = Cluster::new(3);
        cluster.start_mesh_of(4, &config(), || sealed(7));
        Self { cluster, attacks, said: 0 }
    }

    /// Repeats everything that was ever sent: to where it went, or to everybody else.
    fn attack(&mut self) {
        let recorded: Vec<Datagram> = self.cluster.sent.clone();
        for round in 0..self.attacks {
            for datagram in &recorded {
                let to = match round {
                    0 => datagram.to,
                    _ => addr(1 + u8::try_from(round).expect("a few") % 4),
                };
                self.cluster.inject(datagram.from, to, &datagram.bytes);
            }
        }
        // What the attacker has sent is no record of the nodes.
        self.cluster.run_for(Duration::from_millis(50));
        self.cluster.sent = recorded;
        self.cluster.run_for(Duration::from_millis(950));
    }

    fn talk(&mut self) {
        for (from, to) in [(1, 2), (2, 3), (3, 1), (4, 1)] {
            let (from, to) = (addr(from), addr(to));
            if self.cluster.nodes.contains_key(&from) {
                self.said += 1;
                let payload = self.said.to_be_bytes();
                self.cluster.send_to(from, to, &payload);
                self.cluster.request(from, to, &payload, None);
            }
        }
        self.cluster.run_for(SECOND);
    }

    fn restart(&mut self, last: u8) {
        self.cluster.crash(addr(last));
        self.cluster.start_with(addr(last), config(), sealed(7));
        self.cluster.discover(addr(last), &[1, 2, 3, 4].map(addr));
    }

    fn run(mut self) -> Cluster {
        self.attack();
        self.talk();
        self.attack();
        self.restart(2);
        self.cluster.run_for(SECOND);
        self.attack();
        self.talk();
        self.restart(1);
        self.cluster.run_for(SECOND);
        self.attack();
        self.cluster.with(addr(4), |node, now, _| node.leave(now));
        self.cluster.run_for(SECOND);
        self.cluster.crash(addr(4));
        self.attack();
        self.talk();
        self.cluster.crash(addr(3));
        self.cluster.run_for(20 * SECOND);
        self.attack();
        self.cluster.run_for(20 * SECOND);
        self.cluster
    }
}

fn config() -> Config {
    let mut config = Config::default();
    config.stranger_budget = 1_000_000;
    config
}

#[test]
fn a_replayer_who_records_everything_changes_nothing() {
    let undisturbed = seen(&History::new(0).run());
    for attacks in [1, 5] {
        let attacked = History::new(attacks).run();
        let replayed = rejected(&attacked, addr(1), Rejection::Replayed);
        assert!(replayed > 100, "{replayed} replays were found out at 1");
        for ((at, attacked), (_, undisturbed)) in seen(&attacked).iter().zip(&undisturbed) {
            assert_eq!(attacked, undisturbed, "at {at}, attacked {attacks} times");
        }
    }
}

#[test]
fn what_is_sealed_for_one_member_does_not_open_at_another() {
    let mut cluster = Cluster::new(4);
    cluster.start_mesh_of(3, &Config::default(), || sealed(7));
    cluster.passes = Box::new(|datagram| datagram.to != addr(2));
    cluster.send_to(addr(1), addr(2), b"for 2 alone");
    let secret = cluster.sent.last().expect("it was sent").bytes.clone();
    cluster.inject(addr(1), addr(3), &secret);
    cluster.run_for(cluster.latency);
    assert!(cluster.nodes[&addr(3)].deliveries.is_empty());
    cluster.passes = Box::new(|_| true);
    for _ in 0..3 {
        cluster.inject(addr(1), addr(2), &secret);
    }
    cluster.run_for(cluster.latency);
    assert_eq!(cluster.nodes[&addr(2)].deliveries.len(), 1, "it arrives once");
    assert_eq!(rejected(&cluster, addr(2), Rejection::Replayed), 2);
}

#[test]
fn what_is_sealed_for_a_former_life_is_counted_apart_and_warns_nobody() {
    let mut cluster = Cluster::new(5);
    cluster.start_mesh_of(2, &Config::default(), || sealed(7));
    cluster.crash(addr(2));
    cluster.start_with(addr(2), Config::default(), sealed(7));
    // It is not known yet that 2 has restarted.
    for _ in 0..5 {
        cluster.send_to(addr(1), addr(2), b"for its former life");
        cluster.run_for(2 * SECOND);
    }
    assert!(cluster.nodes[&addr(2)].deliveries.is_empty());
    assert!(rejected(&cluster, addr(2), Rejection::FormerLife) >= 5);
    assert_eq!(rejected(&cluster, addr(2), Rejection::Unopened), 0);
    assert_eq!(warnings(&cluster, addr(2)), []);
    cluster.discover(addr(2), &[addr(1)]);
    cluster.run_for(SECOND);
    cluster.send_to(addr(1), addr(2), b"for this one");
    cluster.run_for(cluster.latency);
    assert_eq!(cluster.nodes[&addr(2)].deliveries.len(), 1);
}

#[test]
fn another_key_is_warned_of_right_after_a_start_too() {
    let mut cluster = Cluster::new(6);
    cluster.start_with(addr(1), Config::default(), sealed(1));
    cluster.start_with(addr(2), Config::default(), sealed(2));
    cluster.discover(addr(2), &[addr(1)]);
    cluster.run_for(cluster.latency);
    let warning = Warning::Unopened { source: addr(2), count: 1 };
    assert_eq!(warnings(&cluster, addr(1)), [warning]);
}

#[test]
fn nodes_without_a_key_are_warned_of_right_after_a_start_too() {
    for seed in 0..8 {
        let mut cluster = Cluster::new(100 + seed);
        cluster.start_with(addr(1), Config::default(), sealed(1));
        cluster.start_with(addr(2), Config::default(), plain());
        cluster.discover(addr(2), &[addr(1)]);
        cluster.run_for(cluster.latency);
        let warning = Warning::Unopened { source: addr(2), count: 1 };
        assert_eq!(warnings(&cluster, addr(1)), [warning], "seed {seed}");
    }
}

#[test]
fn random_nonces_from_a_proven_members_address_are_ignored_and_keep_nobody_alive() {
    let mut cluster = Cluster::new(7);
    cluster.start_mesh_of(2, &Config::default(), || sealed(7));
    let incarnation = cluster.node(addr(2)).incarnation().get();
    let messages = [
        encoded(&Message::Data(b"not from 2")),
        heartbeat(None),
        join(None),
        leave(None),
        leave(Some(incarnation)),
        heartbeat(Some(incarnation)),
    ];
    cluster.stop(addr(2));
    let heard = cluster.node(addr(1)).member(addr(2)).expect("it is a member").last_heard;
    for message in messages.iter().cycle().take(14) {
        cluster.inject(addr(2), addr(1), &sealed_by_nobody(message));
        cluster.run_for(SECOND);
    }
    let member = cluster.node(addr(1)).member(addr(2)).expect("it still is");
    assert_eq!(member.last_heard, heard);
    assert!(cluster.nodes[&addr(1)].deliveries.is_empty());
    let refused = [Rejection::Downgrade, Rejection::WrongSession, Rejection::Unproven];
    let refused = refused.map(|why| rejected(&cluster, addr(1), why));
    assert_eq!(refused.iter().sum::<u64>(), 14);
    cluster.run_for(2 * SECOND);
    let silent = left(addr(2), alan_proto::LeaveReason::Silent);
    assert_eq!(peer_events(&cluster, addr(1)).last(), Some(&silent));
    // Its address may be a classic peer's now.
    cluster.inject(addr(2), addr(1), &sealed_by_nobody(&heartbeat(None)));
    cluster.run_for(cluster.latency);
    let last = peer_events(&cluster, addr(1)).pop();
    assert_eq!(last, Some(PeerEvent::Joined { peer: addr(2), incarnation: None }));
}

#[test]
fn a_handshake_that_was_for_a_third_node_leaves_everything_as_it_was() {
    let mut cluster = Cluster::new(10);
    cluster.start_mesh_of(3, &Config::default(), || sealed(7));
    cluster.run_for(SECOND);
    // A restart makes 1 shake hands with 3 again, on another channel than its one for 2.
    let before = cluster.sent.len();
    cluster.crash(addr(3));
    cluster.start_with(addr(3), Config::default(), sealed(7));
    cluster.discover(addr(3), &[addr(1)]);
    cluster.run_for(20 * cluster.latency);
    let handshake = cluster.sent[before..].to_vec();
    let handshake = handshake.iter().filter(|sent| (sent.from, sent.to) == (addr(1), addr(3)));
    for datagram in handshake {
        cluster.inject(addr(1), addr(2), &datagram.bytes);
        cluster.run_for(cluster.latency);
        let before = cluster.nodes[&addr(2)].deliveries.len();
        cluster.send_to(addr(1), addr(2), b"hello");
        cluster.run_for(cluster.latency);
        assert_eq!(cluster.nodes[&addr(2)].deliveries.len(), before + 1);
    }
    cluster.with(addr(1), |node, now, _| node.leave(now));
    cluster.run_for(cluster.latency);
    let goodbye = left(addr(1), alan_proto::LeaveReason::SaidGoodbye);
    assert_eq!(peer_events(&cluster, addr(2)).last(), Some(&goodbye));
}

#[test]
fn datagrams_that_overtake_each_other_all_arrive_and_each_once() {
    let mut cluster = Cluster::new(8);
    cluster.start_mesh_of(2, &Config::default(), || sealed(7));
    let from = cluster.sent.len();
    cluster.passes = Box::new(|datagram| datagram.from != addr(1));
    for number in 0..200u8 {
        cluster.send_to(addr(1), addr(2), &[number]);
    }
    cluster.passes = Box::new(|_| true);
    let recorded: Vec<_> = cluster.sent[from..].to_vec();
    for datagram in recorded.iter().rev().chain(&recorded) {
        cluster.inject(datagram.from, datagram.to, &datagram.bytes);
    }
    cluster.run_for(cluster.latency);
    let deliveries = &cluster.nodes[&addr(2)].deliveries;
    assert_eq!(deliveries.len(), 200);
    assert_eq!(rejected(&cluster, addr(2), Rejection::Replayed), 200);
}

#[test]
fn a_recording_of_a_whole_admission_brings_no_former_life_back() {
    let mut cluster = Cluster::new(9);
    cluster.start_mesh_of(2, &config(), || sealed(7));
    let recorded = cluster.sent.clone();
    cluster.crash(addr(2));
    cluster.run_for(40 * SECOND);
    assert!(cluster.members(addr(1)).is_empty());
    for datagram in recorded.iter().filter(|sent| sent.to == addr(1)) {
        cluster.inject(datagram.from, addr(1), &datagram.bytes);
        cluster.run_for(cluster.latency);
    }
    cluster.run_for(10 * SECOND);
    assert!(cluster.members(addr(1)).is_empty());
    assert_eq!(peer_events(&cluster, addr(1)).len(), 2);
    cluster.start_with(addr(2), config(), sealed(7));
    cluster.run_for(60 * SECOND);
    assert!(is_full_mesh(&cluster), "the next life is found nevertheless");
}

#[test]
fn what_we_sent_long_ago_and_get_back_hides_nobody_from_us() {
    let mut cluster = Cluster::new(10);
    cluster.start_with(addr(1), config(), sealed(7));
    cluster.discover(addr(1), &[addr(2)]);
    cluster.run_for(60 * SECOND);
    let joins = cluster.sent.clone();
    cluster.run_for(20 * SECOND);
    // Nobody has told it of the other one.
    cluster.start_with(addr(2), config(), sealed(7));
    for _ in 0..40 {
        for join in &joins {
            cluster.inject(join.to, join.from, &join.bytes);
        }
        cluster.run_for(SECOND);
    }
    assert!(is_full_mesh(&cluster), "it was asked to join all the same");
}

#[test]
fn recorded_joins_from_a_members_address_use_up_no_answer_of_its_own() {
    let mut cluster = Cluster::new(11);
    cluster.start_with(addr(1), config(), sealed(7));
    cluster.start_with(addr(3), config(), sealed(7));
    cluster.discover(addr(3), &[addr(1)]);
    cluster.run_for(SECOND);
    let join = cluster.sent[0].bytes.clone();
    cluster.crash(addr(3));
    cluster.run_for(40 * SECOND);
    cluster.start_with(addr(2), config(), sealed(7));
    // The one whose confirmation is lost asks for it again.
    let mut answers = 0;
    cluster.passes = Box::new(move |datagram| {
        let is_answer = datagram.from == addr(1) && datagram.to == addr(2);
        answers += u32::from(is_answer);
        !(is_answer && answers == 2)
    });
    cluster.discover(addr(2), &[addr(1)]);
    cluster.run_for(20 * cluster.latency);
    for _ in 0..200 {
        cluster.inject(addr(2), addr(1), &join);
        cluster.run_for(5 * cluster.latency);
    }
    cluster.send_to(addr(1), addr(2), b"now you know my channel");
    cluster.run_for(cluster.latency);
    assert_eq!(cluster.nodes[&addr(2)].deliveries.len(), 1);
}

#[test]
fn a_newcomer_opens_the_first_lock_request_that_waited_for_it() {
    let mut cluster = Cluster::new(71);
    let mut config = Config::default();
    config.cluster_size = 2;
    for last in [1, 2] {
        cluster.start_with(addr(last), config.clone(), sealed(7));
    }
    cluster.with(addr(1), |node, now, _| node.lock(now, "key", None).expect("it may wait"));
    cluster.with(addr(2), |node, now, _| node.lock(now, "other", None).expect("it may wait"));
    cluster.discover(addr(1), &[addr(2)]);
    cluster.run_for(SECOND / 10);
    for last in [1, 2] {
        let granted = |action: &&Action| matches!(action, Action::Lock(LockEvent::Granted { .. }));
        assert_eq!(cluster.nodes[&addr(last)].actions.iter().filter(granted).count(), 1);
        assert_eq!(rejected(&cluster, addr(last), Rejection::Unproven), 0, "{last}");
    }
}
