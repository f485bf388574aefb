//! Wakers that are collected under a mutex and woken after it is free.

use std::task::Waker;

/// Wakers to be woken once no mutex is held: an executor may run the task at once.
#[derive(Debug, Default)]
#[must_use = "whoever waits is not woken"]
pub(crate) struct Wakes(Vec<Waker>);

impl Wakes {
    /// Takes a waker out of its place, if there is one.
    pub(crate) fn take(&mut self, place: &mut Option<Waker>) {
        self.0.extend(place.take());
    }

    pub(crate) fn extend(&mut self, wakers: impl IntoIterator<Item = Waker>) {
        self.0.extend(wakers);
    }

    /// Wakes them all. The room for the next ones is kept.
    pub(crate) fn wake(&mut self) {
        for waker in self.0.drain(..) {
            waker.wake();
        }
    }
}

/// Puts the present task's waker into its place, without a clone if it is there already.
pub(crate) fn register(place: &mut Option<Waker>, waker: &Waker) {
    match place {
        Some(known) => known.clone_from(waker),
        None => *place = Some(waker.clone()),
    }
}
