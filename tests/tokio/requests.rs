//! Questions and answers: to one node, and to all.

use alan_tokio::{LeaveReason, Message, Missing, RequestAllError, RequestError};

use crate::cluster::{SHORT, addr, assert_idle, cluster, cluster_of, echo, eventually, until};

#[tokio::test]
async fn a_request_gets_its_reply() {
    let nodes = cluster(2).await;
    echo(&nodes[1]);
    let reply = eventually("the reply", nodes[0].request(addr(&nodes[1]), b"ping")).await;
    assert_eq!(&reply.expect("it is served")[..], b"ping");
    assert_idle(&nodes[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_get_each_their_own_reply() {
    let nodes = cluster(2).await;
    echo(&nodes[1]);
    let mut asking = Vec::new();
    for number in 0..64_u32 {
        let (node, peer) = (nodes[0].clone(), addr(&nodes[1]));
        let number = number.to_be_bytes();
        asking.push(tokio::spawn(async move { (number, node.request(peer, number).await) }));
    }
    for asked in asking {
        let (number, reply) = eventually("the reply", asked).await.expect("none panics");
        assert_eq!(&reply.expect("it is served")[..], number);
    }
    assert_idle(&nodes[0]);
}

#[tokio::test]
async fn a_stranger_can_ask_and_be_asked_without_a_quorum() {
    let here = cluster_of(1, |builder| builder.cluster_size(3)).await.remove(0);
    let stranger = cluster(1).await.remove(0);
    echo(&stranger);
    let reply = eventually("the reply", here.request(addr(&stranger), b"hi")).await;
    assert_eq!(&reply.expect("it is served")[..], b"hi");
}

#[tokio::test]
async fn a_request_that_nobody_answers_ends_at_its_deadline() {
    let nodes = cluster(2).await;
    nodes[1].serve(|message| async { drop(message) }).expect("nobody else reads");
    let asked = nodes[0].request(addr(&nodes[1]), b"?").timeout(SHORT);
    assert_eq!(eventually("the deadline", asked).await, Err(RequestError::Timeout));
    assert_idle(&nodes[0]);
}

#[tokio::test]
async fn a_request_ends_at_once_when_the_peer_goes() {
    let nodes = cluster(2).await;
    let peer = addr(&nodes[1]);
    let asker = nodes[0].clone();
    let ended = tokio::spawn(async move { asker.request(peer, b"?").await });
    until("it has been asked", || nodes[1].usage().queued_messages == 1).await;
    eventually("the shutdown", nodes[1].shutdown()).await;
    let why = LeaveReason::SaidGoodbye;
    let ended = eventually("the end", ended).await.expect("it does not panic");
    assert_eq!(ended, Err(RequestError::PeerDisconnected { peer, why }));
    assert_idle(&nodes[0]);
}

#[tokio::test]
async fn a_request_that_does_not_fit_or_has_nowhere_to_go_is_refused() {
    let node = cluster(1).await.remove(0);
    let max = node.max_request_payload();
    assert_eq!(max, node.max_payload() - 16);
    let too_large = RequestError::MessageTooLarge { len: max + 1, max };
    assert_eq!(node.request(addr(&node), vec![0; max + 1]).await, Err(too_large));
    let nowhere = "127.0.0.1:0".parse().expect("an address");
    assert_eq!(node.request(nowhere, b"?").await, Err(RequestError::NoPort));
    let six = "[2001:db8::1]:5000".parse().expect("an address");
    let not_sent = node.request(six, b"?").await.expect_err("an IPv4 socket can't");
    assert!(matches!(not_sent, RequestError::NotSent { peer, .. } if peer == six), "{not_sent:?}");
    assert_idle(&node);
}

#[tokio::test]
async fn more_requests_than_the_limit_are_refused() {
    let node = cluster_of(1, |builder| builder.max_requests(1)).await.remove(0);
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let silent = silent.local_addr().expect("it is bound");
    let (first, asker) = (node.clone(), node.clone());
    let first = tokio::spawn(async move { first.request(silent, b"1").await });
    until("the first waits", || node.usage().requests == 1).await;
    let refused = asker.request(silent, b"2").await;
    assert_eq!(refused, Err(RequestError::TooManyRequests { limit: 1 }));
    first.abort();
    until("the first is cancelled", || node.usage().protocol.requests == 0).await;
}

#[tokio::test]
async fn a_request_to_all_gathers_every_reply() {
    let nodes = cluster(3).await;
    nodes[1..].iter().for_each(echo);
    let answered = eventually("the replies", nodes[0].request_all(b"all")).await;
    let answered = answered.expect("no quorum is needed");
    let mut from: Vec<_> = answered.replies.iter().map(|reply| reply.peer).collect();
    from.sort();
    assert_eq!(from, [addr(&nodes[1]), addr(&nodes[2])]);
    assert!(answered.replies.iter().all(|reply| reply.payload[..] == b"all"[..]));
    assert_eq!(answered.missing, []);
    assert_idle(&nodes[0]);
}

#[tokio::test]
async fn at_the_deadline_the_replies_so_far_are_returned_and_the_missing_named() {
    let nodes = cluster(3).await;
    echo(&nodes[1]);
    let mut unanswered = nodes[2].incoming().expect("nobody else reads");
    // The reply has as long as it takes: the deadline is what ends this.
    let mut stream = nodes[0].request_all(b"all").timeout(SHORT * 10).stream();
    let reply = eventually("the reply", stream.recv()).await.expect("one comes");
    assert_eq!(reply.expect("it was asked").peer, addr(&nodes[1]));
    assert!(eventually("the deadline", stream.recv()).await.is_none());
    assert_eq!(stream.missing(), [(addr(&nodes[2]), Missing::TimedOut)]);
    let request = eventually("the request", unanswered.recv()).await.expect("the node runs");
    assert!(matches!(request, Message::Request(_)));
    assert_idle(&nodes[0]);
}

#[tokio::test]
async fn a_departing_peer_is_taken_off_the_list() {
    let nodes = cluster(3).await;
    echo(&nodes[1]);
    let asker = nodes[0].clone();
    let ended = tokio::spawn(async move { asker.request_all(b"all").await });
    until("it has been asked", || nodes[2].usage().queued_messages == 1).await;
    eventually("the shutdown", nodes[2].shutdown()).await;
    let ended = eventually("the end", ended).await.expect("it does not panic");
    let ended = ended.expect("no quorum is needed");
    assert_eq!(ended.replies.len(), 1);
    let gone = Missing::Disconnected(LeaveReason::SaidGoodbye);
    assert_eq!(ended.missing, [(addr(&nodes[2]), gone)]);
    assert_idle(&nodes[0]);
}

#[tokio::test]
async fn a_request_to_nobody_is_answered_by_nobody() {
    let alone = cluster(1).await.remove(0);
    let answered = eventually("the end", alone.request_all(b"anybody?")).await;
    let answered = answered.expect("no quorum is needed");
    assert_eq!((answered.replies, answered.missing), (vec![], vec![]));
    assert_idle(&alone);
}

#[tokio::test]
async fn a_request_to_all_waits_for_the_quorum_within_its_timeout() {
    let alone = cluster_of(1, |builder| builder.cluster_size(3)).await.remove(0);
    let error = eventually("the deadline", alone.request_all(b"?").timeout(SHORT)).await;
    assert_eq!(error, Err(RequestAllError::NoQuorum { have: 1, need: 2 }));
    let max = alone.max_request_payload();
    let error = eventually("the refusal", alone.request_all(vec![0; max + 1])).await;
    assert_eq!(error, Err(RequestAllError::MessageTooLarge { len: max + 1, max }));
    assert_idle(&alone);
}
