//! The two ways to read messages: one stream of all, or a handler with a task per busy peer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use thiserror::Error;

use super::{Inbound, Message, QueueKey};
use crate::engine::Engine;
use crate::runtime::Runtime;

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
    engine: Arc<Engine>,
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
                    outlet.inbox.register(context.waker());
                    Poll::Pending
                }
            });
        taken.map(|message| message.map(|message| Message::new(&self.engine, message)))
    }

    /// The next queue with messages, for one server at a time.
    async fn next_queue(&self) -> Option<QueueKey> {
        std::future::poll_fn(|context| {
            let inbox = &mut self.engine.outlet().inbox;
            match inbox.take_queue() {
                Some(queue) => Poll::Ready(Some(queue)),
                None if inbox.is_closed() => Poll::Ready(None),
                None => {
                    inbox.register(context.waker());
                    Poll::Pending
                }
            }
        })
        .await
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

/// Hands every message to `handler`: those of one peer one after the other, those of several peers
/// at once, in a task for each peer that has some.
pub(crate) async fn serve<R, H, F>(incoming: Incoming, runtime: R, handler: H)
where
    R: Runtime,
    H: Fn(Message) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let handler = Arc::new(handler);
    while let Some(queue) = incoming.next_queue().await {
        let mut served = Served { engine: Arc::clone(&incoming.engine), queue: Some(queue) };
        let handler = Arc::clone(&handler);
        runtime.spawn(Box::pin(async move {
            while let Some(message) = served.next() {
                handler(Message::new(&served.engine, message)).await;
            }
        }));
    }
}

/// A queue in the hands of one server. It goes back when the server ends, also by a panic in the
/// handler.
struct Served {
    engine: Arc<Engine>,
    queue: Option<QueueKey>,
}

impl Served {
    fn next(&mut self) -> Option<Inbound> {
        let queue = self.queue?;
        let message =
            self.engine.deliver(|outlet, tell, wakes| outlet.inbox.next_served(queue, tell, wakes));
        if message.is_none() {
            self.queue = None;
        }
        message
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(queue) = self.queue {
            self.engine.deliver(|outlet, tell, wakes| outlet.inbox.end_serving(queue, tell, wakes));
        }
    }
}
