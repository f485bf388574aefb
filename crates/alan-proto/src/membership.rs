//! Who is a member: the peer table, and what a claim to be alive does to it.
//!
//! A peer is known by its source IP and the port that it advertises. One that sends session blocks
//! is also known by its incarnation: another incarnation at the same address is a restart, and one
//! that is gone does not come back while its successor is a member, nor before a heartbeat timeout
//! has passed. Not never: the first datagram of a former life, recorded and sent again, looks like
//! a restart, and the life that it displaces is there and must find its way back.

use core::net::SocketAddr;
use core::time::Duration;

use heapless::HistoryBuf;

use crate::event::{Incarnation, LeaveReason, PeerInfo};
use crate::mutant::{Mutant, planted};
use crate::stats::Rejection;
use crate::storage::{Handle, HashKey, Map};
use crate::time::Instant;
use crate::timer::TimerId;

/// A JOIN is answered at most once in this time per peer, so that a flood of JOINs does not become
/// a flood of answers. Shorter than the first pause between two JOINs of an honest peer.
const ANSWER_PAUSE: Duration = Duration::from_millis(100);

/// How many incarnations that are gone are remembered. A late datagram of one that was forgotten
/// could bring its peer back for one heartbeat timeout.
const GONE_LIMIT: usize = 256;

/// An incarnation that is gone.
#[derive(Clone, Copy, Hash, Debug)]
struct Gone {
    incarnation: Incarnation,
    /// From then on it may be admitted where nobody else is.
    until: Instant,
}

/// A member.
#[derive(Clone, Hash, Debug)]
pub(crate) struct Peer {
    incarnation: Option<Incarnation>,
    joined: Instant,
    last_heard: Instant,
    last_answered: Option<Instant>,
    /// Somebody else has spoken from its address since its own last JOIN or HEARTBEAT: until the
    /// next one, nothing else that comes from there is taken for its sign of life.
    contradicted: bool,
    pub(crate) silence_timer: Option<TimerId>,
}

/// What a JOIN or HEARTBEAT says about its sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Claim {
    /// A member is still there.
    Known,
    /// Somebody new.
    New,
    /// A new life at a member's address.
    Restarted,
}

/// The peer table.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    peers: Map<SocketAddr, Peer>,
    gone: HistoryBuf<Gone, GONE_LIMIT>,
    timeout: Duration,
}

impl Membership {
    pub(crate) const fn new(max_peers: u32, timeout: Duration, hash_key: HashKey) -> Self {
        Self { peers: Map::new(max_peers, hash_key), gone: HistoryBuf::new(), timeout }
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn contains(&self, addr: &SocketAddr) -> bool {
        self.peers.contains(addr)
    }

    /// The member's place in the table, steady while it is a member.
    pub(crate) fn slot(&self, addr: &SocketAddr) -> Option<usize> {
        self.peers.find(addr).map(Handle::index)
    }

    pub(crate) fn get(&self, addr: &SocketAddr) -> Option<PeerInfo> {
        self.peers.get(addr).map(|peer| info(*addr, peer))
    }

    /// In table order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = PeerInfo> + '_ {
        self.peers.iter().map(|(_, addr, peer)| info(*addr, peer))
    }

    /// The slots of all members.
    pub(crate) fn member_slots(&self) -> impl Iterator<Item = usize> + '_ {
        self.peers.iter().map(|(handle, ..)| handle.index())
    }

    /// Judges a JOIN or HEARTBEAT from `addr`; changes nothing.
    pub(crate) fn judge(
        &self,
        now: Instant,
        addr: &SocketAddr,
        incarnation: Option<Incarnation>,
    ) -> Result<Claim, Rejection> {
        let gone = |now| incarnation.is_some_and(|claimed| self.is_gone(now, claimed));
        match self.peers.get(addr).map(|peer| peer.incarnation) {
            Some(known) if known == incarnation => Ok(Claim::Known),
            Some(_) if incarnation.is_none() => Err(Rejection::Downgrade),
            Some(_) if gone(None) => Err(Rejection::FormerIncarnation),
            Some(_) => Ok(Claim::Restarted),
            None if gone(Some(now)) && !planted(Mutant::GoneComesBack) => {
                Err(Rejection::FormerIncarnation)
            }
            None if self.peers.is_full() => Err(Rejection::PeersFull),
            None => Ok(Claim::New),
        }
    }

    /// Judges a LEAVE from `addr`; changes nothing.
    pub(crate) fn judge_leave(
        &self,
        addr: &SocketAddr,
        incarnation: Option<Incarnation>,
    ) -> Result<(), Rejection> {
        let peer = self.peers.get(addr).ok_or(Rejection::NotMember)?;
        match (peer.incarnation, incarnation) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(Rejection::Downgrade),
            (Some(known), Some(claimed)) if known == claimed => Ok(()),
            (Some(_), Some(_)) => Err(Rejection::FormerIncarnation),
        }
    }

    /// Adds a member that was judged new, or does nothing where the table is full.
    pub(crate) fn add(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        incarnation: Option<Incarnation>,
    ) -> Option<Handle> {
        let peer = Peer {
            incarnation,
            joined: now,
            last_heard: now,
            last_answered: None,
            contradicted: false,
            silence_timer: None,
        };
        self.peers.insert(addr, peer).ok()
    }

    pub(crate) fn at_mut(&mut self, handle: Handle) -> Option<&mut Peer> {
        self.peers.at_mut(handle)
    }

    /// Removes a member, and gives the slot that it had.
    pub(crate) fn remove(&mut self, addr: &SocketAddr) -> Option<(usize, Peer)> {
        let slot = self.slot(addr)?;
        let peer = self.peers.remove(addr)?;
        Some((slot, peer))
    }

    /// Takes note that a member that was removed is gone. One that only fell silent is not, and may
    /// be heard again; unless somebody else spoke from its address before.
    pub(crate) fn bury(&mut self, now: Instant, peer: &Peer, why: LeaveReason) {
        if let Some(incarnation) = peer.incarnation
            && (why != LeaveReason::Silent || peer.contradicted)
        {
            self.gone.write(Gone { incarnation, until: now + self.timeout });
        }
    }

    /// Whether the incarnation is gone, at all or still at a moment.
    fn is_gone(&self, now: Option<Instant>, incarnation: Incarnation) -> bool {
        self.gone
            .iter()
            .any(|gone| gone.incarnation == incarnation && now.is_none_or(|now| now < gone.until))
    }

    /// A JOIN or HEARTBEAT of this member was accepted.
    pub(crate) fn confirm(&mut self, now: Instant, addr: &SocketAddr) {
        if let Some(peer) = self.peers.get_mut(addr) {
            peer.last_heard = now;
            peer.contradicted = false;
        }
    }

    /// A message that does not say which life it is from came from this address.
    pub(crate) fn refresh(&mut self, now: Instant, addr: &SocketAddr) {
        if let Some(peer) = self.peers.get_mut(addr)
            && !peer.contradicted
        {
            peer.last_heard = now;
        }
    }

    /// Somebody else spoke from this address, if it is a member's.
    pub(crate) fn contradict(&mut self, addr: &SocketAddr) {
        if let Some(peer) = self.peers.get_mut(addr) {
            peer.contradicted = true;
        }
    }

    /// When this member was answered last.
    pub(crate) fn last_answered(&self, addr: &SocketAddr) -> Option<Instant> {
        self.peers.get(addr)?.last_answered
    }

    /// A restarted member is not answered sooner than its former life would have been.
    pub(crate) fn set_last_answered(&mut self, addr: &SocketAddr, at: Option<Instant>) {
        if let Some(peer) = self.peers.get_mut(addr) {
            peer.last_answered = at;
        }
    }

    /// Whether a JOIN of this member may be answered now; if so, takes note that it is.
    pub(crate) fn may_answer(&mut self, now: Instant, addr: &SocketAddr) -> bool {
        let Some(peer) = self.peers.get_mut(addr) else {
            return false;
        };
        let paused =
            peer.last_answered.is_some_and(|last| now.saturating_since(last) < ANSWER_PAUSE);
        if !paused {
            peer.last_answered = Some(now);
        }
        !paused
    }

    /// Who is at `handle`, and when it will have been silent for too long.
    pub(crate) fn silence_deadline(&self, handle: Handle) -> Option<(SocketAddr, Instant)> {
        let (addr, peer) = self.peers.at(handle)?;
        Some((*addr, peer.last_heard + self.timeout))
    }
}

impl core::hash::Hash for Membership {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.peers.hash(state);
        for gone in self.gone.oldest_ordered() {
            gone.hash(state);
        }
    }
}

const fn info(addr: SocketAddr, peer: &Peer) -> PeerInfo {
    PeerInfo {
        addr,
        incarnation: peer.incarnation,
        joined: peer.joined,
        last_heard: peer.last_heard,
    }
}
