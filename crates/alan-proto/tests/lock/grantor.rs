//! What the grantor answers, what it remembers, and when it lets go.

use std::time::Duration;

use alan_proto::lock::Repairs;
use alan_proto::{LockEvent, LockFailure, Rejection, RequestId};

use crate::bench::{Bench, Deny, Grant, Release, Request, id, peer, sent};

const ZERO: RequestId = RequestId::ZERO;

#[test]
fn the_first_to_ask_is_granted_and_others_are_denied_until_it_releases() {
    for repairs in [Repairs::NONE, Repairs::ALL] {
        let mut bench = Bench::new(repairs);
        bench.join(1);
        bench.join(2);
        bench.receive(peer(1), Request, id(1)).expect("it is answered");
        bench.receive(peer(2), Request, id(2)).expect("it is answered");
        assert_eq!(bench.messages(), [sent(peer(1), Grant, id(1)), sent(peer(2), Deny, id(2))]);
        let unmatched = Err(Rejection::UnmatchedRelease);
        assert_eq!(bench.receive(peer(2), Release, ZERO), unmatched);
        assert_eq!(bench.receive(peer(1), Release, id(77)), Ok(()), "the id is not looked at");
        bench.outputs();
        assert_eq!(bench.locks.usage(), (0, 0));
        bench.receive(peer(2), Request, id(2)).expect("it is answered");
        assert_eq!(bench.messages(), [sent(peer(2), Grant, id(2))]);
    }
}

#[test]
fn the_noted_holder_that_asks_again_is_granted_again() {
    // Conversation repeated-lock-request.
    for (repairs, answer) in [(Repairs::NONE, Deny), (Repairs::ALL, Grant)] {
        let mut bench = Bench::new(repairs);
        bench.join(1);
        for number in [1, 1, 2] {
            bench.receive(peer(1), Request, id(number)).expect("it is answered");
        }
        let expected = [(1, Grant), (1, answer), (2, answer)]
            .map(|(number, kind)| sent(peer(1), kind, id(number)));
        assert_eq!(bench.messages(), expected);
    }
}

#[test]
fn a_rust_node_that_asks_under_another_id_is_reminded_of_the_noted_one() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join_extended(1);
    for number in [1, 1, 2] {
        bench.receive(peer(1), Request, id(number)).expect("it is answered");
    }
    assert_eq!(bench.messages(), [1, 1, 1].map(|number| sent(peer(1), Grant, id(number))));
    bench.receive(peer(1), Release, id(1)).expect("it has no use for it");
    bench.receive(peer(1), Request, id(2)).expect("it is answered");
    assert_eq!(bench.messages(), [sent(peer(1), Grant, id(2))]);
}

#[test]
fn a_release_of_a_rust_node_frees_only_what_it_names() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join_extended(1);
    bench.join(2);
    bench.receive(peer(1), Request, id(5)).expect("it is answered");
    for other in [ZERO, id(4)] {
        assert_eq!(bench.receive(peer(1), Release, other), Err(Rejection::UnmatchedRelease));
    }
    bench.receive(peer(2), Request, id(2)).expect("it is answered");
    assert_eq!(bench.messages(), [sent(peer(1), Grant, id(5)), sent(peer(2), Deny, id(2))]);
    assert_eq!(bench.receive(peer(1), Release, id(5)), Ok(()));

    let repairs = Repairs::ALL.without("match_releases").expect("a repair");
    let mut bench = Bench::new(repairs);
    bench.join_extended(1);
    bench.receive(peer(1), Request, id(5)).expect("it is answered");
    assert_eq!(
        bench.receive(peer(1), Release, id(4)),
        Ok(()),
        "an old release frees the new grant"
    );
}

#[test]
fn who_was_denied_is_told_when_the_holder_lets_go() {
    for departure in [false, true] {
        let mut bench = Bench::new(Repairs::ALL);
        for number in [1, 2] {
            bench.join(number);
        }
        bench.receive(peer(1), Request, id(1)).expect("it is answered");
        for number in [2, 3, 2] {
            bench.receive(peer(number), Request, id(number)).expect("it is answered");
        }
        bench.outputs();
        if departure {
            bench.leave(1);
        } else {
            bench.receive(peer(1), Release, ZERO).expect("it is the holder");
        }
        assert_eq!(bench.messages(), [2, 3].map(|number| sent(peer(number), Release, ZERO)));
        assert_eq!(bench.locks.usage(), (0, 0));
    }
}

#[test]
fn without_the_repair_only_members_hear_of_an_unlock_and_nobody_of_a_release() {
    let mut bench = Bench::new(Repairs::NONE);
    bench.join(1);
    bench.receive(peer(1), Request, id(1)).expect("it is answered");
    bench.receive(peer(3), Request, id(3)).expect("it is answered");
    bench.outputs();
    bench.receive(peer(1), Release, ZERO).expect("it is the holder");
    assert_eq!(bench.messages(), []);
    bench.take(&[1]);
    bench.receive(peer(3), Request, id(3)).expect("it is answered");
    bench.unlock().expect("it is held");
    assert_eq!(bench.messages(), [sent(peer(3), Deny, id(3)), sent(peer(1), Release, ZERO)]);
}

#[test]
fn an_unlock_tells_each_denied_peer_once_member_or_not() {
    // Conversation holder-denies.
    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    bench.join(2);
    bench.take(&[1, 2]);
    for number in [2, 3] {
        bench.receive(peer(number), Request, id(number)).expect("it is answered");
    }
    bench.outputs();
    bench.unlock().expect("it is held");
    assert_eq!(bench.messages(), [1, 2, 3].map(|number| sent(peer(number), Release, ZERO)));
    assert_eq!(bench.locks.usage(), (0, 0));
}

#[test]
fn the_list_of_denied_peers_is_bounded_and_says_when_it_is_full() {
    let mut bench = Bench::with(|config| config.max_lock_waiters = 2);
    bench.join(1);
    bench.take(&[1]);
    for number in [2, 3, 4, 3] {
        bench.receive(peer(number), Request, id(number)).expect("it is answered");
    }
    assert_eq!(bench.locks.denied_full(), 1);
    bench.outputs();
    bench.unlock().expect("it is held");
    assert_eq!(bench.messages(), [1, 2, 3].map(|number| sent(peer(number), Release, ZERO)));
}

#[test]
fn denied_peers_are_remembered_up_to_a_total_for_all_keys_together() {
    let mut bench = Bench::with(|config| config.max_locks = 2);
    let mut ask = |number, key: &str| {
        let asked = bench.receive_key(peer(number), Request, id(number), key.as_bytes());
        asked.expect("it is answered");
        bench.locks.denied_full()
    };
    for key in ["a", "b"] {
        ask(1, key);
    }
    assert_eq!([ask(2, "a"), ask(3, "a"), ask(2, "b"), ask(3, "b")], [0, 0, 1, 2]);
}

#[test]
fn while_a_node_asks_it_denies_a_classic_peer() {
    // Conversation crossing-requests.
    let mut bench = Bench::new(Repairs::NONE);
    bench.join(1);
    let lock = bench.lock();
    let request = bench.expect_requests(&[1]);
    bench.receive(peer(1), Request, id(0)).expect("it is answered");
    assert_eq!(bench.messages(), [sent(peer(1), Grant, id(0))]);
    bench.receive(peer(1), Grant, request).expect("it answers");
    assert_eq!(bench.events(), [LockEvent::Granted { lock }], "both hold it");

    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    let lock = bench.lock();
    let request = bench.expect_requests(&[1]);
    bench.receive(peer(1), Request, id(0)).expect("it is answered");
    assert_eq!(bench.messages(), [sent(peer(1), Deny, id(0))]);
    bench.receive(peer(1), Grant, request).expect("it answers");
    assert_eq!(bench.events(), [LockEvent::Granted { lock }]);
    bench.unlock().expect("it is held");
    assert_eq!(bench.messages(), [sent(peer(1), Release, ZERO)]);
}

#[test]
fn of_two_rust_nodes_that_ask_at_once_the_one_with_the_smaller_id_goes_first() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join_extended(1);
    bench.join(2);
    bench.lock();
    let request = bench.expect_requests(&[1, 2]);
    assert_eq!(request.0[0], 255, "never turned away");
    bench.receive(peer(1), Request, RequestId([255; 16])).expect("it is answered");
    assert_eq!(bench.messages(), [sent(peer(1), Deny, RequestId([255; 16]))]);
    bench.receive(peer(1), Request, id(254)).expect("it is answered");
    assert_eq!(
        bench.messages(),
        [
            sent(peer(1), Release, request),
            sent(peer(2), Release, ZERO),
            sent(peer(1), Grant, id(254)),
        ]
    );
    // What comes late for the withdrawn request must not count.
    assert_eq!(bench.receive(peer(2), Grant, request), Ok(()));
    assert_eq!(bench.messages(), [sent(peer(2), Release, ZERO)]);
    bench.receive(peer(1), Release, id(254)).expect("it is the holder");
    bench.pass(20);
    let again = bench.messages();
    assert_eq!(again.iter().filter(|sent| sent.kind == Request).count(), 2);
    assert_eq!(again.last().expect("asks again").id.0[0], 254, "turned away once");
}

#[test]
fn a_try_that_meets_an_older_request_fails_and_the_next_in_line_stays_behind_it() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join_extended(1);
    let tried = bench.try_lock();
    bench.expect_requests(&[1]);
    bench.lock();
    bench.receive(peer(1), Request, id(1)).expect("it is answered");
    let (messages, events) = bench.outputs();
    let why = LockFailure::Held { by: Some(peer(1)) };
    assert_eq!(events, [LockEvent::Failed { lock: tried, why }]);
    assert_eq!(messages.len(), 2, "release and grant: {messages:?}");
    assert_eq!(messages[1], sent(peer(1), Grant, id(1)));
}

#[test]
fn when_the_attempt_that_was_the_reason_ends_the_denied_are_told() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    let lock = bench.lock();
    bench.expect_requests(&[1]);
    bench.receive(peer(1), Request, id(1)).expect("it is answered");
    bench.receive(peer(2), Request, id(2)).expect("it is answered");
    bench.outputs();
    bench.release(lock).expect("it waits");
    assert_eq!(bench.messages(), [1, 2].map(|number| sent(peer(number), Release, ZERO)));
}

#[test]
fn a_grant_to_a_stranger_ends_unless_it_asks_again_or_joins() {
    // Conversation lock-request-from-stranger.
    let lease = Duration::from_secs(10);
    for (repairs, expires) in [(Repairs::NONE, false), (Repairs::ALL, true)] {
        let mut bench = Bench::with(|config| {
            config.lock_repairs = repairs;
            config.heartbeat_timeout = lease;
        });
        bench.receive(peer(1), Request, id(1)).expect("it is answered");
        bench.pass(9_000);
        bench.receive(peer(1), Request, id(1)).expect("it is answered");
        bench.outputs();
        bench.pass(9_000);
        assert_eq!(bench.locks.usage(), (1, 0));
        bench.pass(1_000);
        assert_eq!(bench.locks.usage(), (usize::from(!expires), 0));
    }
    let mut bench = Bench::with(|config| config.heartbeat_timeout = lease);
    bench.receive(peer(1), Request, id(1)).expect("it is answered");
    bench.outputs();
    bench.join(1);
    bench.pass(100_000);
    assert_eq!(bench.locks.usage(), (1, 0));
    bench.leave(1);
    assert_eq!(bench.locks.usage(), (0, 0));
}

#[test]
fn a_rust_node_is_reminded_of_its_grant_while_somebody_waits_because_of_it() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join_extended(1);
    bench.join(2);
    bench.receive(peer(1), Request, id(1)).expect("it is answered");
    bench.outputs();
    bench.pass(60_000);
    assert_eq!(bench.messages(), [], "nobody waits");
    bench.receive(peer(2), Request, id(2)).expect("it is answered");
    bench.outputs();
    bench.pass(3_600);
    assert_eq!(bench.messages(), [1, 1, 1].map(|number| sent(peer(1), Grant, id(number))));
    bench.receive(peer(1), Release, id(1)).expect("it has no use for it");
    assert_eq!(bench.messages(), [sent(peer(2), Release, ZERO)]);
    bench.pass(60_000);
    assert_eq!(bench.messages(), []);
}

#[test]
fn who_waits_because_of_a_strangers_grant_has_it_confirmed_once_the_stranger_is_a_member() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.receive(peer(1), Request, id(1)).expect("it is answered");
    bench.lock();
    assert_eq!(bench.messages(), [sent(peer(1), Grant, id(1))]);
    bench.join_extended(1);
    bench.pass(20_000);
    let again = bench.messages();
    assert!(again.contains(&sent(peer(1), Grant, id(1))), "its release may be lost: {again:?}");
}

#[test]
fn a_request_without_room_for_a_note_is_not_answered() {
    let mut bench = Bench::with(|config| {
        config.max_locks = 2;
        config.max_long_lock_keys = 1;
        config.buffer_size = 1_280;
    });
    let long = [b'k'; 256];
    let full = Err(Rejection::LocksFull);
    assert_eq!(bench.receive_key(peer(1), Request, id(1), &[b'x'; 1_281]), full);
    assert_eq!(bench.receive_key(peer(1), Request, id(1), &long), Ok(()));
    assert_eq!(bench.receive_key(peer(1), Request, id(1), &[b'y'; 300]), full);
    assert_eq!(bench.receive_key(peer(1), Request, id(1), b"short"), Ok(()));
    assert_eq!(bench.receive_key(peer(1), Request, id(1), b"other"), full);
    let messages = bench.messages();
    assert_eq!(messages.iter().map(|sent| sent.key.len()).collect::<Vec<_>>(), [256, 5]);
    assert!(messages.iter().all(|sent| sent.kind == Grant));
    bench.receive_key(peer(1), Release, ZERO, &long).expect("it is the holder");
    assert_eq!(bench.receive_key(peer(1), Request, id(1), &[b'y'; 300]), Ok(()));
}

#[test]
fn an_empty_key_is_a_key_like_any_other() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.receive_key(peer(1), Request, id(1), b"").expect("it is answered");
    bench.receive_key(peer(2), Request, id(2), b"").expect("it is answered");
    let kinds: Vec<_> = bench.messages().iter().map(|sent| sent.kind).collect();
    assert_eq!(kinds, [Grant, Deny]);
}
