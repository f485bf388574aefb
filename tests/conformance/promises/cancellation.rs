//! Dropping a future leaves nothing behind, here or elsewhere.

use std::time::Duration;

use alan_driver::{Message, Rejection};

use crate::adapter::Adapter;
use crate::stage::{Stage, addr};
use crate::waiting::{eventually, now, until};

/// Lets an operation begin, and drops it once it has left its mark in the node's tables.
async fn begin_and_drop<O: IntoFuture>(operation: O, begun: impl FnMut() -> bool) {
    tokio::select! {
        _ = operation.into_future() => panic!("it can't end by itself"),
        () = until("it has begun", begun) => {}
    }
}

pub(crate) async fn a_dropped_request_is_forgotten<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster(3).await;
    let mut incoming = nodes[1].incoming().expect("nobody else reads");
    let request = nodes[0].request(addr(&nodes[1]), b"?");
    begin_and_drop(request, || nodes[0].usage().requests == 1).await;
    stage.assert_idle(&nodes[0]);

    // Its reply comes too late, and to nobody.
    let message = eventually("the request", incoming.recv()).await.expect("the node runs");
    let Message::Request(request) = message else { panic!("{message:?}") };
    request.reply(b"late").expect("it leaves");
    let unmatched = Rejection::UnmatchedResponse;
    until("it is rejected", || nodes[0].stats().protocol.rejected(unmatched) == 1).await;

    let request = nodes[0].request_all(b"?");
    begin_and_drop(request, || nodes[0].usage().requests == 1).await;
    stage.assert_idle(&nodes[0]);

    stage.echo(&nodes[2]);
    let mut half_answered = nodes[0].request_all(b"?").stream();
    let first = eventually("the first reply", half_answered.recv()).await;
    first.expect("one answers").expect("no quorum is needed");
    assert_eq!(nodes[0].usage().requests, 1);
    drop(half_answered);
    stage.assert_idle(&nodes[0]);
}

pub(crate) async fn whoever_stops_waiting_for_the_quorum_gives_up_its_place<A: Adapter>(
    stage: Stage<A>,
) {
    let node = stage.lone_node(|builder| builder.cluster_size(3)).await;
    let waits = || node.usage().quorum_waiters == 1;
    begin_and_drop(node.wait_for_quorum(), waits).await;
    stage.assert_idle(&node);
    begin_and_drop(node.broadcast(b"x"), waits).await;
    stage.assert_idle(&node);
    begin_and_drop(node.request_all(b"x"), waits).await;
    stage.assert_idle(&node);
    let long = Duration::from_secs(3_600);
    begin_and_drop(node.broadcast(b"x").timeout(long), waits).await;
    stage.assert_idle(&node);
}

pub(crate) async fn a_lock_that_is_no_longer_wanted_is_withdrawn_everywhere<A: Adapter>(
    stage: Stage<A>,
) {
    let nodes = stage.cluster(3).await;
    let held = stage.lock(&nodes[0], "key").await;
    begin_and_drop(nodes[1].lock("key"), || nodes[1].usage().locks == 1).await;
    stage.assert_idle(&nodes[1]);
    held.release().await.expect("it is held");

    // Nobody believes that the one who gave up holds it.
    let next = stage.lock(&nodes[2], "key").await;
    next.release().await.expect("it is held");
    for node in &nodes {
        until("nothing is left", || node.usage().protocol.locks == 0).await;
    }

    // Nor is a lock kept that was granted while nobody looked. One look asks for it; what the other
    // sends after its grant comes after it.
    let nodes = stage.cluster(2).await;
    let mut incoming = nodes[0].incoming().expect("nobody else reads");
    let mut locking = nodes[0].lock("key").into_future();
    if let Some(granted) = now(&mut locking) {
        // The grant was here before the look was over.
        granted.expect("it is free").release().await.expect("it is held");
    } else {
        until("it is granted", || nodes[1].usage().protocol.locks == 1).await;
        nodes[1].send_to(addr(&nodes[0]), b"it is yours").expect("it leaves");
        assert!(eventually("the message", incoming.recv()).await.is_some());
    }
    drop(locking);
    stage.assert_idle(&nodes[0]);
    stage.lock(&nodes[1], "key").await.release().await.expect("it was given back before");
}

pub(crate) async fn an_operation_that_was_never_awaited_does_nothing<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster(2).await;
    let mut incoming = nodes[1].incoming().expect("nobody else reads");
    let (node, peer) = (&nodes[0], addr(&nodes[1]));
    let operations = (node.request(peer, b"?"), node.broadcast(b"x"), node.lock("key"));
    stage.assert_idle(node);
    drop(operations);
    let futures = (node.request(peer, b"?").into_future(), node.lock("key").into_future());
    stage.assert_idle(node);
    drop(futures);
    stage.assert_idle(node);
    node.send_to(peer, b"the first").expect("it leaves");
    let message = eventually("the message", incoming.recv()).await.expect("the node runs");
    assert_eq!(message.payload()[..], b"the first"[..]);
}
