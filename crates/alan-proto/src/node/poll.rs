//! What comes out of the node: actions, and views of its state.

use core::net::SocketAddr;

use rand_core::CryptoRng;

use super::Node;
use crate::config::Config;
use crate::envelope::{Envelope, Recipient};
use crate::event::{Action, Incarnation, PeerInfo, Transmit};
use crate::hybrid::HybridTime;
use crate::outbox::{Note, Queued};
use crate::stats::{Stats, Usage};
use crate::storage::Handle;
use crate::wire::{DATA_HEADER, LockMessage, Message, PeerPageBuffer, SESSION_REQUEST_HEADER};

impl<E: Envelope, R: CryptoRng> Node<E, R> {
    /// The next thing to be done, in order, or `None`. A datagram is made in `buffer` at this
    /// moment.
    ///
    /// # Panics
    ///
    /// If a datagram does not fit into `buffer`; [`Config::buffer_size`] bytes are always enough.
    #[must_use]
    pub fn poll_action(&mut self, buffer: &mut [u8]) -> Option<Action> {
        loop {
            let queued = self.outbox.pop()?;
            if let Queued::Event(action) = queued {
                return Some(action);
            }
            // What was meant for a member that has left meanwhile is not sent.
            if let Some(transmit) = self.make(queued, buffer) {
                self.stats.transmitted += 1;
                return Some(Action::Transmit(transmit));
            }
        }
    }

    /// Makes a queued message's datagram.
    fn make(&mut self, queued: Queued, buffer: &mut [u8]) -> Option<Transmit> {
        match queued {
            Queued::Event(_) => None,
            Queued::Lock { to, kind, id, key: slot } => {
                let recipient = self.recipient(self.membership.find(&to));
                let to = self.path_to(to);
                let Self { locks, envelope, rng, .. } = self;
                let message = Message::Lock(LockMessage { kind, id, key: locks.key(slot) });
                let len = seal(envelope, rng, recipient, &message, buffer);
                locks.sent(slot);
                Some(Transmit { to, len })
            }
            Queued::Note { member, note } => self.make_note(member, note, buffer),
            control => self.make_control(control, buffer),
        }
    }

    fn make_note(&mut self, member: Handle, note: Note, buffer: &mut [u8]) -> Option<Transmit> {
        let to = self.membership.path(member)?;
        let mut page = PeerPageBuffer::new();
        let message = match note {
            Note::Profile => Message::Profile(self.profile.message()),
            Note::ProfileAsk => Message::ProfileAsk,
            Note::PeersAsk { cursor } => Message::PeersAsk { cursor },
            Note::Peers { cursor } => {
                let next = self.peer_page(member, cursor, &mut page);
                Message::Peers(page.page(next))
            }
            Note::Probe(probe) => Message::Probe(probe),
            Note::ResponseGone { id } => Message::ResponseGone { id },
        };
        let recipient = Recipient::Member(member.index());
        let Self { envelope, rng, .. } = self;
        Some(Transmit { to, len: seal(envelope, rng, recipient, &message, buffer) })
    }

    /// How a datagram is sealed that anybody may open.
    pub(super) const fn everyone(&self) -> Recipient {
        if self.config.speak_classic { Recipient::Anyone } else { Recipient::Everyone }
    }

    /// How a datagram for this member, or for a stranger, is sealed.
    pub(super) fn recipient(&self, member: Option<Handle>) -> Recipient {
        match member.filter(|&member| self.membership.life(member).is_some()) {
            Some(member) => Recipient::Member(member.index()),
            None => Recipient::Anyone,
        }
    }

    /// Where to send what is meant for this address: to the one at which the member is reached now,
    /// where it names a member.
    pub(super) fn path_to(&self, addr: SocketAddr) -> SocketAddr {
        let named = self.membership.find(&addr);
        let path = named.filter(|&member| self.membership.addr(member) == Some(addr));
        path.and_then(|member| self.membership.path(member)).unwrap_or(addr)
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

    /// The addresses at which this member is reached, beside the one that names it.
    #[must_use]
    pub fn aliases(&self, addr: SocketAddr) -> &[SocketAddr] {
        let member = self.membership.find(&super::canonical(addr));
        member.map_or(&[], |member| self.membership.aliases(member))
    }

    /// The name and the metadata that this member has told, if it has.
    #[must_use]
    pub fn profile(&self, addr: SocketAddr) -> Option<(&str, &[u8])> {
        let member = self.membership.find(&super::canonical(addr))?;
        let profile = self.membership.life(member)?.profile.as_ref()?;
        Some((&profile.name, &profile.metadata))
    }

    /// What the hybrid logical clock says: never behind what was heard of others.
    #[must_use]
    pub fn hybrid_time(&self) -> HybridTime {
        self.clock.read(self.now)
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
            requests: self.asks.len(),
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

    /// The longest payload of a request to a member, in bytes. One to a classic peer or a stranger
    /// may have 12 bytes more, as may a reply.
    #[must_use]
    pub fn max_request_payload(&self) -> usize {
        self.room_behind(SESSION_REQUEST_HEADER)
    }

    pub(super) fn room_behind(&self, header: usize) -> usize {
        let overhead = self.envelope.prefix() + self.envelope.suffix() + header;
        self.config.buffer_size.saturating_sub(overhead)
    }

    /// Makes the datagram of `message` in `buffer` and gives its length.
    pub(super) fn seal(
        &mut self,
        recipient: Recipient,
        message: &Message<'_>,
        buffer: &mut [u8],
    ) -> usize {
        seal(&mut self.envelope, &mut self.rng, recipient, message, buffer)
    }
}

fn seal<E: Envelope, R: CryptoRng>(
    envelope: &mut E,
    rng: &mut R,
    recipient: Recipient,
    message: &Message<'_>,
    buffer: &mut [u8],
) -> usize {
    let prefix = envelope.prefix();
    let len = prefix + message.encode(&mut buffer[prefix..]) + envelope.suffix();
    envelope.seal(rng, recipient, &mut buffer[..len]);
    len
}
