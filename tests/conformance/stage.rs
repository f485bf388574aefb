//! Where a promise is tried: clusters on loopback addresses of their own, plain or sealed.

use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};

use alan_driver::{Builder, Event, Events, Key, LockGuard, Message, Peer, Runtime};
use alan_workspace::loopback_addresses;

use crate::adapter::Adapter;
use crate::waiting::{Spawned, eventually, until};

/// A node under an adapter.
pub(crate) type Node<A> = alan_driver::Node<<A as Adapter>::Runtime>;

/// A node that is yet to start.
pub(crate) type NewNode<A> = Builder<<A as Adapter>::Runtime>;

/// The surroundings of one promise under one adapter.
pub(crate) struct Stage<A> {
    pub(crate) sealed: bool,
    adapter: PhantomData<A>,
}

impl<A> Clone for Stage<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Stage<A> {}

#[expect(clippy::unused_self, reason = "it says under which adapter")]
impl<A: Adapter> Stage<A> {
    pub(crate) const fn new(sealed: bool) -> Self {
        Self { sealed, adapter: PhantomData }
    }

    /// A node about which nothing is said but the stage's key.
    pub(crate) fn node(self) -> NewNode<A> {
        let builder = Node::<A>::builder();
        if self.sealed { builder.key(key(1)) } else { builder }
    }

    /// A node at one of the addresses, that looks for others at all of them.
    pub(crate) fn node_at(self, addresses: &[IpAddr], own: usize) -> NewNode<A> {
        self.node().peers(addresses).bind(addresses[own])
    }

    /// A node at one of the addresses that waits to be found.
    pub(crate) fn waiting_node_at(self, address: IpAddr) -> NewNode<A> {
        self.node().peers::<&str>([]).bind(address)
    }

    /// Nodes that all know each other.
    pub(crate) async fn cluster(self, count: u8) -> Vec<Node<A>> {
        self.cluster_of(count, |builder| builder).await
    }

    /// Nodes with settings of their own that all know each other.
    pub(crate) async fn cluster_of(
        self,
        count: u8,
        settings: impl Fn(NewNode<A>) -> NewNode<A>,
    ) -> Vec<Node<A>> {
        let addresses = loopback_addresses(count);
        let mut nodes = Vec::new();
        for own in 0..addresses.len() {
            nodes.push(self.start(settings(self.node_at(&addresses, own))).await);
        }
        for node in &nodes {
            self.wait_for_peers(node, nodes.len() - 1).await;
        }
        nodes
    }

    /// One node that knows nobody.
    pub(crate) async fn lone_node(self, settings: impl Fn(NewNode<A>) -> NewNode<A>) -> Node<A> {
        self.cluster_of(1, settings).await.remove(0)
    }

    pub(crate) async fn start(self, node: NewNode<A>) -> Node<A> {
        A::start(node).await.expect("the address is this test's own")
    }

    /// Waits until a node has so many peers.
    pub(crate) async fn wait_for_peers(self, node: &Node<A>, count: usize) {
        until("the nodes know each other", || node.peer_count() == count).await;
    }

    /// Runs something beside what the promise itself does.
    pub(crate) fn spawn<T: Send + 'static>(
        self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Spawned<T> {
        let (task, spawned) = Spawned::new(work);
        A::spawn(Box::pin(task));
        spawned
    }

    /// Hands a node's messages to a handler.
    pub(crate) fn serve<H, F>(self, node: &Node<A>, handler: H)
    where
        H: Fn(Message) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        A::serve(node, handler).expect("nobody else reads");
    }

    /// Answers every request with what was asked.
    pub(crate) fn echo(self, node: &Node<A>) {
        self.serve(node, |message| async move {
            if let Message::Request(request) = message {
                let payload = request.payload().clone();
                request.reply(payload).expect("it fits, as it did on the way here");
            }
        });
    }

    /// Gets a lock, however long that takes.
    pub(crate) async fn lock(self, node: &Node<A>, key: &str) -> LockGuard {
        eventually("the lock", node.lock(key)).await.expect("it frees in time")
    }

    /// Tables that are empty when nothing is under way.
    #[track_caller]
    pub(crate) fn assert_idle(self, node: &Node<A>) {
        let usage = node.usage();
        let rows = [
            usage.requests,
            usage.locks,
            usage.quorum_waiters,
            usage.protocol.requests,
            usage.protocol.lock_callers,
        ];
        assert_eq!(rows, [0; 5], "{usage:?}");
    }
}

/// The next event that is about a peer that joins or leaves.
pub(crate) async fn next_change(events: &mut Events) -> Event {
    loop {
        let event = eventually("an event", events.recv()).await.expect("the node runs");
        if matches!(event, Event::Joined { .. } | Event::Left { .. }) {
            return event;
        }
    }
}

/// What a node knows of another one.
pub(crate) fn known<R: Runtime>(node: &alan_driver::Node<R>, other: SocketAddr) -> Option<Peer> {
    node.peers().into_iter().find(|peer| peer.addr == other)
}

/// A node's address.
pub(crate) fn addr<R: Runtime>(node: &alan_driver::Node<R>) -> SocketAddr {
    node.local_addr()
}

/// One of many keys.
pub(crate) fn key(byte: u8) -> Key {
    Key::from_bytes(&[byte; 32]).expect("32 bytes")
}
