//! The handle of a running node.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use alan_proto::envelope::Keyring;
use alan_proto::{Config, Incarnation, LeaveReason, LockNotHeld};

use crate::builder::Builder;
use crate::config::Settings;
use crate::delivery::{Incoming, IncomingTaken, Message, Queues};
use crate::engine::{Engine, NodeStats, NodeUsage};
use crate::error::{Closed, MetadataError, RotateKeysError, SendError};
use crate::events::{Event, Events};
use crate::operation::{Broadcast, Lock, SendRequest, SendRequestToAll, TryLock, WaitForQuorum};
use crate::peer::Peer;
use crate::runtime::{Runtime, Serve};

/// A running node of a cluster, under the runtime `R`.
///
/// A handle: cheap to clone, and usable from any thread. When the last one is dropped, the node
/// says goodbye and leaves the cluster in the background; [`shutdown`](Self::shutdown) does that
/// and waits for it. Guards, streams and operations under way do not keep a node in the cluster.
///
/// Operations are builders: `node.request(peer, "ping").timeout(second).await`. They begin when
/// they are awaited, and dropping one cancels it completely. Every operation that waits ends with
/// `Closed` when the node leaves.
pub struct Node<R: Runtime>(Arc<Handle<R>>);

/// What all handles of a node share.
struct Handle<R> {
    engine: Arc<Engine>,
    runtime: R,
}

impl<R> Drop for Handle<R> {
    fn drop(&mut self) {
        if !fault!(OutliveHandles) {
            self.engine.leave();
        }
    }
}

impl<R: Runtime> Clone for Node<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Runtime> fmt::Debug for Node<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("local_addr", &self.local_addr())
            .field("incarnation", &self.incarnation())
            .finish_non_exhaustive()
    }
}

/// Starting and stopping.
impl<R: Runtime> Node<R> {
    /// Begins to describe a node. See [`Settings`] for what can be set, and the defaults.
    pub fn builder() -> Builder<R> {
        Builder::from_settings(Settings::new())
    }

    pub(crate) fn new(engine: Arc<Engine>, runtime: R) -> Self {
        Self(Arc::new(Handle { engine, runtime }))
    }

    fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.0.engine)
    }

    /// Waits until the first round of discovery is over, whether it found somebody, nobody, or
    /// failed (then it is tried again). Peers join a little later: see
    /// [`wait_for_quorum`](Self::wait_for_quorum) and [`events`](Self::events).
    pub async fn ready(&self) -> Result<(), Closed> {
        self.0.engine.ready().await
    }

    /// Leaves the cluster, and waits until that is done: locks are lost, operations end with
    /// `Closed`, peers are told, the port is free, and the loop's thread, if it has one to itself,
    /// has ended. It takes some 10 ms. Cancelled, it goes on in the background.
    pub async fn shutdown(&self) {
        self.0.engine.leave();
        self.0.engine.ended().await;
    }

    /// Stops without a word, as a crash would: peers notice after their heartbeat timeout. For
    /// tests of what is built on a cluster.
    pub async fn abort(&self) {
        self.0.engine.abort();
        self.0.engine.ended().await;
    }

    /// Whether the node has left the cluster, and its port is free.
    pub fn has_ended(&self) -> bool {
        self.0.engine.has_ended()
    }
}

/// Messages.
impl<R: Runtime> Node<R> {
    /// Sends a message to every member, once the quorum is here (at once without a cluster size).
    /// Gives for each member whether its copy left.
    pub fn broadcast<P: AsRef<[u8]>>(&self, payload: P) -> Broadcast<P> {
        Broadcast::new(self.engine(), payload)
    }

    /// Sends a message to one address, member or not, quorum or not. It leaves on this thread and
    /// at once: there is nothing to await. Like any datagram it may get lost on the way.
    pub fn send_to(&self, peer: SocketAddr, payload: impl AsRef<[u8]>) -> Result<(), SendError> {
        self.0.engine.send_to(peer, payload.as_ref())
    }

    /// Asks one node, member or not, quorum or not, and waits for the reply. Ends at once when a
    /// member that was asked is gone.
    pub fn request<P: AsRef<[u8]>>(&self, peer: SocketAddr, payload: P) -> SendRequest<P> {
        SendRequest::new(self.engine(), peer, payload)
    }

    /// Asks every member, once the quorum is here, and waits for their replies. Who does not
    /// answer is named, and takes nobody else's reply along. See
    /// [`stream`](SendRequestToAll::stream) for replies as they come.
    pub fn request_all<P: AsRef<[u8]>>(&self, payload: P) -> SendRequestToAll<P> {
        SendRequestToAll::new(self.engine(), payload)
    }

    /// All that others send to this node, as one stream. Can be taken once; until then messages
    /// wait in their queues.
    pub fn incoming(&self) -> Result<Incoming, IncomingTaken> {
        Incoming::attach(&self.0.engine)
    }

    /// Hands all that others send to this node to `handler`, in tasks or on threads: messages of
    /// one peer one after the other, those of several peers at the same time. In the place of
    /// [`incoming`](Self::incoming), and once.
    ///
    /// Under an asynchronous runtime the handler gives a future; under one of threads it blocks.
    pub fn serve<H, T>(&self, handler: H) -> Result<(), IncomingTaken>
    where
        R: Serve<T>,
        H: Fn(Message) -> T + Send + Sync + 'static,
    {
        self.0.runtime.serve(Queues::new(self.incoming()?), handler);
        Ok(())
    }
}

/// Locks.
impl<R: Runtime> Node<R> {
    /// Waits for the quorum, then for the lock. The key has 1 to 255 bytes.
    pub fn lock(&self, key: impl AsRef<str>) -> Lock {
        Lock::new(self.engine(), key.as_ref())
    }

    /// Gets the lock if nobody holds it or was first to ask for it.
    pub fn try_lock(&self, key: impl AsRef<str>) -> TryLock {
        TryLock::new(self.engine(), key.as_ref())
    }

    /// Releases a lock by its name, whoever has the guard; that turns invalid. The future is
    /// ready at once, and the lock is released whether or not it is awaited.
    pub fn unlock(&self, key: impl AsRef<str>) -> std::future::Ready<Result<(), LockNotHeld>> {
        std::future::ready(self.0.engine.unlock(key.as_ref()))
    }
}

/// The cluster.
impl<R: Runtime> Node<R> {
    /// What happens, from now on, beginning with the members that are there. Any number of
    /// subscribers.
    pub fn events(&self) -> Events {
        Events::new(self.engine())
    }

    /// Calls `callback` for each peer that joins, those that are here already included, in order
    /// and one at a time, in a task of its own. Don't block in it for long. After a panic it is called
    /// no more.
    pub fn on_peer_join<C>(&self, mut callback: C)
    where
        C: FnMut(SocketAddr, Option<Incarnation>) + Send + 'static,
    {
        self.on_event(move |event| {
            if let Event::Joined { peer, incarnation } = event {
                callback(peer, incarnation);
            }
        });
    }

    /// Calls `callback` for each peer that leaves, and why, in order and one at a time, in a task
    /// of its own. Don't block in it for long. After a panic it is called no more.
    pub fn on_peer_leave<C>(&self, mut callback: C)
    where
        C: FnMut(SocketAddr, LeaveReason) + Send + 'static,
    {
        self.on_event(move |event| {
            if let Event::Left { peer, why } = event {
                callback(peer, why);
            }
        });
    }

    fn on_event(&self, mut callback: impl FnMut(Event) + Send + 'static) {
        let mut events = self.events();
        self.0.runtime.spawn(Box::pin(async move {
            while let Some(event) = events.recv().await {
                if fault!(CallTwice) {
                    callback(event.clone());
                }
                callback(event);
            }
        }));
    }

    /// The members, this node not among them.
    pub fn peers(&self) -> Vec<Peer> {
        self.0.engine.peers()
    }

    /// The member with this address, whichever of its addresses it is.
    pub fn peer(&self, addr: SocketAddr) -> Option<Peer> {
        self.0.engine.peer(addr)
    }

    /// How many members there are, this node not counted.
    pub fn peer_count(&self) -> usize {
        self.0.engine.peer_count()
    }

    /// Whether enough nodes are here; always true without a cluster size.
    pub fn has_quorum(&self) -> bool {
        self.0.engine.has_quorum()
    }

    /// How many nodes are enough, this one included; 0 without a cluster size.
    pub fn quorum_size(&self) -> usize {
        self.0.engine.quorum_size()
    }

    /// Waits until enough nodes are here.
    pub fn wait_for_quorum(&self) -> WaitForQuorum {
        WaitForQuorum::new(self.engine())
    }

    /// Asks discovery again, now rather than at the next interval. Returns before the answer.
    pub fn refresh(&self) {
        self.0.engine.refresh();
    }
}

/// This node.
impl<R: Runtime> Node<R> {
    /// The address that the socket is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.0.engine.local_addr()
    }

    /// The number that names this start of this node.
    pub fn incarnation(&self) -> Incarnation {
        self.0.engine.incarnation()
    }

    /// Replaces what this node tells its peers about itself beside its name: at most 512 bytes.
    /// They get it at once, or with the next heartbeat if it is lost on the way; for them it is an
    /// [`Event::Updated`].
    pub fn set_metadata(&self, metadata: impl AsRef<[u8]>) -> Result<(), MetadataError> {
        self.0.engine.set_metadata(metadata.as_ref())
    }

    /// Seals with another key from now on, opens with other keys, or both, without losing a member
    /// or a datagram that one of the keys opens.
    ///
    /// To change the key of a cluster while it runs, go through all nodes three times, each time to
    /// the end before the next: give each the new key to open with; make the new one the key to seal
    /// with, and keep the old one to open with; take the old one away. The configuration that a node
    /// is restarted with has to follow: see [`Builder::also_open_with`].
    ///
    /// Fails at a node that was started in plain text.
    pub fn rotate_keys(&self, keyring: Keyring) -> Result<(), RotateKeysError> {
        self.0.engine.rotate_keys(keyring)
    }

    /// Whether datagrams are sealed.
    pub fn is_secure(&self) -> bool {
        self.0.engine.is_secure()
    }

    /// What the node was started with.
    pub fn config(&self) -> &Config {
        self.0.engine.config()
    }

    /// The longest message for [`send_to`](Self::send_to) and [`broadcast`](Self::broadcast), in
    /// bytes.
    pub fn max_payload(&self) -> usize {
        self.0.engine.max_payload()
    }

    /// The longest request or reply, in bytes.
    pub fn max_request_payload(&self) -> usize {
        self.0.engine.max_request_payload()
    }

    /// What the node has counted.
    pub fn stats(&self) -> NodeStats {
        self.0.engine.stats()
    }

    /// How full the node's tables are.
    pub fn usage(&self) -> NodeUsage {
        self.0.engine.usage()
    }

    /// Brings the `metrics` recorder up to date now; otherwise that happens whenever a deadline
    /// comes, at least with each heartbeat.
    #[cfg(feature = "metrics")]
    pub fn record_metrics(&self) {
        self.0.engine.record_metrics();
    }
}
