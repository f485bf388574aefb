//! Enough nodes, or not.

use alan_tokio::{Event, QuorumError};
use alan_workspace::loopback_addresses;

use crate::cluster::{
    SHORT, assert_idle, builder, cluster, cluster_of, eventually, wait_for_peers,
};

#[tokio::test]
async fn without_a_cluster_size_there_is_always_enough() {
    let alone = cluster(1).await.remove(0);
    assert!(alone.has_quorum());
    assert_eq!(alone.quorum_size(), 0);
    eventually("at once", alone.wait_for_quorum()).await.expect("nothing is needed");
}

#[tokio::test]
async fn the_quorum_is_reached_and_lost_and_everybody_is_told() {
    let addresses = loopback_addresses(2);
    let first = builder(&addresses, 0).cluster_size(3).start().await.expect("it is free");
    let mut events = first.events();
    assert!(!first.has_quorum());
    assert_eq!(first.quorum_size(), 2);
    let waiter = first.clone();
    let waiting = tokio::spawn(async move { waiter.wait_for_quorum().await });
    crate::cluster::until("it waits", || first.usage().quorum_waiters == 1).await;

    let second = builder(&addresses, 1).cluster_size(3).start().await.expect("it is free");
    let outcome = eventually("the quorum", waiting).await.expect("it does not panic");
    assert_eq!(outcome, Ok(()));
    assert!(first.has_quorum());
    wait_for_peers(&second, 1).await;
    eventually("the shutdown", second.shutdown()).await;

    let mut changes = Vec::new();
    while changes.len() < 2 {
        let event = eventually("an event", events.recv()).await.expect("the node runs");
        if matches!(event, Event::QuorumReached { .. } | Event::QuorumLost { .. }) {
            changes.push(event);
        }
    }
    let reached = Event::QuorumReached { have: 2, need: 2 };
    assert_eq!(changes, [reached, Event::QuorumLost { have: 1, need: 2 }]);
    assert!(!first.has_quorum());
}

#[tokio::test]
async fn a_wait_ends_at_its_deadline_and_tells_who_is_here() {
    let nodes = cluster_of(2, |builder| builder.cluster_size(5)).await;
    let waited = eventually("the deadline", nodes[0].wait_for_quorum().timeout(SHORT)).await;
    assert_eq!(waited, Err(QuorumError::NoQuorum { have: 2, need: 3 }));
    assert_idle(&nodes[0]);
}

#[tokio::test]
async fn a_broadcast_that_waited_for_the_quorum_reaches_who_came() {
    let addresses = loopback_addresses(2);
    let first = builder(&addresses, 0).cluster_size(2).start().await.expect("it is free");
    let sender = first.clone();
    let sending = tokio::spawn(async move { sender.broadcast(b"welcome").await });
    crate::cluster::until("it waits", || first.usage().quorum_waiters == 1).await;
    let second = builder(&addresses, 1).cluster_size(2).start().await.expect("it is free");
    let mut incoming = second.incoming().expect("nobody else reads");
    let sent = eventually("the broadcast", sending).await.expect("it does not panic");
    assert_eq!(sent.expect("the quorum came").len(), 1);
    let message = eventually("the message", incoming.recv()).await.expect("the node runs");
    assert_eq!(message.payload()[..], b"welcome"[..]);
}
