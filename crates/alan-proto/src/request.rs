//! What we asked and who has not answered yet.
//!
//! A request id is the slot of the pending request (4 bytes) and 12 random bytes: found without a
//! search, unguessable to who did not see it.

use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::net::SocketAddr;

use rand_core::Rng;

use crate::event::RequestId;
use crate::mutant::{Mutant, planted};
use crate::storage::{Handle, Slab, SlotSet};
use crate::timer::TimerId;

/// How many emptied slot sets are kept for the next requests to all.
const SPARE_LIMIT: usize = 64;

/// Who has not answered.
#[derive(Clone, Hash, Debug)]
enum Waiting {
    One(SocketAddr),
    /// The slots in the peer table of the members that were asked.
    All(SlotSet),
}

#[derive(Clone, Hash, Debug)]
struct Pending {
    id: RequestId,
    waiting: Waiting,
    deadline: Option<TimerId>,
}

/// A request that is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Finished {
    pub(crate) id: RequestId,
    pub(crate) deadline: Option<TimerId>,
}

/// An answer that was waited for, or a member that will not answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Progress {
    /// Others are still waited for.
    Waiting(RequestId),
    /// Nobody else is waited for.
    Finished(Finished),
}

/// The pending requests.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    pending: Slab<Pending>,
    spare: Vec<SlotSet>,
}

impl Requests {
    pub(crate) const fn new(limit: u32) -> Self {
        Self { pending: Slab::new(limit), spare: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Waits for an answer from one address. `None` if the table is full.
    pub(crate) fn ask_one(
        &mut self,
        to: SocketAddr,
        rng: &mut impl Rng,
    ) -> Option<(Handle, RequestId)> {
        self.ask(Waiting::One(to), rng)
    }

    /// Waits for an answer from each of these members. `None` if the table is full.
    pub(crate) fn ask_all(
        &mut self,
        slots: impl Iterator<Item = usize>,
        rng: &mut impl Rng,
    ) -> Option<(Handle, RequestId)> {
        let mut waiting = self.spare.pop().unwrap_or_default();
        for slot in slots {
            waiting.insert(slot);
        }
        self.ask(Waiting::All(waiting), rng)
    }

    fn ask(&mut self, waiting: Waiting, rng: &mut impl Rng) -> Option<(Handle, RequestId)> {
        let pending = Pending { id: RequestId::ZERO, waiting, deadline: None };
        let handle = match self.pending.insert(pending) {
            Ok(handle) => handle,
            Err(refused) => {
                self.recycle(refused.waiting);
                return None;
            }
        };
        let id = fresh_id(handle, rng);
        let pending = self.pending.get_mut(handle)?;
        pending.id = id;
        Some((handle, id))
    }

    pub(crate) fn set_deadline(&mut self, handle: Handle, timer: TimerId) {
        if let Some(pending) = self.pending.get_mut(handle) {
            pending.deadline = Some(timer);
        }
    }

    fn find(&self, id: RequestId) -> Option<Handle> {
        let [a, b, c, d, ..] = id.0;
        let handle = self.pending.handle_at(u32::from_be_bytes([a, b, c, d]) as usize)?;
        (self.pending.get(handle)?.id == id).then_some(handle)
    }

    /// A response came from `from`, which is the member in `slot` if it is one. `None` unless it
    /// was asked and had not answered.
    pub(crate) fn answered(
        &mut self,
        id: RequestId,
        from: SocketAddr,
        slot: Option<usize>,
    ) -> Option<Progress> {
        let handle = self.find(id)?;
        let waited_for = match &mut self.pending.get_mut(handle)?.waiting {
            Waiting::One(asked) => *asked == from || planted(Mutant::AnyResponse),
            Waiting::All(slots) => slot.is_some_and(|slot| slots.remove(slot)),
        };
        if waited_for { self.progress(handle) } else { None }
    }

    /// The member `peer` in `slot` is gone: what that means for the request in place `index` of
    /// the table, if it was waiting for it.
    pub(crate) fn peer_left(
        &mut self,
        index: usize,
        peer: SocketAddr,
        slot: usize,
    ) -> Option<Progress> {
        let handle = self.pending.handle_at(index)?;
        let waited_for = match &mut self.pending.get_mut(handle)?.waiting {
            Waiting::One(asked) => *asked == peer,
            Waiting::All(slots) => slots.remove(slot),
        };
        if waited_for { self.progress(handle) } else { None }
    }

    /// The number of places in the table, for [`Self::peer_left`].
    pub(crate) fn places(&self) -> usize {
        self.pending.slots()
    }

    fn progress(&mut self, handle: Handle) -> Option<Progress> {
        let pending = self.pending.get(handle)?;
        match &pending.waiting {
            Waiting::All(slots) if !slots.is_empty() => Some(Progress::Waiting(pending.id)),
            Waiting::All(_) | Waiting::One(_) => self.finish(handle).map(Progress::Finished),
        }
    }

    /// Ends the request in this place.
    pub(crate) fn finish(&mut self, mut handle: Handle) -> Option<Finished> {
        if planted(Mutant::DeadlineOfFormer) {
            handle = self.pending.handle_at(handle.index())?;
        }
        let Pending { id, waiting, deadline } = self.pending.remove(handle)?;
        self.recycle(waiting);
        Some(Finished { id, deadline })
    }

    /// Ends the request with this id.
    pub(crate) fn cancel(&mut self, id: RequestId) -> Option<Finished> {
        self.finish(self.find(id)?)
    }

    /// Ends any one request.
    pub(crate) fn pop(&mut self) -> Option<Finished> {
        let (handle, _) = self.pending.iter().next()?;
        self.finish(handle)
    }

    fn recycle(&mut self, waiting: Waiting) {
        if let Waiting::All(mut slots) = waiting
            && self.spare.len() < SPARE_LIMIT
        {
            slots.clear();
            self.spare.push(slots);
        }
    }
}

impl Hash for Requests {
    /// Without what is kept for its memory only.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.pending.hash(state);
    }
}

fn fresh_id(handle: Handle, rng: &mut impl Rng) -> RequestId {
    let mut id = [0; 16];
    rng.fill_bytes(&mut id);
    let slot = u32::try_from(handle.index()).expect("a slab's slots are numbered by a u32");
    id[..4].copy_from_slice(&slot.to_be_bytes());
    RequestId(id)
}
