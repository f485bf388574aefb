//! Blocking in the place of awaiting.

use std::cell::RefCell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking::Parker;

/// Blocks this thread in the place of `.await`: for every operation of a node, and anything else
/// that can be awaited and needs no runtime.
///
/// It parks the thread until it is woken, and costs nothing meanwhile. Don't call it where
/// asynchronous tasks run: it stops all that share the thread.
pub trait Wait: IntoFuture + Sized {
    /// Begins, and blocks until the end.
    ///
    /// ```
    /// use alan_sync::Wait;
    ///
    /// assert_eq!(async { 2 + 3 }.wait(), 5);
    /// ```
    fn wait(self) -> Self::Output {
        block_on(self.into_future(), None).expect("without a deadline it ends at its end only")
    }

    /// Begins, and blocks until the end or until so much time has passed. In the second case it is
    /// dropped, which cancels every operation of a node completely, and loses no message and no
    /// event. `Duration::ZERO` looks once and does not block.
    ///
    /// This is for what has no deadline of its own, such as `recv()` and `ready()`. Operations have
    /// `.timeout(…)`, which can tell more: whether the quorum was missing, and which replies came.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use alan_sync::{TimedOut, Wait};
    ///
    /// let never = std::future::pending::<()>();
    /// assert_eq!(never.wait_timeout(Duration::from_millis(1)), Err(TimedOut));
    /// ```
    fn wait_timeout(self, timeout: Duration) -> Result<Self::Output, TimedOut> {
        // A moment that no clock can show never comes.
        let deadline = Instant::now().checked_add(timeout);
        block_on(self.into_future(), deadline).ok_or(TimedOut)
    }
}

impl<F: IntoFuture> Wait for F {}

/// The time of [`Wait::wait_timeout`] passed first. What was waited for is cancelled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimedOut;

impl std::fmt::Display for TimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it did not end in time")
    }
}

impl std::error::Error for TimedOut {}

/// What puts a thread to sleep, and what wakes it.
struct Bed {
    parker: Parker,
    waker: Waker,
}

impl Bed {
    fn new() -> Self {
        let parker = Parker::new();
        let waker = parker.unparker().into();
        Self { parker, waker }
    }

    /// Sleeps until woken; false once the deadline has passed.
    fn sleep(&self, deadline: Option<Instant>) -> bool {
        let Some(deadline) = deadline else {
            self.parker.park();
            return true;
        };
        // Parking can end early without a reason.
        self.parker.park_deadline(deadline) || Instant::now() < deadline
    }
}

thread_local! {
    /// One for each thread, so that an operation neither allocates nor registers a waker anew.
    static BED: RefCell<Bed> = RefCell::new(Bed::new());
}

/// Runs a future on this thread. `None` when the deadline passed first.
fn block_on<F: Future>(future: F, deadline: Option<Instant>) -> Option<F::Output> {
    BED.with(|bed| match bed.try_borrow_mut() {
        Ok(bed) => drive(future, &bed, deadline),
        // Called from inside a future that this thread waits for: that one must not lose a
        // wake-up to this one.
        Err(_) => drive(future, &Bed::new(), deadline),
    })
}

fn drive<F: Future>(future: F, bed: &Bed, deadline: Option<Instant>) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(&bed.waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        if !bed.sleep(deadline) {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::thread;

    use super::*;

    /// Pending once, and woken by another thread.
    async fn woken_elsewhere() {
        let asked = Cell::new(false);
        poll_fn(|context| {
            if asked.replace(true) {
                return Poll::Ready(());
            }
            let waker = context.waker().clone();
            thread::spawn(move || waker.wake());
            Poll::Pending
        })
        .await;
    }

    #[test]
    fn it_sleeps_until_another_thread_wakes_it() {
        woken_elsewhere().wait();
        assert_eq!(woken_elsewhere().wait_timeout(Duration::from_secs(60)), Ok(()));
    }

    #[test]
    fn a_wait_inside_of_a_wait_takes_no_wake_up_away() {
        let inner_is_over = Cell::new(false);
        let outer = poll_fn(|context| {
            if inner_is_over.get() {
                return Poll::Ready(());
            }
            // Woken before the inner one sleeps: a waker that both share would be used up by it.
            context.waker().wake_by_ref();
            woken_elsewhere().wait();
            inner_is_over.set(true);
            Poll::Pending
        });
        assert_eq!(outer.wait_timeout(Duration::from_secs(60)), Ok(()));
    }

    #[test]
    fn no_time_at_all_looks_once() {
        assert_eq!(async { 1 }.wait_timeout(Duration::ZERO), Ok(1));
        assert_eq!(std::future::pending::<()>().wait_timeout(Duration::ZERO), Err(TimedOut));
    }

    #[test]
    fn the_longest_time_never_passes() {
        assert_eq!(woken_elsewhere().wait_timeout(Duration::MAX), Ok(()));
    }
}
