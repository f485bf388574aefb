//! What operations ask of the engine while they wait, and how they take leave.

use std::task::{Poll, Waker};

use alan_proto::{Instant, LockId, RequestId};

use super::Engine;
use crate::completion::{LockState, Pending, Place, Reply};
use crate::error::{LockError, LockLost};
use crate::operation::Patience;
use crate::wakes::Wakes;

impl Engine {
    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Gives up a place among those who wait for the quorum.
    pub(crate) fn give_up(&self, place: &mut Place) {
        if place.is_taken() && !fault!(LeakPlaces) {
            let mut wakes = Wakes::default();
            self.core().quorum.leave(place, &mut wakes);
        }
    }

    /// What is known of a request once it has ended; its row is gone then.
    pub(crate) fn poll_request(&self, request: RequestId, task: &Waker) -> Poll<Pending> {
        // Dropped after the mutex is free.
        let mut wakes = Wakes::default();
        let mut core = self.core();
        if core.requests.get_mut(request).end.is_none() {
            core.requests.wait(request, task, &mut wakes);
            return Poll::Pending;
        }
        Poll::Ready(core.end_request(request))
    }

    /// The next reply to a request. Once there are no more, what is known of it; its row is gone
    /// then.
    pub(crate) fn poll_reply(
        &self,
        request: RequestId,
        task: &Waker,
    ) -> Poll<Result<Reply, Pending>> {
        // Dropped after the mutex is free.
        let mut wakes = Wakes::default();
        let mut core = self.core();
        let pending = core.requests.get_mut(request);
        if let Some(reply) = pending.replies.pop_front() {
            return Poll::Ready(Ok(reply));
        }
        if pending.end.is_none() {
            core.requests.wait(request, task, &mut wakes);
            return Poll::Pending;
        }
        Poll::Ready(Err(core.end_request(request)))
    }

    pub(crate) fn cancel_request(&self, request: RequestId) {
        if fault!(LeakRequests) {
            return;
        }
        // Bound to a name, so that what is in it is dropped after the mutex is free.
        let _forgotten = self.core().end_request(request);
    }

    pub(crate) fn lock(
        &self,
        key: &str,
        deadline: Option<Instant>,
        patience: Patience,
    ) -> Result<LockId, LockError> {
        self.command(|core, now, _| {
            let lock = match patience {
                Patience::Waits => core.node.lock(now, key, deadline),
                Patience::Tries => core.node.try_lock(now, key, deadline),
            }?;
            tracing::debug!(lock = lock.get(), key, ?patience, "lock wanted");
            core.locks.insert(lock);
            Ok(lock)
        })
    }

    pub(crate) fn poll_lock(
        &self,
        lock: LockId,
        task: &Waker,
    ) -> Option<Result<LockState, LockError>> {
        let mut wakes = Wakes::default();
        self.core().locks.poll(lock, task, &mut wakes)
    }

    /// Releases a held lock, or withdraws a waiting call; false if there was nothing left to do.
    pub(crate) fn release(&self, lock: LockId) -> bool {
        self.command(|core, now, wakes| {
            let released = core.node.release(now, lock).is_ok();
            if let Some(state) = core.locks.remove(lock, wakes) {
                state.end(LockLost::Released, wakes);
            }
            released
        })
    }
}

impl super::Core {
    /// Removes a request's row, and cancels what the protocol may still wait for.
    fn end_request(&mut self, request: RequestId) -> Pending {
        self.node.cancel_request(request);
        self.requests.remove(request).unwrap_or_default()
    }
}
