//! The operations: builders that become futures when awaited.
//!
//! Each begins when it is first polled, takes its deadline from that moment, and is cancelled
//! completely when it is dropped: no row in a table, no place in a queue and no grant of another
//! node is left behind. None of them depends on a runtime; deadlines are kept by the node's loop.

mod broadcast;
mod lock;
mod quorum;
mod request;
mod request_all;

use std::time::Duration;

use alan_proto::Instant;

pub use broadcast::{Broadcast, Broadcasting, Sent};
pub(crate) use lock::Patience;
pub use lock::{Lock, LockGuard, Locking, Lost, TryLock};
pub use quorum::{QuorumWaiting, WaitForQuorum};
pub use request::{Asking, SendRequest};
pub use request_all::{AskingAll, Replies, ReplyStream, SendRequestToAll};

/// A deadline that is fixed when the operation begins.
#[derive(Clone, Copy, Debug)]
enum Limit {
    After(Option<Duration>),
    At(Option<Instant>),
}

impl Limit {
    /// The deadline, counted from the first time that it is asked for.
    fn fix(&mut self, now: impl FnOnce() -> Instant) -> Option<Instant> {
        if let Self::After(timeout) = *self {
            *self = Self::At(timeout.map(|timeout| now() + timeout));
        }
        match *self {
            Self::At(deadline) => deadline,
            Self::After(_) => unreachable!("it has just been fixed"),
        }
    }
}
