//! The requester: takes a call from its start to the lock, or to its failure.

use core::net::SocketAddr;
use core::time::Duration;

use rand_core::Rng;

use super::caller::{Stage, request_id};
use super::classic::{ClassicLocks, Member};
use super::grantor::Told;
use super::pace;
use super::table::Holder;
use crate::event::{LockEvent, LockFailure, LockId, LockLoss, RequestId};
use crate::mutant::{Mutant, planted};
use crate::storage::Handle;
use crate::wire::LockMessageKind;

impl ClassicLocks {
    /// Takes a caller as far as it can go at this moment.
    pub(super) fn proceed<R: Rng>(&mut self, caller: Handle, rng: &mut R) {
        let entry = self.callers.get(caller).entry;
        if !self.is_quorate() {
            return self.wait(caller, Stage::NoQuorum);
        }
        match self.keys.get(entry).holder {
            Holder::Peer(note) => {
                self.confirm_grant(entry);
                if self.callers.get(caller).tries {
                    self.fail(caller, LockFailure::Held { by: Some(note.peer) }, rng);
                } else {
                    self.wait(caller, Stage::Noted);
                }
            }
            Holder::Nobody if self.members.len() > 0 => self.ask(caller, rng),
            // Nobody to ask; or, in the Go library, a second caller that shares the lock.
            Holder::Nobody | Holder::Here => self.hold(caller),
        }
    }

    /// Asks every member under a fresh id.
    fn ask<R: Rng>(&mut self, caller: Handle, rng: &mut R) {
        self.clear_notes_of_former_attempt(caller);
        let asking = self.callers.get_mut(caller);
        let aged = self.repairs.deny_while_asking;
        asking.attempt.reset(request_id(aged, asking.turned_away, rng));
        asking.stage = Stage::Asking;
        for slot in 0..self.members.slots() {
            if let Some(member) = self.member_at(slot) {
                self.ask_member(caller, member);
            }
        }
        let repeat = self.repairs.repeat_unanswered.then(|| pace::repeat(0, rng));
        self.set_step(caller, repeat);
    }

    /// A classic peer that denied the former attempt, or did not answer it, may have this node
    /// noted as holder, and would deny its next request because of that.
    fn clear_notes_of_former_attempt(&mut self, caller: Handle) {
        if !self.repairs.retry_denied {
            return;
        }
        for slot in 0..self.members.slots() {
            let Some(member) = self.member_at(slot) else {
                continue;
            };
            let asking = self.callers.get(caller);
            if !member.extended && asking.attempt.may_deny(slot) {
                let entry = asking.entry;
                self.send(member.addr, LockMessageKind::Release, RequestId::ZERO, entry);
            }
        }
    }

    fn ask_member(&mut self, caller: Handle, member: Member) {
        let asking = self.callers.get_mut(caller);
        asking.attempt.needed += 1;
        asking.attempt.unanswered.insert(member.slot);
        let (id, entry) = (asking.attempt.id_for(member.extended), asking.entry);
        self.send(member.addr, LockMessageKind::Request, id, entry);
    }

    /// A new member's grant is needed for whatever is asked for at this moment.
    pub(super) fn ask_newcomer(&mut self, member: Member) {
        for slot in 0..self.callers.slots() {
            let Some(caller) = self.callers.handle_at(slot) else {
                continue;
            };
            if self.stage(caller) == Stage::Asking {
                self.ask_member(caller, member);
            }
        }
    }

    /// A member is gone that the caller may have asked.
    pub(super) fn go_on_without<R: Rng>(
        &mut self,
        caller: Handle,
        slot: usize,
        peer: SocketAddr,
        rng: &mut R,
    ) {
        let follow = self.repairs.follow_membership;
        let wake_on_any = self.repairs.wake_on_any_release;
        let waiting = self.callers.get_mut(caller);
        let attempt = &mut waiting.attempt;
        let asked = attempt.asked(slot);
        let granted = attempt.granted.contains(slot);
        let waited_for = attempt.denier == Some(peer) || wake_on_any && attempt.may_deny(slot);
        attempt.forget(slot);
        match waiting.stage {
            Stage::Asking if follow && asked => {
                attempt.needed -= 1;
                attempt.counted -= usize::from(granted);
                self.complete(caller, rng);
            }
            Stage::Denied if waited_for => self.wake(caller, rng),
            _ => {}
        }
    }

    /// Waiting for the quorum may be over.
    pub(super) fn recheck_quorum<R: Rng>(&mut self, rng: &mut R) {
        if !self.is_quorate() {
            return;
        }
        for slot in 0..self.callers.slots() {
            let Some(caller) = self.callers.handle_at(slot) else {
                continue;
            };
            if self.stage(caller) == Stage::NoQuorum {
                self.proceed(caller, rng);
            }
        }
    }

    /// The caller's timer has fired.
    pub(super) fn step<R: Rng>(&mut self, caller: Handle, rng: &mut R) {
        match self.stage(caller) {
            Stage::Asking => self.repeat(caller, rng),
            Stage::Denied | Stage::Pausing => self.proceed(caller, rng),
            Stage::InLine | Stage::NoQuorum | Stage::Noted | Stage::Holding => {
                unreachable!("a stage without a next step arms no timer")
            }
        }
    }

    /// Asks those again that have not answered.
    fn repeat<R: Rng>(&mut self, caller: Handle, rng: &mut R) {
        let asking = self.callers.get_mut(caller);
        asking.attempt.repeats = asking.attempt.repeats.wrapping_add(1);
        let (repeats, entry) = (asking.attempt.repeats, asking.entry);
        for slot in 0..self.members.slots() {
            let Some(member) = self.member_at(slot) else {
                continue;
            };
            let attempt = &self.callers.get(caller).attempt;
            if !attempt.unanswered.contains(slot) {
                continue;
            }
            let id = attempt.id_for(member.extended);
            if !member.extended {
                self.send(member.addr, LockMessageKind::Release, RequestId::ZERO, entry);
            }
            self.send(member.addr, LockMessageKind::Request, id, entry);
        }
        self.set_step(caller, Some(pace::repeat(repeats, rng)));
    }

    /// Takes the lock if every grant that is needed has come.
    pub(super) fn complete<R: Rng>(&mut self, caller: Handle, rng: &mut R) {
        let asking = self.callers.get(caller);
        if asking.attempt.counted < asking.attempt.needed {
            return;
        }
        // It may be complete because members left, and too many of them: the other side of a
        // partition could take the same lock.
        if self.is_quorate() || !self.repairs.follow_membership {
            return self.hold(caller);
        }
        if asking.tries {
            return self.fail(caller, self.no_quorum(), rng);
        }
        self.stop_asking(caller);
        self.wait(caller, Stage::NoQuorum);
    }

    fn hold(&mut self, caller: Handle) {
        self.set_step(caller, None);
        let holding = self.callers.get_mut(caller);
        holding.stage = Stage::Holding;
        if !planted(Mutant::DeadlineOfHeld) {
            self.timers.stop_in(&mut holding.deadline);
        }
        let entry = holding.entry;
        self.clear_note(entry);
        self.keys.get_mut(entry).holder = Holder::Here;
        self.emit(LockEvent::Granted { lock: LockId(caller.to_bits()) });
    }

    /// The attempt was denied: a try fails, a lock waits and then asks again.
    pub(super) fn turn_away<R: Rng>(&mut self, caller: Handle, by: SocketAddr, rng: &mut R) {
        self.stop_asking(caller);
        if self.callers.get(caller).tries {
            return self.fail(caller, LockFailure::Held { by: Some(by) }, rng);
        }
        let denied = self.callers.get_mut(caller);
        denied.attempt.denier = Some(by);
        denied.turned_away = denied.turned_away.saturating_add(1);
        let (times, entry) = (denied.turned_away, denied.entry);
        if matches!(self.keys.get(entry).holder, Holder::Peer(_)) {
            return self.wait(caller, Stage::Noted);
        }
        self.wait(caller, Stage::Denied);
        let retry = self.repairs.retry_denied.then(|| pace::retry(times, rng));
        self.set_step(caller, retry);
    }

    /// The attempt makes way for an older one, which is noted already and about to be granted.
    pub(super) fn make_way<R: Rng>(&mut self, caller: Handle, to: SocketAddr, rng: &mut R) {
        self.withdraw(caller);
        let yielding = self.callers.get_mut(caller);
        yielding.turned_away = yielding.turned_away.saturating_add(1);
        if yielding.tries {
            return self.fail(caller, LockFailure::Held { by: Some(to) }, rng);
        }
        self.wait(caller, Stage::Noted);
    }

    /// Ends an attempt without the lock; the caller is left for the next stage to be set.
    fn stop_asking(&mut self, caller: Handle) {
        self.withdraw(caller);
        let told =
            if self.repairs.release_on_giving_up { Told::Asked(caller) } else { Told::Nobody };
        self.tell_denied(self.callers.get(caller).entry, told);
    }

    /// Tells everyone that was asked that the attempt is over.
    fn withdraw(&mut self, caller: Handle) {
        self.wait(caller, Stage::Denied);
        if !self.repairs.release_on_giving_up {
            return;
        }
        for slot in 0..self.members.slots() {
            let Some(member) = self.member_at(slot) else {
                continue;
            };
            let over = self.callers.get(caller);
            if over.attempt.asked(slot) {
                let (id, entry) = (over.attempt.id, over.entry);
                self.send_release(member, id, entry);
            }
        }
    }

    /// LOCK_RELEASE: with the id that it ends, if the peer looks at it.
    fn send_release(&mut self, member: Member, id: RequestId, entry: Handle) {
        let named = member.extended && self.repairs.match_releases;
        let id = if named { id } else { RequestId::ZERO };
        self.send(member.addr, LockMessageKind::Release, id, entry);
    }

    /// A reason to wait is gone: asks again, at once or after a moment.
    pub(super) fn wake<R: Rng>(&mut self, caller: Handle, rng: &mut R) {
        let collided = self.callers.get(caller).turned_away > 1;
        if collided && self.repairs.wake_on_any_release {
            self.pause(caller, pace::wake(rng));
        } else {
            self.proceed(caller, rng);
        }
    }

    pub(super) fn pause(&mut self, caller: Handle, pause: Duration) {
        self.wait(caller, Stage::Pausing);
        self.set_step(caller, Some(pause));
    }

    /// Enters a stage in which nothing is due.
    fn wait(&mut self, caller: Handle, stage: Stage) {
        self.set_step(caller, None);
        self.callers.get_mut(caller).stage = stage;
    }

    /// Releases the lock that this node holds, everywhere, before the next in line is considered.
    pub(super) fn release_held<R: Rng>(&mut self, entry: Handle, rng: &mut R) {
        let holding = self.keys.get(entry).callers.iter().copied();
        let mut holding = holding.filter(|&caller| self.stage(caller) == Stage::Holding);
        let id = holding.next().map_or(RequestId::ZERO, |first| self.callers.get(first).attempt.id);
        for slot in 0..self.members.slots() {
            if let Some(member) = self.member_at(slot) {
                self.send_release(member, id, entry);
            }
        }
        self.drop_holders(entry, None);
        self.tell_denied(entry, Told::Members);
        let handover = (self.members.len() > 0).then(|| pace::handover(rng));
        self.promote(entry, handover, rng);
    }

    /// No caller holds the lock any more; each that did is told so if there is a loss to tell of.
    pub(super) fn drop_holders(&mut self, entry: Handle, loss: Option<LockLoss>) {
        self.keys.get_mut(entry).holder = Holder::Nobody;
        for index in (0..self.keys.get(entry).callers.len()).rev() {
            let caller = self.keys.get(entry).callers[index];
            if self.stage(caller) == Stage::Holding {
                self.drop_caller(caller);
                if let Some(why) = loss {
                    self.emit(LockEvent::Lost { lock: LockId(caller.to_bits()), why });
                }
            }
        }
    }

    pub(super) fn fail<R: Rng>(&mut self, caller: Handle, why: LockFailure, rng: &mut R) {
        self.emit(LockEvent::Failed { lock: LockId(caller.to_bits()), why });
        self.remove_caller(caller, rng);
    }

    /// Ends a call that does not hold the lock.
    pub(super) fn remove_caller<R: Rng>(&mut self, caller: Handle, rng: &mut R) {
        if self.stage(caller) == Stage::Asking {
            self.stop_asking(caller);
        }
        let entry = self.callers.get(caller).entry;
        self.drop_caller(caller);
        self.promote(entry, None, rng);
    }

    pub(super) fn drop_caller(&mut self, caller: Handle) {
        let dropped = self.callers.get_mut(caller);
        self.timers.stop_in(&mut dropped.timer);
        self.timers.stop_in(&mut dropped.deadline);
        let entry = dropped.entry;
        self.keys.get_mut(entry).callers.retain(|other| *other != caller);
        self.callers.remove(caller);
    }

    /// The first in line goes on, after a pause if there is one.
    pub(super) fn promote<R: Rng>(&mut self, entry: Handle, pause: Option<Duration>, rng: &mut R) {
        let Some(&first) = self.keys.get(entry).callers.front() else {
            return;
        };
        if self.stage(first) != Stage::InLine {
            return;
        }
        match pause {
            Some(pause) => self.pause(first, pause),
            None => self.proceed(first, rng),
        }
    }
}
