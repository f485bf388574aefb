//! What forged, replayed and misdirected datagrams, odd answers of discovery, and careless callers
//! can't do.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::wire::Message;
use alan_proto::{
    Action, Config, HybridTime, Incarnation, Instant, LeaveReason, LockError, Node, PeerEvent,
    Refusal, Rejection,
};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use support::{Cluster, HandMadePeer, TestNode, addr, encoded, heartbeat, join, plain, sealed};

const SECOND: Duration = Duration::from_secs(1);

fn inject(cluster: &mut Cluster, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
    cluster.inject(from, to, bytes);
    cluster.run_for(cluster.latency);
}

fn life(cluster: &Cluster, at: SocketAddr, peer: SocketAddr) -> Option<u64> {
    let peer = cluster.node(at).member(peer)?;
    peer.incarnation.map(Incarnation::get)
}

fn lone_node(config: Config) -> TestNode {
    let generator = ChaCha8Rng::seed_from_u64(1);
    let wall = HybridTime::from_micros(1);
    Node::new(config, plain(), generator, Instant::EPOCH, wall).expect("a valid configuration")
}

fn waiting(node: &mut TestNode) -> usize {
    let mut buffer = [0; 4_096];
    core::iter::from_fn(|| node.poll_action(&mut buffer)).count()
}

#[test]
fn a_recording_of_a_former_life_displaces_nobody_also_where_that_only_fell_silent() {
    let mut cluster = Cluster::new(1);
    cluster.start(addr(1));
    // Life 7 only fell silent, so nothing is held against it; then its node came back as life 8.
    let mut former = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut former, addr(1));
    let recorded: Vec<_> =
        cluster.sent.iter().filter(|sent| sent.from == addr(9)).cloned().collect();
    cluster.run_for(20 * SECOND);
    let mut peer = HandMadePeer::new(addr(9), 8);
    cluster.introduce(&mut peer, addr(1));
    for _ in 0..8 {
        for datagram in &recorded {
            inject(&mut cluster, addr(9), addr(1), &datagram.bytes);
        }
        inject(&mut cluster, addr(9), addr(1), &heartbeat(Some(7)));
        inject(&mut cluster, addr(9), addr(1), &peer.heartbeat());
        assert_eq!(life(&cluster, addr(1), addr(9)), Some(8), "the recording is not believed");
        cluster.run_for(5 * SECOND);
    }
}

#[test]
fn a_former_life_is_refused_for_as_long_as_its_successor_is_a_member() {
    let mut cluster = Cluster::new(2);
    cluster.start(addr(1));
    let mut former = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut former, addr(1));
    cluster.run_for(SECOND);
    let mut peer = HandMadePeer::new(addr(9), 8);
    cluster.introduce(&mut peer, addr(1));
    for _ in 0..20 {
        inject(&mut cluster, addr(9), addr(1), &peer.heartbeat());
        inject(&mut cluster, addr(9), addr(1), &former.heartbeat());
        cluster.run_for(5 * SECOND);
    }
    assert_eq!(life(&cluster, addr(1), addr(9)), Some(8));
    let stats = cluster.node(addr(1)).stats();
    let refused =
        [Rejection::FormerIncarnation, Rejection::Unproven].map(|why| stats.rejected(why));
    assert_eq!(refused.iter().sum::<u64>(), 20);
    assert!(refused[0] >= 2, "first since it is known to be gone: {refused:?}");
}

#[test]
fn a_member_whose_address_has_become_our_own_is_not_kept_alive_by_our_own_messages() {
    let mut cluster = Cluster::new(3);
    cluster.start(addr(1));
    // A floating address: the member's yesterday, ours today. What goes there comes back from it.
    let floating = addr(9);
    let mut peer = HandMadePeer::new(floating, 7);
    cluster.introduce(&mut peer, addr(1));
    for _ in 0..30 {
        cluster.run_for(SECOND);
        let looped: Vec<_> = cluster.sent.iter().filter(|sent| sent.to == floating).collect();
        let heartbeat = looped.last().map(|sent| sent.bytes.clone());
        inject(&mut cluster, floating, addr(1), &encoded(&Message::Data(b"to all")));
        if let Some(heartbeat) = heartbeat {
            inject(&mut cluster, floating, addr(1), &heartbeat);
        }
    }
    assert!(cluster.members(addr(1)).is_empty());
}

#[test]
fn our_own_datagram_from_a_living_members_address_costs_it_nothing() {
    let mut cluster = Cluster::new(4);
    cluster.start_mesh(2, &Config::default());
    let own = cluster.node(addr(1)).incarnation().get();
    for _ in 0..60 {
        inject(&mut cluster, addr(2), addr(1), &heartbeat(Some(own)));
        inject(&mut cluster, addr(2), addr(1), &heartbeat(None));
        cluster.run_for(SECOND);
    }
    assert_eq!(cluster.members(addr(1)), [addr(2)]);
    let left = cluster.nodes[&addr(1)].actions.iter();
    let left = left.filter(|action| matches!(action, Action::Peer(PeerEvent::Left { .. })));
    assert_eq!(left.count(), 0);
}

#[test]
fn two_nodes_whose_joins_are_sent_back_to_them_find_each_other_a_minute_later() {
    let mut cluster = Cluster::new(8);
    cluster.passes = Box::new(|_| false);
    for at in [1, 2].map(addr) {
        cluster.start_with(at, Config::default(), sealed(7));
        cluster.discover(at, &[addr(1), addr(2)]);
    }
    cluster.passes = Box::new(|_| true);
    for join in cluster.sent.clone() {
        // Without the key: the same bytes, as if from where they should have gone.
        inject(&mut cluster, join.to, join.from, &join.bytes);
    }
    cluster.run_for(50 * SECOND);
    assert!(cluster.members(addr(1)).is_empty(), "each takes the other's address for its own");
    cluster.run_for(12 * SECOND);
    assert_eq!(cluster.members(addr(1)), [addr(2)]);
    assert_eq!(cluster.members(addr(2)), [addr(1)]);
}

#[test]
fn a_classic_node_that_takes_a_rust_nodes_address_is_admitted_though_it_never_stops_talking() {
    let mut cluster = Cluster::new(5);
    cluster.start(addr(1));
    let mut former = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut former, addr(1));
    for second in 0..40 {
        inject(&mut cluster, addr(9), addr(1), &encoded(&Message::Data(b"busy")));
        if second % 5 == 0 {
            inject(&mut cluster, addr(9), addr(1), &heartbeat(None));
        }
        cluster.run_for(SECOND);
    }
    let peer = cluster.node(addr(1)).member(addr(9)).expect("it is a member");
    assert_eq!(peer.incarnation, None);
    let why = LeaveReason::Silent;
    let left = Action::Peer(PeerEvent::Left { peer: addr(9), why });
    assert!(cluster.nodes[&addr(1)].actions.contains(&left));
}

#[test]
fn joins_of_ever_new_lives_from_a_members_address_are_answered_ten_times_a_second() {
    let mut cluster = Cluster::new(6);
    cluster.start(addr(1));
    let mut peer = HandMadePeer::new(addr(9), 1);
    cluster.introduce(&mut peer, addr(1));
    let before = cluster.sent.len();
    for number in 2..=1_000 {
        inject(&mut cluster, addr(9), addr(1), &join(Some(number)));
    }
    let answers = cluster.sent[before..].iter().filter(|sent| sent.from == addr(1)).count();
    assert!((9..=11).contains(&answers), "{answers}");
    assert_eq!(life(&cluster, addr(1), addr(9)), Some(1));
}

#[test]
fn candidates_that_are_named_no_longer_make_room_for_those_that_are() {
    let mut cluster = Cluster::new(7);
    let mut config = Config::default();
    config.max_candidates = 2;
    cluster.start_with(addr(1), config, plain());
    cluster.discover(addr(1), &[addr(6), addr(7)]);
    cluster.discover(addr(1), &[addr(8), addr(9)]);
    let asked: Vec<_> = cluster.sent.iter().map(|sent| sent.to).collect();
    assert_eq!(asked, [addr(6), addr(7), addr(8), addr(9)]);
    assert_eq!(cluster.node(addr(1)).stats().refused(Refusal::CandidatesFull), 0);
    assert_eq!(cluster.node(addr(1)).usage().named, 2);
}

#[test]
fn discovery_that_names_ever_new_addresses_fills_no_memory_though_nobody_polls() {
    let mut config = Config::default();
    config.max_peers = 16;
    config.max_candidates = 16;
    let mut node = lone_node(config);
    for round in 0..20_000u16 {
        let [high, low] = round.to_be_bytes();
        node.handle_discovery(Instant::EPOCH, &[SocketAddr::from(([10, 0, high, low], 5000))]);
    }
    assert!(node.stats().refused(Refusal::OutboxFull) > 10_000);
    assert!(waiting(&mut node) < 4_500);
}

#[test]
fn locks_fill_no_memory_though_nobody_polls() {
    let mut config = Config::default();
    config.max_peers = 16;
    config.max_candidates = 16;
    let mut node = lone_node(config);
    let mut peer = HandMadePeer::new(addr(9), 7);
    peer.introduce_to(&mut node, Instant::EPOCH);
    assert_eq!(node.peer_count(), 1);
    let mut refused = 0;
    for _ in 0..20_000 {
        match node.lock(Instant::EPOCH, "key", None) {
            Ok(lock) => node.release(Instant::EPOCH, lock).expect("it waits"),
            Err(why) => {
                assert_eq!(why, LockError::OutboxFull);
                refused += 1;
            }
        }
    }
    assert!(refused > 10_000);
    assert_eq!(node.stats().refused(Refusal::OutboxFull), refused);
    assert!(waiting(&mut node) < 4_500);
    // Polled, it takes the call; and what the lock repeats waits for the next poll as well.
    assert!(node.lock(Instant::EPOCH, "key", None).is_ok());
    for second in 0..40_000 {
        let now = Instant::from_millis(second * 1_000);
        let _ = node.handle_datagram(now, addr(9), &mut peer.heartbeat());
        node.handle_timeout(now);
    }
    let waiting = waiting(&mut node);
    assert!(waiting < 4_500, "{waiting}");
}

#[test]
fn the_end_of_time_is_a_moment_like_any_other() {
    let end = Instant::from_micros(u64::MAX);
    let mut node = lone_node(Config::default());
    HandMadePeer::new(addr(9), 7).introduce_to(&mut node, Instant::EPOCH);
    assert_eq!(node.peer_count(), 1);
    let lock = node.lock(Instant::EPOCH, "key", Some(end)).expect("there is room");
    node.handle_timeout(end);
    node.handle_timeout(end);
    assert_eq!(node.peer_count(), 0);
    assert!(waiting(&mut node) < 100);
    assert_eq!(node.release(end, lock), Ok(()));
}
