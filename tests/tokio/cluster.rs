//! What the tests share: clusters on loopback addresses of their own, and patience.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use alan_tokio::{Builder, Event, Events, Message, Node};
use alan_workspace::loopback_addresses;

/// Far longer than anything here takes: a test that gets here has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Longer than anything here takes on a machine that is not overloaded, and short enough to wait
/// for where the passing of a deadline is what is tested.
pub(crate) const SHORT: Duration = Duration::from_millis(100);

/// Awaits what must happen. The clock is asked first: a future that nobody wakes does not pass
/// because it is looked at once more in the end.
pub(crate) async fn eventually<F: IntoFuture>(what: &str, future: F) -> F::Output {
    tokio::select! {
        biased;
        () = tokio::time::sleep(PATIENCE) => panic!("it never happened: {what}"),
        output = future.into_future() => output,
    }
}

/// Waits until something is so that no event tells of.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    eventually(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// A node at the first of the addresses, that looks for others at all of them.
pub(crate) fn builder(addresses: &[IpAddr], own: usize) -> Builder {
    Node::builder().peers(addresses).bind(addresses[own])
}

/// Nodes that all know each other.
pub(crate) async fn cluster(count: u8) -> Vec<Node> {
    cluster_of(count, |builder| builder).await
}

/// Nodes with settings of their own that all know each other.
pub(crate) async fn cluster_of(count: u8, settings: impl Fn(Builder) -> Builder) -> Vec<Node> {
    let addresses = loopback_addresses(count);
    let mut nodes = Vec::new();
    for own in 0..addresses.len() {
        let node = settings(builder(&addresses, own)).start().await;
        nodes.push(node.expect("the addresses are this test's own"));
    }
    for node in &nodes {
        wait_for_peers(node, nodes.len() - 1).await;
    }
    nodes
}

/// Waits until a node has so many peers.
pub(crate) async fn wait_for_peers(node: &Node, count: usize) {
    until("the nodes know each other", || node.peer_count() == count).await;
}

/// Answers every request with what was asked.
pub(crate) fn echo(node: &Node) {
    node.serve(|message| async move {
        if let Message::Request(request) = message {
            let payload = request.payload().clone();
            request.reply(payload).expect("it fits, as it did on the way here");
        }
    })
    .expect("nobody else reads");
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

/// A node's address.
pub(crate) fn addr(node: &Node) -> SocketAddr {
    node.local_addr()
}

/// Tables that are empty when nothing is under way.
pub(crate) fn assert_idle(node: &Node) {
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
