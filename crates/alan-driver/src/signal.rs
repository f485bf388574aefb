//! A value that is set once and that any number of tasks may wait for.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::wakes::Wakes;

/// Locks a mutex whose holder may have panicked: the tables behind our mutexes are never left
/// half changed across a call that can.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Set once; every waiter, early or late, gets the same value.
pub(crate) struct Signal<T>(Arc<Shared<T>>);

struct Shared<T> {
    value: OnceLock<T>,
    waiters: Mutex<Waiters>,
}

#[derive(Default)]
struct Waiters {
    next: u64,
    wakers: Vec<(u64, Waker)>,
}

impl<T: Copy> Signal<T> {
    pub(crate) fn new() -> Self {
        let waiters = Mutex::default();
        Self(Arc::new(Shared { value: OnceLock::new(), waiters }))
    }

    /// Sets the value unless one is set, and hands the waiters over to be woken.
    pub(crate) fn set(&self, value: T, wakes: &mut Wakes) {
        let mut waiters = lock(&self.0.waiters);
        if self.0.value.set(value).is_ok() {
            wakes.extend(waiters.wakers.drain(..).map(|(_, waker)| waker));
        }
    }

    pub(crate) fn get(&self) -> Option<T> {
        self.0.value.get().copied()
    }

    pub(crate) fn wait(&self) -> Wait<T> {
        Wait { signal: self.clone(), place: None }
    }
}

impl<T> Clone for Signal<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: fmt::Debug> fmt::Debug for Signal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signal").field(&self.0.value.get()).finish()
    }
}

/// Waits for the value of a [`Signal`]. Dropping it gives its place up.
#[derive(Debug)]
pub(crate) struct Wait<T> {
    signal: Signal<T>,
    place: Option<u64>,
}

impl<T: Copy> Future for Wait<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let signal = self.signal.clone();
        // Dropped after the mutex is free.
        let _displaced;
        let mut waiters = lock(&signal.0.waiters);
        // Looked at under the mutex: a value set after this finds our waker.
        if let Some(value) = signal.get() {
            return Poll::Ready(value);
        }
        let place = *self.place.get_or_insert_with(|| {
            waiters.next += 1;
            waiters.next
        });
        match waiters.wakers.iter_mut().find(|(other, _)| *other == place) {
            Some((_, waker)) if waker.will_wake(context.waker()) => {}
            Some((_, waker)) => {
                _displaced = std::mem::replace(waker, context.waker().clone());
            }
            None => waiters.wakers.push((place, context.waker().clone())),
        }
        Poll::Pending
    }
}

impl<T> Drop for Wait<T> {
    fn drop(&mut self) {
        // Dropped after the mutex is free.
        let _removed;
        if let Some(place) = self.place {
            let wakers = &mut lock(&self.signal.0.waiters).wakers;
            let found = wakers.iter().position(|(other, _)| *other == place);
            _removed = found.map(|index| wakers.remove(index));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn poll<T: Copy>(wait: &mut Wait<T>, waker: &Waker) -> Poll<T> {
        Pin::new(wait).poll(&mut Context::from_waker(waker))
    }

    #[test]
    fn the_first_value_stays_and_reaches_early_and_late_waiters() {
        let count = Arc::new(Count::default());
        let counting = Waker::from(Arc::clone(&count));
        let signal = Signal::new();
        let mut early = signal.wait();
        assert_eq!(poll(&mut early, &counting), Poll::Pending);

        let mut wakes = Wakes::default();
        signal.set(1, &mut wakes);
        signal.set(2, &mut wakes);
        wakes.wake();

        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(poll(&mut early, &counting), Poll::Ready(1));
        assert_eq!(poll(&mut signal.wait(), &counting), Poll::Ready(1));
    }

    #[test]
    fn a_dropped_waiter_leaves_nothing_behind() {
        let signal = Signal::<()>::new();
        let mut wait = signal.wait();
        assert_eq!(poll(&mut wait, Waker::noop()), Poll::Pending);
        assert_eq!(poll(&mut wait, Waker::noop()), Poll::Pending);
        assert_eq!(lock(&signal.0.waiters).wakers.len(), 1);
        drop(wait);
        assert!(lock(&signal.0.waiters).wakers.is_empty());
    }
}
