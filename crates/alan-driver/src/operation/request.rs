//! One question to one node.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use alan_proto::RequestId;
use bytes::Bytes;

use super::Limit;
use crate::completion::{End, Missing, Pending};
use crate::engine::Engine;
use crate::error::{Closed, RequestError};
use crate::fault;

/// A request that has not begun; made by [`Node::request`](crate::Node::request).
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct SendRequest<P> {
    engine: Arc<Engine>,
    peer: SocketAddr,
    payload: P,
    timeout: Option<Duration>,
}

impl<P> SendRequest<P> {
    pub(crate) const fn new(engine: Arc<Engine>, peer: SocketAddr, payload: P) -> Self {
        Self { engine, peer, payload, timeout: None }
    }

    /// How long to wait for the reply. Without it: until the peer is gone, or for ever if it is no
    /// member.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl<P: AsRef<[u8]>> IntoFuture for SendRequest<P> {
    type Output = Result<Bytes, RequestError>;
    type IntoFuture = Asking<P>;

    fn into_future(self) -> Asking<P> {
        let Self { engine, peer, payload, timeout } = self;
        Asking { engine, peer, payload, limit: Limit::After(timeout), request: None }
    }
}

/// A request under way.
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct Asking<P> {
    engine: Arc<Engine>,
    peer: SocketAddr,
    payload: P,
    limit: Limit,
    /// The row in the table, from the first poll until it has ended.
    request: Option<RequestId>,
}

/// Nothing in it is pinned.
impl<P> Unpin for Asking<P> {}

impl<P: AsRef<[u8]>> Future for Asking<P> {
    type Output = Result<Bytes, RequestError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { engine, peer, payload, limit, request } = self.get_mut();
        let id = if let Some(id) = *request {
            id
        } else {
            let deadline = limit.fix(|| engine.now());
            *request.insert(engine.request(*peer, deadline, payload.as_ref())?)
        };
        let ended = engine.poll_request(id, context.waker());
        if ended.is_ready() {
            *request = None;
        }
        ended.map(|ended| fault::reply(outcome(*peer, ended)))
    }
}

/// What became of a request to one node.
fn outcome(peer: SocketAddr, ended: Pending) -> Result<Bytes, RequestError> {
    if let Some(reply) = ended.replies.into_iter().next() {
        return Ok(reply.payload);
    }
    if ended.end == Some(End::Closed) {
        return Err(Closed.into());
    }
    Err(match ended.missing.first() {
        Some(&(_, Missing::Disconnected(why))) => RequestError::PeerDisconnected { peer, why },
        Some(&(_, Missing::NotSent(failure))) => RequestError::NotSent { peer, failure },
        Some(&(_, Missing::ResponseGone)) => RequestError::ResponseGone { peer },
        Some(&(_, Missing::TimedOut)) | None => RequestError::Timeout,
    })
}

impl<P> Drop for Asking<P> {
    fn drop(&mut self) {
        if let Some(request) = self.request {
            self.engine.cancel_request(request);
        }
    }
}
