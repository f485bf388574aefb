//! Messages without answers: to one, to all, in order.

use std::sync::Arc;

use alan_tokio::{BroadcastError, IncomingTaken, Message, SendError, Sent};
use tokio::sync::{Barrier, mpsc};

use crate::cluster::{SHORT, addr, assert_idle, cluster, cluster_of, eventually};

#[tokio::test]
async fn a_broadcast_reaches_every_member_and_says_so_for_each() {
    let nodes = cluster(3).await;
    let mut readers = Vec::new();
    for node in &nodes[1..] {
        readers.push(node.incoming().expect("nobody else reads"));
    }
    let mut sent = nodes[0].broadcast(b"hello").await.expect("no quorum is needed");
    sent.sort_by_key(|sent| sent.peer);
    let told: Vec<_> = sent.iter().map(|&Sent { peer, result, .. }| (peer, result)).collect();
    assert_eq!(told, [(addr(&nodes[1]), Ok(5)), (addr(&nodes[2]), Ok(5))]);
    for reader in &mut readers {
        let message = eventually("the message", reader.recv()).await.expect("the node runs");
        assert_eq!((message.from(), &message.payload()[..]), (addr(&nodes[0]), &b"hello"[..]));
        assert!(matches!(message, Message::Data { .. }));
    }
}

#[tokio::test]
async fn a_broadcast_to_nobody_is_no_error() {
    let alone = cluster(1).await.remove(0);
    assert_eq!(alone.broadcast(b"anybody?").await, Ok(vec![]));
}

#[tokio::test]
async fn a_broadcast_waits_for_the_quorum_and_no_longer_than_its_timeout() {
    let alone = cluster_of(1, |builder| builder.cluster_size(3)).await.remove(0);
    let error = eventually("the deadline", alone.broadcast(b"x").timeout(SHORT)).await;
    assert_eq!(error, Err(BroadcastError::NoQuorum { have: 1, need: 2 }));
    assert_idle(&alone);
}

#[tokio::test]
async fn a_message_goes_to_any_address_member_or_not_quorum_or_not() {
    let here = cluster_of(1, |builder| builder.cluster_size(3)).await.remove(0);
    let stranger = cluster(1).await.remove(0);
    let mut incoming = stranger.incoming().expect("nobody else reads");
    here.send_to(addr(&stranger), b"we have not met").expect("it leaves");
    let message = eventually("the message", incoming.recv()).await.expect("the node runs");
    assert_eq!(message.from(), addr(&here));
    assert_eq!((here.peer_count(), stranger.peer_count()), (0, 0), "a message adds nobody");
}

#[tokio::test]
async fn a_message_to_port_zero_is_refused() {
    let node = cluster(1).await.remove(0);
    let nowhere = "127.0.0.1:0".parse().expect("an address");
    assert_eq!(node.send_to(nowhere, b"x"), Err(SendError::NoPort));
}

#[tokio::test]
async fn what_the_system_does_not_send_is_told_and_counted() {
    let node = cluster(1).await.remove(0);
    let six = "[2001:db8::1]:5000".parse().expect("an address");
    let error = node.send_to(six, b"x").expect_err("an IPv4 socket can't");
    assert!(matches!(error, SendError::NotSent(_)), "{error:?}");
    assert_eq!(node.stats().send_failures, 1);
}

#[tokio::test]
async fn the_longest_message_fits_and_one_byte_more_is_refused() {
    let nodes = cluster(2).await;
    let mut incoming = nodes[1].incoming().expect("nobody else reads");
    let max = nodes[0].max_payload();
    assert_eq!(max, 4_096 - 1, "a plain datagram has one byte of its own");
    let longest = vec![7; max];
    nodes[0].send_to(addr(&nodes[1]), &longest).expect("it fits");
    let message = eventually("the message", incoming.recv()).await.expect("the node runs");
    assert_eq!(message.payload()[..], longest[..]);

    let long = vec![7; max + 1];
    let too_large = Err(SendError::MessageTooLarge { len: max + 1, max });
    assert_eq!(nodes[0].send_to(addr(&nodes[1]), &long), too_large);
    let too_large = Err(BroadcastError::MessageTooLarge { len: max + 1, max });
    assert_eq!(nodes[0].broadcast(&long).await, too_large);
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_before_any_wait_for_the_quorum() {
    let alone = cluster_of(1, |builder| builder.cluster_size(3)).await.remove(0);
    let max = alone.max_payload();
    let error = eventually("the refusal", alone.broadcast(vec![0; max + 1])).await;
    assert_eq!(error, Err(BroadcastError::MessageTooLarge { len: max + 1, max }));
}

#[tokio::test]
async fn messages_of_one_peer_come_in_order() {
    let nodes = cluster(2).await;
    let mut incoming = nodes[1].incoming().expect("nobody else reads");
    for round in 0..20_u32 {
        for number in 0..50_u32 {
            let payload = (round * 50 + number).to_be_bytes();
            nodes[0].send_to(addr(&nodes[1]), payload).expect("it leaves");
        }
        for number in 0..50_u32 {
            let message = eventually("the message", incoming.recv()).await.expect("it runs");
            assert_eq!(message.payload()[..], (round * 50 + number).to_be_bytes());
        }
    }
}

#[tokio::test]
async fn messages_can_be_taken_once() {
    let node = cluster(1).await.remove(0);
    let incoming = node.incoming().expect("nobody else reads");
    assert_eq!(node.incoming().map(drop), Err(IncomingTaken));
    assert_eq!(node.serve(|_| async {}), Err(IncomingTaken));
    drop(incoming);
    assert_eq!(node.incoming().map(drop), Err(IncomingTaken), "once is once");
}

#[tokio::test]
async fn messages_wait_for_who_takes_them_later() {
    let nodes = cluster(2).await;
    nodes[0].send_to(addr(&nodes[1]), b"early").expect("it leaves");
    crate::cluster::until("it has arrived", || nodes[1].usage().queued_messages == 1).await;
    let mut incoming = nodes[1].incoming().expect("nobody else reads");
    let message = eventually("the message", incoming.recv()).await.expect("the node runs");
    assert_eq!(message.payload()[..], b"early"[..]);
    assert_eq!(nodes[1].usage().queued_messages, 0);
}

#[tokio::test]
async fn handlers_of_several_peers_run_at_the_same_time() {
    let nodes = cluster(4).await;
    // Nobody gets past it until the handlers of all three peers are there.
    let barrier = Arc::new(Barrier::new(3));
    let (done, mut all_done) = mpsc::channel(1_000);
    nodes[0]
        .serve(move |message| {
            let (barrier, done) = (Arc::clone(&barrier), done.clone());
            async move {
                barrier.wait().await;
                done.try_send(message.from()).expect("the test waits for it");
            }
        })
        .expect("nobody else reads");
    for node in &nodes[1..] {
        node.send_to(addr(&nodes[0]), b"meet").expect("it leaves");
    }
    let mut met = Vec::new();
    for _ in 0..3 {
        met.push(eventually("the meeting", all_done.recv()).await.expect("the handler lives"));
    }
    met.sort();
    assert_eq!(met, [addr(&nodes[1]), addr(&nodes[2]), addr(&nodes[3])]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_gets_each_peers_messages_one_after_the_other_in_order() {
    let nodes = cluster(3).await;
    let (done, mut all_done) = mpsc::channel(1_000);
    nodes[0]
        .serve(move |message| {
            let done = done.clone();
            async move {
                // The later ones would overtake the earlier, were they let loose together.
                let number = message.payload()[0];
                for _ in number..50 {
                    tokio::task::yield_now().await;
                }
                done.try_send((message.from(), number)).expect("the test waits for it");
            }
        })
        .expect("nobody else reads");
    for number in 0..50 {
        for node in &nodes[1..] {
            node.send_to(addr(&nodes[0]), [number]).expect("it leaves");
        }
    }
    let mut next = [0, 0];
    for _ in 0..100 {
        let (from, number) =
            eventually("a handled message", all_done.recv()).await.expect("the handler lives");
        let next = &mut next[usize::from(from == addr(&nodes[2]))];
        assert_eq!(number, *next);
        *next += 1;
    }
}

#[tokio::test]
async fn a_panic_in_a_handler_costs_one_message() {
    let nodes = cluster(2).await;
    let (done, mut all_done) = mpsc::channel(1_000);
    nodes[0]
        .serve(move |message| {
            let done = done.clone();
            async move {
                assert_ne!(
                    message.payload()[..],
                    b"poison"[..],
                    "this panic is a part of the test"
                );
                done.try_send(message.payload().clone()).expect("the test waits for it");
            }
        })
        .expect("nobody else reads");
    for payload in ["before", "poison", "after"] {
        nodes[1].send_to(addr(&nodes[0]), payload).expect("it leaves");
    }
    for expected in ["before", "after"] {
        let handled = eventually("a handled message", all_done.recv()).await;
        let handled = handled.expect("the handler lives");
        assert_eq!(handled, expected);
    }
}
