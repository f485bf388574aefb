//! Handlers: each peer's messages one after the other, and no peer in another's way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alan_driver::Message;
use tokio::sync::{Barrier, mpsc, watch};

use super::events::{SHORT_LIFE, short_of_patience};
use crate::adapter::Adapter;
use crate::row::WANTED_PANIC;
use crate::stage::{Stage, addr};
use crate::waiting::{eventually, until, yield_now};

/// What the handler under test has to say, and who holds it up.
struct Script {
    /// Nobody gets past it until the handlers of all three peers are there.
    barrier: Barrier,
    reached: mpsc::Sender<&'static str>,
    released: watch::Receiver<()>,
}

impl Script {
    async fn handle(&self, message: Message) {
        match message {
            Message::Request(request) => request.reply(b"not stuck").expect("it leaves"),
            message if message.payload()[..] == b"meet"[..] => {
                self.barrier.wait().await;
                self.tell("the meeting");
            }
            _ => {
                self.tell("the trap");
                // Until the test lets go of it.
                let _ = self.released.clone().changed().await;
            }
        }
    }

    fn tell(&self, step: &'static str) {
        self.reached.try_send(step).expect("the test waits for it");
    }
}

pub(crate) async fn a_stuck_handler_delays_no_other_peer_and_no_heartbeat<A: Adapter>(
    stage: Stage<A>,
) {
    let nodes = stage.cluster_of(4, short_of_patience::<A>).await;
    let (server, [stuck, other, third]) = (&nodes[0], [&nodes[1], &nodes[2], &nodes[3]]);
    let (release, released) = watch::channel(());
    let (reached, mut steps) = mpsc::channel(1_000);
    let script = Arc::new(Script { barrier: Barrier::new(3), reached, released });
    stage.serve(server, move |message| {
        let script = Arc::clone(&script);
        async move { script.handle(message).await }
    });

    for node in [stuck, other, third] {
        node.send_to(addr(server), b"meet").expect("it leaves");
    }
    for _ in 0..3 {
        let step = eventually("the meeting of three handlers", steps.recv()).await;
        assert_eq!(step, Some("the meeting"));
    }
    stuck.send_to(addr(server), b"get stuck").expect("it leaves");
    assert_eq!(eventually("the trap", steps.recv()).await, Some("the trap"));
    let reply = eventually("the other's reply", other.request(addr(server), b"?")).await;
    assert_eq!(&reply.expect("it is served")[..], b"not stuck");

    // For longer than a heartbeat may be missing, all of them go on hearing each other.
    let heard = || {
        [(server, stuck), (stuck, server), (other, server)].map(|(node, peer)| {
            let peer = node.peers().into_iter().find(|known| known.addr == addr(peer));
            peer.expect("nobody has died").last_heard
        })
    };
    let then = heard().map(|heard| heard + SHORT_LIFE);
    until("heartbeats go on", || heard().iter().zip(&then).all(|(heard, then)| heard > then)).await;
    drop(release);
}

pub(crate) async fn a_handler_gets_each_peers_messages_one_after_the_other_in_order<A: Adapter>(
    stage: Stage<A>,
) {
    const COUNT: u8 = 30;
    let nodes = stage.cluster(3).await;
    let (done, mut all_done) = mpsc::channel(1_000);
    let (release, released) = watch::channel(());
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&begun);
    stage.serve(&nodes[0], move |message| {
        let (done, mut released) = (done.clone(), released.clone());
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            // Until the test lets go of it.
            let _ = released.changed().await;
            // The later ones would overtake the earlier, were they let loose together.
            let number = message.payload()[0];
            for _ in number..COUNT {
                yield_now().await;
            }
            done.try_send((message.from(), number)).expect("the test waits for it");
        }
    });
    for number in 0..COUNT {
        for node in &nodes[1..] {
            node.send_to(addr(&nodes[0]), [number]).expect("it leaves");
        }
    }
    let arrived = || begun.load(Ordering::SeqCst) + nodes[0].usage().queued_messages;
    until("all have arrived", || arrived() == 2 * usize::from(COUNT)).await;
    drop(release);
    let mut next = [0, 0];
    for _ in 0..2 * COUNT {
        let handled = eventually("a handled message", all_done.recv()).await;
        let (from, number) = handled.expect("the handler lives");
        let next = &mut next[usize::from(from == addr(&nodes[2]))];
        assert_eq!(number, *next);
        *next += 1;
    }
}

pub(crate) async fn a_panic_in_a_handler_costs_one_message<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster(2).await;
    let (done, mut all_done) = mpsc::channel(1_000);
    stage.serve(&nodes[0], move |message| {
        let done = done.clone();
        async move {
            assert_ne!(message.payload()[..], b"poison"[..], "{WANTED_PANIC}");
            done.try_send(message.payload().clone()).expect("the test waits for it");
        }
    });
    for payload in ["before", "poison", "after"] {
        nodes[1].send_to(addr(&nodes[0]), payload).expect("it leaves");
        if payload != "poison" {
            let handled = eventually("a handled message", all_done.recv()).await;
            assert_eq!(handled.expect("the handler lives"), payload);
        }
    }
}
