//! What comes out of the node: actions, and views of its state.

use core::net::SocketAddr;

use rand_core::CryptoRng;

use super::Node;
use crate::config::Config;
use crate::envelope::{Envelope, Recipient};
use crate::event::{Action, Incarnation, PeerInfo, Transmit};
use crate::outbox::{ControlKind, Queued};
use crate::stats::{Stats, Usage};
use crate::wire::{DATA_HEADER, LockMessage, Message, REQUEST_HEADER};

impl<E: Envelope, R: CryptoRng> Node<E, R> {
    /// The next thing to be done, in order, or `None`. A datagram is made in `buffer` at this
    /// moment.
    ///
    /// # Panics
    ///
    /// If a datagram does not fit into `buffer`; [`Config::buffer_size`] bytes are always enough.
    #[must_use]
    pub fn poll_action(&mut self, buffer: &mut [u8]) -> Option<Action> {
        let transmit = match self.outbox.pop()? {
            Queued::Event(action) => return Some(action),
            Queued::Control { to, kind } => {
                let control = self.control();
                let message = match kind {
                    ControlKind::Join => Message::Join(control),
                    ControlKind::Leave => Message::Leave(control),
                    ControlKind::Heartbeat => Message::Heartbeat(control),
                };
                Transmit { to, len: self.seal(&message, buffer) }
            }
            Queued::Lock { to, kind, id, key: slot } => {
                let Self { locks, envelope, rng, .. } = self;
                let message = Message::Lock(LockMessage { kind, id, key: locks.key(slot) });
                let len = seal(envelope, rng, &message, buffer);
                locks.sent(slot);
                Transmit { to, len }
            }
        };
        self.stats.transmitted += 1;
        Some(Action::Transmit(transmit))
    }

    /// The members, in an order that depends on nothing but this node's history.
    pub fn members(&self) -> impl Iterator<Item = PeerInfo> + '_ {
        self.membership.iter()
    }

    /// The member with this address, if it is one.
    #[must_use]
    pub fn member(&self, addr: SocketAddr) -> Option<PeerInfo> {
        self.membership.get(&super::canonical(addr))
    }

    /// How many members there are, this node not counted.
    #[must_use]
    pub fn peer_count(&self) -> usize {
        self.membership.len()
    }

    /// Whether a quorum is here, this node counted; always true without a cluster size.
    #[must_use]
    pub fn has_quorum(&self) -> bool {
        self.quorum.is_reached()
    }

    /// Nodes needed for a quorum, `cluster_size / 2 + 1`; 0 without a cluster size.
    #[must_use]
    pub fn quorum_size(&self) -> usize {
        self.quorum.need()
    }

    /// What names this life of this node.
    #[must_use]
    pub const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// The configuration that the node was made with.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats;
        self.locks.add_refusals(&mut stats);
        stats
    }

    /// How full the tables are.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let (locks, lock_callers) = self.locks.usage();
        Usage {
            peers: self.membership.len(),
            named: self.discovery.len(),
            requests: self.requests.len(),
            locks,
            lock_callers,
        }
    }

    /// The longest payload of [`send_to`](Self::send_to) and [`broadcast`](Self::broadcast), in
    /// bytes.
    #[must_use]
    pub fn max_payload(&self) -> usize {
        self.room_behind(DATA_HEADER)
    }

    /// The longest payload of a request or a reply, in bytes.
    #[must_use]
    pub fn max_request_payload(&self) -> usize {
        self.room_behind(REQUEST_HEADER)
    }

    pub(super) fn room_behind(&self, header: usize) -> usize {
        let overhead = self.envelope.prefix() + self.envelope.suffix() + header;
        self.config.buffer_size.saturating_sub(overhead)
    }

    /// Makes the datagram of `message` in `buffer` and gives its length.
    pub(super) fn seal(&mut self, message: &Message<'_>, buffer: &mut [u8]) -> usize {
        seal(&mut self.envelope, &mut self.rng, message, buffer)
    }
}

fn seal<E: Envelope, R: CryptoRng>(
    envelope: &mut E,
    rng: &mut R,
    message: &Message<'_>,
    buffer: &mut [u8],
) -> usize {
    let prefix = envelope.prefix();
    let len = prefix + message.encode(&mut buffer[prefix..]) + envelope.suffix();
    envelope.seal(rng, Recipient::Anyone, &mut buffer[..len]);
    len
}
