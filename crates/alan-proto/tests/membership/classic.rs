//! Peers without a session block: believed at once, as in the Go library, and served as before.

use std::net::SocketAddr;

use alan_proto::wire::{Control, Message};
use alan_proto::{Action, Config, LeaveReason, LockEvent, LockId, Rejection};

use super::support::{
    Cluster, Delivered, HandMadePeer, addr, encoded, heartbeat, join, leave, plain, sealed,
};
use super::{SECOND, is_full_mesh, joined, left, life, peer_events, rejected, sent_from};

#[test]
fn a_join_without_a_block_admits_and_is_not_answered() {
    let mut cluster = Cluster::new(1);
    cluster.start(addr(1));
    cluster.inject(addr(9), addr(1), &join(None));
    cluster.run_for(SECOND);
    assert_eq!(peer_events(&cluster, addr(1)), [joined(addr(9), None)]);
    assert!(sent_from(&cluster, addr(1)).is_empty());
}

#[test]
fn a_heartbeat_without_a_block_admits_too_and_a_leave_removes() {
    let mut cluster = Cluster::new(1);
    cluster.start(addr(1));
    for message in [heartbeat(None), leave(None), leave(None)] {
        cluster.inject(addr(9), addr(1), &message);
        cluster.run_for(cluster.latency);
    }
    let events = [joined(addr(9), None), left(addr(9), LeaveReason::SaidGoodbye)];
    assert_eq!(peer_events(&cluster, addr(1)), events);
    assert_eq!(rejected(&cluster, addr(1), Rejection::NotMember), 1);
}

#[test]
fn data_from_a_members_own_address_keeps_it_alive_and_from_another_port_does_not() {
    let mut cluster = Cluster::new(6);
    cluster.start(addr(1));
    let other_port = SocketAddr::from(([127, 0, 0, 9], 5_777));
    cluster.inject(addr(9), addr(1), &join(None));
    for _ in 0..4 {
        cluster.run_for(10 * SECOND);
        cluster.inject(addr(9), addr(1), &encoded(&Message::Data(b"here")));
    }
    assert_eq!(cluster.members(addr(1)), [addr(9)]);
    cluster.run_for(10 * SECOND);
    cluster.inject(other_port, addr(1), &encoded(&Message::Data(b"not me")));
    cluster.run_for(6 * SECOND);
    assert!(cluster.members(addr(1)).is_empty());
}

#[test]
fn an_advertised_port_names_the_peer_and_port_zero_nobody() {
    let mut cluster = Cluster::new(12);
    cluster.start(addr(1));
    let from = SocketAddr::from(([127, 0, 0, 9], 5_777));
    cluster.inject(from, addr(1), &join(None));
    let nobody = Message::Join(Control { port: 0, block: None });
    cluster.inject(addr(8), addr(1), &encoded(&nobody));
    cluster.run_for(SECOND);
    assert_eq!(cluster.members(addr(1)), [addr(9)]);
    assert_eq!(rejected(&cluster, addr(1), Rejection::NoPort), 1);
}

#[test]
fn control_messages_without_a_block_do_not_speak_for_a_peer_that_sends_them_with_one() {
    let mut cluster = Cluster::new(10);
    cluster.start(addr(1));
    let mut peer = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut peer, addr(1));
    for message in [join(None), heartbeat(None), leave(None)] {
        cluster.inject(addr(9), addr(1), &message);
        cluster.run_for(4 * SECOND);
    }
    assert_eq!(life(&cluster, addr(1), addr(9)), Some(7));
    assert_eq!(rejected(&cluster, addr(1), Rejection::Downgrade), 3);
    // Nor do they keep it alive; and once it has timed out, its address may be a classic peer's.
    cluster.run_for(4 * SECOND);
    assert!(cluster.members(addr(1)).is_empty());
    cluster.inject(addr(9), addr(1), &heartbeat(None));
    cluster.run_for(cluster.latency);
    assert_eq!(peer_events(&cluster, addr(1)).last(), Some(&joined(addr(9), None)));
}

#[test]
fn a_classic_member_that_proves_itself_extended_has_restarted() {
    let mut cluster = Cluster::new(11);
    cluster.start(addr(1));
    cluster.inject(addr(9), addr(1), &join(None));
    let mut peer = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut peer, addr(1));
    let events = [joined(addr(9), None), left(addr(9), LeaveReason::Restarted), joined(addr(9), 7)];
    assert_eq!(peer_events(&cluster, addr(1)), events);
}

#[test]
fn a_node_may_refuse_peers_without_a_session() {
    for envelope in [plain, || sealed(7)] {
        let mut config = Config::default();
        config.classic_peers = false;
        let mut cluster = Cluster::new(12);
        cluster.start_mesh_of(2, &config, envelope);
        let mut classic = Config::default();
        classic.speak_classic = true;
        cluster.start_with(addr(3), classic, envelope());
        cluster.discover(addr(3), &[addr(1)]);
        cluster.run_for(SECOND);
        cluster.send_to(addr(3), addr(1), b"from nobody");
        cluster.send_to(addr(2), addr(1), b"from a member");
        cluster.run_for(30 * SECOND);
        assert_eq!(cluster.members(addr(1)), [addr(2)]);
        let (from, payload) = (addr(2), b"from a member".to_vec());
        assert_eq!(cluster.nodes[&addr(1)].deliveries, [Delivered::Message { from, payload }]);
        assert!(rejected(&cluster, addr(1), Rejection::ClassicRefused) > 2);
        assert!(sent_from(&cluster, addr(1)).iter().all(|sent| sent.to != addr(3)));
    }
}

/// Two extended nodes, and a third that speaks and understands the classic protocol only.
fn mixed(envelope: impl Fn() -> alan_proto::envelope::AnyEnvelope) -> Cluster {
    let mut cluster = Cluster::new(13);
    let all = [1, 2, 3].map(addr);
    for at in all {
        let mut config = Config::default();
        config.cluster_size = 3;
        config.speak_classic = at == addr(3);
        cluster.start_with(at, config, envelope());
    }
    for at in all {
        // A classic node would take itself for a peer.
        let others: Vec<_> = all.into_iter().filter(|other| *other != at).collect();
        cluster.discover(at, &others);
    }
    cluster.run_until("they meet", is_full_mesh);
    cluster
}

fn is_granted(cluster: &Cluster, at: SocketAddr, lock: LockId) -> bool {
    cluster.nodes[&at].actions.contains(&Action::Lock(LockEvent::Granted { lock }))
}

#[test]
fn a_classic_node_among_extended_ones_is_a_member_like_them() {
    for envelope in [plain, || sealed(7)] {
        let mut cluster = mixed(envelope);
        cluster.run_for(600 * SECOND);
        assert!(is_full_mesh(&cluster));
        for at in [1, 2, 3].map(addr) {
            assert_eq!(peer_events(&cluster, at).len(), 2, "nobody ever left");
            assert!(cluster.node(at).has_quorum());
        }
        assert_eq!(life(&cluster, addr(1), addr(3)), None);
        assert_eq!(life(&cluster, addr(3), addr(1)), None);
        let incarnation = cluster.node(addr(2)).incarnation().get();
        assert_eq!(life(&cluster, addr(1), addr(2)), Some(incarnation));
        cluster.with(addr(3), |node, now, _| node.leave(now));
        cluster.run_for(cluster.latency);
        for at in [1, 2].map(addr) {
            let last = left(addr(3), LeaveReason::SaidGoodbye);
            assert_eq!(peer_events(&cluster, at).last(), Some(&last));
        }
    }
}

#[test]
fn messages_and_requests_pass_between_classic_and_extended_nodes() {
    for envelope in [plain, || sealed(7)] {
        let mut cluster = mixed(envelope);
        for (from, to) in [(1, 3), (3, 1), (1, 2), (2, 3)] {
            let (from, to) = (addr(from), addr(to));
            cluster.send_to(from, to, b"hello");
            cluster.run_for(cluster.latency);
            let message = Delivered::Message { from, payload: b"hello".to_vec() };
            assert_eq!(cluster.nodes[&to].deliveries.last(), Some(&message));
            let request = cluster.request(from, to, b"?", None);
            cluster.run_for(cluster.latency);
            cluster.reply(to, from, request, b"!");
            cluster.run_for(cluster.latency);
            let (from_to, payload) = (to, b"!".to_vec());
            let response = Delivered::Response { request, from: from_to, payload, finished: true };
            assert_eq!(cluster.nodes[&from].deliveries.last(), Some(&response));
        }
    }
}

#[test]
fn a_broadcast_in_a_mixed_cluster_is_understood_by_all() {
    for envelope in [plain, || sealed(7)] {
        let mut cluster = mixed(envelope);
        for from in [1, 2, 3].map(addr) {
            let members: Vec<_> = cluster.node(from).members().map(|peer| peer.path).collect();
            let bytes = cluster.with(from, |node, now, buffer| {
                let len = node.broadcast(now, b"to all", buffer).expect("there is a quorum");
                buffer[..len].to_vec()
            });
            for to in members {
                cluster.inject(from, to, &bytes);
                cluster.run_for(cluster.latency);
                let message = Delivered::Message { from, payload: b"to all".to_vec() };
                assert_eq!(cluster.nodes[&to].deliveries.last(), Some(&message));
            }
        }
    }
}

#[test]
fn a_lock_goes_round_between_classic_and_extended_nodes() {
    for envelope in [plain, || sealed(7)] {
        let mut cluster = mixed(envelope);
        for round in 0..6 {
            let (holder, waiter) = (addr(1 + round % 3), addr(1 + (round + 1) % 3));
            let mut ask = |at| {
                let lock = cluster.with(at, |node, now, _| node.lock(now, "key", None));
                lock.expect("there is room")
            };
            let held = ask(holder);
            cluster.run_until("the first gets it", |cluster| is_granted(cluster, holder, held));
            let lock = cluster.with(waiter, |node, now, _| node.lock(now, "key", None));
            let waiting = lock.expect("there is room");
            cluster.run_for(10 * SECOND);
            assert!(!is_granted(&cluster, waiter, waiting), "it is held");
            cluster.with(holder, |node, now, _| node.release(now, held)).expect("it is held");
            cluster.run_until("the second gets it", |cluster| is_granted(cluster, waiter, waiting));
            cluster.with(waiter, |node, now, _| node.release(now, waiting)).expect("it is held");
            cluster.run_for(SECOND);
        }
    }
}
