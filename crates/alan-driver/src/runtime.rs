//! What an adapter gives: a place for the loop to run, tasks, and a way to call handlers.

use std::io;
use std::pin::Pin;

use crate::delivery::{Message, Queues, serve_in_tasks};
use crate::driver::Driver;

/// A task for [`Runtime::spawn`].
pub type Task = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// An asynchronous runtime, or a pool of threads. Implemented by the adapters; users choose one by
/// choosing an adapter.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// The runtime that the calling code runs in.
    fn current() -> io::Result<Self>;

    /// Runs a task to its end, without anybody waiting for it.
    fn spawn(&self, task: Task);

    /// Registers the driver's socket and runs its loop, as [`Driver`] describes.
    fn drive(&self, driver: Driver) -> io::Result<()>;
}

/// A runtime whose tasks are cheap. Under it, a handler of messages gives a future, and each peer
/// that has messages gets a task.
pub trait AsyncRuntime: Runtime {}

/// A runtime under which a handler of messages may give `Output`. Every [`AsyncRuntime`] takes
/// futures; a runtime of threads takes handlers that are done when they return.
#[diagnostic::on_unimplemented(
    message = "under `{Self}` a handler of messages cannot give `{Output}`",
    note = "an asynchronous runtime wants a future from it, and a runtime of threads nothing"
)]
pub trait Serve<Output>: Runtime {
    /// Hands every message to `handler`, without anybody waiting for that: those of one queue one
    /// after the other, those of several queues at the same time.
    fn serve<H>(&self, queues: Queues, handler: H)
    where
        H: Fn(Message) -> Output + Send + Sync + 'static;
}

impl<R, F> Serve<F> for R
where
    R: AsyncRuntime,
    F: Future<Output = ()> + Send + 'static,
{
    fn serve<H>(&self, queues: Queues, handler: H)
    where
        H: Fn(Message) -> F + Send + Sync + 'static,
    {
        self.spawn(Box::pin(serve_in_tasks(queues, self.clone(), handler)));
    }
}
