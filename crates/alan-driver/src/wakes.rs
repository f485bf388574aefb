//! Wakers that are collected under a mutex, and woken or dropped after it is free.

use std::task::Waker;

/// Wakers to be dealt with once no mutex is held. To wake one may run its task at once, and to drop
/// one may drop the task, with the handles that it owns: both are code of the user's.
#[derive(Debug, Default)]
#[must_use = "whoever waits is not woken"]
pub(crate) struct Wakes {
    wake: Vec<Waker>,
    drop: Vec<Waker>,
}

impl Wakes {
    /// Takes a waker out of its place to be woken, if there is one.
    pub(crate) fn take(&mut self, place: &mut Option<Waker>) {
        self.wake.extend(place.take());
    }

    pub(crate) fn extend(&mut self, wakers: impl IntoIterator<Item = Waker>) {
        self.wake.extend(wakers);
    }

    /// Puts the present task's waker into its place, without a clone if it is there already.
    pub(crate) fn register(&mut self, place: &mut Option<Waker>, task: &Waker) {
        if !place.as_ref().is_some_and(|known| known.will_wake(task)) {
            self.discard(place.replace(task.clone()));
        }
    }

    /// Takes what is to be woken no more.
    pub(crate) fn discard(&mut self, wakers: impl IntoIterator<Item = Waker>) {
        self.drop.extend(wakers);
    }

    /// Wakes all that are to be woken and drops the others. The room for the next ones is kept.
    pub(crate) fn wake(&mut self) {
        for waker in self.wake.drain(..) {
            waker.wake();
        }
        self.drop.clear();
    }
}
