//! LEAVE: how often it is said, and whom it is believed from.

use alan_proto::{Action, Config, LeaveReason, Rejection};

use super::support::{Cluster, HandMadePeer, addr, join, leave, sealed};
use super::{SECOND, is_full_mesh, kinds_sent, left, life, peer_events, rejected};

#[test]
fn goodbye_is_said_three_times_to_those_who_know_lives_apart_and_once_to_others() {
    let mut cluster = Cluster::new(8);
    cluster.start_mesh(2, &Config::default());
    cluster.inject(addr(9), addr(1), &join(None));
    cluster.run_for(cluster.latency);
    let before = cluster.sent.len();
    cluster.with(addr(1), |node, now, _| node.leave(now));
    cluster.run_for(SECOND);
    let sent = cluster.sent[before..].iter().filter(|datagram| datagram.from == addr(1));
    let mut goodbyes: Vec<_> = sent.map(|datagram| (datagram.bytes[0], datagram.to)).collect();
    goodbyes.sort();
    assert_eq!(goodbyes, [(2, addr(2)), (2, addr(2)), (2, addr(2)), (2, addr(9))]);
    assert_eq!(cluster.nodes[&addr(1)].actions.last(), Some(&Action::Closed));
    assert_eq!(
        peer_events(&cluster, addr(2)).last(),
        Some(&left(addr(1), LeaveReason::SaidGoodbye))
    );
    assert_eq!(rejected(&cluster, addr(2), Rejection::NotMember), 2, "the repeats");
}

#[test]
fn who_got_a_join_and_has_not_answered_is_told_goodbye_once() {
    let mut cluster = Cluster::new(8);
    cluster.start(addr(1));
    cluster.start(addr(2));
    cluster.discover(addr(1), &[addr(2), addr(9)]);
    cluster.run_for(cluster.latency);
    // The answer of 2 is under way.
    cluster.with(addr(1), |node, now, _| node.leave(now));
    cluster.run_for(SECOND);
    assert_eq!(kinds_sent(&cluster, addr(1)), [1, 1, 2, 2]);
    assert!(cluster.members(addr(2)).is_empty(), "no ghost is left behind");
    assert_eq!(cluster.nodes[&addr(1)].actions.last(), Some(&Action::Closed));
}

#[test]
fn a_node_that_said_goodbye_does_not_come_back_by_a_late_heartbeat() {
    let mut cluster = Cluster::new(8);
    cluster.start(addr(1));
    let mut peer = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut peer, addr(1));
    let (late_proof, late) = (peer.proof(), peer.heartbeat());
    let leave = peer.leave();
    for message in [leave, late_proof, late] {
        cluster.inject(addr(9), addr(1), &message);
        cluster.run_for(cluster.latency);
    }
    assert!(cluster.members(addr(1)).is_empty());
    assert_eq!(rejected(&cluster, addr(1), Rejection::FormerIncarnation), 2);
}

#[test]
fn a_goodbye_of_another_life_or_from_another_address_removes_nobody() {
    let mut cluster = Cluster::new(9);
    cluster.start(addr(1));
    let mut peer = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut peer, addr(1));
    let own = cluster.node(addr(1)).incarnation().get();
    let spoofed = [
        (addr(9), leave(Some(8)), Rejection::FormerIncarnation),
        (addr(8), leave(Some(8)), Rejection::NotMember),
        (addr(8), leave(Some(7)), Rejection::WrongSession),
        (addr(9), leave(None), Rejection::Downgrade),
        (addr(9), leave(Some(own)), Rejection::OwnDatagram),
    ];
    for (from, message, why) in spoofed {
        cluster.inject(from, addr(1), &message);
        cluster.run_for(cluster.latency);
        assert_eq!(rejected(&cluster, addr(1), why), 1, "{why:?}");
        assert_eq!(life(&cluster, addr(1), addr(9)), Some(7), "{why:?}");
    }
}

#[test]
fn a_goodbye_of_a_former_life_does_not_send_its_successor_away() {
    for envelope in [super::support::plain, || sealed(7)] {
        let mut cluster = Cluster::new(10);
        cluster.start_mesh_of(3, &Config::default(), envelope);
        // Its goodbyes are held back until it has come back.
        cluster.passes = Box::new(|datagram| datagram.from != addr(2));
        cluster.with(addr(2), |node, now, _| node.leave(now));
        cluster.run_for(SECOND);
        let before = cluster.sent.len();
        let goodbyes: Vec<_> = cluster
            .sent
            .iter()
            .filter(|sent| sent.from == addr(2))
            .rev()
            .take(6)
            .cloned()
            .collect();
        cluster.passes = Box::new(|_| true);
        cluster.crash(addr(2));
        cluster.start_with(addr(2), Config::default(), envelope());
        cluster.discover(addr(2), &[addr(1), addr(3)]);
        cluster.run_until("it is back", is_full_mesh);
        assert!(cluster.sent.len() > before);
        for goodbye in goodbyes {
            cluster.inject(goodbye.from, goodbye.to, &goodbye.bytes);
        }
        cluster.run_for(SECOND);
        assert!(is_full_mesh(&cluster));
        let last = peer_events(&cluster, addr(1)).pop();
        assert!(matches!(last, Some(alan_proto::PeerEvent::Joined { .. })), "{last:?}");
    }
}
