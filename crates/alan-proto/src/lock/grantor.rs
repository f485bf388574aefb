//! The grantor: answers LOCK_REQUEST, and lets go of what it granted.

use core::net::SocketAddr;

use rand_core::Rng;

use super::caller::Stage;
use super::classic::{ClassicLocks, Due};
use super::pace;
use super::table::{Holder, Note};
use crate::event::RequestId;
use crate::mutant::{Mutant, planted};
use crate::stats::Rejection;
use crate::storage::Handle;
use crate::wire::LockMessageKind;

/// Who has been sent a LOCK_RELEASE already, and needs no second one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    Nobody,
    /// Every member.
    Members,
    /// Whom this caller's attempt had asked.
    Asked(Handle),
}

impl ClassicLocks {
    pub(super) fn handle_request<R: Rng>(
        &mut self,
        from: SocketAddr,
        id: RequestId,
        key: &[u8],
        rng: &mut R,
    ) -> Result<(), Rejection> {
        // Without room for a note there is no answer: a grant could not be kept, and a classic
        // peer would wait for the release of a denier that remembers nothing.
        let entry = self.keys.find_or_insert(key).ok_or(Rejection::LocksFull)?;
        match self.keys.get(entry).holder {
            Holder::Peer(note) if note.peer == from && self.repairs.repeat_request_by_holder => {
                self.grant_again(entry, note, id, rng);
            }
            Holder::Peer(_) | Holder::Here => self.deny(entry, from, id),
            Holder::Nobody if self.must_deny(entry, from, id) => self.deny(entry, from, id),
            Holder::Nobody => self.grant(entry, from, id, rng),
        }
        Ok(())
    }

    /// The noted holder asks: its grant was lost, or it asks anew.
    fn grant_again<R: Rng>(&mut self, entry: Handle, note: Note, id: RequestId, rng: &mut R) {
        let member = self.member(note.peer);
        let extended = member.is_some_and(|member| member.extended);
        if id == note.id || !(extended && self.repairs.match_releases) {
            return self.grant(entry, note.peer, id, rng);
        }
        // It either gave the noted attempt up, and will release it, or this request is an old one.
        self.send(note.peer, LockMessageKind::Grant, note.id, entry);
    }

    /// Whether an attempt of this node goes before that of `from`.
    fn must_deny(&self, entry: Handle, from: SocketAddr, id: RequestId) -> bool {
        if !self.repairs.deny_while_asking {
            return false;
        }
        let comparable = self.member(from).is_some_and(|member| member.extended);
        self.asking(entry).any(|caller| !comparable || self.callers.get(caller).attempt.id < id)
    }

    fn asking(&self, entry: Handle) -> impl Iterator<Item = Handle> + '_ {
        let callers = self.keys.get(entry).callers.iter().copied();
        callers.filter(|&caller| self.stage(caller) == Stage::Asking)
    }

    fn first_asking(&self, entry: Handle) -> Option<Handle> {
        self.asking(entry).next()
    }

    /// Notes the peer as holder, withdraws what this node itself asks for the key, and says so.
    fn grant<R: Rng>(&mut self, entry: Handle, peer: SocketAddr, id: RequestId, rng: &mut R) {
        self.clear_note(entry);
        let stranger = self.members.find(&peer).is_none();
        let lease = (self.repairs.stranger_grants_expire && stranger)
            .then(|| self.arm(self.stranger_lease, Due::Lease(entry)));
        let granted = self.keys.get_mut(entry);
        granted.holder = Holder::Peer(Note { peer, id });
        granted.lease = lease;
        self.keys.forget_denied(entry, peer);
        if self.repairs.deny_while_asking {
            while let Some(younger) = self.first_asking(entry) {
                self.make_way(younger, peer, rng);
            }
        }
        self.send(peer, LockMessageKind::Grant, id, entry);
        if self.somebody_waits(entry) {
            self.confirm_grant(entry);
        }
    }

    fn deny(&mut self, entry: Handle, peer: SocketAddr, id: RequestId) {
        self.send(peer, LockMessageKind::Deny, id, entry);
        if self.repairs.tell_the_denied {
            self.remember_denied(entry, peer);
            self.confirm_grant(entry);
        }
    }

    pub(super) fn handle_release<R: Rng>(
        &mut self,
        from: SocketAddr,
        id: RequestId,
        entry: Option<Handle>,
        rng: &mut R,
    ) -> Result<(), Rejection> {
        let entry = entry.ok_or(Rejection::UnmatchedRelease)?;
        let member = self.member(from);
        let by_name = self.repairs.match_releases && member.is_some_and(|member| member.extended);
        let Holder::Peer(note) = self.keys.get(entry).holder else {
            return self.wake_denied_by(entry, from, rng);
        };
        let released = note.peer == from && (!by_name || note.id == id);
        if !released && !planted(Mutant::AnyRelease) {
            return self.wake_denied_by(entry, from, rng);
        }
        self.free(entry, rng);
        // Whoever waits for this peer without a note has just been passed over by `free`.
        let _also_denied = self.wake_denied_by(entry, from, rng);
        Ok(())
    }

    /// Wakes the callers that the peer denied, or may have denied.
    fn wake_denied_by<R: Rng>(
        &mut self,
        entry: Handle,
        peer: SocketAddr,
        rng: &mut R,
    ) -> Result<(), Rejection> {
        let slot = self.members.find(&peer).map(Handle::index);
        let mut outcome = Err(Rejection::UnmatchedRelease);
        for index in 0..self.keys.get(entry).callers.len() {
            let caller = self.keys.get(entry).callers[index];
            let waiting = self.callers.get_mut(caller);
            if matches!(waiting.stage, Stage::Asking | Stage::Holding) {
                continue;
            }
            let attempt = &mut waiting.attempt;
            let may_deny = slot.is_some_and(|slot| attempt.may_deny(slot));
            let waited_for =
                attempt.denier == Some(peer) || self.repairs.wake_on_any_release && may_deny;
            if let Some(slot) = slot {
                // Its key is free: it has nobody noted, this node least of all.
                attempt.forget(slot);
            }
            if waiting.stage == Stage::Denied && waited_for {
                self.wake(caller, rng);
                outcome = Ok(());
            }
        }
        outcome
    }

    /// The noted holder has let go.
    pub(super) fn free<R: Rng>(&mut self, entry: Handle, rng: &mut R) {
        self.clear_note(entry);
        let crowded = self.tell_denied(entry, Told::Nobody) > 0;
        for index in 0..self.keys.get(entry).callers.len() {
            let caller = self.keys.get(entry).callers[index];
            if self.stage(caller) != Stage::Noted {
                continue;
            }
            if crowded {
                // Those that were just told will ask, and were turned away before.
                self.pause(caller, pace::wake(rng));
            } else {
                self.wake(caller, rng);
            }
        }
    }

    /// A stranger's grant has run out. One that has become a member keeps it, but is asked about it
    /// like any member: whoever began to wait while it was a stranger could not have it asked.
    pub(super) fn end_lease<R: Rng>(&mut self, entry: Handle, rng: &mut R) {
        let Holder::Peer(note) = self.keys.get(entry).holder else {
            return;
        };
        if self.members.find(&note.peer).is_none() {
            self.free(entry, rng);
            self.keys.discard_if_idle(entry);
        } else if self.somebody_waits(entry) {
            self.confirm_grant(entry);
        }
    }

    /// Somebody waits because of a note: a Rust node is asked in a while whether it still uses the
    /// grant.
    pub(super) fn confirm_grant(&mut self, entry: Handle) {
        let confirmable = self.repairs.confirm_grants && self.rust_holder(entry).is_some();
        if confirmable && self.keys.get(entry).reminder.is_none() {
            let pause = pace::reminder(self.keys.get(entry).reminders);
            let reminder = self.arm(pause, Due::Reminder(entry));
            self.keys.get_mut(entry).reminder = Some(reminder);
        }
    }

    /// Sends the noted holder its grant again: it releases it if it has no use for it.
    pub(super) fn remind(&mut self, entry: Handle) {
        let Some(note) = self.rust_holder(entry) else {
            return;
        };
        self.send(note.peer, LockMessageKind::Grant, note.id, entry);
        let reminded = self.keys.get_mut(entry);
        reminded.reminders = reminded.reminders.saturating_add(1);
        if self.somebody_waits(entry) {
            self.confirm_grant(entry);
        }
    }

    fn somebody_waits(&self, entry: Handle) -> bool {
        let entry = self.keys.get(entry);
        !entry.denied().is_empty() || !entry.callers.is_empty()
    }

    fn rust_holder(&self, entry: Handle) -> Option<Note> {
        let Holder::Peer(note) = self.keys.get(entry).holder else {
            return None;
        };
        self.member(note.peer).filter(|member| member.extended).map(|_| note)
    }

    /// Nobody is noted as holder any more.
    pub(super) fn clear_note(&mut self, entry: Handle) {
        let cleared = self.keys.get_mut(entry);
        self.timers.stop_in(&mut cleared.lease);
        self.timers.stop_in(&mut cleared.reminder);
        cleared.reminders = 0;
        if matches!(cleared.holder, Holder::Peer(_)) {
            cleared.holder = Holder::Nobody;
        }
    }

    /// If the key is free here, tells those that were denied it; gives how many there were.
    pub(super) fn tell_denied(&mut self, entry: Handle, told: Told) -> usize {
        let free = self.keys.get(entry).holder == Holder::Nobody;
        if !free || self.first_asking(entry).is_some() {
            return 0;
        }
        for index in 0..self.keys.get(entry).denied().len() {
            let peer = self.keys.get(entry).denied()[index];
            if !self.is_told(told, peer) {
                self.send(peer, LockMessageKind::Release, RequestId::ZERO, entry);
            }
        }
        self.keys.forget_all_denied(entry) as usize
    }

    fn is_told(&self, told: Told, peer: SocketAddr) -> bool {
        let Some(member) = self.members.find(&peer) else {
            return false;
        };
        match told {
            Told::Nobody => false,
            Told::Members => true,
            Told::Asked(caller) => self.callers.get(caller).attempt.asked(member.index()),
        }
    }
}
