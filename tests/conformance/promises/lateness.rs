//! A node whose loop stood still: late itself, it does not take others for dead.

use std::net::{SocketAddr, UdpSocket};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use alan_driver::Event;
use alan_sync::Threads;
use alan_workspace::loopback_addresses;

use super::events::{SHORT_LIFE, short_of_patience};
use crate::adapter::{Adapter, PlainThreads};
use crate::stage::{Stage, addr};
use crate::waiting::{SHORT, now, until};

/// Longer than a node waits that hears nobody at all: half as long again as for one silent peer.
const STILL: Duration = SHORT_LIFE.saturating_mul(2);

/// More datagrams than a loop reads before it looks at the time, and fewer than the kernel holds.
const BACKLOG: u64 = 300;

/// A waker that stops the loop which calls it, until whoever it knows has been silent for too long
/// as far as it can tell: their heartbeats are in its socket, behind a stranger's noise.
struct Stall {
    noise: UdpSocket,
    at: SocketAddr,
    is_over: AtomicBool,
}

impl Wake for Stall {
    #[expect(clippy::disallowed_methods, reason = "standing still is what is tested")]
    fn wake(self: Arc<Self>) {
        for _ in 0..BACKLOG {
            self.noise.send_to(&[0], self.at).expect("the kernel holds as many");
        }
        thread::sleep(STILL);
        self.is_over.store(true, Ordering::Release);
    }
}

pub(crate) async fn who_was_heard_while_the_loop_stood_still_is_not_taken_for_dead<A: Adapter>(
    stage: Stage<A>,
) {
    let addresses = loopback_addresses(4);
    let node = A::start_apart(short_of_patience::<A>(stage.node_at(&addresses[..3], 0)));
    let node = node.await.expect("the address is this test's own");
    // Under threads of their own: they go on whatever stands still.
    let threads = Stage::<PlainThreads>::new(stage.sealed);
    let peers = [1, 2].map(|own| {
        let peer = threads.node_at(&addresses[..3], own).heartbeat_interval(SHORT);
        peer.start_on(Threads::default()).expect("the address is this test's own")
    });
    stage.wait_for_peers(&node, peers.len()).await;
    for peer in &peers {
        threads.wait_for_peers(peer, peers.len()).await;
    }

    let stall = Arc::new(Stall {
        noise: UdpSocket::bind((addresses[3], 0)).expect("the address is this test's own"),
        at: addr(&node),
        is_over: AtomicBool::new(false),
    });
    let mut events = node.events();
    let mut incoming = node.incoming().expect("nobody else reads");
    {
        let waker = Waker::from(Arc::clone(&stall));
        let message = pin!(incoming.recv());
        assert!(message.poll(&mut Context::from_waker(&waker)).is_pending());
    }
    peers[0].send_to(addr(&node), b"wakes").expect("it leaves");
    until("the loop goes on", || stall.is_over.load(Ordering::Acquire)).await;
    let rejected = || node.stats().protocol.rejected_in_all();
    until("it has read what waited", || rejected() >= BACKLOG).await;

    while let Some(Some(event)) = now(events.recv()) {
        assert!(!matches!(event, Event::Left { .. }), "{event:?}");
    }
    assert_eq!(node.peer_count(), peers.len());
}
