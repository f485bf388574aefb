//! One question to every member, and who has answered.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use alan_proto::RequestId;
use futures_core::Stream;

use super::Limit;
use crate::completion::{End, Missing, Pending, Place, Reply};
use crate::engine::Engine;
use crate::error::{Closed, RequestAllError};
use crate::fault;

/// The answers to a question that went to every member.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Replies {
    /// Who answered what, in order of arrival.
    pub replies: Vec<Reply>,
    /// Who was asked and has not answered, and why.
    pub missing: Vec<(SocketAddr, Missing)>,
}

/// A request that has not begun; made by [`Node::request_all`](crate::Node::request_all).
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct SendRequestToAll<P> {
    engine: Arc<Engine>,
    payload: P,
    timeout: Option<Duration>,
}

impl<P> SendRequestToAll<P> {
    pub(crate) const fn new(engine: Arc<Engine>, payload: P) -> Self {
        Self { engine, payload, timeout: None }
    }

    /// How long to wait, for the quorum and for replies together. What has come by then is
    /// returned. Without it: until everybody has answered or is gone.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl<P: AsRef<[u8]>> SendRequestToAll<P> {
    /// The replies one by one, as they come.
    pub fn stream(self) -> ReplyStream<P> {
        let Self { engine, payload, timeout } = self;
        ReplyStream {
            engine,
            payload,
            limit: Limit::After(timeout),
            place: Place::default(),
            phase: Phase::Start,
            missing: Vec::new(),
        }
    }
}

impl<P: AsRef<[u8]>> IntoFuture for SendRequestToAll<P> {
    type Output = Result<Replies, RequestAllError>;
    type IntoFuture = AskingAll<P>;

    fn into_future(self) -> AskingAll<P> {
        AskingAll(self.stream(), Vec::new())
    }
}

/// A request to all members under way.
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct AskingAll<P>(ReplyStream<P>, Vec<Reply>);

/// Nothing in it is pinned.
impl<P> Unpin for AskingAll<P> {}

impl<P: AsRef<[u8]>> Future for AskingAll<P> {
    type Output = Result<Replies, RequestAllError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self(stream, replies) = self.get_mut();
        while let Some(reply) = ready!(stream.poll_reply(context)) {
            replies.push(reply?);
        }
        let (replies, missing) = (std::mem::take(replies), std::mem::take(&mut stream.missing));
        Poll::Ready(Ok(fault::replies(Replies { replies, missing })))
    }
}

/// Replies as they come: a [`Stream`], or [`recv`](Self::recv) by [`recv`](Self::recv). It ends when
/// everybody who was asked has answered, is gone, or the deadline has passed; then
/// [`missing`](Self::missing) tells who has not answered. An error is its last item. Dropped before
/// that, it cancels the request.
#[derive(Debug)]
#[must_use = "nothing is sent until the first reply is asked for"]
pub struct ReplyStream<P> {
    engine: Arc<Engine>,
    payload: P,
    limit: Limit,
    place: Place,
    phase: Phase,
    missing: Vec<(SocketAddr, Missing)>,
}

#[derive(Debug)]
enum Phase {
    /// Waiting for the quorum.
    Start,
    /// There is a row in the table.
    Asking(RequestId),
    /// The row is gone, and these have not been handed out yet.
    Ended(Pending),
    Over,
}

/// Nothing in it is pinned.
impl<P> Unpin for ReplyStream<P> {}

impl<P: AsRef<[u8]>> ReplyStream<P> {
    /// The next reply, or `None` when no more will come. Cancelling loses nothing.
    pub async fn recv(&mut self) -> Option<Result<Reply, RequestAllError>> {
        std::future::poll_fn(|context| self.poll_reply(context)).await
    }

    /// Who was asked and has not answered, and why: complete when the stream has ended.
    pub fn missing(&self) -> &[(SocketAddr, Missing)] {
        &self.missing
    }

    fn poll_reply(
        &mut self,
        context: &Context<'_>,
    ) -> Poll<Option<Result<Reply, RequestAllError>>> {
        loop {
            match &mut self.phase {
                Phase::Start => {
                    let deadline = self.limit.fix(|| self.engine.now());
                    let (payload, waker) = (self.payload.as_ref(), context.waker());
                    let begun =
                        self.engine.poll_request_all(&mut self.place, deadline, payload, waker);
                    match ready!(begun) {
                        Ok(Some(request)) => self.phase = Phase::Asking(request),
                        Ok(None) => self.phase = Phase::Over,
                        Err(error) => {
                            self.phase = Phase::Over;
                            return Poll::Ready(Some(Err(error)));
                        }
                    }
                }
                Phase::Asking(request) => {
                    let request = *request;
                    match self.engine.poll_reply(request, context.waker()) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Ok(reply)) => return Poll::Ready(Some(Ok(reply))),
                        Poll::Ready(Err(ended)) => self.phase = Phase::Ended(ended),
                    }
                }
                Phase::Ended(ended) => {
                    let closed = ended.end == Some(End::Closed);
                    self.missing = std::mem::take(&mut ended.missing);
                    self.phase = Phase::Over;
                    if closed {
                        return Poll::Ready(Some(Err(Closed.into())));
                    }
                }
                Phase::Over => return Poll::Ready(None),
            }
        }
    }
}

impl<P: AsRef<[u8]>> Stream for ReplyStream<P> {
    type Item = Result<Reply, RequestAllError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_reply(context)
    }
}

impl<P> Drop for ReplyStream<P> {
    fn drop(&mut self) {
        self.engine.give_up(&mut self.place);
        if let Phase::Asking(request) = self.phase {
            self.engine.cancel_request(request);
        }
    }
}
