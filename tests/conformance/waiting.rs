//! Patience: waiting for what must happen, and saying what that is.
//!
//! Nothing here gives up. The watchdog of the row does, from its own thread, so that a future that
//! nobody wakes never passes because it was looked at once more in the end.

use std::pin::Pin;
use std::sync::{Condvar, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::row;

/// Longer than anything here takes on a machine that is not overloaded, and short enough to wait
/// for where the passing of a deadline is what is tested.
pub(crate) const SHORT: Duration = Duration::from_millis(100);

/// Between two looks at what no event tells of.
const TICK: Duration = Duration::from_millis(2);

/// Awaits what must happen.
pub(crate) async fn eventually<F: IntoFuture>(what: &'static str, future: F) -> F::Output {
    row::waits_for(what);
    future.into_future().await
}

/// Waits until something is so that no event tells of.
pub(crate) async fn until(what: &'static str, mut condition: impl FnMut() -> bool) {
    row::waits_for(what);
    while !condition() {
        tick().await;
    }
}

/// What a future gives without waiting.
pub(crate) fn now<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let context = &mut Context::from_waker(Waker::noop());
    match future.as_mut().poll(context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Lets other tasks run.
pub(crate) async fn yield_now() {
    once_woken(Waker::wake_by_ref).await;
}

/// A short while.
async fn tick() {
    once_woken(|waker| TICKER.register(waker.clone())).await;
}

/// Ready when it is looked at for the second time; `arrange` is to see to it that it is.
async fn once_woken(arrange: impl FnOnce(&Waker)) {
    let mut arrange = Some(arrange);
    std::future::poll_fn(move |context| match arrange.take() {
        Some(arrange) => {
            arrange(context.waker());
            Poll::Pending
        }
        None => Poll::Ready(()),
    })
    .await;
}

/// Wakes whoever asked for it, a tick later. A thread, because no two adapters share a timer.
struct Ticker {
    wakers: Mutex<Vec<Waker>>,
    some: Condvar,
}

static TICKER: LazyLock<&'static Ticker> = LazyLock::new(|| {
    let ticker: &Ticker =
        Box::leak(Box::new(Ticker { wakers: Mutex::default(), some: Condvar::new() }));
    thread::Builder::new()
        .name("ticker".to_owned())
        .spawn(|| ticker.run())
        .expect("the system has threads");
    ticker
});

impl Ticker {
    fn register(&self, waker: Waker) {
        self.wakers.lock().expect("no waker panics under it").push(waker);
        self.some.notify_one();
    }

    fn run(&self) {
        loop {
            let wakers = self.wakers.lock().expect("no waker panics under it");
            let wakers = self.some.wait_while(wakers, |wakers| wakers.is_empty());
            drop(wakers);
            thread::park_timeout(TICK);
            let due = std::mem::take(&mut *self.wakers.lock().expect("as above"));
            due.into_iter().for_each(Waker::wake);
        }
    }
}

/// The output of a task, once it has ended.
pub(crate) struct Spawned<T>(oneshot::Receiver<T>);

impl<T: Send + 'static> Spawned<T> {
    /// A task, and how to learn what became of it.
    pub(crate) fn new(
        work: impl Future<Output = T> + Send + 'static,
    ) -> (impl Future<Output = ()> + Send + 'static, Self) {
        let (tell, told) = oneshot::channel();
        let task = async move {
            let output = work.await;
            // Nobody may want to know any more.
            let _ = tell.send(output);
        };
        (task, Self(told))
    }

    pub(crate) fn has_ended(&self) -> bool {
        !self.0.is_empty()
    }
}

impl<T> Future for Spawned<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(context).map(|output| output.expect("the task does not panic"))
    }
}
