//! Datagrams on their way: sent, judged by the network, carried, and put into the receiver's socket.

use std::net::SocketAddr;

use alan_proto::Instant;

use super::{RECORDED, World};
use crate::check::Fact;
use crate::host::Host;
use crate::network::Fate;
use crate::place::{Place, place_of};
use crate::queue::Due;
use crate::time::Moment;
use crate::trace::{DatagramId, Loss, Meaning, Occurrence};

/// Whose a datagram is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// A node of the cluster sent it, and nobody touched it.
    Node,
    /// It was altered on its way, or made without the key.
    Untrusted,
    /// It was made or sent again by somebody who is no node, and opens.
    Stranger,
}

/// A datagram on its way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) id: DatagramId,
    pub(super) from: SocketAddr,
    /// The address that it was sent to.
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
    pub(super) meaning: Meaning,
    pub(super) origin: Origin,
    /// Since when its receiver has had its sender as a member, if it is a payload and the two had
    /// met when it was sent: see [`World::met`].
    pub(super) mutual: Option<Instant>,
}

/// A datagram that an attacker saw.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
    pub(super) meaning: Meaning,
}

/// All of them, and buffers for the next.
#[derive(Debug, Default)]
pub(super) struct Flights {
    slots: Vec<Option<Flight>>,
    free: Vec<u32>,
    buffers: Vec<Vec<u8>>,
}

impl Flights {
    fn insert(&mut self, flight: Flight) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = Some(flight);
            return slot;
        }
        self.slots.push(Some(flight));
        u32::try_from(self.slots.len() - 1).expect("far fewer datagrams are under way")
    }

    pub(super) fn take(&mut self, slot: u32) -> Flight {
        self.free.push(slot);
        self.slots[slot as usize].take().expect("each arrives once")
    }

    fn copy(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut buffer = self.buffers.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(bytes);
        buffer
    }

    pub(super) fn recycle(&mut self, flight: Flight) {
        // Attackers bring buffers of their own: no more are kept than were ever under way at once.
        if self.buffers.len() < self.slots.len() {
            self.buffers.push(flight.bytes);
        }
    }
}

impl World<'_> {
    /// A node sends a datagram.
    pub(super) fn transmit(&mut self, from: Place, to: SocketAddr, bytes: &[u8]) {
        let source = self.hosts[from.index()].source(to);
        self.stats.sent += 1;
        self.stats.bytes += bytes.len() as u64;
        let meaning = self.meaning(to, bytes);
        let id = self.next_id();
        if !self.trace.is_off() {
            self.note(Occurrence::Sent { datagram: id, from: source, to, meaning });
        }
        let target = place_of(to).filter(|(place, _)| place.index() < self.hosts.len());
        let Some((place, _)) = target else {
            self.stats.to_strangers += bytes.len() as u64;
            self.observe(&Fact::SentToStranger { node: from, to, len: bytes.len() });
            return self.lose(id, Loss::NobodyThere);
        };
        self.record(source, to, bytes, meaning);
        if !self.repeaters.is_empty() {
            self.repeat(source, to, bytes, meaning);
        }
        let (at, flipped, again) = match self.network.judge(self.now, from, place, bytes.len()) {
            Fate::Lost(why) => return self.lose(id, why),
            Fate::Arrives { at, flipped, again } => (at, flipped, again),
        };
        let origin = if flipped.is_some() { Origin::Untrusted } else { Origin::Node };
        let mut altered = self.flights.copy(bytes);
        if let Some(bit) = flipped {
            flip(&mut altered, bit);
            self.note(Occurrence::Corrupted { datagram: id });
        }
        let mutual = if meaning.is_payload() { self.met(from, place, source, to) } else { None };
        let flight = Flight { id, from: source, to, bytes: altered, meaning, origin, mutual };
        self.fly(at, flight);
        if let Some(at) = again {
            let copy = self.next_id();
            self.stats.doubled += 1;
            self.note(Occurrence::Doubled { datagram: id, copy });
            let bytes = self.flights.copy(bytes);
            let origin = Origin::Node;
            let copied = Flight { id: copy, from: source, to, bytes, meaning, origin, mutual };
            self.fly(at, copied);
        }
    }

    /// Since when, on its own clock, the receiver has had the sender as a member, if each has the
    /// other's present life as one at the address that is used. Under a key both must have had for
    /// a while: it takes them a few datagrams more to agree on what they seal on.
    fn met(
        &self,
        from: Place,
        place: Place,
        source: SocketAddr,
        to: SocketAddr,
    ) -> Option<Instant> {
        let knows = |host: &Host, addr: SocketAddr, other: &Host| {
            let peer = host.node.as_ref()?.member(addr)?;
            let known_for = host.clock.local(self.now).saturating_since(peer.joined);
            let timeout = self.plan.cluster.heartbeat_timeout;
            let settled = self.secret.is_none() || known_for >= timeout;
            let present = other.present().map(|(_, life)| life);
            (settled && peer.incarnation == present).then_some(peer.joined)
        };
        let (sender, receiver) = (&self.hosts[from.index()], &self.hosts[place.index()]);
        knows(sender, to, receiver)?;
        knows(receiver, source, sender)
    }

    /// Somebody who is no node sends a datagram, or one that was sent before.
    pub(super) fn inject(&mut self, at: Moment, origin: Origin, recorded: Recorded) {
        let Recorded { from, to, bytes, meaning } = recorded;
        self.stats.sent += 1;
        let id = self.next_id();
        self.note(Occurrence::Sent { datagram: id, from, to, meaning });
        self.fly(at, Flight { id, from, to, bytes, meaning, origin, mutual: None });
    }

    fn fly(&mut self, at: Moment, flight: Flight) {
        let slot = self.flights.insert(flight);
        self.queue.push(at, Due::Arrive(slot));
    }

    fn next_id(&mut self) -> DatagramId {
        let id = self.next_datagram;
        self.next_datagram.0 += 1;
        id
    }

    fn lose(&mut self, datagram: DatagramId, why: Loss) {
        self.stats.lost += 1;
        if !self.trace.is_off() {
            self.note(Occurrence::Lost { datagram, why });
        }
    }

    /// What a datagram of the cluster says to whoever is at this address.
    pub(super) fn meaning(&mut self, to: SocketAddr, bytes: &[u8]) -> Meaning {
        let Some(spy) = &mut self.spy else { return Meaning::of(bytes) };
        let mut copy = self.flights.copy(bytes);
        let meaning = spy.meaning(to, &mut copy);
        self.flights.buffers.push(copy);
        meaning
    }

    fn record(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8], meaning: Meaning) {
        if let Some(recorded) = &mut self.recorded {
            if recorded.len() == RECORDED {
                recorded.pop_front();
            }
            recorded.push_back(Recorded { from, to, bytes: bytes.to_vec(), meaning });
        }
    }

    /// A datagram reaches the address that it was sent to.
    pub(super) fn arrive(&mut self, slot: u32) {
        let flight = self.flights.take(slot);
        let target = place_of(flight.to).filter(|(place, _)| place.index() < self.hosts.len());
        let Some((place, _)) = target else {
            self.lose(flight.id, Loss::NobodyThere);
            return self.flights.recycle(flight);
        };
        let host = &mut self.hosts[place.index()];
        if !host.is_at(flight.to) {
            self.lose(flight.id, Loss::NobodyThere);
            return self.flights.recycle(flight);
        }
        let lag = host.draw_lag();
        if host.runs() && lag == 0 && host.inbox.is_empty() {
            return self.hand_in(place, flight);
        }
        if host.inbox.len() >= host.socket {
            self.lose(flight.id, Loss::SocketFull);
            return self.flights.recycle(flight);
        }
        let slot = self.flights.insert(flight);
        let host = &mut self.hosts[place.index()];
        host.inbox.push_back(slot);
        if host.runs() {
            let at = Moment::from_micros(self.now.as_micros() + lag);
            self.wake_no_later_than(place, at);
        }
    }

    /// What was in a machine's socket is lost with its process.
    pub(super) fn empty_socket(&mut self, node: Place) {
        while let Some(slot) = self.hosts[node.index()].inbox.pop_front() {
            let flight = self.flights.take(slot);
            self.lose(flight.id, Loss::NobodyThere);
            self.flights.recycle(flight);
        }
    }
}

fn flip(bytes: &mut [u8], bit: u64) {
    if !bytes.is_empty() {
        let bit = bit % (bytes.len() as u64 * 8);
        let place = usize::try_from(bit / 8).expect("within a datagram");
        bytes[place] ^= 1 << (bit % 8);
    }
}
