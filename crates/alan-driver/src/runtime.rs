//! What an adapter gives: a place for the loop to run, and tasks.

use std::io;
use std::pin::Pin;

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
