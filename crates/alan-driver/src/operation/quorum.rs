//! Waiting until enough nodes are here.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Limit;
use crate::completion::Place;
use crate::engine::Engine;
use crate::error::QuorumError;

/// A wait that has not begun; made by [`Node::wait_for_quorum`](crate::Node::wait_for_quorum).
#[derive(Debug)]
#[must_use = "nobody waits until it is awaited"]
pub struct WaitForQuorum {
    engine: Arc<Engine>,
    timeout: Option<Duration>,
}

impl WaitForQuorum {
    pub(crate) const fn new(engine: Arc<Engine>) -> Self {
        Self { engine, timeout: None }
    }

    /// How long to wait. Without it: for as long as it takes.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl IntoFuture for WaitForQuorum {
    type Output = Result<(), QuorumError>;
    type IntoFuture = QuorumWaiting;

    fn into_future(self) -> QuorumWaiting {
        let Self { engine, timeout } = self;
        QuorumWaiting { engine, limit: Limit::After(timeout), place: Place::default() }
    }
}

/// A wait under way.
#[derive(Debug)]
#[must_use = "nobody waits until it is awaited"]
pub struct QuorumWaiting {
    engine: Arc<Engine>,
    limit: Limit,
    place: Place,
}

impl Future for QuorumWaiting {
    type Output = Result<(), QuorumError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { engine, limit, place } = self.get_mut();
        let deadline = limit.fix(|| engine.now());
        let task = context.waker();
        engine.command(|core, now, wakes| core.poll_quorum(now, place, deadline, task, wakes))
    }
}

impl Drop for QuorumWaiting {
    fn drop(&mut self) {
        self.engine.give_up(&mut self.place);
    }
}
