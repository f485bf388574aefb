//! Messages without answers: to one, to all, in order.

use alan_driver::{BroadcastError, IncomingTaken, Message, RequestAllError, RequestError};
use alan_driver::{SendError, Sent};

use crate::adapter::Adapter;
use crate::stage::{Stage, addr};
use crate::waiting::{eventually, until};

pub(crate) async fn a_broadcast_reaches_every_member_and_says_so_for_each<A: Adapter>(
    stage: Stage<A>,
) {
    let nodes = stage.cluster(3).await;
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
    let alone = stage.lone_node(|builder| builder).await;
    assert_eq!(alone.broadcast(b"anybody?").await, Ok(vec![]), "nobody is no error");
}

pub(crate) async fn strangers_can_send_and_ask_and_be_sent_to_and_asked_without_a_quorum<
    A: Adapter,
>(
    stage: Stage<A>,
) {
    let here = stage.lone_node(|builder| builder.cluster_size(3)).await;
    let stranger = stage.lone_node(|builder| builder).await;
    let mut incoming = stranger.incoming().expect("nobody else reads");
    here.send_to(addr(&stranger), b"we have not met").expect("it leaves");
    let message = eventually("the message", incoming.recv()).await.expect("the node runs");
    assert_eq!(message.from(), addr(&here));

    let request = here.request(addr(&stranger), b"hi");
    let reply = stage.spawn(request.into_future());
    let message = eventually("the request", incoming.recv()).await.expect("the node runs");
    let Message::Request(request) = message else { panic!("{message:?}") };
    request.reply(b"hello").expect("it leaves");
    let reply = eventually("the reply", reply).await.expect("it was answered");
    assert_eq!(&reply[..], b"hello");
    assert_eq!((here.peer_count(), stranger.peer_count()), (0, 0), "this adds nobody");
}

pub(crate) async fn what_can_not_be_sent_is_an_error_at_once_and_counted<A: Adapter>(
    stage: Stage<A>,
) {
    let node = stage.lone_node(|builder| builder).await;
    let nowhere = "127.0.0.1:0".parse().expect("an address");
    assert_eq!(node.send_to(nowhere, b"x"), Err(SendError::NoPort));
    assert_eq!(node.request(nowhere, b"?").await, Err(RequestError::NoPort));
    assert_eq!(node.stats().send_failures, 0, "these never came so far");

    let six = "[2001:db8::1]:5000".parse().expect("an address");
    let error = node.send_to(six, b"x").expect_err("an IPv4 socket can't");
    assert!(matches!(error, SendError::NotSent(_)), "{error:?}");
    assert_eq!(node.stats().send_failures, 1);
    let error = node.request(six, b"?").await.expect_err("an IPv4 socket can't");
    assert!(matches!(error, RequestError::NotSent { peer, .. } if peer == six), "{error:?}");
    assert_eq!(node.stats().send_failures, 2);
    stage.assert_idle(&node);
}

pub(crate) async fn the_longest_message_fits_and_one_byte_more_is_refused<A: Adapter>(
    stage: Stage<A>,
) {
    let nodes = stage.cluster(2).await;
    let mut incoming = nodes[1].incoming().expect("nobody else reads");
    let peer = addr(&nodes[1]);
    let max = nodes[0].max_payload();
    // A byte says what the datagram is; a seal takes 40.
    assert_eq!(max, 4_096 - if stage.sealed { 41 } else { 1 });
    let longest = vec![7; max];
    nodes[0].send_to(peer, &longest).expect("it fits");
    let message = eventually("the message", incoming.recv()).await.expect("the node runs");
    assert_eq!(message.payload()[..], longest[..]);

    let (long, len) = (vec![7; max + 1], max + 1);
    assert_eq!(nodes[0].send_to(peer, &long), Err(SendError::MessageTooLarge { len, max }));
    let too_large = Err(BroadcastError::MessageTooLarge { len, max });
    assert_eq!(nodes[0].broadcast(&long).await, too_large);

    // That is no question of the quorum, so nobody waits for it.
    let alone = stage.lone_node(|builder| builder.cluster_size(3)).await;
    assert_eq!(eventually("the refusal", alone.broadcast(&long)).await, too_large);

    // An id, a number, and how far that is ahead; a stranger's has the id only.
    let max = alone.max_request_payload();
    assert_eq!(max, alone.max_payload() - 28);
    let (long, len) = (vec![0; max + 1], max + 1);
    let too_large = Err(RequestError::MessageTooLarge { len, max });
    assert_eq!(eventually("the refusal", nodes[0].request(peer, &long)).await, too_large);
    let (longer, len, more) = (vec![0; max + 13], max + 13, max + 12);
    let too_large = Err(RequestError::MessageTooLarge { len, max: more });
    assert_eq!(eventually("the refusal", alone.request(peer, &longer)).await, too_large);
    let too_large = Err(RequestAllError::MessageTooLarge { len: long.len(), max });
    assert_eq!(eventually("the refusal", alone.request_all(&long)).await, too_large);
    stage.assert_idle(&alone);
}

pub(crate) async fn messages_of_one_peer_come_in_order<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster(2).await;
    let mut incoming = nodes[1].incoming().expect("nobody else reads");
    for round in 0..20_u32 {
        for number in 0..50_u32 {
            let payload = (round * 50 + number).to_be_bytes();
            nodes[0].send_to(addr(&nodes[1]), payload).expect("it leaves");
        }
        if round == 0 {
            until("all have arrived", || nodes[1].usage().queued_messages == 50).await;
        }
        for number in 0..50_u32 {
            let message = eventually("the message", incoming.recv()).await.expect("it runs");
            assert_eq!(message.payload()[..], (round * 50 + number).to_be_bytes());
        }
    }
}

pub(crate) async fn messages_can_be_taken_once<A: Adapter>(stage: Stage<A>) {
    let node = stage.lone_node(|builder| builder).await;
    let incoming = node.incoming().expect("nobody else reads");
    assert_eq!(node.incoming().map(drop), Err(IncomingTaken));
    assert_eq!(A::serve(&node, |_| async {}), Err(IncomingTaken));
    drop(incoming);
    assert_eq!(node.incoming().map(drop), Err(IncomingTaken), "once is once");
}

pub(crate) async fn messages_wait_for_their_reader_within_bounds<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster_of(2, |builder| builder.queue_size(4)).await;
    let (sender, node) = (&nodes[0], &nodes[1]);
    sender.send_to(addr(node), b"early").expect("it leaves");
    let arrivals = || node.usage().queued_messages as u64 + node.stats().messages_refused;
    until("it has arrived", || arrivals() == 1).await;
    assert_eq!(node.usage().queued_messages, 1);
    for _ in 0..20 {
        sender.send_to(addr(node), b"anybody?").expect("it leaves");
    }
    until("the rest is refused", || node.stats().messages_refused == 17).await;
    assert_eq!(node.usage().queued_messages, 4);

    let mut incoming = node.incoming().expect("nobody else reads");
    let message = eventually("the message", incoming.recv()).await.expect("the node runs");
    assert_eq!(message.payload()[..], b"early"[..]);
    assert_eq!(node.usage().queued_messages, 3);

    // Without its reader there will be no other.
    drop(incoming);
    assert_eq!(node.usage().queued_messages, 0);
    assert_eq!(node.stats().messages_discarded, 3);
    sender.send_to(addr(node), b"anybody?").expect("it leaves");
    until("it goes nowhere", || node.stats().messages_refused == 18).await;
}
