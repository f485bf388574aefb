//! Another key for a cluster that goes on meanwhile.

use std::net::SocketAddr;

use alan_proto::envelope::{Key, Keyring};
use alan_proto::{Action, Config, LockEvent, Rejection};

use super::support::{Cluster, Delivered, addr, plain, sealed};
use super::{SECOND, is_full_mesh, peer_events, rejected_of_others, warnings};

fn key(byte: u8) -> Key {
    Key::from_bytes(&[byte; 32]).expect("32 bytes")
}

/// Seals with one, and opens with the other too.
fn ring(sealing: u8, opening: u8) -> Keyring {
    Keyring::new(key(sealing)).with_opening(key(opening)).expect("there is room")
}

/// A cluster under traffic: each message and each request counted.
struct Busy {
    cluster: Cluster,
    sent: usize,
}

impl Busy {
    fn new() -> Self {
        let mut cluster = Cluster::new(1);
        let mut config = Config::default();
        config.cluster_size = 4;
        cluster.start_mesh_of(4, &config, || sealed(1));
        assert!(is_full_mesh(&cluster));
        Self { cluster, sent: 0 }
    }

    /// Everybody tells and asks everybody something.
    fn talk(&mut self) {
        for from in (1..=4).map(addr) {
            for to in (1..=4).map(addr).filter(|to| *to != from) {
                self.cluster.send_to(from, to, b"hello");
                self.cluster.request(from, to, b"?", None);
                self.sent += 1;
            }
        }
        self.cluster.run_for(SECOND / 10);
        for at in (1..=4).map(addr) {
            let deliveries = std::mem::take(&mut self.running(at).deliveries);
            let asked = deliveries.iter().filter_map(|delivered| match delivered {
                Delivered::Request { from, request, .. } => Some((*from, *request)),
                _ => None,
            });
            for (from, request) in asked.collect::<Vec<_>>() {
                self.cluster.reply(at, from, request, b"!");
            }
            let others = deliveries.len();
            assert_eq!(others, 6, "three messages and three requests at {at}");
        }
        self.cluster.run_for(SECOND / 10);
        for at in (1..=4).map(addr) {
            let responses = std::mem::take(&mut self.running(at).deliveries);
            assert_eq!(responses.len(), 3, "{responses:?} at {at}");
        }
    }

    fn running(&mut self, at: SocketAddr) -> &mut super::support::Running {
        self.cluster.nodes.get_mut(&at).expect("it runs")
    }

    /// Gives each node in turn the ring, under traffic.
    fn step(&mut self, keyring: &Keyring) {
        for at in (1..=4).map(addr) {
            let ring = keyring.clone();
            self.cluster.with(at, |node, _, _| node.set_keyring(ring)).expect("it is sealed");
            self.talk();
            self.cluster.run_for(7 * SECOND);
            self.talk();
        }
    }
}

#[test]
fn a_key_is_changed_in_three_steps_without_losing_a_member_or_a_message() {
    let mut busy = Busy::new();
    let lock = busy.cluster.with(addr(1), |node, now, _| node.lock(now, "key", None));
    let lock = lock.expect("there is room");
    busy.cluster.run_for(SECOND);
    busy.talk();
    for keyring in [ring(1, 2), ring(2, 1), Keyring::new(key(2))] {
        busy.step(&keyring);
    }
    assert_eq!(busy.sent, 12 * 25);
    let cluster = &mut busy.cluster;
    assert!(is_full_mesh(cluster));
    for at in (1..=4).map(addr) {
        assert_eq!(peer_events(cluster, at).len(), 3, "nobody left");
        assert_eq!(warnings(cluster, at), [], "and nobody was warned");
        assert_eq!(rejected_of_others(cluster, at), 0);
    }
    let granted = Action::Lock(LockEvent::Granted { lock });
    let locks = cluster.nodes[&addr(1)].actions.iter();
    let locks: Vec<_> = locks.filter(|action| matches!(action, Action::Lock(_))).collect();
    assert_eq!(locks, [&granted], "the lock is still held");
    // The old key is worth nothing any more.
    cluster.start_with(addr(9), Config::default(), sealed(1));
    cluster.discover(addr(9), &[addr(1)]);
    cluster.run_for(SECOND);
    assert!(cluster.members(addr(9)).is_empty());
    assert!(cluster.node(addr(1)).stats().rejected(Rejection::Unopened) > 0);
}

#[test]
fn a_node_that_restarts_between_two_steps_is_back_with_either_key() {
    for ring_of_restarted in [ring(1, 2), ring(2, 1)] {
        let mut busy = Busy::new();
        for at in (1..=4).map(addr) {
            let rings = ring(1, 2);
            busy.cluster.with(at, |node, _, _| node.set_keyring(rings)).expect("it is sealed");
        }
        busy.cluster.crash(addr(2));
        let envelope = alan_proto::envelope::Sealed::with_keyring(ring_of_restarted);
        let envelope = alan_proto::envelope::AnyEnvelope::Sealed(envelope);
        busy.cluster.start_with(addr(2), Config::default(), envelope);
        busy.cluster.discover(addr(2), &[addr(1), addr(3), addr(4)]);
        busy.cluster.run_for(SECOND);
        assert!(is_full_mesh(&busy.cluster));
        busy.talk();
    }
}

#[test]
fn a_plain_node_refuses_a_keyring_and_goes_on() {
    let mut cluster = Cluster::new(2);
    cluster.start_with(addr(1), Config::default(), plain());
    let refused = cluster.with(addr(1), |node, _, _| node.set_keyring(ring(1, 2)));
    assert!(refused.is_err());
}
