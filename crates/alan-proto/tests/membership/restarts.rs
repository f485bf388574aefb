//! One address, several lives: a restart is Left(restarted), then Joined, and a life that is gone
//! stays gone.

use std::time::Duration;

use alan_proto::{Config, HybridTime, LeaveReason, PeerEvent, Rejection};

use super::support::{Cluster, HandMadePeer, addr, plain, sealed};
use super::{SECOND, is_full_mesh, joined, left, life, peer_events, rejected, warnings};

#[test]
fn a_restart_at_the_same_address_is_left_then_joined_and_the_former_life_is_refused() {
    let mut cluster = Cluster::new(9);
    cluster.start(addr(1));
    let mut former = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut former, addr(1));
    cluster.run_for(SECOND);
    let mut peer = HandMadePeer::new(addr(9), 8);
    cluster.introduce(&mut peer, addr(1));
    for message in [former.heartbeat(), former.leave(), former.join(), former.proof()] {
        cluster.inject(addr(9), addr(1), &message);
        cluster.run_for(cluster.latency);
    }
    assert_eq!(
        peer_events(&cluster, addr(1)),
        [joined(addr(9), 7), left(addr(9), LeaveReason::Restarted), joined(addr(9), 8)]
    );
    assert_eq!(rejected(&cluster, addr(1), Rejection::FormerIncarnation), 4);
    assert_eq!(life(&cluster, addr(1), addr(9)), Some(8));
}

#[test]
fn a_life_that_has_not_proven_itself_replaces_nobody() {
    let mut cluster = Cluster::new(10);
    cluster.start(addr(1));
    let mut peer = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut peer, addr(1));
    let mut other = HandMadePeer::new(addr(9), 8);
    for _ in 0..20 {
        let (join, heartbeat) = (other.join(), other.heartbeat());
        cluster.inject(addr(9), addr(1), &join);
        cluster.inject(addr(9), addr(1), &heartbeat);
        cluster.run_for(SECOND);
        let heartbeat = peer.heartbeat();
        cluster.inject(addr(9), addr(1), &heartbeat);
        cluster.run_for(SECOND);
    }
    assert_eq!(peer_events(&cluster, addr(1)), [joined(addr(9), 7)]);
}

#[test]
fn a_life_whose_challenge_is_older_than_what_its_successor_has_proven_replaces_nobody() {
    let mut cluster = Cluster::new(24);
    cluster.start(addr(1));
    let mut former = HandMadePeer::new(addr(9), 7);
    let join = former.join();
    cluster.speak(&mut former, addr(1), &join);
    let proof = former.proof();
    // It dies with its proof under way; the next life at its address is quicker.
    cluster.run_for(SECOND);
    let mut peer = HandMadePeer::new(addr(9), 8);
    cluster.introduce(&mut peer, addr(1));
    cluster.inject(addr(9), addr(1), &proof);
    cluster.run_for(SECOND);
    assert_eq!(peer_events(&cluster, addr(1)), [joined(addr(9), 8)]);
    assert_eq!(rejected(&cluster, addr(1), Rejection::FormerIncarnation), 1);
}

#[test]
fn a_member_whose_address_somebody_else_speaks_from_is_not_kept_alive_by_that() {
    let mut cluster = Cluster::new(11);
    cluster.start(addr(1));
    let mut peer = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut peer, addr(1));
    for _ in 0..30 {
        cluster.inject(addr(9), addr(1), &super::support::heartbeat(Some(8)));
        let data = super::support::encoded(&alan_proto::wire::Message::Data(b"busy"));
        cluster.inject(addr(9), addr(1), &data);
        cluster.run_for(SECOND);
    }
    let events = [joined(addr(9), 7), left(addr(9), LeaveReason::Silent)];
    assert_eq!(peer_events(&cluster, addr(1)), events);
}

/// What the two others were told of the node at 2, which was restarted once.
fn told_of_restart(cluster: &Cluster, former: u64, present: u64) {
    for at in [1, 3].map(addr) {
        let events = peer_events(cluster, at).into_iter();
        let events: Vec<_> = events.filter(|event| event.peer() == addr(2)).collect();
        let restarted = left(addr(2), LeaveReason::Restarted);
        let expected = [joined(addr(2), former), restarted, joined(addr(2), present)];
        assert_eq!(events, expected, "at {at}");
    }
}

#[test]
fn a_restart_within_one_round_trip_is_told_as_one_by_everybody() {
    for envelope in [plain, || sealed(7)] {
        for (pause, dies_after) in [(0, 0), (1, 0), (0, 1), (0, 2), (1, 3), (0, 4)] {
            let mut cluster = Cluster::new(12);
            cluster.latency = Duration::from_millis(10);
            cluster.start_mesh_of(3, &Config::default(), envelope);
            cluster.run_for(SECOND);
            // Something of the former life is under way when the new one starts.
            cluster.send_to(addr(2), addr(1), b"the last words");
            cluster.run_for(Duration::from_millis(dies_after));
            let former = cluster.crash(addr(2)).node.incarnation().get();
            cluster.run_for(Duration::from_millis(pause));
            cluster.start_with(addr(2), Config::default(), envelope());
            cluster.discover(addr(2), &[addr(1), addr(3)]);
            let present = cluster.node(addr(2)).incarnation().get();
            cluster.run_for(SECOND);
            assert!(is_full_mesh(&cluster));
            told_of_restart(&cluster, former, present);
            assert!(warnings(&cluster, addr(1)).is_empty());
            assert!(warnings(&cluster, addr(2)).is_empty());
        }
    }
}

#[test]
fn a_node_that_dies_while_it_joins_and_comes_back_at_once_is_a_member_once() {
    for envelope in [plain, || sealed(7)] {
        for step in 0..80 {
            let mut cluster = Cluster::new(13);
            cluster.latency = Duration::from_millis(10);
            cluster.start_with(addr(1), Config::default(), envelope());
            cluster.start_with(addr(2), Config::default(), envelope());
            cluster.discover(addr(2), &[addr(1)]);
            cluster.run_for(Duration::from_micros(500 * step));
            cluster.crash(addr(2));
            cluster.start_with(addr(2), Config::default(), envelope());
            cluster.discover(addr(2), &[addr(1)]);
            let present = cluster.node(addr(2)).incarnation().get();
            cluster.run_for(SECOND);
            assert_eq!(life(&cluster, addr(1), addr(2)), Some(present), "after {step} half ms");
            assert_eq!(cluster.members(addr(2)), [addr(1)]);
            let alternating = peer_events(&cluster, addr(1)).len() % 2 == 1;
            assert!(alternating, "{:?}", peer_events(&cluster, addr(1)));
        }
    }
}

#[test]
fn a_restart_after_the_wall_clock_stepped_back_is_a_restart_like_any_other() {
    for envelope in [plain, || sealed(7)] {
        let mut cluster = Cluster::new(14);
        cluster.start_mesh_of(3, &Config::default(), envelope);
        let former = cluster.crash(addr(2)).node.incarnation().get();
        let year = 365 * 86_400 * 1_000_000;
        let past = HybridTime::from_micros(cluster.wall().as_micros() - year);
        cluster.start_at(past, addr(2), Config::default(), envelope());
        cluster.discover(addr(2), &[addr(1), addr(3)]);
        let present = cluster.node(addr(2)).incarnation().get();
        cluster.run_for(SECOND);
        told_of_restart(&cluster, former, present);
        assert!(is_full_mesh(&cluster));
        // A year is more than anybody may be ahead of it: it says so, and follows nobody.
        assert!(cluster.node(addr(2)).hybrid_time() < cluster.wall());
        assert_eq!(warnings(&cluster, addr(1)), []);
    }
}

#[test]
fn a_restart_whose_first_join_is_lost_is_told_as_a_restart_nevertheless() {
    for envelope in [plain, || sealed(7)] {
        let mut cluster = Cluster::new(15);
        cluster.start_mesh_of(3, &Config::default(), envelope);
        let former = cluster.crash(addr(2)).node.incarnation().get();
        cluster.start_with(addr(2), Config::default(), envelope());
        let started = cluster.now;
        cluster.passes = Box::new(move |datagram| {
            datagram.from != addr(2) || datagram.at.saturating_since(started) > SECOND
        });
        cluster.discover(addr(2), &[addr(1), addr(3)]);
        let present = cluster.node(addr(2)).incarnation().get();
        cluster.run_for(4 * SECOND);
        told_of_restart(&cluster, former, present);
    }
}

#[test]
fn a_member_that_only_fell_silent_may_come_back_as_the_same_life() {
    let mut cluster = Cluster::new(16);
    cluster.start_mesh(2, &Config::default());
    cluster.stop(addr(2));
    cluster.run_for(20 * SECOND);
    cluster.resume(addr(2));
    cluster.run_for(40 * SECOND);
    let incarnation = cluster.node(addr(2)).incarnation().get();
    let events = [
        joined(addr(2), incarnation),
        left(addr(2), LeaveReason::Silent),
        joined(addr(2), incarnation),
    ];
    assert_eq!(peer_events(&cluster, addr(1)), events);
    let events = peer_events(&cluster, addr(2));
    assert!(matches!(events[..], [PeerEvent::Joined { .. }]), "{events:?}");
}

#[test]
fn two_processes_that_share_an_address_by_mistake_replace_each_other_and_nobody_else() {
    let mut cluster = Cluster::new(17);
    cluster.start_mesh(3, &Config::default());
    let mut one = HandMadePeer::new(addr(9), 7);
    let mut other = HandMadePeer::new(addr(9), 8);
    for _ in 0..5 {
        for peer in [&mut one, &mut other] {
            cluster.introduce(peer, addr(1));
            cluster.run_for(10 * SECOND);
        }
    }
    let events = peer_events(&cluster, addr(1));
    let replaced = events.iter().filter(|event| event.peer() == addr(9)).collect::<Vec<_>>();
    for pair in replaced.windows(2) {
        let alternates = matches!(pair[0], PeerEvent::Joined { .. })
            != matches!(pair[1], PeerEvent::Joined { .. });
        assert!(alternates, "{replaced:?}");
    }
    let others = events.iter().filter(|event| event.peer() != addr(9)).count();
    assert_eq!(others, 2, "the two others joined and stayed");
}

#[test]
fn a_life_that_says_nothing_of_itself_is_asked_though_its_messages_come() {
    let mut cluster = Cluster::new(9);
    cluster.start_mesh(2, &Config::default());
    cluster.crash(addr(2));
    // Nobody has told it of the other one, but its program has an address to send to.
    cluster.start(addr(2));
    for _ in 0..25 {
        cluster.send_to(addr(2), addr(1), b"hello");
        cluster.run_for(SECOND);
    }
    let incarnation = cluster.node(addr(2)).incarnation().get();
    assert_eq!(life(&cluster, addr(1), addr(2)), Some(incarnation));
    assert_eq!(cluster.members(addr(2)), [addr(1)]);
}
