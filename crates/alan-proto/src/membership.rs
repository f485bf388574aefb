//! Who is a member: the peer table, under which addresses each member is reached, and which lives
//! are gone.
//!
//! A classic peer is its address: source IP and advertised port. An extended one is its
//! incarnation, and may have several addresses: the one under which it was admitted names it, the
//! others are aliases. How a peer gets in is decided in `node/admission.rs`.

use core::net::SocketAddr;
use core::time::Duration;

use heapless::HistoryBuf;

use crate::event::{Incarnation, LeaveReason, PeerInfo};
use crate::exchange::Digest;
use crate::life::Life;
use crate::mutant::{Mutant, planted};
use crate::storage::{Handle, HashKey, Map};
use crate::time::Instant;
use crate::timer::TimerId;
use crate::wire::Role;

/// A JOIN is answered at most once in this time per member, and per member's address to others who
/// speak from there, so that a flood of JOINs does not become a flood of answers. Shorter than the
/// first pause between two JOINs of an honest peer.
const ANSWER_PAUSE: Duration = Duration::from_millis(100);

/// How many addresses one member may have beside its first; more are not needed to reach it.
const ALIAS_LIMIT: usize = 4;

/// How many incarnations that are gone are remembered. A late datagram of one that was forgotten
/// is then kept out by the age of its proof alone.
const GONE_LIMIT: usize = 256;

/// An incarnation that is gone.
#[derive(Clone, Copy, Hash, Debug)]
struct Gone {
    incarnation: Incarnation,
    /// Until then it is refused; what it had sent before proves nothing any more afterwards.
    until: Instant,
}

/// A member.
#[derive(Clone, Hash, Debug)]
pub(crate) struct Peer {
    /// `None` for a classic peer.
    pub(crate) life: Option<Life>,
    joined: Instant,
    last_heard: Instant,
    /// [`Membership::excuse`]'s sum at that moment.
    excused_before: Duration,
    /// When another member said that it is alive.
    vouched: Option<Instant>,
    last_answered: Option<Instant>,
    /// When somebody else who spoke from its address was answered last.
    other_answered: Option<Instant>,
    /// Somebody else has spoken from its address since its own last JOIN or HEARTBEAT: until the
    /// next one, nothing else that comes from there without a session is taken for its sign of
    /// life.
    contradicted: bool,
    pub(crate) aliases: heapless::Vec<SocketAddr, ALIAS_LIMIT>,
    /// Where to send to it: its address, or the alias from which it is heard while that is quiet.
    path: SocketAddr,
    path_heard: Instant,
    pub(crate) silence_timer: Option<TimerId>,
}

// Each place of the table has room for an extended member.
const _: () = assert!(size_of::<Peer>() <= 576);

impl Peer {
    pub(crate) fn incarnation(&self) -> Option<Incarnation> {
        self.life.as_ref().map(|life| life.incarnation)
    }

    /// Whether what comes from its address is its own, as far as anybody can tell.
    fn is_plausible(&self, now: Instant, patience: Duration) -> bool {
        let said_who = |life: &Life| now.saturating_since(life.newest_at) < patience;
        !self.contradicted && self.life.as_ref().is_none_or(said_who)
    }

    fn votes(&self) -> bool {
        self.life.as_ref().is_none_or(|life| life.role == Role::Voter)
            || planted(Mutant::ObserversCount)
    }
}

/// How long a member has been silent, and how long it may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Silence {
    /// Since when it counts: later than it was heard last by what is excused.
    pub(crate) since: Instant,
    /// When it is over.
    pub(crate) ends: Instant,
}

/// The peer table.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    peers: Map<SocketAddr, Peer>,
    aliases: Map<SocketAddr, Handle>,
    lives: Map<Incarnation, Handle>,
    gone: HistoryBuf<Gone, GONE_LIMIT>,
    digest: Digest,
    voters: usize,
    classic: usize,
    timeout: Duration,
    interval: Duration,
    /// For how long, in all, this node was late to hear anybody.
    excused: Duration,
    /// When any member was heard last.
    any_heard: Instant,
}

impl Membership {
    pub(crate) fn new(
        max_peers: u32,
        timeout: Duration,
        interval: Duration,
        own: Incarnation,
        hash_keys: [HashKey; 3],
    ) -> Self {
        let [peers, aliases, lives] = hash_keys;
        let mut digest = Digest::default();
        digest.toggle(own);
        Self {
            peers: Map::new(max_peers, peers),
            aliases: Map::new(max_peers, aliases),
            lives: Map::new(max_peers, lives),
            gone: HistoryBuf::new(),
            digest,
            voters: 0,
            classic: 0,
            timeout,
            interval,
            excused: Duration::ZERO,
            any_heard: Instant::EPOCH,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.peers.is_full()
    }

    /// Members that count for a quorum: all but observers.
    pub(crate) const fn voters(&self) -> usize {
        self.voters
    }

    /// Members that speak the classic protocol only.
    pub(crate) const fn classic(&self) -> usize {
        self.classic
    }

    /// Stands for the set of all extended members and this node.
    pub(crate) const fn digest(&self) -> u64 {
        self.digest.get()
    }

    /// The digest of whoever has the same members, but not `life`, which is this node.
    pub(crate) fn digest_without(&self, life: Incarnation) -> u64 {
        let mut digest = self.digest;
        digest.toggle(life);
        digest.get()
    }

    /// The member that has this address, as its first or as an alias.
    pub(crate) fn find(&self, addr: &SocketAddr) -> Option<Handle> {
        self.peers.find(addr).or_else(|| self.aliases.get(addr).copied())
    }

    /// The member that is this incarnation.
    pub(crate) fn find_life(&self, incarnation: Incarnation) -> Option<Handle> {
        self.lives.get(&incarnation).copied()
    }

    /// The member in this place of the table.
    pub(crate) fn in_place(&self, place: usize) -> Option<Handle> {
        self.peers.handle_at(place)
    }

    pub(crate) fn places(&self) -> usize {
        self.peers.slots()
    }

    pub(crate) fn contains(&self, addr: &SocketAddr) -> bool {
        self.find(addr).is_some()
    }

    pub(crate) fn at(&self, member: Handle) -> Option<&Peer> {
        self.peers.at(member).map(|(_, peer)| peer)
    }

    pub(crate) fn at_mut(&mut self, member: Handle) -> Option<&mut Peer> {
        self.peers.at_mut(member)
    }

    pub(crate) fn life(&self, member: Handle) -> Option<&Life> {
        self.at(member)?.life.as_ref()
    }

    pub(crate) fn life_mut(&mut self, member: Handle) -> Option<&mut Life> {
        self.at_mut(member)?.life.as_mut()
    }

    /// The address that names the member.
    pub(crate) fn addr(&self, member: Handle) -> Option<SocketAddr> {
        self.peers.at(member).map(|(addr, _)| *addr)
    }

    /// Where to send to the member.
    pub(crate) fn path(&self, member: Handle) -> Option<SocketAddr> {
        self.at(member).map(|peer| peer.path)
    }

    /// Under which addresses the member is reached beside the one that names it.
    pub(crate) fn aliases(&self, member: Handle) -> &[SocketAddr] {
        self.at(member).map_or(&[], |peer| &peer.aliases)
    }

    /// All addresses at which the member is reached, the one that names it first.
    pub(crate) fn addresses(&self, member: Handle) -> impl Iterator<Item = SocketAddr> + '_ {
        self.addr(member).into_iter().chain(self.aliases(member).iter().copied())
    }

    pub(crate) fn has_address(&self, member: Handle, addr: &SocketAddr) -> bool {
        self.find(addr) == Some(member)
    }

    pub(crate) fn get(&self, addr: &SocketAddr) -> Option<PeerInfo> {
        let (addr, peer) = self.peers.at(self.find(addr)?)?;
        Some(info(*addr, peer))
    }

    /// In table order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = PeerInfo> + '_ {
        self.peers.iter().map(|(_, addr, peer)| info(*addr, peer))
    }

    /// The handles of all members, in table order.
    pub(crate) fn handles(&self) -> impl Iterator<Item = Handle> + '_ {
        self.peers.iter().map(|(handle, ..)| handle)
    }

    /// Adds a member, or does nothing where the table is full.
    pub(crate) fn add(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        life: Option<Life>,
    ) -> Option<Handle> {
        let incarnation = life.as_ref().map(|life| life.incarnation);
        let peer = Peer {
            life,
            joined: now,
            last_heard: now,
            excused_before: self.excused,
            vouched: None,
            last_answered: None,
            other_answered: None,
            contradicted: false,
            aliases: heapless::Vec::new(),
            path: addr,
            path_heard: now,
            silence_timer: None,
        };
        let votes = peer.votes();
        let member = self.peers.insert(addr, peer).ok()?;
        match incarnation {
            Some(incarnation) => {
                // As large as the peer table, so there is room.
                let _stored = self.lives.insert(incarnation, member);
                self.digest.toggle(incarnation);
            }
            None => self.classic += 1,
        }
        self.voters += usize::from(votes);
        self.any_heard = now;
        Some(member)
    }

    /// Removes a member.
    pub(crate) fn remove(&mut self, member: Handle) -> Option<(SocketAddr, Peer)> {
        let (addr, peer) = self.peers.remove_at(member)?;
        for alias in &peer.aliases {
            self.aliases.remove(alias);
        }
        match peer.incarnation() {
            Some(incarnation) => {
                self.lives.remove(&incarnation);
                self.digest.toggle(incarnation);
            }
            None => self.classic -= 1,
        }
        self.voters -= usize::from(peer.votes());
        Some((addr, peer))
    }

    /// Takes note that a member that was removed is gone. One that only fell silent is not, and may
    /// be heard again; unless somebody else spoke from its address before.
    pub(crate) fn bury(&mut self, now: Instant, peer: &Peer, why: LeaveReason) {
        if let Some(incarnation) = peer.incarnation()
            && (why != LeaveReason::Silent || peer.contradicted)
        {
            self.gone.write(Gone { incarnation, until: now + self.timeout });
        }
    }

    /// Whether the incarnation is known to be gone.
    pub(crate) fn is_gone(&self, now: Instant, incarnation: Incarnation) -> bool {
        !planted(Mutant::GoneComesBack)
            && self.gone.iter().any(|gone| gone.incarnation == incarnation && now < gone.until)
    }

    /// Another address of an extended member. Gives whether it is new and there was room.
    pub(crate) fn add_alias(&mut self, member: Handle, alias: SocketAddr) -> bool {
        if self.contains(&alias) {
            return false;
        }
        let Some(peer) = self.peers.at_mut(member) else { return false };
        if peer.aliases.is_full() || self.aliases.insert(alias, member).is_err() {
            return false;
        }
        peer.aliases.push(alias).is_ok()
    }

    /// The address is somebody else's now.
    pub(crate) fn remove_alias(&mut self, member: Handle, alias: &SocketAddr) {
        self.aliases.remove(alias);
        if let Some(addr) = self.addr(member)
            && let Some(peer) = self.peers.at_mut(member)
        {
            peer.aliases.retain(|kept| kept != alias);
            if peer.path == *alias {
                peer.path = addr;
            }
        }
    }

    /// A JOIN or HEARTBEAT of this member was accepted, from this address.
    pub(crate) fn confirm(&mut self, now: Instant, member: Handle, from: SocketAddr) {
        let quiet_path = self.interval * 3 / 2;
        if let Some(peer) = self.peers.at_mut(member) {
            peer.contradicted = false;
            if peer.path == from || now.saturating_since(peer.path_heard) > quiet_path {
                peer.path = from;
                peer.path_heard = now;
            }
        }
        self.refresh(now, member, true);
    }

    /// Something else came from this member: under its session, which is certain, or from its
    /// address, where it may be another life that speaks. So that is its sign of life only while it
    /// says who it is from time to time.
    pub(crate) fn refresh(&mut self, now: Instant, member: Handle, certain: bool) {
        let (excused, patience) = (self.excused, self.timeout * 2 / 3);
        if let Some(peer) = self.peers.at_mut(member)
            && (certain || peer.is_plausible(now, patience))
        {
            peer.last_heard = now;
            peer.excused_before = excused;
            peer.vouched = None;
            self.any_heard = now;
        }
    }

    /// Somebody else spoke from this address, if it is a member's.
    pub(crate) fn contradict(&mut self, addr: &SocketAddr) {
        if let Some(member) = self.find(addr)
            && let Some(peer) = self.peers.at_mut(member)
        {
            peer.contradicted = true;
        }
    }

    /// Another member says that this one is alive.
    pub(crate) fn vouch(&mut self, now: Instant, member: Handle) {
        if let Some(peer) = self.peers.at_mut(member) {
            peer.vouched = Some(now);
        }
    }

    /// Whether a JOIN of this member may be answered now; if so, takes note that it is.
    pub(crate) fn may_answer(&mut self, now: Instant, member: Handle) -> bool {
        self.at_mut(member).is_some_and(|peer| is_next_answer(&mut peer.last_answered, now))
    }

    /// Whether somebody else's JOIN from this member's address may be answered now. It takes no
    /// answer away from the member: it may be a recording.
    pub(crate) fn may_answer_other(&mut self, now: Instant, member: Handle) -> bool {
        self.at_mut(member).is_some_and(|peer| is_next_answer(&mut peer.other_answered, now))
    }

    /// This node was late by so much: nobody's silence counts for that time.
    pub(crate) fn excuse(&mut self, late: Duration) {
        if !planted(Mutant::OwnLateness) {
            self.excused = self.excused.saturating_add(late);
        }
    }

    /// How long the member has been silent, and for how long it may be.
    ///
    /// Silence is this node's own measure. The word of others lets a member stay for up to two
    /// timeouts in all; and who hears nobody at all suspects itself first, and waits half as long
    /// again (Lifeguard: Dadgar, Phillips and Currey, 2018). A classic peer can't be asked whether
    /// it is there, so it has its timeout and no more.
    pub(crate) fn silence(&self, now: Instant, member: Handle) -> Option<Silence> {
        let peer = self.at(member)?;
        let since = peer.last_heard + self.excused.saturating_sub(peer.excused_before);
        let mut ends = since + self.timeout;
        if let Some(vouched) = peer.vouched {
            let most = since + self.timeout * if planted(Mutant::VouchedForEver) { 20 } else { 2 };
            ends = ends.max((vouched + self.timeout).min(most));
        }
        let deaf = now.saturating_since(self.any_heard) > self.interval * 2;
        if deaf && self.len() > 1 && peer.life.is_some() {
            ends = ends.max(since + self.timeout * 3 / 2);
        }
        Some(Silence { since, ends })
    }
}

impl core::hash::Hash for Membership {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.peers.hash(state);
        self.aliases.hash(state);
        for gone in self.gone.oldest_ordered() {
            gone.hash(state);
        }
        self.excused.hash(state);
        self.any_heard.hash(state);
    }
}

fn is_next_answer(last: &mut Option<Instant>, now: Instant) -> bool {
    let paused = last.is_some_and(|last| now.saturating_since(last) < ANSWER_PAUSE);
    if !paused {
        *last = Some(now);
    }
    !paused
}

fn info(addr: SocketAddr, peer: &Peer) -> PeerInfo {
    let life = peer.life.as_ref();
    PeerInfo {
        addr,
        path: peer.path,
        incarnation: peer.incarnation(),
        joined: peer.joined,
        last_heard: peer.last_heard,
        round_trip: life.and_then(Life::distance),
        role: life.map_or(Role::Voter, |life| life.role),
    }
}
