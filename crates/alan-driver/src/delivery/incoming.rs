//! Reading messages as one stream of all.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use thiserror::Error;

use super::Message;
use crate::engine::Engine;

/// Somebody else reads this node's messages, or did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the messages of this node are read elsewhere: take `incoming` or `serve` once, not both")]
pub struct IncomingTaken;

/// Every message of a node: a [`Stream`], or [`recv`](Self::recv) by [`recv`](Self::recv).
///
/// Messages of one peer come in the order in which they arrived; peers that have some take turns.
/// Each peer's queue is bounded, so a peer that sends faster than this is read loses messages of
/// its own and nobody else's. It ends when the node has left the cluster. Once it is dropped,
/// nobody reads the node's messages any more, and they are dropped as they come.
#[derive(Debug)]
#[must_use = "dropped, it drops the node's messages, too"]
pub struct Incoming {
    pub(super) engine: Arc<Engine>,
}

impl Incoming {
    pub(crate) fn attach(engine: &Arc<Engine>) -> Result<Self, IncomingTaken> {
        if engine.outlet().inbox.attach() {
            Ok(Self { engine: Arc::clone(engine) })
        } else {
            Err(IncomingTaken)
        }
    }

    /// The next message, or `None` once the node has left the cluster. Cancelling loses nothing.
    pub async fn recv(&mut self) -> Option<Message> {
        std::future::poll_fn(|context| self.poll_recv(context)).await
    }

    fn poll_recv(&self, context: &Context<'_>) -> Poll<Option<Message>> {
        let taken =
            self.engine.deliver(|outlet, tell, wakes| match outlet.inbox.take_next(tell, wakes) {
                Some(message) => Poll::Ready(Some(message)),
                None if outlet.inbox.is_closed() => Poll::Ready(None),
                None => {
                    outlet.inbox.register(context.waker(), wakes);
                    Poll::Pending
                }
            });
        taken.map(|message| message.map(|message| Message::new(&self.engine, message)))
    }
}

impl Stream for Incoming {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        self.poll_recv(context)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.engine.deliver(|outlet, tell, wakes| outlet.inbox.detach(tell, wakes));
    }
}
