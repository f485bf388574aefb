//! Whom a node asks to join, how often, and which addresses it knows to be its own.

use alan_proto::{Config, Refusal, Rejection};

use super::support::{Cluster, HandMadePeer, addr, plain};
use super::{SECOND, is_full_mesh, kinds_sent, rejected, sent_from};

#[test]
fn a_candidate_is_asked_with_doubling_pauses_and_is_no_member() {
    let mut cluster = Cluster::new(3);
    cluster.start(addr(1));
    let started = cluster.now;
    cluster.discover(addr(1), &[addr(9)]);
    cluster.run_for(100 * SECOND);
    let times: Vec<_> = sent_from(&cluster, addr(1))
        .iter()
        .map(|datagram| datagram.at.saturating_since(started).as_millis())
        .collect();
    assert_eq!(kinds_sent(&cluster, addr(1)), vec![1; times.len()], "JOINs only");
    let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let expected = [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000u128];
    assert_eq!(times[0], 0);
    for (pause, expected) in pauses.iter().zip(expected) {
        assert!((expected * 9 / 10..=expected * 11 / 10).contains(pause), "{pauses:?}");
    }
    assert!(pauses.len() >= 8, "{pauses:?}");
    assert_eq!(cluster.node(addr(1)).peer_count(), 0);
}

#[test]
fn dead_and_foreign_addresses_in_discovery_cost_two_joins_a_minute_each() {
    let mut cluster = Cluster::new(3);
    cluster.start_mesh(3, &Config::default());
    // A thousand answers of discovery, each with the same three that nobody listens at.
    let named = [1, 2, 3, 7, 8, 9].map(addr);
    for _ in 0..1_000 {
        cluster.discover(addr(1), &named);
        cluster.run_for(SECOND);
    }
    let foreign = cluster.sent.iter().filter(|sent| [7, 8, 9].map(addr).contains(&sent.to));
    let joins = foreign.count();
    assert!((90..=130).contains(&joins), "{joins} JOINs in a thousand seconds");
    assert!(is_full_mesh(&cluster));
}

#[test]
fn a_candidate_that_is_named_no_longer_is_left_alone() {
    let mut cluster = Cluster::new(3);
    cluster.start(addr(1));
    cluster.discover(addr(1), &[addr(8), addr(9)]);
    cluster.discover(addr(1), &[addr(9)]);
    let before = cluster.sent.len();
    cluster.run_for(10 * SECOND);
    assert!(cluster.sent[before..].iter().all(|datagram| datagram.to == addr(9)));
    assert_eq!(cluster.node(addr(1)).usage().named, 1);
}

#[test]
fn candidates_beyond_the_limit_are_refused_and_counted() {
    let mut cluster = Cluster::new(3);
    let mut config = Config::default();
    config.max_candidates = 2;
    cluster.start_with(addr(1), config, plain());
    cluster.discover(addr(1), &[addr(7), addr(8), addr(9)]);
    assert_eq!(cluster.node(addr(1)).stats().refused(Refusal::CandidatesFull), 1);
    assert_eq!(cluster.sent.len(), 2);
}

#[test]
fn a_node_knows_its_own_address_by_its_incarnation_and_asks_it_once_a_minute() {
    let mut cluster = Cluster::new(11);
    cluster.start(addr(1));
    cluster.discover(addr(1), &[addr(1)]);
    cluster.run_for(50 * SECOND);
    assert_eq!(cluster.sent.len(), 1, "one JOIN to itself");
    assert_eq!(cluster.node(addr(1)).peer_count(), 0);
    assert_eq!(rejected(&cluster, addr(1), Rejection::OwnDatagram), 1);
    cluster.discover(addr(1), &[addr(1)]);
    cluster.run_for(5 * SECOND);
    assert_eq!(cluster.sent.len(), 1, "and none for the next answer of discovery");
    cluster.run_for(600 * SECOND);
    assert_eq!(cluster.sent.len(), 11);
}

#[test]
fn an_address_that_seemed_our_own_is_asked_again_after_a_minute() {
    let mut cluster = Cluster::new(11);
    cluster.start(addr(1));
    cluster.discover(addr(1), &[addr(9)]);
    // Somebody sends our own JOIN back to us, from the candidate's address.
    let stolen = cluster.sent[0].bytes.clone();
    cluster.inject(addr(9), addr(1), &stolen);
    cluster.run_for(50 * SECOND);
    assert_eq!(sent_from(&cluster, addr(1)).len(), 1);
    cluster.run_for(60 * SECOND);
    assert!(sent_from(&cluster, addr(1)).len() > 5, "with the usual pauses");
}

#[test]
fn another_node_at_an_address_that_was_ours_is_asked_and_admitted() {
    let mut cluster = Cluster::new(11);
    cluster.start(addr(1));
    cluster.discover(addr(1), &[addr(9)]);
    let stolen = cluster.sent[0].bytes.clone();
    cluster.inject(addr(9), addr(1), &stolen);
    cluster.run_for(SECOND);
    assert_eq!(rejected(&cluster, addr(1), Rejection::OwnDatagram), 1);
    let mut peer = HandMadePeer::new(addr(9), 99);
    cluster.introduce(&mut peer, addr(1));
    assert_eq!(cluster.members(addr(1)), [addr(9)]);
}
