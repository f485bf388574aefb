//! Locks: who gets them, who loses them, and what is left behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alan_driver::{LockError, LockLost, LockNotHeld};

use super::events::short_of_patience;
use crate::adapter::Adapter;
use crate::stage::{Stage, addr};
use crate::waiting::{eventually, until, yield_now};

pub(crate) async fn a_lock_is_held_by_one_and_then_by_the_next<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster(3).await;
    let guard = stage.lock(&nodes[0], "report").await;
    assert_eq!(guard.key(), "report");
    assert!(guard.is_valid());

    let tried = eventually("the answer", nodes[1].try_lock("report")).await;
    assert!(matches!(tried, Err(LockError::Held { by: Some(_) })), "{tried:?}");
    let waiter = nodes[1].clone();
    let waiting = stage.spawn(async move { waiter.lock("report").await });
    until("it waits", || nodes[1].usage().locks == 1).await;

    // Other keys are free meanwhile.
    let _other = stage.lock(&nodes[1], "other").await;
    let tried = eventually("the answer", nodes[2].try_lock("third")).await;
    assert!(tried.expect("it is free").is_valid());

    assert!(!waiting.has_ended());
    guard.release().await.expect("it is held");
    let guard = eventually("the lock", waiting).await;
    assert!(guard.expect("it is free").is_valid());
}

pub(crate) async fn callers_of_one_node_exclude_each_other<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster(2).await;
    let guard = stage.lock(&nodes[0], "key").await;
    let tried = eventually("the answer", nodes[0].try_lock("key")).await;
    assert_eq!(tried.map(drop), Err(LockError::Held { by: None }));
    let waiter = nodes[0].clone();
    let waiting = stage.spawn(async move { waiter.lock("key").await });
    until("it waits", || nodes[0].usage().locks == 2).await;
    guard.release().await.expect("it is held");
    let guard = eventually("the lock", waiting).await;
    assert!(guard.expect("it is free").is_valid());
}

pub(crate) async fn a_contended_lock_is_never_held_twice_and_everybody_gets_it<A: Adapter>(
    stage: Stage<A>,
) {
    let nodes = stage.cluster_of(3, |builder| builder.cluster_size(3)).await;
    let inside = Arc::new(AtomicUsize::new(0));
    let mut workers = Vec::new();
    for node in nodes.iter().chain(&nodes).chain(&nodes) {
        let (node, inside) = (node.clone(), Arc::clone(&inside));
        workers.push(stage.spawn(async move {
            for _ in 0..5 {
                let guard = node.lock("contended").await.expect("it frees in time");
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two are inside");
                for _ in 0..5 {
                    yield_now().await;
                }
                inside.fetch_sub(1, Ordering::SeqCst);
                guard.release().await.expect("it is held");
            }
        }));
    }
    for worker in workers {
        eventually("its turns", worker).await;
    }
    for node in &nodes {
        stage.assert_idle(node);
    }
}

pub(crate) async fn a_dropped_guard_releases_in_the_background<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster(2).await;
    drop(stage.lock(&nodes[0], "key").await);
    stage.assert_idle(&nodes[0]);
    drop(stage.lock(&nodes[1], "key").await);
    for node in &nodes {
        until("nothing is left", || node.usage().protocol.locks == 0).await;
        stage.assert_idle(node);
    }
}

pub(crate) async fn a_lock_can_be_released_by_name_and_its_guard_turns_invalid<A: Adapter>(
    stage: Stage<A>,
) {
    let nodes = stage.cluster(2).await;
    let guard = stage.lock(&nodes[0], "key").await;
    let lost = guard.lost();
    nodes[0].unlock("key").await.expect("it is held");
    assert!(!guard.is_valid());
    assert_eq!(eventually("the loss", lost).await, LockLost::Released);
    let next = stage.lock(&nodes[1], "key").await;
    assert_eq!(guard.release().await, Err(LockLost::Released));
    assert!(next.is_valid(), "the late release concerns nobody");
    assert_eq!(nodes[0].unlock("key").await, Err(LockNotHeld));
    assert_eq!(nodes[0].unlock("never locked").await, Err(LockNotHeld));
}

pub(crate) async fn the_loss_of_a_lock_is_told_however_late_one_asks<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster(2).await;
    let guard = stage.lock(&nodes[0], "key").await;
    let early = guard.lost();
    eventually("the shutdown", nodes[0].shutdown()).await;
    assert_eq!(eventually("the loss", early).await, LockLost::LeftCluster);
    assert_eq!(eventually("the loss", guard.lost()).await, LockLost::LeftCluster);
    assert!(!guard.is_valid());
    assert_eq!(guard.release().await, Err(LockLost::LeftCluster));
    let _next = stage.lock(&nodes[1], "key").await;
}

pub(crate) async fn the_lock_of_a_dead_holder_frees_itself<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster_of(3, short_of_patience::<A>).await;
    let _held = stage.lock(&nodes[0], "key").await;
    eventually("the crash", nodes[0].abort()).await;
    let guard = stage.lock(&nodes[1], "key").await;
    assert!(guard.is_valid());
    assert!(nodes[1].peer(addr(&nodes[0])).is_none(), "it is known to be dead");
}
