//! A node that is reached at several addresses: one member, with aliases, and a path that works.

use std::net::SocketAddr;

use alan_proto::envelope::AnyEnvelope;
use alan_proto::{Config, Incarnation, LeaveReason, PeerEvent, RequestEvent};

use super::support::{Cluster, Delivered, addr, plain, sealed};
use super::{SECOND, is_full_mesh, joined, left, peer_events};

/// The address of the node at `addr(last)` in the other family.
fn other(last: u8) -> SocketAddr {
    SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)], 5000))
}

/// Nodes with an IPv4 and an IPv6 address each: what is sent to one family comes from it.
fn dual_stack(count: u8) -> Cluster {
    let mut cluster = Cluster::new(1);
    for last in 1..=count {
        cluster.also_at.insert(other(last), addr(last));
    }
    cluster.source = Box::new(move |node, to| {
        let last = (1..=count).find(|last| addr(*last) == node).filter(|_| to.is_ipv6());
        last.map_or(node, other)
    });
    cluster
}

/// Two such nodes that don't know each other.
fn two_strangers(envelope: fn() -> AnyEnvelope) -> Cluster {
    let mut cluster = dual_stack(2);
    cluster.start_with(addr(1), Config::default(), envelope());
    cluster.start_with(addr(2), Config::default(), envelope());
    cluster
}

/// The first of two such nodes looks for the second at both of its addresses, and finds it.
fn met_at_both(envelope: fn() -> AnyEnvelope) -> Cluster {
    let mut cluster = two_strangers(envelope);
    cluster.discover(addr(1), &[addr(2), other(2)]);
    cluster.run_for(2 * SECOND);
    cluster
}

fn aliases(cluster: &Cluster, at: u8, peer: SocketAddr) -> Vec<SocketAddr> {
    cluster.node(addr(at)).aliases(peer).to_vec()
}

fn path(cluster: &Cluster, at: u8, peer: SocketAddr) -> Option<SocketAddr> {
    cluster.node(addr(at)).member(peer).map(|peer| peer.path)
}

fn lost_family(cluster: &mut Cluster, ipv6: Option<bool>) {
    cluster.passes = Box::new(move |datagram| Some(datagram.to.is_ipv6()) != ipv6);
}

fn left_events(cluster: &Cluster, at: SocketAddr) -> usize {
    let events = peer_events(cluster, at).into_iter();
    events.filter(|event| matches!(event, PeerEvent::Left { .. })).count()
}

#[test]
fn a_node_that_is_named_at_two_addresses_is_one_member_with_an_alias() {
    for envelope in [plain, || sealed(7)] {
        let mut cluster = met_at_both(envelope);
        let incarnation = cluster.node(addr(2)).incarnation().get();
        assert_eq!(peer_events(&cluster, addr(1)), [joined(addr(2), incarnation)]);
        assert_eq!(aliases(&cluster, 1, addr(2)), [other(2)]);
        assert_eq!(path(&cluster, 1, addr(2)), Some(addr(2)));
        // And the other way round, though nobody has named them to it.
        assert_eq!(cluster.members(addr(2)), [addr(1)]);
        assert_eq!(aliases(&cluster, 2, addr(1)), [other(1)]);
        let before = cluster.sent.len();
        cluster.run_for(60 * SECOND);
        let joins = cluster.sent[before..].iter().filter(|sent| sent.bytes[0] == 1).count();
        assert_eq!(joins, 0, "neither address is asked any more");
        assert_eq!(cluster.node(addr(1)).member(other(2)).map(|peer| peer.addr), Some(addr(2)));
    }
}

#[test]
fn four_dual_stack_nodes_that_name_each_other_twice_are_a_mesh_of_four() {
    for envelope in [plain, || sealed(7)] {
        let mut cluster = dual_stack(4);
        let named: Vec<_> = (1..=4).flat_map(|last| [other(last), addr(last)]).collect();
        for last in 1..=4 {
            cluster.start_with(addr(last), Config::default(), envelope());
        }
        for last in 1..=4 {
            cluster.discover(addr(last), &named);
        }
        cluster.run_for(120 * SECOND);
        assert!(is_full_mesh(&cluster));
        for last in 1..=4 {
            assert_eq!(peer_events(&cluster, addr(last)).len(), 3, "nobody left, or came twice");
            for peer in cluster.node(addr(last)).members() {
                assert_eq!(aliases(&cluster, last, peer.addr).len(), 1);
            }
        }
    }
}

#[test]
fn a_node_that_answers_from_its_other_address_is_the_candidate_that_was_asked() {
    for envelope in [plain, || sealed(7)] {
        let mut cluster = Cluster::new(2);
        // Two interfaces; whatever comes in, the answer goes out by the first.
        let second = SocketAddr::from(([127, 0, 1, 2], 5000));
        cluster.also_at.insert(second, addr(2));
        cluster.start_with(addr(1), Config::default(), envelope());
        cluster.start_with(addr(2), Config::default(), envelope());
        cluster.discover(addr(1), &[second]);
        cluster.run_for(10 * SECOND);
        let incarnation = cluster.node(addr(2)).incarnation().get();
        assert_eq!(peer_events(&cluster, addr(1)), [joined(second, incarnation)]);
        assert_eq!(aliases(&cluster, 1, second), [addr(2)]);
        assert_eq!(cluster.members(addr(2)), [addr(1)]);
        cluster.send_to(addr(2), addr(1), b"hello");
        cluster.run_for(cluster.latency);
        let message = Delivered::Message { from: second, payload: b"hello".to_vec() };
        let delivered = cluster.nodes[&addr(1)].deliveries.last();
        assert_eq!(delivered, Some(&message), "under the name that it has");
        cluster.run_for(120 * SECOND);
        assert_eq!(left_events(&cluster, addr(1)), 0);
        assert_eq!(left_events(&cluster, addr(2)), 0);
    }
}

#[test]
fn the_alias_of_a_node_goes_to_its_next_life() {
    for envelope in [plain, || sealed(7)] {
        for first in [addr, other] {
            let mut cluster = met_at_both(envelope);
            cluster.crash(addr(2));
            cluster.start_with(addr(2), Config::default(), envelope());
            // It shows itself in one family first.
            cluster.discover(addr(2), &[first(1)]);
            cluster.run_for(20 * SECOND);
            let incarnation = cluster.node(addr(2)).incarnation().get();
            let member = cluster.node(addr(1)).member(first(2)).expect("it is a member");
            assert_eq!(member.incarnation.map(Incarnation::get), Some(incarnation));
            cluster.run_for(60 * SECOND);
            assert_eq!(cluster.node(addr(1)).peer_count(), 1, "one node, one member");
            let same = [addr(2), other(2)].map(|at| cluster.node(addr(1)).member(at));
            assert_eq!(same[0], same[1], "both addresses are its own");
            let left = peer_events(&cluster, addr(1)).into_iter();
            let left = left.filter(|event| matches!(event, PeerEvent::Left { .. }));
            assert_eq!(left.count(), 1);
        }
    }
}

#[test]
fn a_member_is_reached_at_its_alias_while_its_first_address_is_quiet_and_back_again() {
    for envelope in [plain, || sealed(7)] {
        let mut cluster = dual_stack(3);
        for last in 1..=3 {
            cluster.start_with(addr(last), Config::default(), envelope());
        }
        let named: Vec<_> = (1..=3).flat_map(|last| [addr(last), other(last)]).collect();
        for last in 1..=3 {
            cluster.discover(addr(last), &named);
        }
        cluster.run_for(20 * SECOND);
        for lost in [false, true, false] {
            lost_family(&mut cluster, Some(lost));
            cluster.run_for(40 * SECOND);
            for (at, peer) in [(1, 2), (2, 1), (1, 3), (3, 2)] {
                let path = path(&cluster, at, addr(peer)).expect("it is a member");
                assert_ne!(path.is_ipv6(), lost, "{at} reaches {peer} at {path}");
            }
            cluster.send_to(addr(1), addr(2), b"hello");
            let before = cluster.nodes[&addr(2)].deliveries.len();
            cluster.run_for(cluster.latency);
            assert_eq!(cluster.nodes[&addr(2)].deliveries.len(), before + 1);
            for at in [1, 2, 3].map(addr) {
                assert_eq!(left_events(&cluster, at), 0, "nobody was missed");
            }
        }
        lost_family(&mut cluster, None);
        cluster.run_for(60 * SECOND);
        assert!(is_full_mesh(&cluster));
    }
}

#[test]
fn a_goodbye_removes_the_member_with_all_its_addresses() {
    let mut cluster = met_at_both(plain);
    cluster.with(addr(2), |node, now, _| node.leave(now));
    cluster.run_for(SECOND);
    let last = left(addr(2), LeaveReason::SaidGoodbye);
    assert_eq!(peer_events(&cluster, addr(1)).last(), Some(&last));
    assert_eq!(cluster.node(addr(1)).member(other(2)), None);
    assert!(aliases(&cluster, 1, addr(2)).is_empty());
}

#[test]
fn a_node_knows_all_its_own_addresses_by_its_incarnation() {
    let mut cluster = dual_stack(1);
    cluster.start(addr(1));
    cluster.discover(addr(1), &[addr(1), other(1)]);
    cluster.run_for(50 * SECOND);
    assert_eq!(cluster.node(addr(1)).peer_count(), 0);
    assert_eq!(cluster.sent.len(), 2, "one JOIN to each");
}

#[test]
fn a_request_to_an_alias_is_answered_like_one_to_the_first_address() {
    for envelope in [plain, || sealed(7)] {
        let mut cluster = met_at_both(envelope);
        for to in [addr(2), other(2)] {
            let request = cluster.request(addr(1), to, b"?", None);
            cluster.run_for(cluster.latency);
            let delivered = cluster.nodes[&addr(2)].deliveries.last().cloned();
            let Some(Delivered::Request { from, .. }) = delivered else {
                panic!("{delivered:?}");
            };
            assert_eq!(from, addr(1));
            cluster.reply(addr(2), from, request, b"!");
            cluster.run_for(cluster.latency);
            let payload = b"!".to_vec();
            let response = Delivered::Response { request, from: addr(2), payload, finished: true };
            assert_eq!(cluster.nodes[&addr(1)].deliveries.last(), Some(&response));
        }
    }
}

#[test]
fn a_node_that_answers_from_an_unreachable_address_is_not_asked_there_more_and_more() {
    let mut cluster = Cluster::new(3);
    let second = SocketAddr::from(([127, 0, 1, 2], 5000));
    cluster.also_at.insert(second, addr(2));
    cluster.passes = Box::new(|datagram| datagram.to != addr(2));
    cluster.start(addr(1));
    cluster.discover(addr(1), &[second, addr(2)]);
    for _ in 0..20 {
        cluster.start(addr(2));
        cluster.discover(addr(2), &[addr(1)]);
        cluster.run_for(20 * SECOND);
        cluster.crash(addr(2));
    }
    let before = cluster.sent.len();
    cluster.run_for(300 * SECOND);
    let asked = cluster.sent[before..].iter().filter(|sent| sent.to == addr(2)).count();
    assert!((5..=12).contains(&asked), "{asked} JOINs in ten pauses of half a minute");
}

#[test]
fn a_request_to_a_stranger_that_becomes_a_member_by_another_name_is_answered() {
    for envelope in [plain, || sealed(7)] {
        let mut cluster = two_strangers(envelope);
        let request = cluster.request(addr(1), other(2), b"?", None);
        cluster.run_for(cluster.latency);
        cluster.discover(addr(1), &[addr(2), other(2)]);
        cluster.run_for(SECOND);
        let deliveries = &cluster.nodes[&addr(2)].deliveries;
        let [Delivered::Request { from, .. }] = deliveries[..] else {
            panic!("{deliveries:?}");
        };
        cluster.reply(addr(2), from, request, b"!");
        cluster.run_for(cluster.latency);
        let payload = b"!".to_vec();
        let response = Delivered::Response { request, from: addr(2), payload, finished: true };
        assert_eq!(cluster.nodes[&addr(1)].deliveries, [response]);
    }
}

#[test]
fn a_request_to_a_stranger_that_became_a_member_by_another_name_ends_when_it_leaves() {
    for envelope in [plain, || sealed(7)] {
        let mut cluster = two_strangers(envelope);
        let request = cluster.request(addr(1), other(2), b"?", None);
        let elsewhere = cluster.request(addr(1), other(3), b"?", None);
        cluster.discover(addr(1), &[addr(2), other(2)]);
        cluster.run_for(2 * SECOND);
        assert_eq!(aliases(&cluster, 1, addr(2)), [other(2)]);
        cluster.with(addr(2), |node, now, _| node.leave(now));
        cluster.run_for(cluster.latency);
        let (peer, why) = (addr(2), LeaveReason::SaidGoodbye);
        let ended = RequestEvent::PeerLeft { request, peer, why, finished: true };
        assert_eq!(cluster.request_events(addr(1)), [ended]);
        assert!(cluster.with(addr(1), |node, _, _| node.cancel_request(elsewhere)));
    }
}
