//! Full queues: whom they cost what.

use std::time::Duration;

use alan_driver::Event;
use alan_driver::config::QueueFull;

use crate::adapter::Adapter;
use crate::stage::{NewNode, Stage, addr};
use crate::waiting::{eventually, until, yield_now};

const MINUTE: Duration = Duration::from_secs(60);

pub(crate) async fn a_full_queue_costs_its_own_peer_messages_and_nobody_else_anything<
    A: Adapter,
>(
    stage: Stage<A>,
) {
    let nodes = stage.cluster_of(3, |builder| builder.queue_size(4)).await;
    let (slow, noisy, quiet) = (&nodes[0], &nodes[1], &nodes[2]);
    let mut incoming = slow.incoming().expect("nobody else reads");
    let mut events = slow.events();
    for number in 0..10_u8 {
        noisy.send_to(addr(slow), [number]).expect("it leaves");
    }
    until("six are refused", || slow.stats().messages_refused == 6).await;
    quiet.send_to(addr(slow), b"heard").expect("it leaves");
    until("it has arrived", || slow.usage().queued_messages == 5).await;

    // Control traffic and locks don't wait for whoever does not read.
    let guard = stage.lock(noisy, "key").await;
    guard.release().await.expect("it is held");

    let mut full = Vec::new();
    while full.is_empty() {
        let event = eventually("an event", events.recv()).await.expect("the node runs");
        if let Event::QueueFull { peer } = event {
            full.push(peer);
        }
    }
    assert_eq!(full, [Some(addr(noisy))]);
    let mut read = Vec::new();
    for _ in 0..5 {
        let message = eventually("a message", incoming.recv()).await.expect("the node runs");
        read.push((message.from(), message.payload().clone()));
    }
    let of_noisy: Vec<_> =
        read.iter().filter(|(from, _)| *from == addr(noisy)).map(|(_, text)| text[0]).collect();
    assert_eq!(of_noisy, [0, 1, 2, 3]);
    assert!(read.iter().any(|(from, text)| *from == addr(quiet) && text == "heard"));
}

pub(crate) async fn where_full_queues_block_nothing_is_refused_and_reading_goes_on<A: Adapter>(
    stage: Stage<A>,
) {
    // When a heartbeat is due, the socket is read whatever has room: that is not what is shown here.
    let blocks = |builder: NewNode<A>| {
        let node = builder.heartbeat_interval(15 * MINUTE).heartbeat_timeout(45 * MINUTE);
        node.queue_size(4).queue_full(QueueFull::Block)
    };
    let nodes = stage.cluster_of(2, blocks).await;
    let (slow, noisy) = (&nodes[0], &nodes[1]);
    let mut incoming = slow.incoming().expect("nobody else reads");
    for number in 0..100_u32 {
        while noisy.send_to(addr(slow), number.to_be_bytes()).is_err() {
            yield_now().await; // the system's own buffer is full
        }
    }
    // The reply waits behind them in the socket, so it can't come before somebody reads.
    stage.echo(noisy);
    let (asker, peer) = (slow.clone(), addr(noisy));
    until("the queue is full", || slow.usage().queued_messages >= 4).await;
    let reply = stage.spawn(async move { asker.request(peer, b"?").await });
    until("it has been asked", || slow.usage().requests == 1 || reply.has_ended()).await;
    assert!(!reply.has_ended());

    for number in 0..100_u32 {
        let message = eventually("a message", incoming.recv()).await.expect("the node runs");
        assert_eq!(message.payload()[..], number.to_be_bytes());
    }
    assert_eq!(slow.stats().messages_refused, 0);
    let reply = eventually("the reply", reply).await.expect("it is served");
    assert_eq!(&reply[..], b"?");
}
