//! A node whose loop stood still: late itself, it does not take others for dead.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use alan_driver::Event;
use alan_workspace::loopback_addresses;

use crate::adapter::Adapter;
use crate::stage::{Stage, addr, key};
use crate::waiting::{eventually, now, until};

/// After so much silence the node takes a peer for dead.
const SILENCE: Duration = Duration::from_millis(1_500);

/// How long its loop stands still.
const STANDSTILL: Duration = Duration::from_millis(2_000);

/// A reader that takes its time where it is woken, which is in the node's loop.
struct Slow;

impl Wake for Slow {
    fn wake(self: Arc<Self>) {
        let end = Instant::now() + STANDSTILL;
        while let Some(rest) = end.checked_duration_since(Instant::now()) {
            thread::park_timeout(rest);
        }
    }
}

pub(crate) async fn who_was_heard_while_the_loop_stood_still_is_not_taken_for_dead<A: Adapter>(
    stage: Stage<A>,
) {
    let addresses = loopback_addresses(3);
    let often = Duration::from_millis(100);
    let node = stage.node_at(&addresses, 0).heartbeat_interval(often).heartbeat_timeout(SILENCE);
    let node = stage.start(node).await;
    let mut events = node.events();
    let mut incoming = node.incoming().expect("nobody else reads");
    // On threads of their own, whatever the adapter: they go on when the node does not.
    let mut peers = Vec::new();
    for &own in &addresses[1..] {
        let peer = alan_sync::Node::builder().peers(&addresses).bind(own);
        let peer = if stage.sealed { peer.key(key(1)) } else { peer };
        let peer = peer.heartbeat_interval(often).heartbeat_timeout(Duration::from_secs(60));
        peers.push(peer.start().await.expect("the address is this test's own"));
    }
    stage.wait_for_peers(&node, 2).await;

    let waker = Waker::from(Arc::new(Slow));
    let read = pin!(incoming.recv()).poll(&mut Context::from_waker(&waker));
    assert!(read.is_pending());
    let before = node.stats().protocol.received;
    let began = Instant::now();
    until("the peers know it", || peers.iter().all(|peer| peer.peer(addr(&node)).is_some())).await;
    peers[0].send_to(addr(&node), b"stand still").expect("it leaves");
    let message = eventually("the message", incoming.recv()).await.expect("the node runs");
    assert_eq!(message.payload(), "stand still");
    until("the loop turns again", || began.elapsed() > STANDSTILL).await;

    // Whoever answers after that finds the node with its judgement passed.
    until("it hears of them", || node.stats().protocol.received > before + 40).await;
    while let Some(event) = now(events.recv()) {
        let event = event.expect("the node runs");
        assert!(!matches!(event, Event::Left { .. }), "{event:?}");
    }
    assert_eq!(node.peer_count(), 2);
    for peer in peers {
        eventually("the shutdown", peer.shutdown()).await;
    }
}
