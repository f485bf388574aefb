//! Clusters on loopback addresses of their own, and patience.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::net::IpAddr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use alan_sync::{Builder, Event, Events, Message, Node, Wait};

/// Far longer than anything here takes: a test that gets here has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Short enough to wait for where the passing of a deadline is what is tested.
pub(crate) const SHORT: Duration = Duration::from_millis(100);

/// The node `127.93.<cluster>.<number>`, with the first three as its peers.
pub(crate) fn builder(cluster: u8, number: u8) -> Builder {
    let address = |number| IpAddr::from([127, 93, cluster, number]);
    Node::builder().peers([1, 2, 3].map(address)).bind(address(number)).cluster_size(2)
}

/// Nodes that all know each other.
pub(crate) fn cluster(cluster: u8, count: u8) -> Vec<Node> {
    let nodes: Vec<_> = (1..=count)
        .map(|number| builder(cluster, number).start().wait().expect("the address is free"))
        .collect();
    for node in &nodes {
        until("the nodes know each other", || node.peer_count() == nodes.len() - 1);
    }
    nodes
}

/// Waits until something is so that no event tells of.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it never happened: {what}");
        thread::park_timeout(Duration::from_millis(2));
    }
}

/// Answers every request with what was asked.
pub(crate) fn echo(node: &Node) {
    node.serve(|message| {
        if let Message::Request(request) = message {
            let payload = request.payload().clone();
            request.reply(payload).expect("it fits, as it did on the way here");
        }
    })
    .expect("nobody else reads");
}

/// The next event that is about a peer that joins or leaves.
pub(crate) fn next_change(events: &mut Events) -> Event {
    let is_change = |event: &Event| matches!(event, Event::Joined { .. } | Event::Left { .. });
    loop {
        let event = events.recv().wait_timeout(PATIENCE).expect("in time").expect("it runs");
        if is_change(&event) {
            return event;
        }
    }
}

/// What comes through a channel.
pub(crate) fn next<T>(receiver: &mpsc::Receiver<T>) -> T {
    receiver.recv_timeout(PATIENCE).expect("it comes")
}
