//! The two nodes, the network between them, and what the attacker and the programs do.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::{Delivery, Instant, Node, Rejection};

use super::network::{Flight, Network};
use super::side::Side;
use crate::input::{KEYS, address};

/// How long after the attack everything must have come right: a node whose own JOINs were sent back
/// to it asks again after a minute; then two heartbeat timeouts until a displaced life is believed
/// again, the longest pause between two attempts to get a lock, and some of each.
const RECOVERY: Duration = Duration::from_secs(80);
const LATENCY: Duration = Duration::from_millis(1);

pub(super) struct World {
    sides: [Side; 2],
    network: Network,
    now: Instant,
    step: u64,
    lives: u64,
    cluster_size: u32,
    sent: BTreeSet<Vec<u8>>,
}

impl World {
    pub(super) fn new(kind: u8) -> Self {
        let now = Instant::from_millis(1_000);
        let cluster_size = u32::from(kind % 3);
        let side = |number: u64| {
            let at = address(usize::try_from(number).expect("0 or 1"));
            Side::start(at, cluster_size, 1 + number, now)
        };
        let mut world = Self {
            sides: [side(0), side(1)],
            network: Network::default(),
            now,
            step: 0,
            lives: 2,
            cluster_size,
            sent: BTreeSet::new(),
        };
        for node in 0..2 {
            world.discover(node);
        }
        world
    }

    // The network.

    pub(super) fn deliver(&mut self, number: usize) {
        if let Some(flight) = self.network.take(number) {
            self.arrive(flight);
        }
    }

    pub(super) fn lose(&mut self, number: usize) {
        let _lost = self.network.take(number);
    }

    pub(super) fn double(&mut self, number: usize) {
        if let Some(flight) = self.network.copy(number) {
            self.arrive(flight);
        }
    }

    pub(super) fn alter(&mut self, number: usize, place: u16, bits: u8) {
        let Some(mut flight) = self.network.copy(number) else { return };
        let place = usize::from(place) % (flight.bytes.len() + 1);
        match flight.bytes.get_mut(place) {
            Some(byte) if bits != 0 => *byte ^= bits,
            _ => flight.bytes.truncate(place.min(flight.bytes.len() - 1)),
        }
        self.forged(flight);
    }

    pub(super) fn replay(&mut self, number: usize, from: usize, to: usize) {
        let Some(mut flight) = self.network.recording(number) else { return };
        (flight.from, flight.to) = (address(from), self.sides[to].at);
        self.arrive(flight);
    }

    pub(super) fn invent(&mut self, from: usize, to: usize, bytes: &[u8]) {
        self.forged(Flight { from: address(from), to: self.sides[to].at, bytes: bytes.to_vec() });
    }

    /// What nobody sealed arrives: it is rejected, and nothing is otherwise than before.
    fn forged(&mut self, flight: Flight) {
        let Some(node) = self.index(flight.to) else { return };
        let Flight { from, mut bytes, .. } = flight;
        let side = &mut self.sides[node];
        let seen = |node: &Node<_, _>| {
            let members: Vec<_> = node.members().collect();
            (members, node.usage(), node.poll_timeout(), node.stats().transmitted)
        };
        let before = (seen(&side.node), side.node.stats());
        side.watch.received += 1;
        assert_eq!(side.node.handle_datagram(self.now, from, &mut bytes), None);
        assert_eq!(seen(&side.node), before.0, "{bytes:02x?} from {from} changed something");
        let after = side.node.stats();
        assert_eq!(after.rejected_in_all(), before.1.rejected_in_all() + 1);
        let no_port = u64::from(from.port() == 0);
        let unopened = before.1.rejected(Rejection::Unopened) + 1 - no_port;
        assert_eq!(after.rejected(Rejection::Unopened), unopened);
        self.fetch(node);
    }

    fn arrive(&mut self, flight: Flight) {
        let Some(node) = self.index(flight.to) else { return };
        let Flight { from, mut bytes, .. } = flight;
        let side = &mut self.sides[node];
        side.watch.received += 1;
        let delivery = side.node.handle_datagram(self.now, from, &mut bytes);
        if let Some(delivery) = delivery {
            side.watch.on_delivery(&delivery);
            match delivery {
                Delivery::Message { payload, .. } => {
                    assert!(self.sent.contains(payload), "delivered, but never sent");
                }
                Delivery::Request { from, request, payload } => {
                    assert!(self.sent.contains(payload), "asked, but never sent");
                    let asked = (from, request, payload.to_vec());
                    side.remember_asked(asked);
                }
                Delivery::Response { request, payload, .. } => {
                    let said = [b"reply to ".as_slice(), &request.0].concat();
                    assert_eq!(payload, said, "the reply to another request");
                }
                other => unreachable!("a delivery that this does not know: {other:?}"),
            }
        }
        self.fetch(node);
    }

    // Time.

    pub(super) fn pass(&mut self, pause: Duration) {
        self.now = self.now + pause;
        for node in 0..2 {
            self.handle_timeout(node);
        }
    }

    /// Time passes, and no node looks.
    pub(super) fn stall(&mut self, pause: Duration) {
        self.now = self.now + pause;
    }

    pub(super) fn wake(&mut self) {
        let due = self.sides.iter().filter_map(|side| side.node.poll_timeout());
        if let Some(at) = due.map(|deadline| deadline.at).min() {
            self.now = self.now.max(at);
            self.pass(Duration::ZERO);
        }
    }

    fn handle_timeout(&mut self, node: usize) {
        self.sides[node].node.handle_timeout(self.now);
        self.fetch(node);
        let side = &self.sides[node];
        side.watch.check_on_time(&side.node, self.now);
    }

    // The programs.

    /// The node dies, and starts anew at its address.
    pub(super) fn restart(&mut self, node: usize) {
        self.lives += 1;
        let at = self.sides[node].at;
        self.sides[node] = Side::start(at, self.cluster_size, self.lives, self.now);
        self.discover(node);
    }

    /// Discovery names both nodes, and one that does not exist.
    pub(super) fn discover(&mut self, node: usize) {
        let named = [0, 1, 2].map(address);
        self.sides[node].node.handle_discovery(self.now, &named);
        self.fetch(node);
    }

    pub(super) fn send(&mut self, node: usize) {
        let (to, payload, mut buffer) = (address(1 - node), self.payload(), [0; 4_096]);
        let side = &mut self.sides[node];
        let sent = side.node.send_to(self.now, to, &payload, &mut buffer).expect("it can be sent");
        side.watch.transmitted += 1;
        self.transmit(node, [to], &buffer[..sent.len]);
    }

    pub(super) fn broadcast(&mut self, node: usize) {
        let (payload, mut buffer) = (self.payload(), [0; 4_096]);
        let side = &mut self.sides[node];
        if let Ok(len) = side.node.broadcast(self.now, &payload, &mut buffer) {
            let members: Vec<_> = side.node.members().map(|peer| peer.addr).collect();
            side.watch.transmitted += members.len() as u64;
            self.transmit(node, members, &buffer[..len]);
        }
    }

    pub(super) fn request(&mut self, node: usize, all: bool, within: Duration) {
        let (payload, mut buffer) = (self.payload(), [0; 4_096]);
        let (to, deadline) = (address(1 - node), self.now + within);
        let side = &mut self.sides[node];
        let (asked, len, whom) = if all {
            let asked = side.node.request_all(self.now, &payload, Some(deadline), &mut buffer);
            let Ok((Some(id), len)) = asked else { return };
            (id, len, side.node.members().map(|peer| peer.addr).collect())
        } else {
            let asked = side.node.request(self.now, to, &payload, Some(deadline), &mut buffer);
            let (id, transmit) = asked.expect("there is room for it");
            (id, transmit.len, vec![to])
        };
        side.watch.asked(asked, whom.iter().copied(), Some(deadline));
        side.watch.transmitted += whom.len() as u64;
        side.remember_request(asked);
        self.transmit(node, whom, &buffer[..len]);
    }

    pub(super) fn cancel(&mut self, node: usize) {
        let side = &mut self.sides[node];
        if let Some(request) = side.requests.pop()
            && side.node.cancel_request(request)
        {
            side.watch.cancelled(request);
        }
        self.fetch(node);
    }

    pub(super) fn reply(&mut self, node: usize) {
        let Some((to, request, _)) = self.sides[node].asked.pop() else { return };
        let (said, mut buffer) = ([b"reply to ".as_slice(), &request.0].concat(), [0; 4_096]);
        let side = &mut self.sides[node];
        let sent = side.node.reply(self.now, to, request, &said, &mut buffer);
        side.watch.transmitted += 1;
        self.transmit(node, [to], &buffer[..sent.expect("it can be sent").len]);
    }

    pub(super) fn lock(&mut self, node: usize, key: &str, tries: bool, within: Duration) {
        let deadline = Some(self.now + within);
        let side = &mut self.sides[node];
        let call = if tries { Node::try_lock } else { Node::lock };
        if let Ok(lock) = call(&mut side.node, self.now, key, deadline) {
            side.watch.called(lock, key, deadline);
            side.remember_call(lock, self.step);
        }
        self.fetch(node);
    }

    pub(super) fn release(&mut self, node: usize, number: usize) {
        let side = &mut self.sides[node];
        if let Some(&(lock, _)) = side.locks.iter().rev().nth(number)
            && side.node.release(self.now, lock).is_ok()
        {
            side.watch.released(lock);
        }
        self.fetch(node);
    }

    pub(super) fn unlock(&mut self, node: usize, key: &str) {
        let side = &mut self.sides[node];
        if let Ok(lock) = side.node.unlock(self.now, key) {
            side.watch.released(lock);
        }
        self.fetch(node);
    }

    // What must hold.

    pub(super) fn check_exclusion(&mut self) {
        self.step += 1;
        let [one, other] = &self.sides;
        let (Some(seen), Some(too)) = (one.sees_other_since, other.sees_other_since) else {
            return;
        };
        for (lock, key) in one.watch.held() {
            let Some((rival, _)) = other.watch.held().find(|(_, held)| *held == key) else {
                continue;
            };
            let Some(calls) = one.called(lock).zip(other.called(rival)) else { continue };
            let apart = calls.0.min(calls.1) <= seen.max(too);
            assert!(apart, "both hold {key:?}, and saw each other before they asked");
        }
    }

    /// The attacker has gone: every datagram arrives, in order, and programs release what they hold.
    pub(super) fn recover(&mut self) {
        while self.network.take(0).is_some() {}
        for node in 0..2 {
            self.discover(node);
        }
        self.run_until("every call has ended, and they have met", |world| {
            world.have_met()
                && world.sides.iter().all(|side| {
                    let usage = side.node.usage();
                    (usage.requests, usage.lock_callers) == (0, 0)
                })
        });
        // A note whose release was lost is cleared when somebody asks for its key.
        for (node, key) in [(0, KEYS[0]), (0, KEYS[1]), (1, KEYS[0]), (1, KEYS[1])] {
            let granted = self.sides[node].watch.granted;
            self.lock(node, key, false, RECOVERY);
            self.run_until("a lock that is free is granted", |world| {
                world.sides[node].watch.granted > granted
            });
        }
        self.run_until("nothing is left", |world| {
            let mut locks = world.sides.iter().map(|side| side.node.usage().locks);
            locks.all(|locks| locks == 0)
        });
    }

    fn run_until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = self.now + RECOVERY;
        while self.now < end {
            while let Some(flight) = self.network.take(0) {
                // Even two nodes that never stop answering each other come to an end.
                self.now = self.now + LATENCY;
                self.arrive(flight);
            }
            self.release_all();
            if holds(self) {
                return;
            }
            let due = self.sides.iter().filter_map(|side| side.node.poll_timeout());
            let next = due.map(|deadline| deadline.at).min().unwrap_or(end);
            self.now = next.max(self.now + LATENCY);
            self.pass(Duration::ZERO);
        }
        panic!("not within {RECOVERY:?}: {what}: {:?}", self.sides.each_ref().map(report));
    }

    fn release_all(&mut self) {
        for node in 0..2 {
            let held: Vec<_> = self.sides[node].watch.held().map(|(lock, _)| lock).collect();
            for lock in held {
                let released = self.sides[node].node.release(self.now, lock);
                assert_eq!(released, Ok(()), "who holds a lock can release it");
                self.sides[node].watch.released(lock);
                self.fetch(node);
            }
        }
    }

    /// Each is a member of the other, and nobody else is.
    fn have_met(&self) -> bool {
        self.sides.iter().zip([1, 0]).all(|(side, other)| {
            side.watch.is_member(address(other)) && side.node.peer_count() == 1
        })
    }

    // Below: small things.

    fn index(&self, at: SocketAddr) -> Option<usize> {
        self.sides.iter().position(|side| side.at == at)
    }

    fn fetch(&mut self, node: usize) {
        self.sides[node].fetch(address(1 - node), self.step, &mut self.network);
    }

    fn transmit(&mut self, node: usize, to: impl IntoIterator<Item = SocketAddr>, bytes: &[u8]) {
        let from = self.sides[node].at;
        for to in to {
            self.network.send(Flight { from, to, bytes: bytes.to_vec() });
        }
        self.fetch(node);
    }

    /// A payload that was never sent before.
    fn payload(&mut self) -> Vec<u8> {
        let payload = format!("payload {}", self.sent.len()).into_bytes();
        self.sent.insert(payload.clone());
        payload
    }
}

fn report(side: &Side) -> impl std::fmt::Debug + use<> {
    let members: Vec<_> = side.node.members().map(|peer| peer.addr).collect();
    (members, side.node.usage())
}
