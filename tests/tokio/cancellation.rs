//! Dropping a future leaves nothing behind, here or elsewhere.

use alan_tokio::Node;

use crate::cluster::{addr, assert_idle, cluster, cluster_of, eventually, until};

/// Lets an operation begin, and drops it once it has left its mark in the node's tables.
async fn begin_and_drop<O: IntoFuture>(operation: O, begun: impl FnMut() -> bool) {
    tokio::select! {
        _ = operation.into_future() => panic!("it can't end by itself"),
        () = until("it has begun", begun) => {}
    }
}

async fn lonely() -> Node {
    cluster_of(1, |builder| builder.cluster_size(3)).await.remove(0)
}

#[tokio::test]
async fn a_dropped_request_is_forgotten() {
    let nodes = cluster(2).await;
    let mut incoming = nodes[1].incoming().expect("nobody else reads");
    let request = nodes[0].request(addr(&nodes[1]), b"?");
    begin_and_drop(request, || nodes[0].usage().requests == 1).await;
    assert_idle(&nodes[0]);

    // Its reply comes too late, and to nobody.
    let message = eventually("the request", incoming.recv()).await.expect("the node runs");
    let alan_tokio::Message::Request(request) = message else { panic!("{message:?}") };
    request.reply(b"late").expect("it leaves");
    let unmatched = alan_tokio::Rejection::UnmatchedResponse;
    until("it is rejected", || nodes[0].stats().protocol.rejected(unmatched) == 1).await;
}

#[tokio::test]
async fn a_dropped_request_to_all_is_forgotten_also_half_answered() {
    let nodes = cluster(3).await;
    crate::cluster::echo(&nodes[1]);
    let request = nodes[0].request_all(b"?");
    begin_and_drop(request, || nodes[0].usage().requests == 1).await;
    assert_idle(&nodes[0]);

    let mut stream = nodes[0].request_all(b"?").stream();
    let first = eventually("the first reply", stream.recv()).await;
    first.expect("one answers").expect("no quorum is needed");
    assert_eq!(nodes[0].usage().requests, 1);
    drop(stream);
    assert_idle(&nodes[0]);
}

#[tokio::test]
async fn whoever_stops_waiting_for_the_quorum_gives_up_its_place() {
    let node = lonely().await;
    begin_and_drop(node.wait_for_quorum(), || node.usage().quorum_waiters == 1).await;
    assert_idle(&node);
    begin_and_drop(node.broadcast(b"x"), || node.usage().quorum_waiters == 1).await;
    assert_idle(&node);
    begin_and_drop(node.request_all(b"x"), || node.usage().quorum_waiters == 1).await;
    assert_idle(&node);
    let long = std::time::Duration::from_secs(3_600);
    begin_and_drop(node.broadcast(b"x").timeout(long), || node.usage().quorum_waiters == 1).await;
    assert_idle(&node);
}

#[tokio::test]
async fn a_lock_that_is_no_longer_wanted_is_withdrawn_everywhere() {
    let nodes = cluster(3).await;
    let held = eventually("the lock", nodes[0].lock("key")).await.expect("it is free");
    begin_and_drop(nodes[1].lock("key"), || nodes[1].usage().locks == 1).await;
    assert_idle(&nodes[1]);
    held.release().await.expect("it is held");

    // Nobody believes that the one who gave up holds it.
    let next = eventually("the lock", nodes[2].lock("key")).await.expect("it is free");
    next.release().await.expect("it is held");
    for node in &nodes {
        until("nothing is left", || node.usage().protocol.locks == 0).await;
    }
}

#[tokio::test]
async fn a_lock_that_came_while_nobody_looked_is_given_back() {
    let node = cluster(1).await.remove(0);
    let mut locking = node.lock("key").into_future();
    // One poll makes the request; with no peers it is granted on the spot, or by the loop.
    let polled = std::future::poll_fn(|context| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut locking).poll(context))
    })
    .await;
    drop((polled, locking));
    assert_idle(&node);
    let guard = eventually("the lock", node.lock("key")).await.expect("it was given back");
    drop(guard);
}

#[tokio::test]
async fn an_operation_that_was_never_awaited_does_nothing() {
    let nodes = cluster(2).await;
    let mut incoming = nodes[1].incoming().expect("nobody else reads");
    let peer = addr(&nodes[1]);
    drop((nodes[0].request(peer, b"?"), nodes[0].broadcast(b"x"), nodes[0].lock("key")));
    drop((nodes[0].request(peer, b"?").into_future(), nodes[0].lock("key").into_future()));
    assert_idle(&nodes[0]);
    nodes[0].send_to(peer, b"the first").expect("it leaves");
    let message = eventually("the message", incoming.recv()).await.expect("the node runs");
    assert_eq!(message.payload()[..], b"the first"[..]);
}
