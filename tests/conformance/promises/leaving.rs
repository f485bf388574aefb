//! Nodes that leave, and come back.

use std::net::UdpSocket;

use alan_driver::{
    BroadcastError, Event, LeaveReason, LockError, QuorumError, RequestAllError, RequestError,
    SendError,
};
use alan_workspace::loopback_addresses;

use crate::adapter::Adapter;
use crate::stage::{Stage, addr, next_change};
use crate::waiting::{eventually, until};

pub(crate) async fn shutdown_says_goodbye_and_frees_the_port_although_a_handle_is_left<
    A: Adapter,
>(
    stage: Stage<A>,
) {
    let mut nodes = stage.cluster(2).await;
    let leaver = nodes.remove(0);
    let mut events = nodes[0].events();
    assert!(matches!(next_change(&mut events).await, Event::Joined { .. }));
    eventually("the shutdown", leaver.shutdown()).await;
    assert!(leaver.has_ended());
    UdpSocket::bind(addr(&leaver)).expect("the port is free");
    let (peer, why) = (addr(&leaver), LeaveReason::SaidGoodbye);
    assert_eq!(next_change(&mut events).await, Event::Left { peer, why });
    eventually("a second shutdown", leaver.shutdown()).await;
}

pub(crate) async fn dropping_the_last_handle_leaves_the_cluster<A: Adapter>(stage: Stage<A>) {
    let mut nodes = stage.cluster(2).await;
    let leaver = nodes.remove(0);
    let mut events = nodes[0].events();
    assert!(matches!(next_change(&mut events).await, Event::Joined { .. }));
    let other_handle = leaver.clone();
    let peer = addr(&leaver);
    drop(leaver);
    other_handle.send_to(addr(&nodes[0]), b"still here").expect("one handle is left");
    drop(other_handle);
    let why = LeaveReason::SaidGoodbye;
    assert_eq!(next_change(&mut events).await, Event::Left { peer, why });
}

pub(crate) async fn every_operation_on_a_node_that_has_left_says_so<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster(2).await;
    let (node, peer) = (&nodes[0], addr(&nodes[1]));
    let mut events = node.events();
    let mut incoming = node.incoming().expect("nobody else reads");
    eventually("the shutdown", node.shutdown()).await;

    assert!(matches!(node.send_to(peer, b"x"), Err(SendError::Closed(_))));
    assert!(matches!(node.broadcast(b"x").await, Err(BroadcastError::Closed(_))));
    assert!(matches!(node.request(peer, b"x").await, Err(RequestError::Closed(_))));
    assert!(matches!(node.request_all(b"x").await, Err(RequestAllError::Closed(_))));
    assert!(matches!(node.lock("key").await, Err(LockError::Closed(_))));
    assert!(matches!(node.try_lock("key").await, Err(LockError::Closed(_))));
    assert!(matches!(node.wait_for_quorum().await, Err(QuorumError::Closed(_))));
    assert!(eventually("the end of messages", incoming.recv()).await.is_none());
    while eventually("the end of events", events.recv()).await.is_some() {}
}

pub(crate) async fn operations_that_wait_when_the_node_leaves_end_with_closed<A: Adapter>(
    stage: Stage<A>,
) {
    let nodes = stage.cluster_of(2, |builder| builder.cluster_size(3)).await;
    let lonely = stage.lone_node(|builder| builder.cluster_size(3)).await;
    let _held = stage.lock(&nodes[1], "key").await;
    let mine = stage.lock(&nodes[0], "mine").await;
    let peer = addr(&nodes[1]);
    let _unread = nodes[1].incoming().expect("nobody else reads");

    // Each in a task of its own, so that none is woken for another.
    let (node, alone) = (nodes[0].clone(), lonely.clone());
    let asking = stage.spawn(node.request(peer, b"never answered").into_future());
    let asking_all = stage.spawn(node.request_all(b"never answered").into_future());
    let locking = stage.spawn(node.lock("key").into_future());
    let waiting = stage.spawn(alone.wait_for_quorum().into_future());
    let sending = stage.spawn(alone.broadcast(b"never sent").into_future());
    let asking_nobody = stage.spawn(alone.request_all(b"never sent").into_future());
    let locking_alone = stage.spawn(alone.lock("key").into_future());
    until("all of them wait", || {
        let (here, there) = (nodes[0].usage(), lonely.usage());
        (here.requests, here.locks, there.quorum_waiters, there.locks) == (2, 2, 3, 1)
    })
    .await;
    eventually("the shutdown", nodes[0].shutdown()).await;
    eventually("the shutdown", lonely.shutdown()).await;

    let ended = eventually("the end of the request", asking).await;
    assert!(matches!(ended, Err(RequestError::Closed(_))), "{ended:?}");
    let ended = eventually("the end of the request to all", asking_all).await;
    assert!(matches!(ended, Err(RequestAllError::Closed(_))), "{ended:?}");
    let ended = eventually("the end of the lock call", locking).await;
    assert!(matches!(ended, Err(LockError::Closed(_))), "{ended:?}");
    let ended = eventually("the end of the wait", waiting).await;
    assert!(matches!(ended, Err(QuorumError::Closed(_))), "{ended:?}");
    let ended = eventually("the end of the broadcast", sending).await;
    assert!(matches!(ended, Err(BroadcastError::Closed(_))), "{ended:?}");
    let ended = eventually("the end of the request to nobody", asking_nobody).await;
    assert!(matches!(ended, Err(RequestAllError::Closed(_))), "{ended:?}");
    let ended = eventually("the end of the lonely lock call", locking_alone).await;
    assert!(matches!(ended, Err(LockError::Closed(_))), "{ended:?}");
    assert!(!mine.is_valid());
    stage.assert_idle(&nodes[0]);
    stage.assert_idle(&lonely);
}

pub(crate) async fn a_restart_at_the_same_address_is_a_left_and_a_joined<A: Adapter>(
    stage: Stage<A>,
) {
    let addresses = loopback_addresses(2);
    let watcher = stage.start(stage.node_at(&addresses, 0)).await;
    let mut events = watcher.events();
    let first = stage.start(stage.node_at(&addresses, 1)).await;
    let peer = addr(&first);
    let incarnation = Some(first.incarnation());
    assert_eq!(next_change(&mut events).await, Event::Joined { peer, incarnation });
    eventually("the crash", first.abort()).await;
    drop(first);

    let second = stage.start(stage.node_at(&addresses, 1)).await;
    let why = LeaveReason::Restarted;
    assert_eq!(next_change(&mut events).await, Event::Left { peer, why });
    let incarnation = Some(second.incarnation());
    assert_eq!(next_change(&mut events).await, Event::Joined { peer, incarnation });
}
