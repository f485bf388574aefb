//! What the requester sends, what it makes of the answers, and how it comes out of every trap that
//! the recorded conversations show.

use alan_proto::lock::Repairs;
use alan_proto::{LockEvent, LockFailure, LockLoss, LockNotHeld, Rejection, RequestId};

use crate::bench::{Bench, Deny, Grant, Release, Request, id, peer, sent};

#[test]
fn with_nobody_to_ask_the_lock_is_taken_without_a_datagram() {
    for repairs in [Repairs::NONE, Repairs::ALL] {
        let mut bench = Bench::new(repairs);
        let lock = bench.lock();
        assert_eq!(bench.outputs(), (vec![], vec![LockEvent::Granted { lock }]));
        assert!(bench.locks.held(lock));
        assert_eq!(bench.unlock(), Ok(lock));
        assert_eq!(bench.unlock(), Err(LockNotHeld));
        assert_eq!(bench.outputs(), (vec![], vec![]));
        assert_eq!(bench.locks.usage(), (0, 0));
    }
}

#[test]
fn every_member_is_asked_in_order_and_told_of_the_release() {
    for repairs in [Repairs::NONE, Repairs::ALL] {
        let mut bench = Bench::new(repairs);
        for number in [1, 2, 3] {
            bench.join(number);
        }
        let lock = bench.lock();
        let request = bench.expect_requests(&[1, 2, 3]);
        for number in [3, 1] {
            assert_eq!(bench.receive(peer(number), Grant, request), Ok(()));
            assert!(!bench.locks.held(lock));
        }
        assert_eq!(bench.receive(peer(2), Grant, request), Ok(()));
        assert_eq!(bench.outputs(), (vec![], vec![LockEvent::Granted { lock }]));
        assert_eq!(bench.release(lock), Ok(()));
        let releases = [1, 2, 3].map(|number| sent(peer(number), Release, RequestId::ZERO));
        assert_eq!(bench.messages(), releases);
        assert_eq!(bench.release(lock), Err(LockNotHeld));
        assert_eq!(bench.locks.usage(), (0, 0));
        assert_eq!(bench.locks.next_timeout(), None);
    }
}

#[test]
fn a_denied_requester_sleeps_until_the_denier_releases_and_asks_under_a_new_id() {
    let mut bench = Bench::new(Repairs::NONE);
    bench.join(1);
    bench.join(2);
    let lock = bench.lock();
    let first = bench.expect_requests(&[1, 2]);
    bench.receive(peer(1), Deny, first).expect("it answers");
    bench.pass(60_000);
    assert_eq!(bench.receive(peer(2), Release, RequestId::ZERO), Err(Rejection::UnmatchedRelease));
    assert_eq!(bench.outputs(), (vec![], vec![]));
    bench.receive(peer(1), Release, id(9)).expect("the id is not looked at");
    let second = bench.expect_requests(&[1, 2]);
    assert_ne!(first, second);
    for number in [1, 2] {
        bench.receive(peer(number), Grant, second).expect("it answers");
    }
    assert_eq!(bench.events(), [LockEvent::Granted { lock }]);
}

#[test]
fn a_denied_requester_gives_back_what_it_was_granted_and_asks_again_at_the_release() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    bench.join(2);
    let lock = bench.lock();
    let first = bench.expect_requests(&[1, 2]);
    bench.receive(peer(2), Grant, first).expect("it answers");
    bench.receive(peer(1), Deny, first).expect("it answers");
    let given_back = [1, 2].map(|number| sent(peer(number), Release, RequestId::ZERO));
    assert_eq!(bench.messages(), given_back);
    bench.receive(peer(1), Release, RequestId::ZERO).expect("the denier is waited for");
    let second = bench.expect_requests(&[1, 2]);
    for number in [1, 2] {
        bench.receive(peer(number), Grant, second).expect("it answers");
    }
    assert_eq!(bench.events(), [LockEvent::Granted { lock }]);
}

#[test]
fn the_departure_of_the_denier_wakes_the_requester() {
    for repairs in [Repairs::NONE, Repairs::ALL] {
        let mut bench = Bench::new(repairs);
        bench.join(1);
        bench.join(2);
        let lock = bench.lock();
        let first = bench.expect_requests(&[1, 2]);
        bench.receive(peer(2), Grant, first).expect("it answers");
        bench.receive(peer(1), Deny, first).expect("it answers");
        bench.outputs();
        bench.leave(1);
        let second = bench.expect_requests(&[2]);
        bench.receive(peer(2), Deny, second).expect("it answers");
        bench.outputs();
        bench.leave(2);
        bench.pass(20);
        assert_eq!(bench.outputs(), (vec![], vec![LockEvent::Granted { lock }]));
    }
}

#[test]
fn the_holders_release_wakes_also_when_another_peer_denied_first() {
    // Conversation three-nodes-third-party-denies-first.
    for (repairs, wakes) in [(Repairs::NONE, false), (Repairs::ALL, true)] {
        for late_denial in [false, true] {
            let mut bench = Bench::new(repairs);
            bench.join(1);
            bench.join(2);
            let lock = bench.lock_for(200);
            let request = bench.expect_requests(&[1, 2]);
            bench.receive(peer(2), Deny, request).expect("it answers");
            if late_denial {
                assert_eq!(bench.receive(peer(1), Deny, request), Ok(()));
            }
            bench.outputs();
            let outcome = bench.receive(peer(1), Release, RequestId::ZERO);
            assert_eq!(outcome.is_ok(), wakes);
            let asked = bench.messages().iter().filter(|sent| sent.kind == Request).count();
            assert_eq!(asked, if wakes { 2 } else { 0 });
            bench.pass(200);
            let why = LockFailure::TimedOut;
            assert_eq!(bench.events(), [LockEvent::Failed { lock, why }]);
        }
    }
}

#[test]
fn a_peer_that_granted_does_not_wake_the_requester() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    bench.join(2);
    bench.lock();
    let request = bench.expect_requests(&[1, 2]);
    bench.receive(peer(1), Grant, request).expect("it answers");
    bench.receive(peer(2), Deny, request).expect("it answers");
    bench.outputs();
    assert_eq!(bench.receive(peer(1), Release, RequestId::ZERO), Err(Rejection::UnmatchedRelease));
    assert_eq!(bench.messages(), []);
}

#[test]
fn a_denier_is_noted_as_holder_only_by_the_unrepaired_algorithm() {
    // Conversation trylock-denied.
    let mut bench = Bench::new(Repairs::NONE);
    bench.join(1);
    let lock = bench.try_lock();
    let request = bench.expect_requests(&[1]);
    bench.receive(peer(1), Deny, request).expect("it answers");
    let why = LockFailure::Held { by: Some(peer(1)) };
    assert_eq!(bench.outputs(), (vec![], vec![LockEvent::Failed { lock, why }]));
    let lock = bench.try_lock();
    assert_eq!(bench.outputs(), (vec![], vec![LockEvent::Failed { lock, why }]));
    bench.receive(peer(1), Request, id(3)).expect("it is answered");
    assert_eq!(bench.messages(), [sent(peer(1), Deny, id(3))]);

    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    let lock = bench.try_lock();
    let request = bench.expect_requests(&[1]);
    bench.receive(peer(1), Deny, request).expect("it answers");
    let given_back = vec![sent(peer(1), Release, RequestId::ZERO)];
    assert_eq!(bench.outputs(), (given_back, vec![LockEvent::Failed { lock, why }]));
    assert_eq!(bench.locks.usage(), (0, 0));
    bench.try_lock();
    let again = bench.expect_requests(&[1]);
    bench.receive(peer(1), Deny, again).expect("it answers");
    bench.outputs();
    bench.receive(peer(1), Request, id(3)).expect("it is answered");
    assert_eq!(bench.messages(), [sent(peer(1), Grant, id(3))]);
}

#[test]
fn a_grant_counts_once_and_only_from_whom_was_asked() {
    // Conversation duplicate-and-foreign-grants.
    let mut bench = Bench::new(Repairs::NONE);
    bench.join(1);
    bench.join(2);
    let lock = bench.lock();
    let request = bench.expect_requests(&[1, 2]);
    bench.receive(peer(1), Grant, request).expect("it counts");
    bench.receive_key(peer(9), Grant, request, b"another").expect("it counts, too");
    assert_eq!(bench.events(), [LockEvent::Granted { lock }]);

    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    bench.join(2);
    let lock = bench.lock();
    let request = bench.expect_requests(&[1, 2]);
    let unmatched = Err(Rejection::UnmatchedGrant);
    assert_eq!(bench.receive(peer(1), Grant, request), Ok(()));
    assert_eq!(bench.receive(peer(1), Grant, request), unmatched);
    assert_eq!(bench.receive(peer(9), Grant, request), unmatched);
    assert_eq!(bench.receive(peer(2), Grant, id(1)), unmatched);
    assert!(!bench.locks.held(lock));
    assert_eq!(bench.receive(peer(2), Grant, request), Ok(()));
    assert_eq!(bench.events(), [LockEvent::Granted { lock }]);
    assert_eq!(bench.receive(peer(2), Grant, request), unmatched);
    assert_eq!(bench.messages(), [], "a duplicate of a counted grant releases nothing");
}

#[test]
fn a_stray_denial_takes_a_held_lock_away_only_from_the_unrepaired_algorithm() {
    // Conversation stray-deny.
    let mut bench = Bench::new(Repairs::NONE);
    bench.join(1);
    let lock = bench.take(&[1]);
    bench.receive(peer(1), Deny, id(6)).expect("it is believed");
    let why = LockLoss::Denied { by: peer(1) };
    assert_eq!(bench.outputs(), (vec![], vec![LockEvent::Lost { lock, why }]));
    assert_eq!(bench.unlock(), Err(LockNotHeld));
    bench.receive_key(peer(2), Deny, id(6), b"fresh").expect("it is believed");
    bench.try_lock_key("fresh").expect("there is room");
    assert_eq!(bench.outputs().0, []);

    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    let lock = bench.take(&[1]);
    assert_eq!(bench.receive(peer(1), Deny, id(6)), Err(Rejection::UnmatchedDenial));
    assert_eq!(bench.receive(peer(2), Deny, id(6)), Err(Rejection::UnmatchedDenial));
    assert!(bench.locks.held(lock));
    assert_eq!(bench.outputs(), (vec![], vec![]));
}

#[test]
fn giving_up_releases_what_was_granted_and_what_is_granted_late() {
    // Conversation three-nodes-one-mute.
    let mut bench = Bench::new(Repairs::NONE);
    bench.join(1);
    bench.join(2);
    let lock = bench.lock_for(400);
    let request = bench.expect_requests(&[1, 2]);
    bench.receive(peer(1), Grant, request).expect("it answers");
    bench.pass(400);
    let failed = vec![LockEvent::Failed { lock, why: LockFailure::TimedOut }];
    assert_eq!(bench.outputs(), (vec![], failed));
    assert_eq!(bench.receive(peer(2), Grant, request), Err(Rejection::UnmatchedGrant));
    assert_eq!(bench.messages(), []);

    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    bench.join(2);
    let lock = bench.lock_for(300);
    let request = bench.expect_requests(&[1, 2]);
    bench.receive(peer(1), Grant, request).expect("it answers");
    bench.pass(300);
    let (messages, events) = bench.outputs();
    assert_eq!(messages, [1, 2].map(|number| sent(peer(number), Release, RequestId::ZERO)));
    assert_eq!(events, [LockEvent::Failed { lock, why: LockFailure::TimedOut }]);
    assert_eq!(bench.receive(peer(2), Grant, request), Ok(()));
    assert_eq!(bench.messages(), [sent(peer(2), Release, RequestId::ZERO)]);
    assert_eq!(bench.receive(peer(3), Grant, request), Err(Rejection::UnmatchedGrant));
    assert_eq!(bench.messages(), [], "a stranger is not answered");
    assert_eq!(bench.locks.usage(), (0, 0));
}

#[test]
fn a_classic_peer_that_does_not_answer_is_released_and_asked_under_a_new_id() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    bench.join(2);
    let lock = bench.lock();
    let first = bench.expect_requests(&[1, 2]);
    bench.receive(peer(1), Grant, first).expect("it answers");
    bench.pass(626);
    let messages = bench.messages();
    let second = messages.last().expect("asked again").id;
    assert_eq!(messages, [sent(peer(2), Release, RequestId::ZERO), sent(peer(2), Request, second)]);
    // The release voids a grant that was on its way: another may have the key by now.
    assert_ne!(first, second);
    assert_eq!(bench.receive(peer(2), Grant, first), Err(Rejection::UnmatchedGrant));
    assert_eq!(bench.receive(peer(2), Grant, second), Ok(()));
    assert_eq!(bench.events(), [LockEvent::Granted { lock }]);
}

#[test]
fn a_rust_node_that_does_not_answer_is_sent_the_same_request_again() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join_extended(1);
    bench.lock();
    let request = bench.expect_requests(&[1]);
    bench.pass(626);
    assert_eq!(bench.expect_requests(&[1]), request);
    bench.pass(10_000);
    assert!(bench.messages().len() >= 3);
}

#[test]
fn without_the_repair_a_request_is_sent_once() {
    let mut bench = Bench::new(Repairs::NONE);
    bench.join(1);
    bench.lock();
    bench.expect_requests(&[1]);
    bench.pass(3_600_000);
    assert_eq!(bench.messages(), []);
}

#[test]
fn a_denied_requester_asks_again_by_itself_and_clears_notes_of_itself_first() {
    // Conversation partial-grant-then-deny: the first peer keeps its note if the release is lost.
    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    bench.join(2);
    bench.join_extended(3);
    bench.lock();
    let first = bench.expect_requests(&[1, 2, 3]);
    bench.receive(peer(1), Grant, first).expect("it answers");
    bench.receive(peer(3), Deny, first).expect("it answers");
    bench.outputs();
    bench.pass(313);
    let messages = bench.messages();
    let second = messages.last().expect("asked again").id;
    assert_eq!(
        messages,
        [
            sent(peer(2), Release, RequestId::ZERO),
            sent(peer(1), Request, second),
            sent(peer(2), Request, second),
            sent(peer(3), Request, second),
        ]
    );
    bench.receive(peer(1), Deny, second).expect("it still has us noted");
    bench.outputs();
    bench.pass(626);
    let messages = bench.messages();
    assert_eq!(messages[0], sent(peer(1), Release, RequestId::ZERO));
    assert_eq!(messages.iter().filter(|sent| sent.kind == Request).count(), 3);
}

#[test]
fn a_requester_that_was_turned_away_more_often_has_the_smaller_id() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    bench.lock();
    let mut last = bench.expect_requests(&[1]);
    for _ in 0..5 {
        bench.receive(peer(1), Deny, last).expect("it answers");
        bench.messages();
        bench.pass_to_next_timeout();
        let requests = bench.messages();
        let next = requests.iter().find(|sent| sent.kind == Request).expect("asks again").id;
        assert!(next < last);
        last = next;
    }
}

#[test]
fn a_member_that_leaves_is_not_waited_for_and_one_that_joins_is_asked() {
    // Conversation peer-leaves-while-request-pending.
    let mut bench = Bench::new(Repairs::NONE);
    bench.join(1);
    bench.join(2);
    let lock = bench.lock();
    let request = bench.expect_requests(&[1, 2]);
    bench.receive(peer(1), Grant, request).expect("it answers");
    bench.join(3);
    bench.leave(2);
    assert_eq!(bench.outputs(), (vec![], vec![]));
    assert!(!bench.locks.held(lock));

    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    bench.join(2);
    let lock = bench.lock();
    let request = bench.expect_requests(&[1, 2]);
    bench.receive(peer(1), Grant, request).expect("it answers");
    bench.join(3);
    assert_eq!(bench.messages(), [sent(peer(3), Request, request)]);
    bench.receive(peer(3), Grant, request).expect("it answers");
    assert!(!bench.locks.held(lock));
    bench.leave(1);
    assert!(!bench.locks.held(lock));
    bench.leave(2);
    assert_eq!(bench.events(), [LockEvent::Granted { lock }]);
}

#[test]
fn an_unanswered_try_fails_after_the_configured_timeout() {
    let mut bench = Bench::with(|config| config.timeout = core::time::Duration::from_secs(1));
    bench.join(1);
    let lock = bench.try_lock();
    bench.pass(999);
    assert_eq!(bench.events(), []);
    bench.pass(1);
    assert_eq!(bench.events(), [LockEvent::Failed { lock, why: LockFailure::TimedOut }]);
    assert_eq!(bench.locks.usage(), (0, 0));
}

#[test]
fn a_key_that_was_granted_to_a_peer_is_not_asked_for_until_it_is_released() {
    // Conversation three-go-nodes-contention.
    for repairs in [Repairs::NONE, Repairs::ALL] {
        let mut bench = Bench::new(repairs);
        bench.join(1);
        bench.join(2);
        bench.receive(peer(1), Request, id(1)).expect("it is answered");
        assert_eq!(bench.messages(), [sent(peer(1), Grant, id(1))]);
        bench.lock();
        bench.pass(60_000);
        assert_eq!(bench.messages(), []);
        let tried = bench.try_lock();
        let by = if repairs.local_exclusion { None } else { Some(peer(1)) };
        let why = LockFailure::Held { by };
        assert_eq!(bench.outputs(), (vec![], vec![LockEvent::Failed { lock: tried, why }]));
        bench.receive(peer(1), Release, RequestId::ZERO).expect("it is the holder");
        bench.expect_requests(&[1, 2]);
    }
}

#[test]
fn a_withdrawn_request_leaves_nothing_behind() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    let lock = bench.lock();
    let request = bench.expect_requests(&[1]);
    assert_eq!(bench.release(lock), Ok(()));
    assert_eq!(bench.messages(), [sent(peer(1), Release, RequestId::ZERO)]);
    assert_eq!(bench.locks.usage(), (0, 0));
    assert_eq!(bench.locks.next_timeout(), None);
    assert_eq!(bench.receive(peer(1), Grant, request), Ok(()));
    assert_eq!(bench.messages(), [sent(peer(1), Release, RequestId::ZERO)]);
}

#[test]
fn the_late_grant_of_a_rust_node_is_released_by_name_and_it_is_asked_again() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join_extended(1);
    let first = bench.lock();
    let old = bench.expect_requests(&[1]);
    bench.release(first).expect("it waits");
    assert_eq!(bench.messages(), [sent(peer(1), Release, old)]);
    let second = bench.lock();
    let new = bench.expect_requests(&[1]);
    // The release was lost, so the peer answers the new request with what it has noted.
    assert_eq!(bench.receive(peer(1), Grant, old), Ok(()));
    assert_eq!(bench.messages(), [sent(peer(1), Release, old), sent(peer(1), Request, new)]);
    assert_eq!(bench.receive(peer(1), Grant, new), Ok(()));
    assert_eq!(bench.events(), [LockEvent::Granted { lock: second }]);
    assert_eq!(bench.receive(peer(1), Grant, new), Ok(()), "it asks, and it is in use");
    assert_eq!(bench.messages(), []);
    assert_eq!(bench.receive(peer(1), Grant, old), Ok(()));
    assert_eq!(bench.messages(), [sent(peer(1), Release, old)]);
    assert!(bench.locks.held(second));
}
