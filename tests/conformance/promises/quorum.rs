//! Enough nodes, or not.

use alan_driver::{BroadcastError, Event, LockError, Message, QuorumError, RequestAllError};
use alan_workspace::loopback_addresses;

use crate::adapter::Adapter;
use crate::stage::{Stage, addr};
use crate::waiting::{SHORT, eventually, until};

pub(crate) async fn without_a_cluster_size_there_is_always_enough<A: Adapter>(stage: Stage<A>) {
    let alone = stage.lone_node(|builder| builder).await;
    assert!(alone.has_quorum());
    assert_eq!(alone.quorum_size(), 0);
    eventually("at once", alone.wait_for_quorum()).await.expect("nothing is needed");
}

pub(crate) async fn operations_that_need_the_quorum_wait_for_it_and_then_go_on<A: Adapter>(
    stage: Stage<A>,
) {
    let addresses = loopback_addresses(2);
    let first = stage.start(stage.node_at(&addresses, 0).cluster_size(2)).await;
    assert!(!first.has_quorum());
    assert_eq!(first.quorum_size(), 2);
    let no_quorum = LockError::NoQuorum { have: 1, need: 2 };
    assert_eq!(eventually("at once", first.try_lock("key")).await.map(drop), Err(no_quorum));

    // Each in a task of its own, so that none is woken for another.
    let waiting = stage.spawn(first.wait_for_quorum().into_future());
    let sending = stage.spawn(first.broadcast(b"welcome").into_future());
    let asking = stage.spawn(first.request_all(b"who are you?").into_future());
    let locking = stage.spawn(first.lock("key").into_future());
    until("all of them wait", || {
        let usage = first.usage();
        (usage.quorum_waiters, usage.locks) == (3, 1)
    })
    .await;

    let second = stage.start(stage.node_at(&addresses, 1).cluster_size(2)).await;
    let mut incoming = second.incoming().expect("nobody else reads");
    let mut welcomed = false;
    for _ in 0..2 {
        match eventually("the message", incoming.recv()).await.expect("the node runs") {
            Message::Request(request) => request.reply(b"second").expect("it leaves"),
            message => welcomed = message.payload()[..] == b"welcome"[..],
        }
    }
    assert!(welcomed);
    assert_eq!(eventually("the quorum", waiting).await, Ok(()));
    assert!(first.has_quorum());
    let sent = eventually("the broadcast", sending).await.expect("the quorum came");
    assert_eq!(sent.len(), 1);
    let answered = eventually("the reply", asking).await.expect("the quorum came");
    assert_eq!((answered.replies.len(), answered.missing.len()), (1, 0));
    let guard = eventually("the lock", locking).await.expect("it is free");
    guard.release().await.expect("it is held");
    stage.assert_idle(&first);
}

pub(crate) async fn a_deadline_without_the_quorum_is_no_quorum_and_with_it_a_timeout<A: Adapter>(
    stage: Stage<A>,
) {
    let alone = stage.lone_node(|builder| builder.cluster_size(3)).await;
    let (have, need) = (1, 2);
    let waited = eventually("the deadline", alone.wait_for_quorum().timeout(SHORT)).await;
    assert_eq!(waited, Err(QuorumError::NoQuorum { have, need }));
    let sent = eventually("the deadline", alone.broadcast(b"x").timeout(SHORT)).await;
    assert_eq!(sent, Err(BroadcastError::NoQuorum { have, need }));
    let asked = eventually("the deadline", alone.request_all(b"?").timeout(SHORT)).await;
    assert_eq!(asked, Err(RequestAllError::NoQuorum { have, need }));
    let locked = eventually("the deadline", alone.lock("key").timeout(SHORT)).await;
    assert_eq!(locked.map(drop), Err(LockError::NoQuorum { have, need }));
    stage.assert_idle(&alone);

    let two_of_five = stage.cluster_of(2, |builder| builder.cluster_size(5)).await;
    let waited = two_of_five[0].wait_for_quorum().timeout(SHORT);
    let waited = eventually("the deadline", waited).await;
    assert_eq!(waited, Err(QuorumError::NoQuorum { have: 2, need: 3 }));
    stage.assert_idle(&two_of_five[0]);

    let enough = stage.cluster_of(2, |builder| builder.cluster_size(2)).await;
    let held = stage.lock(&enough[0], "key").await;
    let late = eventually("the deadline", enough[1].lock("key").timeout(SHORT)).await;
    assert_eq!(late.map(drop), Err(LockError::Timeout));
    held.release().await.expect("it is held");
    stage.assert_idle(&enough[1]);
}

pub(crate) async fn the_quorum_is_reached_and_lost_and_everybody_is_told<A: Adapter>(
    stage: Stage<A>,
) {
    let addresses = loopback_addresses(2);
    let first = stage.start(stage.node_at(&addresses, 0).cluster_size(3)).await;
    let mut events = first.events();
    assert!(!first.has_quorum());
    let second = stage.start(stage.node_at(&addresses, 1).cluster_size(3)).await;
    stage.wait_for_peers(&first, 1).await;
    assert!(first.has_quorum());
    stage.wait_for_peers(&second, 1).await;
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
    assert!(!first.has_quorum(), "{} is gone", addr(&second));
}
