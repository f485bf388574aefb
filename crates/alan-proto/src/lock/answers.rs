//! What the requester makes of LOCK_GRANT and LOCK_DENY.

use core::net::SocketAddr;

use rand_core::Rng;

use super::caller::Stage;
use super::classic::{ClassicLocks, Member};
use super::table::{Holder, Note};
use crate::event::{LockLoss, RequestId};
use crate::stats::Rejection;
use crate::storage::Handle;
use crate::wire::LockMessageKind;

impl ClassicLocks {
    pub(super) fn handle_grant<R: Rng>(
        &mut self,
        from: SocketAddr,
        id: RequestId,
        key: &[u8],
        rng: &mut R,
    ) -> Result<(), Rejection> {
        let member = self.member(from);
        let asking = if self.repairs.match_grants {
            self.asked_under(key, id, member)
        } else {
            self.asking_under(id)
        };
        let Some(caller) = asking else {
            return self.handle_stray_grant(member, id, key);
        };
        let attempt = &mut self.callers.get_mut(caller).attempt;
        attempt.counted += 1;
        if let Some(member) = member
            && attempt.unanswered.remove(member.slot)
        {
            attempt.granted.insert(member.slot);
        }
        self.complete(caller, rng);
        Ok(())
    }

    /// A grant that no attempt waits for: a duplicate, or the late answer to an attempt that is
    /// over. The latter would bind its grantor for nothing.
    fn handle_stray_grant(
        &mut self,
        member: Option<Member>,
        id: RequestId,
        key: &[u8],
    ) -> Result<(), Rejection> {
        let member = member.ok_or(Rejection::UnmatchedGrant)?;
        if !self.repairs.release_stray_grants {
            return Err(Rejection::UnmatchedGrant);
        }
        let entry = self.keys.find_or_insert(key).ok_or(Rejection::LocksFull)?;
        let in_use = self.caller_in_use(entry);
        let by_name = member.extended && self.repairs.match_releases;
        match in_use {
            // A duplicate; or a Rust node asks whether its grant is still in use, and it is.
            Some(caller) if self.callers.get(caller).attempt.bears(id) => {
                return if by_name { Ok(()) } else { Err(Rejection::UnmatchedGrant) };
            }
            // Its release could not be told from that of the present attempt.
            Some(_) if !by_name => return Err(Rejection::UnmatchedGrant),
            _ => {}
        }
        self.note_late_answer(entry, id, member, true);
        let named = if by_name { id } else { RequestId::ZERO };
        self.send(member.addr, LockMessageKind::Release, named, entry);
        // It answered with its old grant instead of the present request's; now it can take that.
        if let Some(caller) = in_use
            && self.stage(caller) == Stage::Asking
            && self.callers.get(caller).attempt.unanswered.contains(member.slot)
        {
            let id = self.callers.get(caller).attempt.id_for(member.extended);
            self.send(member.addr, LockMessageKind::Request, id, entry);
        }
        Ok(())
    }

    pub(super) fn handle_denial<R: Rng>(
        &mut self,
        from: SocketAddr,
        id: RequestId,
        key: &[u8],
        rng: &mut R,
    ) -> Result<(), Rejection> {
        let member = self.member(from);
        let asking = if self.repairs.match_denials {
            self.asked_under(key, id, member)
        } else {
            self.asking_under(id)
        };
        if !self.repairs.match_denials {
            self.believe_denial(from, id, key, rng)?;
        } else if asking.is_none() {
            let entry = self.keys.find(key);
            let late = entry
                .zip(member)
                .is_some_and(|(entry, member)| self.note_late_answer(entry, id, member, false));
            return if late { Ok(()) } else { Err(Rejection::UnmatchedDenial) };
        } else if !self.repairs.denial_is_no_note
            && let Some(entry) = self.keys.find(key)
        {
            self.note_denier(entry, from, id);
        }
        let Some(caller) = asking else { return Ok(()) };
        if let Some(member) = member {
            let attempt = &mut self.callers.get_mut(caller).attempt;
            attempt.unanswered.remove(member.slot);
            attempt.denied.insert(member.slot);
        }
        self.turn_away(caller, from, rng);
        Ok(())
    }

    /// The Go library's answer to any denial: the key is its sender's.
    fn believe_denial<R: Rng>(
        &mut self,
        from: SocketAddr,
        id: RequestId,
        key: &[u8],
        rng: &mut R,
    ) -> Result<(), Rejection> {
        let entry = self.keys.find_or_insert(key).ok_or(Rejection::LocksFull)?;
        if self.keys.get(entry).holder == Holder::Here {
            self.drop_holders(entry, Some(LockLoss::Denied { by: from }));
        }
        if !self.repairs.denial_is_no_note {
            self.note_denier(entry, from, id);
        }
        self.promote(entry, None, rng);
        self.keys.discard_if_idle(entry);
        Ok(())
    }

    /// The first denier counts as the holder.
    fn note_denier(&mut self, entry: Handle, peer: SocketAddr, id: RequestId) {
        let holder = &mut self.keys.get_mut(entry).holder;
        if *holder == Holder::Nobody {
            *holder = Holder::Peer(Note { peer, id });
        }
    }

    /// The attempt for this key that asked this member under this id and has no answer of it.
    fn asked_under(&self, key: &[u8], id: RequestId, member: Option<Member>) -> Option<Handle> {
        let member = member?;
        let entry = self.keys.find(key)?;
        self.keys.get(entry).callers.iter().copied().find(|&caller| {
            let caller = self.callers.get(caller);
            caller.stage == Stage::Asking
                && caller.attempt.id_for(member.extended) == id
                && caller.attempt.unanswered.contains(member.slot)
        })
    }

    /// The attempt under this id, for whatever key: how the Go library looks for it. A scan, which
    /// only simulations of the unrepaired algorithm pay for.
    fn asking_under(&self, id: RequestId) -> Option<Handle> {
        (0..self.callers.slots()).filter_map(|slot| self.callers.handle_at(slot)).find(|&caller| {
            let caller = self.callers.get(caller);
            caller.stage == Stage::Asking && caller.attempt.bears(id)
        })
    }

    /// The caller that asks for the key or holds it.
    fn caller_in_use(&self, entry: Handle) -> Option<Handle> {
        let callers = self.keys.get(entry).callers.iter().copied();
        let mut in_use =
            callers.filter(|&caller| matches!(self.stage(caller), Stage::Asking | Stage::Holding));
        in_use.next()
    }

    /// Keeps what a member answered to an attempt that is over; whether there was such an attempt.
    fn note_late_answer(
        &mut self,
        entry: Handle,
        id: RequestId,
        member: Member,
        granted: bool,
    ) -> bool {
        for index in 0..self.keys.get(entry).callers.len() {
            let caller = self.keys.get(entry).callers[index];
            let caller = self.callers.get_mut(caller);
            let over = !matches!(caller.stage, Stage::Asking | Stage::Holding);
            let attempt = &mut caller.attempt;
            if over && attempt.bears(id) && attempt.unanswered.remove(member.slot) {
                let answers = if granted { &mut attempt.granted } else { &mut attempt.denied };
                answers.insert(member.slot);
                return true;
            }
        }
        false
    }
}
