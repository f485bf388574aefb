//! Requests: every one ends once, by an answer from who was asked, a departure, or the deadline; a
//! member is asked until then, and executes it once.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use alan_proto::wire::Message;
use alan_proto::{
    Config, Instant, LeaveReason, Refusal, Rejection, RequestError, RequestEvent, RequestId,
    ResponseCache, ResponseLimits, SendError,
};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use support::{Cluster, Datagram, Delivered, addr, plain, sealed};

const SECOND: Duration = Duration::from_secs(1);

fn asked(cluster: &Cluster, last: u8) -> Vec<RequestId> {
    let deliveries = cluster.nodes[&addr(last)].deliveries.iter();
    let ids = deliveries.filter_map(|delivered| match delivered {
        Delivered::Request { request, .. } => Some(*request),
        _ => None,
    });
    ids.collect()
}

fn responses(cluster: &Cluster, last: u8) -> Vec<(u8, bool)> {
    let deliveries = cluster.nodes[&addr(last)].deliveries.iter();
    let answers = deliveries.filter_map(|delivered| match delivered {
        Delivered::Response { payload, finished, .. } => Some((payload[0], *finished)),
        _ => None,
    });
    answers.collect()
}

fn answer(cluster: &mut Cluster, from: u8, to: u8, request: RequestId, payload: u8) {
    let message = Message::Response { id: request, body: &[payload] };
    let mut bytes = vec![0; message.encoded_len()];
    message.encode(&mut bytes);
    cluster.inject(addr(from), addr(to), &bytes);
    cluster.run_for(cluster.latency);
}

#[test]
fn an_answer_reaches_who_asked_once_and_leaves_nothing_behind() {
    let mut cluster = Cluster::new(1);
    cluster.start_mesh(2, &Config::default());
    let deadline = cluster.now + SECOND;
    let id = cluster.request(addr(1), addr(2), b"ping", Some(deadline));
    cluster.run_for(cluster.latency);
    assert_eq!(asked(&cluster, 2), [id]);
    cluster.reply(addr(2), addr(1), id, b"pong");
    cluster.run_for(5 * SECOND);
    assert_eq!(
        cluster.nodes[&addr(1)].deliveries,
        [Delivered::Response {
            request: id,
            from: addr(2),
            payload: b"pong".to_vec(),
            finished: true
        }]
    );
    assert!(cluster.request_events(addr(1)).is_empty(), "no deadline fires afterwards");
    assert_eq!(cluster.node(addr(1)).usage().requests, 0);
}

#[test]
fn an_answer_counts_only_from_who_was_asked_once_and_for_its_id() {
    let mut cluster = Cluster::new(2);
    cluster.start_mesh(3, &Config::default());
    let id = cluster.request(addr(1), addr(2), b"?", None);
    answer(&mut cluster, 3, 1, id, 3);
    answer(&mut cluster, 2, 1, RequestId([9; 16]), 2);
    assert!(responses(&cluster, 1).is_empty());
    answer(&mut cluster, 2, 1, id, 2);
    answer(&mut cluster, 2, 1, id, 2);
    assert_eq!(responses(&cluster, 1), [(2, true)]);
    assert_eq!(cluster.node(addr(1)).stats().rejected(Rejection::UnmatchedResponse), 3);
}

#[test]
fn a_request_without_an_answer_ends_at_its_deadline_and_a_late_answer_is_rejected() {
    let mut cluster = Cluster::new(3);
    cluster.start_mesh(2, &Config::default());
    let asked_at = cluster.now;
    let id = cluster.request(addr(1), addr(2), b"?", Some(asked_at + SECOND));
    cluster.run_until("it ends", |cluster| !cluster.request_events(addr(1)).is_empty());
    assert_eq!(cluster.now, asked_at + SECOND);
    assert_eq!(cluster.request_events(addr(1)), [RequestEvent::TimedOut { request: id }]);
    answer(&mut cluster, 2, 1, id, 2);
    assert!(responses(&cluster, 1).is_empty());
}

#[test]
fn a_cancelled_request_ends_silently() {
    let mut cluster = Cluster::new(4);
    cluster.start_mesh(2, &Config::default());
    let deadline = cluster.now + SECOND;
    let id = cluster.request(addr(1), addr(2), b"?", Some(deadline));
    assert!(cluster.with(addr(1), |node, _, _| node.cancel_request(id)));
    assert!(!cluster.with(addr(1), |node, _, _| node.cancel_request(id)));
    cluster.run_for(2 * SECOND);
    assert!(cluster.request_events(addr(1)).is_empty());
    assert_eq!(cluster.node(addr(1)).usage().requests, 0);
}

#[test]
fn a_member_that_leaves_dies_or_restarts_ends_the_requests_to_it_at_once() {
    for why in [LeaveReason::SaidGoodbye, LeaveReason::Silent, LeaveReason::Restarted] {
        let mut cluster = Cluster::new(5);
        cluster.start_mesh(2, &Config::default());
        let id = cluster.request(addr(1), addr(2), b"?", None);
        match why {
            LeaveReason::SaidGoodbye => cluster.with(addr(2), |node, now, _| node.leave(now)),
            LeaveReason::Restarted => {
                cluster.crash(addr(2));
                cluster.start(addr(2));
                cluster.discover(addr(2), &[addr(1)]);
            }
            _ => drop(cluster.crash(addr(2))),
        }
        cluster.run_until("it ends", |cluster| !cluster.request_events(addr(1)).is_empty());
        assert_eq!(
            cluster.request_events(addr(1)),
            [RequestEvent::PeerLeft { request: id, peer: addr(2), why, finished: true }]
        );
        assert_eq!(cluster.node(addr(1)).usage().requests, 0);
    }
}

#[test]
fn a_request_to_a_stranger_is_delivered_and_ends_by_answer_or_deadline() {
    let mut cluster = Cluster::new(6);
    cluster.start(addr(1));
    cluster.start(addr(2));
    let id = cluster.request(addr(1), addr(2), b"?", None);
    cluster.run_for(cluster.latency);
    assert_eq!(asked(&cluster, 2), [id]);
    cluster.reply(addr(2), addr(1), id, b"!");
    cluster.run_for(cluster.latency);
    assert_eq!(responses(&cluster, 1), [(b'!', true)]);
    assert_eq!(cluster.node(addr(1)).peer_count() + cluster.node(addr(2)).peer_count(), 0);
}

#[test]
fn a_request_to_all_has_one_id_and_says_when_the_last_one_answered_or_left() {
    let mut cluster = Cluster::new(7);
    cluster.start_mesh(4, &Config::default());
    let id = cluster.request_all(addr(1), b"?", None).expect("there are members");
    cluster.run_for(cluster.latency);
    for last in 2..=4 {
        assert_eq!(asked(&cluster, last), [id]);
    }
    answer(&mut cluster, 2, 1, id, 2);
    answer(&mut cluster, 2, 1, id, 22);
    answer(&mut cluster, 9, 1, id, 9);
    assert_eq!(responses(&cluster, 1), [(2, false)], "once each, members only");
    cluster.with(addr(3), |node, now, _| node.leave(now));
    cluster.run_for(cluster.latency);
    let why = LeaveReason::SaidGoodbye;
    assert_eq!(
        cluster.request_events(addr(1)),
        [RequestEvent::PeerLeft { request: id, peer: addr(3), why, finished: false }]
    );
    answer(&mut cluster, 4, 1, id, 4);
    assert_eq!(responses(&cluster, 1), [(2, false), (4, true)]);
    assert_eq!(cluster.node(addr(1)).usage().requests, 0);
}

#[test]
fn a_request_to_all_of_nobody_waits_for_nothing() {
    let mut cluster = Cluster::new(8);
    cluster.start(addr(1));
    assert_eq!(cluster.request_all(addr(1), b"?", None), None);
    assert!(cluster.sent.is_empty());
}

#[test]
fn who_joins_after_a_request_to_all_is_not_waited_for() {
    let mut cluster = Cluster::new(9);
    cluster.start_mesh(2, &Config::default());
    let id = cluster.request_all(addr(1), b"?", None).expect("there is a member");
    // The member that was asked leaves its slot to a newcomer, whose answer must not count.
    cluster.with(addr(2), |node, now, _| node.leave(now));
    cluster.run_for(cluster.latency);
    cluster.start(addr(3));
    cluster.discover(addr(3), &[addr(1)]);
    cluster.run_for(SECOND);
    answer(&mut cluster, 3, 1, id, 3);
    assert!(responses(&cluster, 1).is_empty());
}

#[test]
fn broadcasts_and_requests_to_all_wait_for_the_quorum_and_nothing_else_does() {
    let mut config = Config::default();
    config.cluster_size = 3;
    let mut cluster = Cluster::new(10);
    cluster.start_with(addr(1), config, plain());
    let no_quorum = SendError::NoQuorum { have: 1, need: 2 };
    cluster.with(addr(1), |node, now, buffer| {
        assert_eq!(node.broadcast(now, b"!", buffer), Err(no_quorum));
        let refused = node.request_all(now, 1, None);
        assert_eq!(refused, Err(RequestError::Send(no_quorum)));
        assert!(node.send_to(now, addr(2), b"!", buffer).is_ok());
        assert!(node.request(now, addr(2), b"?", None, buffer).is_ok());
        assert!(node.reply(now, addr(2), RequestId([1; 16]), b"!", buffer).is_ok());
    });
}

#[test]
fn a_payload_that_does_not_fit_is_refused_with_both_lengths() {
    for (envelope, overhead) in [(plain(), 0), (sealed(1), 40)] {
        let mut cluster = Cluster::new(11);
        cluster.start_with(addr(1), Config::default(), envelope);
        let longest = 4_096 - overhead - 1;
        let payload = vec![1; longest + 1];
        cluster.with(addr(1), |node, now, buffer| {
            assert_eq!(node.max_payload(), longest);
            let too_large = SendError::MessageTooLarge { len: longest + 1, max: longest };
            assert_eq!(node.send_to(now, addr(2), &payload, buffer), Err(too_large));
            let sent = node.send_to(now, addr(2), &payload[1..], buffer).expect("it fits");
            assert_eq!(sent.len, 4_096);
            // A stranger's request has a shorter header than a member's.
            assert_eq!(node.max_request_payload(), longest - 28);
            let longest = longest - 16;
            let too_large = SendError::MessageTooLarge { len: longest + 1, max: longest };
            let refused = node.request(now, addr(2), &payload[..=longest], None, buffer);
            assert_eq!(refused, Err(RequestError::Send(too_large)));
        });
    }
}

#[test]
fn requests_beyond_the_limit_are_refused_and_counted() {
    let mut config = Config::default();
    config.max_requests = 2;
    let mut cluster = Cluster::new(12);
    cluster.start_with(addr(1), config, plain());
    cluster.with(addr(1), |node, now, buffer| {
        let mut ask = || node.request(now, addr(2), b"?", None, buffer).map(|(id, _)| id);
        let (first, _second) = (ask().expect("room"), ask().expect("room"));
        assert_eq!(ask(), Err(RequestError::TooManyRequests { limit: 2 }));
        node.cancel_request(first);
        assert!(node.request(now, addr(2), b"?", None, buffer).is_ok());
        assert_eq!(node.stats().refused(Refusal::RequestsFull), 1);
    });
}

#[test]
fn leaving_ends_every_request_and_refuses_new_ones() {
    let mut cluster = Cluster::new(13);
    cluster.start_mesh(2, &Config::default());
    let deadline = cluster.now + SECOND;
    let one = cluster.request(addr(1), addr(2), b"?", Some(deadline));
    let all = cluster.request_all(addr(1), b"?", None).expect("there is a member");
    cluster.with(addr(1), |node, now, _| node.leave(now));
    assert_eq!(
        cluster.request_events(addr(1)),
        [RequestEvent::Closed { request: one }, RequestEvent::Closed { request: all }]
    );
    cluster.with(addr(1), |node, now, buffer| {
        assert_eq!(node.send_to(now, addr(2), b"!", buffer), Err(SendError::Closed));
        assert_eq!(node.broadcast(now, b"!", buffer), Err(SendError::Closed));
    });
    cluster.run_for(5 * SECOND);
    assert_eq!(cluster.request_events(addr(1)).len(), 2);
}

/// The moments at which `from` has sent a request to `to`, for the first time or again.
fn transmissions(cluster: &Cluster, from: u8, to: u8) -> Vec<Instant> {
    let sent = cluster.sent.iter().filter(|datagram| {
        let is_request = matches!(
            Message::decode(&datagram.bytes),
            Ok(Message::Request { .. } | Message::SessionRequest { .. })
        );
        is_request && (datagram.from, datagram.to) == (addr(from), addr(to))
    });
    sent.map(|datagram| datagram.at).collect()
}

fn is_response(datagram: &Datagram) -> bool {
    matches!(Message::decode(&datagram.bytes), Ok(Message::SessionResponse { .. }))
}

#[test]
fn a_request_to_a_member_is_sent_until_it_is_answered_with_pauses_that_double() {
    let mut cluster = Cluster::new(14);
    cluster.start_mesh(2, &Config::default());
    let deadline = cluster.now + 60 * SECOND;
    cluster.passes = Box::new(|datagram| {
        !matches!(Message::decode(&datagram.bytes), Ok(Message::SessionRequest { .. }))
    });
    let id = cluster.request(addr(1), addr(2), b"?", Some(deadline));
    cluster.run_for(10 * SECOND);
    let moments = transmissions(&cluster, 1, 2);
    let pauses: Vec<_> =
        moments.windows(2).map(|two| two[1].saturating_since(two[0]).as_millis()).collect();
    assert_eq!(pauses, [50, 100, 200, 400, 800, 1_600, 3_200], "the round trip takes 2 ms");
    assert_eq!(cluster.node(addr(1)).stats().retransmitted, 7);

    cluster.passes = Box::new(|_| true);
    cluster.run_until("it arrives", |cluster| asked(cluster, 2) == [id]);
    cluster.reply(addr(2), addr(1), id, b"!");
    cluster.run_for(cluster.latency);
    assert_eq!(responses(&cluster, 1), [(b'!', true)]);
    let sent = transmissions(&cluster, 1, 2).len();
    cluster.run_for(60 * SECOND);
    assert_eq!(transmissions(&cluster, 1, 2).len(), sent, "nobody waits for it any longer");
}

#[test]
fn what_is_over_or_asked_of_a_classic_peer_is_not_sent_again() {
    let mut cluster = Cluster::new(15);
    let mut classic = Config::default();
    classic.speak_classic = true;
    cluster.start(addr(1));
    cluster.start(addr(2));
    cluster.start_with(addr(3), classic, plain());
    cluster.discover(addr(1), &[addr(2), addr(3)]);
    cluster.run_until("they meet", |cluster| cluster.members(addr(1)).len() == 2);
    cluster.passes = Box::new(|datagram| datagram.from != addr(1));
    let deadline = Some(cluster.now + 5 * SECOND);
    cluster.request(addr(1), addr(3), b"?", deadline);
    let cancelled = cluster.request(addr(1), addr(2), b"?", deadline);
    cluster.with(addr(1), |node, _, _| node.cancel_request(cancelled));
    let late = cluster.request(addr(1), addr(2), b"?", Some(cluster.now + SECOND / 5));
    cluster.run_for(5 * SECOND);
    assert_eq!(transmissions(&cluster, 1, 3).len(), 1);
    let of_both = transmissions(&cluster, 1, 2).len();
    assert_eq!(of_both, 1 + 3, "at once, after 50 ms and after 150 ms");
    assert!(cluster.request_events(addr(1)).contains(&RequestEvent::TimedOut { request: late }));
}

#[test]
fn a_request_that_comes_again_is_answered_again_and_executed_once() {
    let mut cluster = Cluster::new(16);
    cluster.start_mesh(2, &Config::default());
    let id = cluster.request(addr(1), addr(2), b"?", Some(cluster.now + 60 * SECOND));
    // The handler takes its time: what comes again meanwhile is neither delivered nor answered.
    cluster.run_for(SECOND);
    assert!(transmissions(&cluster, 1, 2).len() > 3);
    assert_eq!(asked(&cluster, 2), [id]);
    assert!(!cluster.sent.iter().any(is_response));
    // Its answer is lost, twice.
    let mut lost = 0;
    cluster.passes = Box::new(move |datagram| {
        lost += u32::from(is_response(datagram));
        !is_response(datagram) || lost > 2
    });
    cluster.reply(addr(2), addr(1), id, b"!");
    cluster.run_until("an answer arrives", |cluster| !responses(cluster, 1).is_empty());
    assert_eq!(responses(&cluster, 1), [(b'!', true)]);
    assert_eq!(cluster.sent.iter().filter(|datagram| is_response(datagram)).count(), 3);
    assert_eq!(asked(&cluster, 2), [id]);
}

#[test]
fn a_request_whose_answer_is_not_kept_ends_with_an_error() {
    let mut cluster = Cluster::new(17);
    cluster.start_mesh(2, &Config::default());
    let mut limits = ResponseLimits::default();
    limits.answers = 0;
    cluster.nodes.get_mut(&addr(2)).expect("it runs").answers = ResponseCache::new(limits);
    let id = cluster.request(addr(1), addr(2), b"?", Some(cluster.now + 60 * SECOND));
    cluster.run_for(cluster.latency);
    cluster.passes = Box::new(|datagram| !is_response(datagram));
    cluster.reply(addr(2), addr(1), id, b"!");
    cluster.run_until("it ends", |cluster| !cluster.request_events(addr(1)).is_empty());
    let gone = RequestEvent::ResponseGone { request: id, peer: addr(2), finished: true };
    assert_eq!(cluster.request_events(addr(1)), [gone]);
    assert_eq!(asked(&cluster, 2), [id]);
    assert_eq!(cluster.node(addr(1)).usage().requests, 0);
}

#[test]
fn a_request_to_all_reaches_all_although_datagrams_are_lost() {
    let mut cluster = Cluster::new(18);
    cluster.start_mesh(5, &Config::default());
    let mut generator = ChaCha8Rng::seed_from_u64(18);
    cluster.passes = Box::new(move |_| generator.next_u32() % 10 >= 3);
    let id = cluster.request_all(addr(1), b"?", None).expect("there are members");
    cluster.run_until("it has come to all", |cluster| {
        (2..=5).all(|last| asked(cluster, last) == [id])
    });
    for last in 2..=5 {
        cluster.reply(addr(last), addr(1), id, &[last]);
    }
    cluster.run_until("all have answered", |cluster| responses(cluster, 1).len() == 4);
    let answers = responses(&cluster, 1);
    assert_eq!(answers.iter().map(|(from, _)| *from).collect::<BTreeSet<_>>(), (2..=5).collect());
    assert_eq!(answers.iter().filter(|(_, finished)| *finished).count(), 1);
    assert!(answers[3].1, "with the last one it is over");
}

/// The responder hears nothing of the requester for long enough to forget it, and has it as a
/// member again then, the same life: what it was asked before is never executed again.
#[test]
fn a_life_that_is_forgotten_and_comes_back_has_nothing_executed_twice() {
    let mut cluster = Cluster::new(19);
    cluster.start_mesh(2, &Config::default());
    let life = cluster.node(addr(1)).incarnation();
    let first = cluster.request(addr(1), addr(2), b"1", None);
    cluster.run_for(cluster.latency);
    let recorded = cluster.sent.iter().rev().find(|datagram| datagram.from == addr(1));
    let recorded = recorded.expect("it was asked").bytes.clone();
    cluster.passes = Box::new(|datagram| datagram.to != addr(2));
    let lost = cluster.request(addr(1), addr(2), b"2", None);
    cluster.run_until("it is forgotten", |cluster| cluster.members(addr(2)).is_empty());
    assert_eq!(cluster.members(addr(1)), [addr(2)], "the other direction works");

    cluster.passes = Box::new(|_| true);
    cluster.run_until("it is back", |cluster| cluster.members(addr(2)) == [addr(1)]);
    assert_eq!(cluster.node(addr(2)).member(addr(1)).and_then(|it| it.incarnation), Some(life));
    cluster.inject(addr(1), addr(2), &recorded);
    cluster.run_until("both end", |cluster| cluster.request_events(addr(1)).len() == 2);
    let ended = cluster.request_events(addr(1));
    for request in [first, lost] {
        let gone = RequestEvent::ResponseGone { request, peer: addr(2), finished: true };
        assert!(ended.contains(&gone), "{ended:?}");
    }
    assert!(cluster.node(addr(2)).stats().rejected(Rejection::DeadRequest) >= 2);
    let third = cluster.request(addr(1), addr(2), b"3", None);
    cluster.run_for(cluster.latency);
    assert_eq!(asked(&cluster, 2), [first, third], "each once");
}

#[test]
fn what_is_only_sent_again_is_no_judgement() {
    let mut cluster = Cluster::new(31);
    cluster.start_mesh(2, &Config::default());
    cluster.run_for(SECOND);
    cluster.passes = Box::new(|_| false);
    let judged_before = cluster.node(addr(1)).poll_judgement();
    let deadline = cluster.now + 2 * SECOND;
    cluster.request(addr(1), addr(2), b"lost", Some(deadline));
    let next = cluster.node(addr(1)).poll_timeout().expect("it is sent again").at;
    assert!(next < cluster.now + SECOND);
    assert!(judged_before.is_some_and(|at| at > deadline), "a member may fall silent later");
    assert_eq!(cluster.node(addr(1)).poll_judgement(), Some(deadline));
}
