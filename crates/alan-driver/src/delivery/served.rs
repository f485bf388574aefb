//! Reading messages queue by queue, so that those of several peers are handled at the same time.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::{Incoming, Message, QueueKey};
use crate::engine::Engine;
use crate::fault;
use crate::runtime::Runtime;

/// The queues of a node that have messages, one by one, each to be served by somebody.
#[derive(Debug)]
#[must_use = "dropped, it drops the node's messages, too"]
pub struct Queues(Incoming);

impl Queues {
    pub(crate) const fn new(incoming: Incoming) -> Self {
        Self(incoming)
    }

    /// The next queue that has messages and is not being served, or `None` once the node has left
    /// the cluster. Cancelling loses nothing.
    pub async fn next(&mut self) -> Option<Served> {
        let engine = &self.0.engine;
        let key = poll_fn(|context| {
            engine.deliver(|outlet, _, wakes| match outlet.inbox.take_queue() {
                Some(key) => Poll::Ready(Some(key)),
                None if outlet.inbox.is_closed() => Poll::Ready(None),
                None => {
                    outlet.inbox.register(context.waker(), wakes);
                    Poll::Pending
                }
            })
        })
        .await?;
        Some(Served { engine: Arc::clone(engine), key: Some(key) })
    }
}

/// A queue in the hands of one server: the messages of one peer, or of all strangers, in order.
///
/// To ask for the next message says that the one before it is done with. The last answer is `None`,
/// and gives the queue back; so does dropping it earlier, also by a panic.
#[must_use = "dropped, it goes back unserved"]
pub struct Served {
    engine: Arc<Engine>,
    key: Option<QueueKey>,
}

impl Iterator for Served {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let key = self.key?;
        let message =
            self.engine.deliver(|outlet, tell, wakes| outlet.inbox.next_served(key, tell, wakes));
        if message.is_none() {
            self.key = None;
        }
        message.map(|message| Message::new(&self.engine, message))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(key) = self.key
            && !fault!(LoseQueueOfPanic)
        {
            self.engine.deliver(|outlet, _, wakes| outlet.inbox.end_serving(key, wakes));
        }
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Serves each queue in a task of its own for as long as it has messages.
pub(crate) async fn serve_in_tasks<R, H, F>(mut queues: Queues, runtime: R, handler: H)
where
    R: Runtime,
    H: Fn(Message) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let handler = Arc::new(handler);
    while let Some(queue) = queues.next().await {
        let theirs = Arc::clone(&handler);
        let overtaking = fault!(LetHandlersOvertake).then(|| runtime.clone());
        runtime.spawn(Box::pin(async move {
            for message in queue {
                let work = theirs(message);
                match &overtaking {
                    None => work.await,
                    Some(runtime) => runtime.spawn(Box::pin(work)),
                }
                // Handlers that never wait would keep the thread for as long as messages come.
                give_way().await;
            }
        }));
        if fault!(OneHandlerAtATime) {
            fault::until(|| Arc::strong_count(&handler) == 1).await;
        }
    }
}

/// Lets others have a turn.
async fn give_way() {
    let mut gave = false;
    poll_fn(|context| {
        if std::mem::replace(&mut gave, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
