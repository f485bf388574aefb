//! Questions and answers: to one node, and to all.

use std::net::UdpSocket;

use alan_driver::{LeaveReason, LockError, Message, Missing, RequestError};

use super::events::short_of_patience;
use crate::adapter::Adapter;
use crate::stage::{Stage, addr};
use crate::waiting::{SHORT, eventually, until};

pub(crate) async fn concurrent_requests_get_each_their_own_reply<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster(2).await;
    let mut incoming = nodes[1].incoming().expect("nobody else reads");
    let mut asking = Vec::new();
    for number in 0..64_u32 {
        let (node, peer) = (nodes[0].clone(), addr(&nodes[1]));
        let number = number.to_be_bytes();
        asking.push(stage.spawn(async move { (number, node.request(peer, number).await) }));
    }
    // All of them wait before the first is answered, and the last is answered first.
    let mut requests = Vec::new();
    while requests.len() < 64 {
        let message = eventually("a request", incoming.recv()).await.expect("the node runs");
        let Message::Request(request) = message else { panic!("{message:?}") };
        requests.push(request);
    }
    assert_eq!(nodes[0].usage().requests, 64);
    for request in requests.into_iter().rev() {
        let payload = request.payload().clone();
        request.reply(payload).expect("it leaves");
    }
    for asked in asking {
        let (number, reply) = eventually("the reply", asked).await;
        assert_eq!(&reply.expect("it is answered")[..], number);
    }
    stage.assert_idle(&nodes[0]);
}

pub(crate) async fn a_request_that_nobody_answers_ends_at_its_deadline<A: Adapter>(
    stage: Stage<A>,
) {
    let nodes = stage.cluster(2).await;
    stage.serve(&nodes[1], |message| async { drop(message) });
    let asked = nodes[0].request(addr(&nodes[1]), b"?").timeout(SHORT);
    assert_eq!(eventually("the deadline", asked).await, Err(RequestError::Timeout));
    stage.assert_idle(&nodes[0]);
}

pub(crate) async fn a_request_ends_at_once_when_the_peer_leaves_or_dies<A: Adapter>(
    stage: Stage<A>,
) {
    let nodes = stage.cluster_of(3, short_of_patience::<A>).await;
    for (peer, why) in [(1, LeaveReason::SaidGoodbye), (2, LeaveReason::Silent)] {
        let _unread = nodes[peer].incoming().expect("nobody else reads");
        let (asker, addr) = (nodes[0].clone(), addr(&nodes[peer]));
        let ended = stage.spawn(async move { asker.request(addr, b"?").await });
        until("it has been asked", || nodes[peer].usage().queued_messages == 1).await;
        match why {
            LeaveReason::Silent => eventually("the crash", nodes[peer].abort()).await,
            _ => eventually("the shutdown", nodes[peer].shutdown()).await,
        }
        let ended = eventually("the end", ended).await;
        assert_eq!(ended, Err(RequestError::PeerDisconnected { peer: addr, why }));
        stage.assert_idle(&nodes[0]);
    }
}

pub(crate) async fn more_than_the_limits_permit_is_refused_with_the_limit<A: Adapter>(
    stage: Stage<A>,
) {
    let small = |builder: crate::stage::NewNode<A>| {
        builder.max_requests(1).max_locks(1).max_lock_waiters(1)
    };
    let node = stage.lone_node(small).await;
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let silent = silent.local_addr().expect("it is bound");
    let asker = node.clone();
    let _first = stage.spawn(async move { asker.request(silent, b"1").await });
    until("the first waits", || node.usage().requests == 1).await;
    let refused = eventually("the refusal", node.request(silent, b"2")).await;
    assert_eq!(refused, Err(RequestError::TooManyRequests { limit: 1 }));

    let _held = stage.lock(&node, "key").await;
    let other = eventually("the refusal", node.lock("other key")).await;
    assert_eq!(other.map(drop), Err(LockError::TooManyLocks { limit: 1 }));
    let waiter = node.clone();
    let _waiting = stage.spawn(async move { waiter.lock("key").await });
    until("it waits", || node.usage().locks == 2).await;
    let second = eventually("the refusal", node.lock("key")).await;
    assert_eq!(second.map(drop), Err(LockError::TooManyWaiters { limit: 1 }));

    let empty = eventually("the refusal", node.lock("")).await;
    assert_eq!(empty.map(drop), Err(LockError::KeyLength { len: 0 }));
    let long = "k".repeat(256);
    let refused = eventually("the refusal", node.try_lock(&long)).await;
    assert_eq!(refused.map(drop), Err(LockError::KeyLength { len: 256 }));
    let roomy = stage.lone_node(|builder| builder).await;
    assert_eq!(stage.lock(&roomy, &long[..255]).await.key().len(), 255);
    eventually("the shutdown", node.shutdown()).await;
}

pub(crate) async fn a_request_to_all_gathers_every_reply<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster(3).await;
    for node in &nodes[1..] {
        stage.echo(node);
    }
    let answered = eventually("the replies", nodes[0].request_all(b"all")).await;
    let answered = answered.expect("no quorum is needed");
    let mut from: Vec<_> = answered.replies.iter().map(|reply| reply.peer).collect();
    from.sort();
    assert_eq!(from, [addr(&nodes[1]), addr(&nodes[2])]);
    assert!(answered.replies.iter().all(|reply| reply.payload[..] == b"all"[..]));
    assert_eq!(answered.missing, []);
    stage.assert_idle(&nodes[0]);

    let alone = stage.lone_node(|builder| builder).await;
    let answered = eventually("the end", alone.request_all(b"anybody?")).await;
    let answered = answered.expect("no quorum is needed");
    assert_eq!((answered.replies, answered.missing), (vec![], vec![]));
    stage.assert_idle(&alone);
}

pub(crate) async fn at_the_deadline_the_replies_so_far_are_returned_and_the_missing_named<
    A: Adapter,
>(
    stage: Stage<A>,
) {
    let nodes = stage.cluster(3).await;
    stage.echo(&nodes[1]);
    let mut unanswered = nodes[2].incoming().expect("nobody else reads");
    // The reply has as long as it takes: the deadline is what ends this.
    let mut stream = nodes[0].request_all(b"all").timeout(SHORT * 20).stream();
    let reply = eventually("the reply", stream.recv()).await.expect("one comes");
    assert_eq!(reply.expect("it was asked").peer, addr(&nodes[1]));
    assert!(eventually("the deadline", stream.recv()).await.is_none());
    assert_eq!(stream.missing(), [(addr(&nodes[2]), Missing::TimedOut)]);
    let request = eventually("the request", unanswered.recv()).await.expect("the node runs");
    assert!(matches!(request, Message::Request(_)));
    stage.assert_idle(&nodes[0]);

    let all = nodes[0].request_all(b"all").timeout(SHORT * 20);
    let answered = eventually("the deadline", all).await.expect("that is no failure");
    assert_eq!(answered.replies.len(), 1);
    assert_eq!(answered.missing, [(addr(&nodes[2]), Missing::TimedOut)]);
}

pub(crate) async fn a_departing_peer_is_taken_off_the_list<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster(3).await;
    stage.echo(&nodes[1]);
    let _unread = nodes[2].incoming().expect("nobody else reads");
    let asker = nodes[0].clone();
    let ended = stage.spawn(async move { asker.request_all(b"all").await });
    until("it has been asked", || nodes[2].usage().queued_messages == 1).await;
    eventually("the shutdown", nodes[2].shutdown()).await;
    let ended = eventually("the end", ended).await.expect("no quorum is needed");
    assert_eq!(ended.replies.len(), 1);
    let gone = Missing::Disconnected(LeaveReason::SaidGoodbye);
    assert_eq!(ended.missing, [(addr(&nodes[2]), gone)]);
    stage.assert_idle(&nodes[0]);
}
