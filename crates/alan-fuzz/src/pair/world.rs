//! The two nodes, the network between them, and what the attacker and the programs do.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::{Delivery, Instant, Node, Rejection, RequestId};

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
    /// Those that were sent from a member to members.
    sent_once: BTreeSet<Vec<u8>>,
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
            sent_once: BTreeSet::new(),
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
        let unopened = [
            Rejection::Unopened,
            Rejection::FormerLife,
            Rejection::Replayed,
            Rejection::OverBudget,
            Rejection::NoPort,
        ];
        let count = |stats: alan_proto::Stats| unopened.map(|why| stats.rejected(why)).iter().sum();
        let (before, after): (u64, u64) = (count(before.1), count(after));
        assert_eq!(after, before + 1, "nothing that was altered opens");
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
                    let once = self.sent_once.contains(payload);
                    assert!(!once || side.is_first(payload), "delivered twice to one life");
                }
                Delivery::Repeated { from, request } => {
                    if let Some(said) = side.repeated(self.now, from, request) {
                        self.answer(node, from, request, &said);
                    }
                }
                Delivery::Request { from, request, payload } => {
                    assert!(self.sent.contains(payload), "asked, but never sent");
                    let once = self.sent_once.contains(payload);
                    assert!(!once || side.is_first(payload), "executed twice by one life");
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
        self.go_to(self.now + pause);
        for node in 0..2 {
            self.handle_timeout(node);
        }
    }

    /// Time passes, and no node looks.
    pub(super) fn stall(&mut self, pause: Duration) {
        self.go_to(self.now + pause);
    }

    /// Whatever is due before that is done late.
    fn go_to(&mut self, now: Instant) {
        for side in &mut self.sides {
            if let Some(deadline) = side.node.poll_timeout() {
                side.watch.late += now.saturating_since(deadline.at.max(self.now));
            }
        }
        self.now = now;
    }

    pub(super) fn wake(&mut self) {
        let due = self.sides.iter().filter_map(|side| side.node.poll_timeout());
        if let Some(at) = due.map(|deadline| deadline.at).min() {
            self.go_to(self.now.max(at));
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
        self.once_to_members(node, to, &payload);
        let side = &mut self.sides[node];
        let sent = side.node.send_to(self.now, to, &payload, &mut buffer).expect("it can be sent");
        side.watch.transmitted += 1;
        self.transmit(node, [sent.to], &buffer[..sent.len]);
    }

    pub(super) fn broadcast(&mut self, node: usize) {
        let (payload, mut buffer) = (self.payload(), [0; 4_096]);
        let side = &mut self.sides[node];
        if let Ok(len) = side.node.broadcast(self.now, &payload, &mut buffer) {
            self.sent_once.insert(payload);
            let members: Vec<_> = side.node.members().map(|peer| peer.path).collect();
            side.watch.transmitted += members.len() as u64;
            self.transmit(node, members, &buffer[..len]);
        }
    }

    pub(super) fn request(&mut self, node: usize, all: bool, within: Duration) {
        let (payload, mut buffer) = (self.payload(), [0; 4_096]);
        let (to, deadline) = (address(1 - node), self.now + within);
        if all {
            return self.request_all(node, payload, deadline);
        }
        self.once_to_members(node, to, &payload);
        let side = &mut self.sides[node];
        let asked = side.node.request(self.now, to, &payload, Some(deadline), &mut buffer);
        let (id, transmit) = asked.expect("there is room for it");
        // The answer comes from the address that names the member.
        let named = side.node.member(to).map_or(to, |member| member.addr);
        side.watch.asked(id, [named], Some(deadline));
        side.watch.transmitted += 1;
        side.remember_request(id);
        side.questions.insert(id, payload);
        self.transmit(node, [transmit.to], &buffer[..transmit.len]);
    }

    fn request_all(&mut self, node: usize, payload: Vec<u8>, deadline: Instant) {
        let side = &mut self.sides[node];
        let asked = side.node.request_all(self.now, payload.len(), Some(deadline));
        if let Ok(Some(id)) = asked {
            let members: Vec<_> = side.node.members().map(|peer| peer.addr).collect();
            side.watch.asked(id, members, Some(deadline));
            side.remember_request(id);
            side.questions.insert(id, payload.clone());
            self.sent_once.insert(payload);
        }
        self.fetch(node);
    }

    /// What goes from a member to a member is delivered once to each life, whatever is replayed.
    fn once_to_members(&mut self, node: usize, to: SocketAddr, payload: &[u8]) {
        if self.sides[node].node.member(to).is_some() {
            self.sent_once.insert(payload.to_vec());
        }
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
        let said = [b"reply to ".as_slice(), &request.0].concat();
        self.sides[node].answered(to, request, &said);
        self.answer(node, to, request, &said);
    }

    fn answer(&mut self, node: usize, to: SocketAddr, request: RequestId, said: &[u8]) {
        let mut buffer = [0; 4_096];
        let side = &mut self.sides[node];
        let sent = side.node.reply(self.now, to, request, said, &mut buffer);
        side.watch.transmitted += 1;
        let transmit = sent.expect("it can be sent");
        self.transmit(node, [transmit.to], &buffer[..transmit.len]);
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
            // Two nodes that never stop answering each other come to this end, too.
            while self.now < end
                && let Some(flight) = self.network.take(0)
            {
                self.go_to(self.now + LATENCY);
                self.arrive(flight);
            }
            self.release_all();
            if holds(self) {
                return;
            }
            let due = self.sides.iter().filter_map(|side| side.node.poll_timeout());
            let next = due.map(|deadline| deadline.at).min().unwrap_or(end);
            self.go_to(next.max(self.now + LATENCY));
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

    /// Each is a member of the other, and nobody else is. Under which address does not matter: an
    /// attacker who redirects the JOIN to one has that one proven.
    fn have_met(&self) -> bool {
        self.sides.iter().zip([1, 0]).all(|(side, other)| {
            let other = self.sides[other].node.incarnation();
            side.node.members().all(|peer| peer.incarnation == Some(other))
                && side.node.peer_count() == 1
        })
    }

    // Below: small things.

    fn index(&self, at: SocketAddr) -> Option<usize> {
        self.sides.iter().position(|side| side.at == at)
    }

    fn fetch(&mut self, node: usize) {
        self.sides[node].fetch(address(1 - node), self.now, self.step, &mut self.network);
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
