//! Locks: who gets them, who loses them, and what is left behind.

use std::time::Duration;

use alan_tokio::{LockError, LockGuard, LockLost, LockNotHeld};

use crate::cluster::{SHORT, addr, assert_idle, cluster, cluster_of, eventually, until};

async fn lock(node: &alan_tokio::Node, key: &str) -> LockGuard {
    eventually("the lock", node.lock(key)).await.expect("it frees in time")
}

#[tokio::test]
async fn a_lock_is_held_by_one_and_then_by_the_next() {
    let nodes = cluster(3).await;
    let guard = lock(&nodes[0], "report").await;
    assert_eq!(guard.key(), "report");
    assert!(guard.is_valid());

    let tried = eventually("the answer", nodes[1].try_lock("report")).await;
    assert!(matches!(tried, Err(LockError::Held { by: Some(_) })), "{tried:?}");
    let waiter = nodes[1].clone();
    let waiting = tokio::spawn(async move { waiter.lock("report").await });
    until("it waits", || nodes[1].usage().locks == 1).await;
    let late = eventually("the deadline", nodes[2].lock("report").timeout(SHORT)).await;
    assert_eq!(late.map(drop), Err(LockError::Timeout));

    guard.release().await.expect("it is held");
    let guard = eventually("the lock", waiting).await.expect("it does not panic");
    assert!(guard.expect("it is free").is_valid());
}

#[tokio::test]
async fn other_keys_are_free_meanwhile() {
    let nodes = cluster(2).await;
    let _one = lock(&nodes[0], "one").await;
    let _other = lock(&nodes[1], "other").await;
    let tried = eventually("the answer", nodes[1].try_lock("third")).await;
    assert!(tried.expect("it is free").is_valid());
}

#[tokio::test]
async fn callers_of_one_node_exclude_each_other() {
    let nodes = cluster(2).await;
    let guard = lock(&nodes[0], "key").await;
    let tried = eventually("the answer", nodes[0].try_lock("key")).await;
    assert_eq!(tried.map(drop), Err(LockError::Held { by: None }));
    let waiter = nodes[0].clone();
    let waiting = tokio::spawn(async move { waiter.lock("key").await });
    until("it waits", || nodes[0].usage().locks == 2).await;
    drop(guard);
    let guard = eventually("the lock", waiting).await.expect("it does not panic");
    assert!(guard.expect("it is free").is_valid());
}

#[tokio::test]
async fn a_dropped_guard_releases_in_the_background() {
    let nodes = cluster(2).await;
    drop(lock(&nodes[0], "key").await);
    drop(lock(&nodes[1], "key").await);
    for node in &nodes {
        until("nothing is left", || node.usage().protocol.locks == 0).await;
        assert_idle(node);
    }
}

#[tokio::test]
async fn a_lock_can_be_released_by_name_and_its_guard_turns_invalid() {
    let nodes = cluster(2).await;
    let guard = lock(&nodes[0], "key").await;
    let lost = guard.lost();
    nodes[0].unlock("key").await.expect("it is held");
    assert!(!guard.is_valid());
    assert_eq!(eventually("the loss", lost).await, LockLost::Released);
    let next = lock(&nodes[1], "key").await;
    assert_eq!(guard.release().await, Err(LockLost::Released));
    assert!(next.is_valid(), "the late release concerns nobody");
    assert_eq!(nodes[0].unlock("key").await, Err(LockNotHeld));
    assert_eq!(nodes[0].unlock("never locked").await, Err(LockNotHeld));
}

#[tokio::test]
async fn the_loss_of_a_lock_is_told_however_late_one_asks() {
    let nodes = cluster(2).await;
    let guard = lock(&nodes[0], "key").await;
    let early = guard.lost();
    eventually("the shutdown", nodes[0].shutdown()).await;
    assert_eq!(eventually("the loss", early).await, LockLost::LeftCluster);
    assert_eq!(eventually("the loss", guard.lost()).await, LockLost::LeftCluster);
    assert_eq!(guard.release().await, Err(LockLost::LeftCluster));
    let _next = lock(&nodes[1], "key").await;
}

#[tokio::test]
async fn the_lock_of_a_dead_holder_frees_itself() {
    let nodes = cluster_of(3, |builder| {
        builder
            .heartbeat_interval(Duration::from_millis(200))
            .heartbeat_timeout(Duration::from_secs(2))
    })
    .await;
    let _held = lock(&nodes[0], "key").await;
    eventually("the crash", nodes[0].abort()).await;
    let guard = lock(&nodes[1], "key").await;
    assert!(guard.is_valid());
    assert!(nodes[1].peer(addr(&nodes[0])).is_none(), "it is known to be dead");
}

#[tokio::test]
async fn a_key_has_1_to_255_bytes() {
    let node = cluster(1).await.remove(0);
    assert_eq!(node.lock("").await.map(drop), Err(LockError::KeyLength { len: 0 }));
    let long = "k".repeat(256);
    assert_eq!(node.try_lock(&long).await.map(drop), Err(LockError::KeyLength { len: 256 }));
    let guard = lock(&node, &long[..255]).await;
    assert_eq!(guard.key().len(), 255);
}

#[tokio::test]
async fn without_the_quorum_a_try_fails_at_once_and_a_lock_at_its_deadline() {
    let alone = cluster_of(1, |builder| builder.cluster_size(3)).await.remove(0);
    let no_quorum = LockError::NoQuorum { have: 1, need: 2 };
    assert_eq!(eventually("at once", alone.try_lock("key")).await.map(drop), Err(no_quorum));
    let waited = eventually("the deadline", alone.lock("key").timeout(SHORT)).await;
    assert_eq!(waited.map(drop), Err(no_quorum));
    assert_idle(&alone);
}

#[tokio::test]
async fn limits_of_keys_and_of_waiters_are_refusals_with_the_limit() {
    let node = cluster_of(1, |builder| builder.max_locks(1).max_lock_waiters(1)).await.remove(0);
    let _held = lock(&node, "key").await;
    let other = node.lock("other key").await;
    assert_eq!(other.map(drop), Err(LockError::TooManyLocks { limit: 1 }));
    let waiter = node.clone();
    let waiting = tokio::spawn(async move { waiter.lock("key").await });
    until("it waits", || node.usage().locks == 2).await;
    let second = node.lock("key").await;
    assert_eq!(second.map(drop), Err(LockError::TooManyWaiters { limit: 1 }));
    waiting.abort();
    until("it is cancelled", || node.usage().locks == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contended_lock_is_never_held_twice_and_everybody_gets_it() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let nodes = cluster_of(3, |builder| builder.cluster_size(3)).await;
    let inside = Arc::new(AtomicUsize::new(0));
    let mut workers = Vec::new();
    for node in nodes.iter().chain(&nodes) {
        let (node, inside) = (node.clone(), Arc::clone(&inside));
        workers.push(tokio::spawn(async move {
            for _ in 0..5 {
                let guard = node.lock("contended").await.expect("it frees in time");
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two are inside");
                tokio::task::yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
                guard.release().await.expect("it is held");
            }
        }));
    }
    for worker in workers {
        eventually("its turns", worker).await.expect("nobody meets another inside");
    }
    nodes.iter().for_each(assert_idle);
}
