//! What those who have proven nothing can't do: get more than they give, or fill anything.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::wire::{Control, JOIN_LEN, LockMessage, LockMessageKind, Message};
use alan_proto::{Action, Config, Rejection, RequestId, Warning};
use proptest::prelude::*;

use super::support::{
    Cluster, HandMadePeer, addr, block, control, encoded, heartbeat, join, leave, plain, sealed,
};
use super::{Datagram, SECOND, peer_events, rejected, sent_from, warnings};

#[test]
fn a_join_that_is_shorter_than_its_answer_is_not_answered() {
    let mut cluster = Cluster::new(1);
    cluster.start(addr(1));
    let mut bare = heartbeat(Some(7));
    bare[0] = 1;
    let mut cut = join(Some(7));
    assert_eq!(cut.len(), JOIN_LEN);
    cut.truncate(JOIN_LEN - 1);
    cluster.inject(addr(9), addr(1), &bare);
    cluster.inject(addr(9), addr(1), &cut);
    cluster.run_for(SECOND);
    assert!(sent_from(&cluster, addr(1)).is_empty());
    assert_eq!(rejected(&cluster, addr(1), Rejection::ShortJoin), 1);
    assert_eq!(rejected(&cluster, addr(1), Rejection::Malformed), 1);
    cluster.inject(addr(9), addr(1), &join(Some(7)));
    cluster.run_for(SECOND);
    let answers = sent_from(&cluster, addr(1));
    assert_eq!(answers.len(), 1);
    assert!(answers[0].bytes.len() < JOIN_LEN);
}

#[test]
fn a_flood_of_joins_costs_a_source_its_budget_and_gets_it_no_more_bytes() {
    let mut cluster = Cluster::new(2);
    let mut config = Config::default();
    config.stranger_budget = 100;
    cluster.start_with(addr(1), config, plain());
    let mut asked = 0;
    for _ in 0..1_000 {
        cluster.inject(addr(9), addr(1), &join(Some(7)));
        asked += JOIN_LEN;
        cluster.run_for(Duration::from_millis(1));
    }
    let answers = sent_from(&cluster, addr(1));
    assert!((190..=210).contains(&answers.len()), "what was saved up, and a second's");
    assert!(answers.iter().map(|datagram| datagram.bytes.len()).sum::<usize>() < asked / 5);
    assert_eq!(rejected(&cluster, addr(1), Rejection::OverBudget), 1_000 - answers.len() as u64);
    assert!(cluster.members(addr(1)).is_empty());
}

#[test]
fn a_flood_from_one_source_keeps_nobody_else_from_joining() {
    for envelope in [plain, || sealed(7)] {
        let mut cluster = Cluster::new(3);
        cluster.start_with(addr(1), Config::default(), envelope());
        for _ in 0..5_000 {
            cluster.inject(addr(9), addr(1), &[0x20; 100]);
            cluster.inject(addr(9), addr(1), &join(Some(7)));
        }
        cluster.start_with(addr(2), Config::default(), envelope());
        cluster.discover(addr(2), &[addr(1)]);
        cluster.run_for(10 * cluster.latency);
        assert_eq!(cluster.members(addr(1)), [addr(2)]);
    }
}

#[test]
fn a_flood_from_a_members_own_address_does_not_cost_it_its_membership() {
    let mut cluster = Cluster::new(4);
    cluster.start_mesh_of(2, &Config::default(), || sealed(7));
    for _ in 0..60 {
        for _ in 0..4_000 {
            cluster.inject(addr(2), addr(1), &[0x42; 60]);
        }
        cluster.run_for(SECOND);
    }
    assert_eq!(cluster.members(addr(1)), [addr(2)]);
    assert!(rejected(&cluster, addr(1), Rejection::OverBudget) > 100_000);
    assert!(rejected(&cluster, addr(1), Rejection::Unopened) < 130_000, "few keys were tried");
    cluster.send_to(addr(2), addr(1), b"still heard");
    cluster.run_for(cluster.latency);
    assert_eq!(cluster.nodes[&addr(1)].deliveries.len(), 1);
}

#[test]
fn strangers_beyond_the_table_are_turned_away_and_evict_nobody() {
    let mut cluster = Cluster::new(13);
    let mut config = Config::default();
    config.max_peers = 3;
    cluster.start_with(addr(1), config, plain());
    for last in 2..=50 {
        let mut peer = HandMadePeer::new(addr(last), last.into());
        cluster.introduce(&mut peer, addr(1));
    }
    assert_eq!(cluster.members(addr(1)), [addr(2), addr(3), addr(4)]);
    assert_eq!(rejected(&cluster, addr(1), Rejection::PeersFull), 46);
    let full = Warning::PeersFull { source: addr(5), limit: 3 };
    assert_eq!(warnings(&cluster, addr(1)), [full]);
}

#[test]
fn classic_strangers_beyond_the_table_are_turned_away_and_evict_nobody() {
    let mut cluster = Cluster::new(13);
    let mut config = Config::default();
    config.max_peers = 3;
    cluster.start_with(addr(1), config, plain());
    for last in 2..=250 {
        cluster.inject(addr(last), addr(1), &join(None));
    }
    cluster.run_for(SECOND);
    assert_eq!(cluster.members(addr(1)), [addr(2), addr(3), addr(4)]);
    assert_eq!(rejected(&cluster, addr(1), Rejection::PeersFull), 246);
    assert!(sent_from(&cluster, addr(1)).is_empty());
}

#[test]
fn another_key_learns_nothing_and_is_warned_about_once_a_minute() {
    let mut cluster = Cluster::new(14);
    cluster.start_with(addr(1), Config::default(), sealed(1));
    cluster.start_with(addr(2), Config::default(), sealed(2));
    cluster.start_with(addr(3), Config::default(), plain());
    cluster.discover(addr(2), &[addr(1)]);
    cluster.discover(addr(3), &[addr(1)]);
    cluster.run_for(59 * SECOND);
    assert_eq!(warnings(&cluster, addr(1)).len(), 1);
    cluster.run_for(120 * SECOND);
    assert!((2..=4).contains(&warnings(&cluster, addr(1)).len()));
    assert!(sent_from(&cluster, addr(1)).is_empty(), "not a byte came back");
    assert!(cluster.members(addr(1)).is_empty());
    let sent = sent_from(&cluster, addr(2)).len() + sent_from(&cluster, addr(3)).len();
    // By chance, clear text may look as if it were sealed for a former life.
    let reasons = [Rejection::Unopened, Rejection::FormerLife];
    let counted = reasons.map(|why| rejected(&cluster, addr(1), why)).iter().sum::<u64>();
    assert_eq!(counted, sent as u64);
    let warned = cluster.nodes[&addr(1)].actions.iter().map(|action| match action {
        Action::Warning(Warning::Unopened { count, .. }) => *count,
        _ => 0,
    });
    assert!(warned.sum::<u64>() <= sent as u64);
}

/// Something that a stranger says.
#[derive(Clone, Debug)]
enum Said {
    Join { life: u64 },
    Proof { life: u64 },
    Bytes(Vec<u8>),
    Echoed(usize),
    Pause(u64),
}

fn said() -> impl Strategy<Value = Said> {
    let request = LockMessage {
        kind: LockMessageKind::Request,
        id: RequestId([7; 16]),
        key: b"a key that somebody asks for",
    };
    let port = Message::Join(Control { port: 5000, block: Some(block(5)) });
    let fixed = [
        heartbeat(Some(7)),
        leave(Some(7)),
        encoded(&port)[..150].to_vec(),
        encoded(&Message::Heartbeat(control(None))),
        encoded(&Message::Data(b"data")),
        encoded(&Message::Request { id: RequestId([1; 16]), body: b"?" }),
        encoded(&Message::Lock(request)),
        encoded(&Message::PeersAsk { cursor: 0 }),
        encoded(&Message::ProfileAsk),
        encoded(&Message::SessionData(b"data")),
    ];
    let life = 1u64..4;
    prop_oneof![
        3 => life.clone().prop_map(|life| Said::Join { life }),
        2 => life.prop_map(|life| Said::Proof { life }),
        3 => prop::sample::select(fixed.to_vec()).prop_map(Said::Bytes),
        1 => prop::collection::vec(any::<u8>(), 0..300).prop_map(Said::Bytes),
        2 => any::<usize>().prop_map(Said::Echoed),
        1 => (0u64..20_000).prop_map(Said::Pause),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_stranger_gets_more_bytes_out_of_a_node_than_it_put_in(
        history in prop::collection::vec((7u8..10, said()), 1..60),
    ) {
        let mut cluster = Cluster::new(5);
        let mut config = Config::default();
        config.classic_peers = false;
        cluster.start_with(addr(1), config.clone(), plain());
        cluster.start_with(addr(2), config, plain());
        cluster.discover(addr(1), &[addr(2)]);
        cluster.run_for(SECOND);
        // What one of them was told, another may return.
        let mut told = HandMadePeer::new(addr(7), 9);
        for (last, said) in history {
            let from = addr(last);
            let bytes = match said {
                Said::Pause(millis) => {
                    cluster.run_for(Duration::from_millis(millis));
                    continue;
                }
                Said::Join { life } => join(Some(life)),
                Said::Proof { life } if from == told.addr => join(Some(life)),
                Said::Proof { life } => {
                    told.block.incarnation = block(life).incarnation;
                    told.proof()
                }
                Said::Bytes(bytes) => bytes,
                Said::Echoed(number) => {
                    let of_nodes = |sent: &&Datagram| [addr(1), addr(2)].contains(&sent.from);
                    let sent: Vec<_> = cluster.sent.iter().filter(of_nodes).collect();
                    sent[number % sent.len()].bytes.clone()
                }
            };
            cluster.inject(from, addr(1), &bytes);
            cluster.run_for(cluster.latency);
            if let Some(answer) = cluster.sent.iter().rev().find(|sent| sent.to == told.addr) {
                told.hear(&answer.bytes);
            }
            check(&cluster)?;
        }
        cluster.run_for(60 * SECOND);
        check(&cluster)?;
    }
}

fn check(cluster: &Cluster) -> Result<(), TestCaseError> {
    let mut balance: BTreeMap<SocketAddr, i64> = BTreeMap::new();
    for sent in &cluster.sent {
        let len = i64::try_from(sent.bytes.len()).expect("a datagram is short");
        *balance.entry(sent.from).or_default() += len;
        *balance.entry(sent.to).or_default() -= len;
    }
    prop_assert_eq!(peer_events(cluster, addr(1)).len(), 1, "nobody but the other node joined");
    for last in 7..10 {
        let balance = balance.get(&addr(last)).copied().unwrap_or(0);
        prop_assert!(balance >= 0, "{} bytes too many to {last}", -balance);
    }
    Ok(())
}

#[test]
fn a_member_that_is_heard_from_an_address_that_is_not_its_own_spends_no_budget() {
    let mut cluster = Cluster::new(14);
    // A translator changes the port from which it sends.
    let outside = SocketAddr::new(addr(2).ip(), 5_777);
    cluster.source = Box::new(move |node, _| if node == addr(2) { outside } else { node });
    cluster.start_mesh_of(2, &Config::default(), || sealed(7));
    for _ in 0..5_000 {
        cluster.send_to(addr(2), addr(1), b"much to say");
    }
    cluster.run_for(cluster.latency);
    assert_eq!(cluster.nodes[&addr(1)].deliveries.len(), 5_000);
    assert_eq!(rejected(&cluster, addr(1), Rejection::OverBudget), 0);
}
