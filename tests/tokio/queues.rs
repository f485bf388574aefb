//! Full queues: whom they cost what.

use alan_tokio::Event;
use alan_tokio::config::QueueFull;

use crate::cluster::{addr, cluster_of, echo, eventually, until};

#[tokio::test]
async fn a_full_queue_costs_its_own_peer_messages_and_nobody_else_anything() {
    let nodes = cluster_of(3, |builder| builder.queue_size(4)).await;
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
    let guard = eventually("the lock", noisy.lock("key")).await.expect("it is free");
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

#[tokio::test]
async fn where_full_queues_block_no_message_is_refused_and_all_come_in_order() {
    let nodes = cluster_of(2, |builder| builder.queue_size(4).queue_full(QueueFull::Block)).await;
    let (slow, noisy) = (&nodes[0], &nodes[1]);
    let mut incoming = slow.incoming().expect("nobody else reads");
    for number in 0..100_u32 {
        while noisy.send_to(addr(slow), number.to_be_bytes()).is_err() {
            tokio::task::yield_now().await; // the system's own buffer is full
        }
    }
    for number in 0..100_u32 {
        let message = eventually("a message", incoming.recv()).await.expect("the node runs");
        assert_eq!(message.payload()[..], number.to_be_bytes());
    }
    assert_eq!(slow.stats().messages_refused, 0);
}

#[tokio::test]
async fn a_node_whose_reader_blocks_receives_again_when_it_reads_again() {
    let nodes = cluster_of(2, |builder| builder.queue_size(1).queue_full(QueueFull::Block)).await;
    let mut incoming = nodes[0].incoming().expect("nobody else reads");
    echo(&nodes[1]);
    nodes[1].send_to(addr(&nodes[0]), b"blocks").expect("it leaves");
    until("it has arrived", || nodes[0].usage().queued_messages == 1).await;

    // The reply can't come in before somebody reads.
    let (asker, peer) = (nodes[0].clone(), addr(&nodes[1]));
    let reply = tokio::spawn(async move { asker.request(peer, b"?").await });
    until("it has been asked", || nodes[1].stats().protocol.transmitted > 0).await;
    assert!(!reply.is_finished());
    assert!(eventually("the message", incoming.recv()).await.is_some());
    let reply = eventually("the reply", reply).await.expect("it does not panic");
    assert_eq!(&reply.expect("it is served")[..], b"?");
}

#[tokio::test]
async fn a_node_that_nobody_reads_keeps_its_queues_within_their_bounds() {
    let nodes = cluster_of(2, |builder| builder.queue_size(4)).await;
    for _ in 0..20 {
        nodes[1].send_to(addr(&nodes[0]), b"anybody?").expect("it leaves");
    }
    until("the rest is refused", || nodes[0].stats().messages_refused == 16).await;
    assert_eq!(nodes[0].usage().queued_messages, 4);

    drop(nodes[0].incoming().expect("nobody else reads"));
    assert_eq!(nodes[0].usage().queued_messages, 0);
    assert_eq!(nodes[0].stats().messages_discarded, 4);
    nodes[1].send_to(addr(&nodes[0]), b"anybody?").expect("it leaves");
    until("it goes nowhere", || nodes[0].stats().messages_refused == 17).await;
}
