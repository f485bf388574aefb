//! The machine: its state, inputs, commands and outputs, and the one place where its timers fire.

use alloc::collections::VecDeque;
use core::net::SocketAddr;
use core::time::Duration;

use rand_core::Rng;

use super::caller::{Callers, Stage};
use super::key::MAX_KEY;
use super::table::{Holder, KeyTable};
use super::{KeySlot, LockOutput, Repairs};
use crate::config::Config;
use crate::error::{LockError, LockNotHeld};
use crate::event::{LockEvent, LockFailure, LockId, LockLoss, RequestId};
use crate::stats::{Refusal, Rejection, Stats};
use crate::storage::{Handle, HashKey, Map};
use crate::time::Instant;
use crate::timer::{TimerId, Timers};
use crate::wire::{LockMessage, LockMessageKind};

/// A member, as lock messages need it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Member {
    pub(super) slot: usize,
    pub(super) addr: SocketAddr,
    /// It is a Rust node.
    pub(super) extended: bool,
}

/// Why a timer was armed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Due {
    /// A caller's deadline.
    Deadline(Handle),
    /// A caller's next step: whoever did not answer is asked again, or all are.
    Step(Handle),
    /// The end of a grant to a stranger.
    Lease(Handle),
    /// The noted holder is due a reminder.
    Reminder(Handle),
}

/// The lock machine of one node: requester and grantor of every key. See the [module](super) for
/// what it does and what it promises.
///
/// Inputs and commands may come in any order; a moment earlier than the latest seen counts as that
/// one. After each, poll [`Self::poll_output`] until it gives `None`; then
/// [`Self::handle_timeout`] is due at [`Self::next_timeout`]. Its memory is bounded by
/// [`Config::max_locks`], [`Config::max_lock_waiters`] and [`Config::max_long_lock_keys`], and
/// once warm nothing is allocated for keys of up to 255 bytes.
#[derive(Clone, Hash, Debug)]
pub struct ClassicLocks {
    pub(super) repairs: Repairs,
    try_timeout: Duration,
    pub(super) stranger_lease: Duration,
    max_locks: u32,
    max_waiters: u32,
    pub(super) now: Instant,
    pub(super) members: Map<SocketAddr, bool>,
    have: usize,
    need: usize,
    pub(super) keys: KeyTable,
    pub(super) callers: Callers,
    pub(super) timers: Timers<Due>,
    outputs: VecDeque<LockOutput>,
    /// Denied peers that no room was left for.
    denied_full: u64,
    closed: bool,
}

impl ClassicLocks {
    /// A machine that knows nobody and no key.
    ///
    /// Of the configuration it takes `lock_repairs`, `timeout` (of `try_lock`),
    /// `heartbeat_timeout` (of grants to strangers), `buffer_size` (of long keys) and the limits
    /// on locks. `hash_key` should be random: peers choose keys.
    #[must_use]
    pub const fn new(config: &Config, hash_key: (u64, u64)) -> Self {
        let hash_key = HashKey(hash_key.0, hash_key.1);
        let (max, max_long) = (config.max_locks, config.max_long_lock_keys);
        Self {
            repairs: config.lock_repairs,
            try_timeout: config.timeout,
            stranger_lease: config.heartbeat_timeout,
            max_locks: max,
            max_waiters: config.max_lock_waiters,
            now: Instant::EPOCH,
            members: Map::new(u32::MAX, hash_key),
            have: 1,
            need: 0,
            keys: KeyTable::new(max, max_long, config.buffer_size, hash_key),
            callers: Callers::new(),
            timers: Timers::new(),
            outputs: VecDeque::new(),
            denied_full: 0,
            closed: false,
        }
    }

    // Inputs.

    /// The peer has become a member, or is now known to be a Rust node (`extended`).
    pub fn peer_joined<R: Rng>(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        extended: bool,
        rng: &mut R,
    ) {
        self.advance(now);
        if self.closed {
            return;
        }
        if let Some(known) = self.members.get_mut(&peer) {
            *known = extended;
            return;
        }
        let Ok(joined) = self.members.insert(peer, extended) else {
            return;
        };
        let member = Member { slot: joined.index(), addr: peer, extended };
        if self.repairs.follow_membership {
            self.ask_newcomer(member);
        }
        self.recheck_quorum(rng);
    }

    /// The member is gone: it said goodbye, fell silent or restarted. Its locks are free. Call
    /// [`Self::set_quorum`] first.
    pub fn peer_left<R: Rng>(&mut self, now: Instant, peer: SocketAddr, rng: &mut R) {
        self.advance(now);
        let Some(gone) = self.members.find(&peer) else {
            return;
        };
        self.members.remove_at(gone);
        for slot in 0..self.callers.slots() {
            if let Some(caller) = self.callers.handle_at(slot) {
                self.go_on_without(caller, gone.index(), peer, rng);
            }
        }
        for slot in 0..self.keys.slots() {
            let Some(entry) = self.keys.handle_at(slot) else {
                continue;
            };
            self.keys.forget_denied(entry, peer);
            if matches!(self.keys.get(entry).holder, Holder::Peer(note) if note.peer == peer) {
                self.free(entry, rng);
            }
            self.keys.discard_if_idle(entry);
        }
    }

    /// So many nodes are here, this one included, and so many are needed (0: any number).
    ///
    /// Members that [`Self::peer_joined`] has not told of are not counted.
    pub fn set_quorum<R: Rng>(&mut self, now: Instant, have: usize, need: usize, rng: &mut R) {
        self.advance(now);
        (self.have, self.need) = (have, need);
        self.recheck_quorum(rng);
    }

    /// A lock message has come. Says why if it changed nothing and was not answered.
    pub fn handle_message<R: Rng>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        message: &LockMessage<'_>,
        rng: &mut R,
    ) -> Result<(), Rejection> {
        self.advance(now);
        if self.closed {
            return Err(Rejection::Closed);
        }
        let LockMessage { kind, id, key } = *message;
        let entry = self.keys.find(key);
        let outcome = match kind {
            LockMessageKind::Request => self.handle_request(from, id, key, rng),
            LockMessageKind::Grant => self.handle_grant(from, id, key, rng),
            LockMessageKind::Deny => self.handle_denial(from, id, key, rng),
            LockMessageKind::Release => self.handle_release(from, id, entry, rng),
        };
        if let Some(entry) = entry {
            self.keys.discard_if_idle(entry);
        }
        outcome
    }

    /// Does what is due by now: deadlines, repeats, the ends of grants.
    pub fn handle_timeout<R: Rng>(&mut self, now: Instant, rng: &mut R) {
        self.advance(now);
        while let Some(due) = self.timers.pop_due(self.now) {
            match due {
                Due::Deadline(caller) => {
                    self.callers.get_mut(caller).deadline = None;
                    let (why, entry) = (self.deadline_failure(), self.callers.get(caller).entry);
                    self.fail(caller, why, rng);
                    self.keys.discard_if_idle(entry);
                }
                Due::Step(caller) => {
                    self.callers.get_mut(caller).timer = None;
                    self.step(caller, rng);
                }
                Due::Lease(entry) => {
                    self.keys.get_mut(entry).lease = None;
                    self.end_lease(entry, rng);
                }
                Due::Reminder(entry) => {
                    self.keys.get_mut(entry).reminder = None;
                    self.remind(entry);
                }
            }
        }
    }

    // Commands.

    /// Asks for the lock: waits for the quorum, then for the lock, at most until the deadline.
    ///
    /// Ends by [`LockEvent::Granted`] or [`LockEvent::Failed`], or silently by
    /// [`Self::release`], which withdraws it.
    pub fn lock<R: Rng>(
        &mut self,
        now: Instant,
        key: &str,
        deadline: Option<Instant>,
        rng: &mut R,
    ) -> Result<LockId, LockError> {
        self.advance(now);
        self.call(key, false, deadline, rng)
    }

    /// Asks for the lock and fails rather than waits for another holder. Without a deadline it
    /// waits for answers as long as the configuration's `timeout` says.
    pub fn try_lock<R: Rng>(
        &mut self,
        now: Instant,
        key: &str,
        deadline: Option<Instant>,
        rng: &mut R,
    ) -> Result<LockId, LockError> {
        self.advance(now);
        if !self.is_quorate() {
            let (have, need) = (self.have, self.need);
            return Err(LockError::NoQuorum { have, need });
        }
        let deadline = deadline.unwrap_or(self.now + self.try_timeout);
        self.call(key, true, Some(deadline), rng)
    }

    /// Releases a held lock or withdraws a request that waits.
    pub fn release<R: Rng>(
        &mut self,
        now: Instant,
        lock: LockId,
        rng: &mut R,
    ) -> Result<(), LockNotHeld> {
        self.advance(now);
        let caller = Handle::from_bits(lock.0);
        let (entry, stage) = match self.callers.find(caller) {
            Some(found) => (found.entry, found.stage),
            None => return Err(LockNotHeld),
        };
        if stage == Stage::Holding {
            self.release_held(entry, rng);
        } else {
            self.remove_caller(caller, rng);
        }
        self.keys.discard_if_idle(entry);
        Ok(())
    }

    /// Releases the lock that a caller of this node holds under this key, and says whose it was.
    pub fn unlock<R: Rng>(
        &mut self,
        now: Instant,
        key: &str,
        rng: &mut R,
    ) -> Result<LockId, LockNotHeld> {
        self.advance(now);
        let entry = self.keys.find(key.as_bytes()).ok_or(LockNotHeld)?;
        let callers = self.keys.get(entry).callers.iter();
        let holding = callers.copied().find(|&caller| self.stage(caller) == Stage::Holding);
        let holder = holding.ok_or(LockNotHeld)?;
        self.release_held(entry, rng);
        self.keys.discard_if_idle(entry);
        Ok(LockId(holder.to_bits()))
    }

    /// The node is leaving: held locks are lost, waiting requests fail, and from now on nothing is
    /// accepted. Nothing is sent: peers free on LEAVE what this node held and had been granted.
    pub fn close(&mut self, now: Instant) {
        self.advance(now);
        self.closed = true;
        for slot in 0..self.callers.slots() {
            let Some(caller) = self.callers.handle_at(slot) else {
                continue;
            };
            let lock = LockId(caller.to_bits());
            self.emit(match self.stage(caller) {
                Stage::Holding => LockEvent::Lost { lock, why: LockLoss::Left },
                _ => LockEvent::Failed { lock, why: LockFailure::Closed },
            });
            self.drop_caller(caller);
        }
        for slot in 0..self.keys.slots() {
            let Some(entry) = self.keys.handle_at(slot) else {
                continue;
            };
            self.clear_note(entry);
            self.keys.get_mut(entry).holder = Holder::Nobody;
            self.keys.forget_all_denied(entry);
            self.keys.discard_if_idle(entry);
        }
    }

    // Outputs.

    /// The next thing to do, in order. The key that a [`LockOutput::Send`] names stays until
    /// [`Self::sent`] is called for it, which must happen once for each.
    pub fn poll_output(&mut self) -> Option<LockOutput> {
        self.outputs.pop_front()
    }

    /// The bytes of the key that an output names, until [`Self::sent`] was called for that output.
    pub fn key(&self, slot: KeySlot) -> &[u8] {
        self.keys.key(slot.0)
    }

    /// The output that named this key was encoded, or dropped.
    pub fn sent(&mut self, slot: KeySlot) {
        self.keys.release(slot.0);
    }

    /// When [`Self::handle_timeout`] has something to do.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.timers.next().map(|(at, _)| at)
    }

    // Views.

    /// Whether the call holds the lock now.
    #[must_use]
    pub fn held(&self, lock: LockId) -> bool {
        let caller = self.callers.find(Handle::from_bits(lock.0));
        caller.is_some_and(|caller| caller.stage == Stage::Holding)
    }

    /// How many keys are known, and how many calls wait or hold.
    #[must_use]
    pub fn usage(&self) -> (usize, usize) {
        (self.keys.len(), self.callers.len())
    }

    /// Adds the refusals that no returned error told of.
    pub(crate) fn add_refusals(&self, stats: &mut Stats) {
        stats.refuse_times(Refusal::DeniedFull, self.denied_full);
    }

    /// How often a denied peer found no room in the list of those to be told of the release.
    #[must_use]
    pub const fn denied_full(&self) -> u64 {
        self.denied_full
    }

    // Below: what requester and grantor share.

    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    fn call<R: Rng>(
        &mut self,
        key: &str,
        tries: bool,
        deadline: Option<Instant>,
        rng: &mut R,
    ) -> Result<LockId, LockError> {
        if self.closed {
            return Err(LockError::Closed);
        }
        if key.is_empty() || key.len() > MAX_KEY {
            return Err(LockError::KeyLength { len: key.len() });
        }
        let full = LockError::TooManyLocks { limit: self.max_locks };
        let entry = self.keys.find_or_insert(key.as_bytes()).ok_or(full)?;
        let waiting = self.keys.get(entry).callers.iter();
        let waiting = waiting.filter(|&&caller| self.stage(caller) != Stage::Holding).count();
        if waiting >= self.max_waiters as usize {
            return Err(LockError::TooManyWaiters { limit: self.max_waiters });
        }
        let limit = self.max_waiters;
        let full = LockError::TooManyWaiters { limit };
        let caller = self.callers.insert(entry, tries).ok_or(full)?;
        let in_line = self.repairs.local_exclusion && !self.keys.get(entry).callers.is_empty();
        self.keys.get_mut(entry).callers.push_back(caller);
        let due = deadline.map(|at| self.timers.arm(at, Due::Deadline(caller)));
        self.callers.get_mut(caller).deadline = due;
        match (in_line, tries) {
            (true, true) => self.fail(caller, LockFailure::Held { by: None }, rng),
            (true, false) => {}
            (false, _) => self.proceed(caller, rng),
        }
        self.keys.discard_if_idle(entry);
        Ok(LockId(caller.to_bits()))
    }

    /// Whether a request may be sent, or completed. Never counts more than the known members.
    pub(super) fn is_quorate(&self) -> bool {
        self.have.min(self.members.len() + 1) >= self.need
    }

    fn deadline_failure(&self) -> LockFailure {
        let (have, need) = (self.have, self.need);
        if self.is_quorate() { LockFailure::TimedOut } else { LockFailure::NoQuorum { have, need } }
    }

    pub(super) fn no_quorum(&self) -> LockFailure {
        LockFailure::NoQuorum { have: self.have, need: self.need }
    }

    /// The `index`th slot's member.
    pub(super) fn member_at(&self, index: usize) -> Option<Member> {
        let handle = self.members.handle_at(index)?;
        let (&addr, &extended) = self.members.at(handle)?;
        Some(Member { slot: index, addr, extended })
    }

    pub(super) fn member(&self, addr: SocketAddr) -> Option<Member> {
        self.member_at(self.members.find(&addr)?.index())
    }

    pub(super) fn stage(&self, caller: Handle) -> Stage {
        self.callers.get(caller).stage
    }

    /// The caller's next step is due after `pause`, or never.
    pub(super) fn set_step(&mut self, caller: Handle, pause: Option<Duration>) {
        let timer = &mut self.callers.get_mut(caller).timer;
        self.timers.stop_in(timer);
        *timer = pause.map(|pause| self.timers.arm(self.now + pause, Due::Step(caller)));
    }

    pub(super) fn arm(&mut self, pause: Duration, due: Due) -> TimerId {
        self.timers.arm(self.now + pause, due)
    }

    pub(super) fn send(
        &mut self,
        to: SocketAddr,
        kind: LockMessageKind,
        id: RequestId,
        entry: Handle,
    ) {
        self.keys.retain(entry);
        self.outputs.push_back(LockOutput::Send { to, kind, id, key: KeySlot(entry) });
    }

    pub(super) fn emit(&mut self, event: LockEvent) {
        self.outputs.push_back(LockOutput::Event(event));
    }

    /// Remembers that the peer is to be told when the key is free, if there is room.
    pub(super) fn remember_denied(&mut self, entry: Handle, peer: SocketAddr) {
        if !self.keys.deny(entry, peer, self.max_waiters as usize) {
            self.denied_full += 1;
        }
    }
}
