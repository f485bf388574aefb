//! One call of `lock` or `try_lock`, and its present attempt to get the lock.

use core::net::SocketAddr;

use rand_core::Rng;

use super::table::Spare;
use crate::event::RequestId;
use crate::storage::{Handle, Slab, SlotSet};
use crate::timer::TimerId;

/// How far a caller has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) enum Stage {
    /// Behind another caller of this node.
    #[default]
    InLine,
    /// Waits for the quorum.
    NoQuorum,
    /// Waits until the peer that this node noted as holder lets go.
    Noted,
    /// Was turned away; waits for a release, and asks again by itself after a while.
    Denied,
    /// Asks again in a moment, whatever happens.
    Pausing,
    /// Waits for answers.
    Asking,
    /// Has the lock.
    Holding,
}

/// One round of questions to all members. Kept after it has ended: who answered what decides on
/// whose release the caller wakes and who may have this node noted.
#[derive(Clone, Hash, Debug)]
pub(super) struct Attempt {
    pub(super) id: RequestId,
    /// How often those that did not answer were asked again; wraps around.
    pub(super) repeats: u8,
    /// How many grants complete it.
    pub(super) needed: usize,
    /// How many have come.
    pub(super) counted: usize,
    /// Whom it asked, by member slot and answer.
    pub(super) unanswered: SlotSet,
    pub(super) granted: SlotSet,
    pub(super) denied: SlotSet,
    /// Who denied it first.
    pub(super) denier: Option<SocketAddr>,
}

impl Attempt {
    const fn new() -> Self {
        Self {
            id: RequestId::ZERO,
            repeats: 0,
            needed: 0,
            counted: 0,
            unanswered: SlotSet::new(),
            granted: SlotSet::new(),
            denied: SlotSet::new(),
            denier: None,
        }
    }

    /// Forgets the former attempt; the sets keep their memory.
    pub(super) fn reset(&mut self, id: RequestId) {
        self.unanswered.clear();
        self.granted.clear();
        self.denied.clear();
        (self.id, self.repeats, self.needed, self.counted, self.denier) = (id, 0, 0, 0, None);
    }

    /// The id that a member is asked under and answers with. A Rust node is sent the same request
    /// again; a classic one a request of its own, since the release before it voids the former.
    pub(super) fn id_for(&self, extended: bool) -> RequestId {
        let mut id = self.id;
        if !extended {
            id.0[15] = id.0[15].wrapping_add(self.repeats);
        }
        id
    }

    /// Whether this attempt was made under this id, in whatever round.
    pub(super) fn bears(&self, id: RequestId) -> bool {
        self.id.0[..15] == id.0[..15]
    }

    /// Whether it asked the member in this slot.
    pub(super) fn asked(&self, slot: usize) -> bool {
        self.may_deny(slot) || self.granted.contains(slot)
    }

    /// Whether the member in this slot denied it, or may have.
    pub(super) fn may_deny(&self, slot: usize) -> bool {
        self.unanswered.contains(slot) || self.denied.contains(slot)
    }

    /// Forgets the member in this slot, which is gone.
    pub(super) fn forget(&mut self, slot: usize) {
        self.unanswered.remove(slot);
        self.granted.remove(slot);
        self.denied.remove(slot);
    }
}

/// A fresh id. With `aged`, its first byte falls with every time that the caller was turned away.
pub(super) fn request_id<R: Rng>(aged: bool, turned_away: u8, rng: &mut R) -> RequestId {
    let mut id = [0; 16];
    rng.fill_bytes(&mut id);
    if aged {
        id[0] = u8::MAX - turned_away;
    }
    RequestId(id)
}

/// One call.
#[derive(Clone, Hash, Debug)]
pub(super) struct Caller {
    pub(super) entry: Handle,
    /// Fails rather than waits for another holder.
    pub(super) tries: bool,
    pub(super) stage: Stage,
    /// How often it was denied or withdrew for an older request.
    pub(super) turned_away: u8,
    pub(super) deadline: Option<TimerId>,
    /// Ends the present stage: repeats what was not answered, or asks again.
    pub(super) timer: Option<TimerId>,
    pub(super) attempt: Attempt,
}

/// All calls that wait or hold.
#[derive(Clone, Hash, Debug)]
pub(super) struct Callers {
    callers: Slab<Caller>,
    spare: Spare<Attempt>,
}

impl Callers {
    pub(super) const fn new() -> Self {
        Self { callers: Slab::new(u32::MAX), spare: Spare::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.callers.len()
    }

    pub(super) fn slots(&self) -> usize {
        self.callers.slots()
    }

    pub(super) fn handle_at(&self, slot: usize) -> Option<Handle> {
        self.callers.handle_at(slot)
    }

    /// `None` if there are 2³² of them.
    pub(super) fn insert(&mut self, entry: Handle, tries: bool) -> Option<Handle> {
        let mut attempt = self.spare.take().unwrap_or_else(Attempt::new);
        attempt.reset(RequestId::ZERO);
        let stage = Stage::default();
        let caller =
            Caller { entry, tries, stage, turned_away: 0, deadline: None, timer: None, attempt };
        self.callers.insert(caller).ok()
    }

    pub(super) fn find(&self, caller: Handle) -> Option<&Caller> {
        self.callers.get(caller)
    }

    pub(super) fn get(&self, caller: Handle) -> &Caller {
        self.callers.get(caller).expect("a caller lives while its entry or a timer names it")
    }

    pub(super) fn get_mut(&mut self, caller: Handle) -> &mut Caller {
        self.callers.get_mut(caller).expect("a caller lives while its entry or a timer names it")
    }

    pub(super) fn remove(&mut self, caller: Handle) {
        if let Some(removed) = self.callers.remove(caller) {
            debug_assert!(removed.deadline.is_none() && removed.timer.is_none(), "stopped");
            self.spare.put(removed.attempt);
        }
    }
}
