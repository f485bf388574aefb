//! One message to every member.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Limit;
use crate::completion::Place;
use crate::engine::Engine;
use crate::error::BroadcastError;
use crate::socket::SendFailure;

/// What became of one member's copy of a broadcast.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sent {
    /// Whom it was for.
    pub peer: SocketAddr,
    /// How many bytes of payload left this machine, or why none did. What leaves may still get
    /// lost on the way.
    pub result: Result<usize, SendFailure>,
}

/// A broadcast that has not begun; made by [`Node::broadcast`](crate::Node::broadcast).
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct Broadcast<P> {
    engine: Arc<Engine>,
    payload: P,
    timeout: Option<Duration>,
}

impl<P> Broadcast<P> {
    pub(crate) const fn new(engine: Arc<Engine>, payload: P) -> Self {
        Self { engine, payload, timeout: None }
    }

    /// How long to wait for the quorum. Without it: for as long as it takes.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl<P: AsRef<[u8]>> IntoFuture for Broadcast<P> {
    type Output = Result<Vec<Sent>, BroadcastError>;
    type IntoFuture = Broadcasting<P>;

    fn into_future(self) -> Broadcasting<P> {
        let Self { engine, payload, timeout } = self;
        Broadcasting { engine, payload, limit: Limit::After(timeout), place: Place::default() }
    }
}

/// A broadcast under way.
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct Broadcasting<P> {
    engine: Arc<Engine>,
    payload: P,
    limit: Limit,
    place: Place,
}

/// Nothing in it is pinned.
impl<P> Unpin for Broadcasting<P> {}

impl<P: AsRef<[u8]>> Future for Broadcasting<P> {
    type Output = Result<Vec<Sent>, BroadcastError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { engine, payload, limit, place } = self.get_mut();
        let deadline = limit.fix(|| engine.now());
        engine.poll_broadcast(place, deadline, payload.as_ref(), context.waker())
    }
}

impl<P> Drop for Broadcasting<P> {
    fn drop(&mut self) {
        self.engine.give_up(&mut self.place);
    }
}
