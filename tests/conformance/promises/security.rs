//! Keys: the same, different, and off. Each of these says itself who has which.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alan_driver::{Event, Keyring, Rejection, Warning};
use alan_workspace::loopback_addresses;

use crate::adapter::Adapter;
use crate::stage::{Node, Stage, addr, key};
use crate::waiting::{eventually, now, until};

pub(crate) async fn nodes_with_the_same_key_talk_and_lock<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster_of(2, |builder| builder.key(key(1))).await;
    assert!(nodes.iter().all(Node::<A>::is_secure));
    stage.echo(&nodes[1]);
    let longest = vec![3; nodes[0].max_request_payload()];
    let reply = eventually("the reply", nodes[0].request(addr(&nodes[1]), &longest)).await;
    assert_eq!(reply.expect("it is served")[..], longest[..]);
    let guard = stage.lock(&nodes[0], "key").await;
    guard.release().await.expect("it is held");
}

/// Waits for a datagram of `from` that `node` can't open, and for the warning about it. Soon after
/// a node's start half of them look as if they were meant for its former life, and are counted as
/// that.
async fn expect_warning<A: Adapter>(node: &Node<A>, from: &Node<A>) {
    let mut events = node.events();
    let unopened = Rejection::Unopened;
    until("it is counted", || {
        from.send_to(addr(node), vec![1; 100]).expect("it leaves");
        node.stats().protocol.rejected(unopened) > 0
    })
    .await;
    while let Some(event) = now(events.recv()) {
        let event = event.expect("the node runs");
        if let Event::Warning(Warning::Unopened { source, count }) = event {
            assert_eq!(source, addr(from));
            assert!(count >= 1);
            return;
        }
    }
    panic!("nobody was warned");
}

pub(crate) async fn datagrams_that_do_not_open_are_counted_and_warned_of_with_their_source<
    A: Adapter,
>(
    stage: Stage<A>,
) {
    let addresses = loopback_addresses(6);
    let waiting = |own: usize| Node::<A>::builder().peers::<&str>([]).bind(addresses[own]);
    let start = |builder| stage.start(builder);
    // Another key.
    let node = start(waiting(0).key(key(1))).await;
    let other = start(waiting(1).key(key(2))).await;
    expect_warning::<A>(&node, &other).await;
    // No key.
    let sealed = start(waiting(2).key(key(1))).await;
    let plain = start(waiting(3)).await;
    expect_warning::<A>(&sealed, &plain).await;

    // Nor do they learn of each other when they look for each other.
    let look = |own: usize| Node::<A>::builder().peers(&addresses[4..]).bind(addresses[own]);
    let sealed = start(look(4).key(key(1))).await;
    let plain = start(look(5)).await;
    until("the joins are rejected", || {
        let rejected = |node: &Node<A>| node.stats().protocol.rejected_in_all() > 0;
        rejected(&sealed) && rejected(&plain)
    })
    .await;
    for node in [&node, &other, &sealed] {
        assert_eq!(node.peer_count(), 0);
    }
    // To a plain node sealed datagrams are noise, and one in a hundred or so looks like a JOIN of
    // somebody at a random port. It is never their sender's.
    assert_eq!(plain.peer(addr(&sealed)), None);
}

pub(crate) async fn a_key_that_is_switched_off_leaves_the_cluster_in_plain_text<A: Adapter>(
    stage: Stage<A>,
) {
    let addresses = loopback_addresses(2);
    let node = |own: usize| Node::<A>::builder().peers(&addresses).bind(addresses[own]);
    let ready = stage.start(node(0).key(key(1)).security_enabled(false)).await;
    let plain = stage.start(node(1)).await;
    assert!(!ready.is_secure());
    stage.wait_for_peers(&ready, 1).await;
    stage.wait_for_peers(&plain, 1).await;
}

/// Keeps asking a node until told to stop, and gives how often it was answered.
async fn load<A: Adapter>(node: Node<A>, peer: SocketAddr, stop: Arc<AtomicBool>) -> u32 {
    let mut answered = 0;
    while !stop.load(Ordering::Relaxed) {
        let reply = node.request(peer, b"?").await;
        assert_eq!(reply.expect("it is served"), "?");
        answered += 1;
    }
    answered
}

/// Every node asks every other: what it sent before has been read.
async fn settle<A: Adapter>(nodes: &[Node<A>]) {
    for node in nodes {
        let replies = eventually("the replies", node.request_all(b"!")).await;
        assert_eq!(replies.expect("no quorum is needed").replies.len(), nodes.len() - 1);
    }
}

pub(crate) async fn the_key_of_a_cluster_at_work_can_be_changed<A: Adapter>(stage: Stage<A>) {
    let addresses = loopback_addresses(5);
    let node = |own: usize, byte| {
        Node::<A>::builder().peers(&addresses).bind(addresses[own]).key(key(byte))
    };
    let mut nodes = Vec::new();
    for own in 0..3 {
        nodes.push(stage.start(node(own, 1)).await);
    }
    let mut events = Vec::new();
    for node in &nodes {
        stage.wait_for_peers(node, 2).await;
        stage.echo(node);
        events.push(node.events());
    }
    let stop = Arc::new(AtomicBool::new(false));
    let loads: Vec<_> = (0..3)
        .map(|from| {
            let (node, next) = (nodes[from].clone(), addr(&nodes[(from + 1) % 3]));
            stage.spawn(load::<A>(node, next, Arc::clone(&stop)))
        })
        .collect();

    let ring = |seals, also| Keyring::new(key(seals)).with_opening(key(also)).expect("two keys");
    for keyring in [ring(1, 2), ring(2, 1), Keyring::new(key(2))] {
        for node in &nodes {
            node.rotate_keys(keyring.clone()).expect("it seals");
        }
        settle::<A>(&nodes).await;
    }
    stop.store(true, Ordering::Relaxed);
    for load in loads {
        assert!(eventually("the last reply", load).await > 0);
    }
    for (node, events) in nodes.iter().zip(&mut events) {
        assert_eq!(node.stats().protocol.rejected(Rejection::Unopened), 0);
        while let Some(event) = now(events.recv()) {
            assert!(matches!(event, Some(Event::Joined { .. })), "{event:?}");
        }
    }

    // Who comes now needs the new key.
    let late = stage.start(node(3, 1)).await;
    let newcomer = stage.start(node(4, 2)).await;
    stage.wait_for_peers(&newcomer, 3).await;
    assert_eq!(late.peer_count(), 0);
}
