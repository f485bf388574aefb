//! A cluster of nodes that find each other, talk and share locks over UDP, under tokio.
#![forbid(unsafe_code)]

mod task;

use std::io;

use alan_driver::{Driver, Runtime, Task};
use tokio::runtime::Handle;

pub use alan_driver::{
    BroadcastError, Closed, Event, Events, Incoming, IncomingTaken, LockError, LockGuard, LockLost,
    Message, Missing, NodeStats, NodeUsage, QuorumError, Replies, Reply, ReplyError, Request,
    RequestAllError, RequestError, SendError, Sent, StartError,
};
pub use alan_driver::{clock, config, discovery, operation, socket};

/// A node whose loop and tasks run under tokio.
pub type Node = alan_driver::Node<Tokio>;

/// Describes a [`Node`] before it starts.
pub type Builder = alan_driver::Builder<Tokio>;

/// The tokio runtime in which a node was started.
#[derive(Clone, Debug)]
pub struct Tokio(Handle);

impl Runtime for Tokio {
    fn current() -> io::Result<Self> {
        Handle::try_current().map(Self).map_err(io::Error::other)
    }

    fn spawn(&self, task: Task) {
        drop(self.0.spawn(task));
    }

    fn drive(&self, driver: Driver) -> io::Result<()> {
        let socket = task::register(&driver)?;
        drop(self.0.spawn(task::run(driver, socket)));
        Ok(())
    }
}
