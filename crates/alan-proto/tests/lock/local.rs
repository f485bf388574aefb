//! Callers of one node: the line, its bounds, and the end of the node.

use alan_proto::lock::{LockOutput, Repairs};
use alan_proto::{LockError, LockEvent, LockFailure, LockLoss, LockNotHeld, Rejection, RequestId};

use crate::bench::{Bench, Grant, KEY, Release, Request, id, peer, sent};

#[test]
fn callers_of_one_node_take_the_lock_in_the_order_of_their_calls() {
    let mut bench = Bench::new(Repairs::ALL);
    let locks = [bench.lock(), bench.lock(), bench.lock()];
    assert_eq!(bench.events(), [LockEvent::Granted { lock: locks[0] }]);
    bench.release(locks[0]).expect("it is held");
    assert_eq!(bench.events(), [LockEvent::Granted { lock: locks[1] }]);
    bench.unlock().expect("it is held");
    assert_eq!(bench.events(), [LockEvent::Granted { lock: locks[2] }]);
    bench.release(locks[2]).expect("it is held");
    assert_eq!(bench.locks.usage(), (0, 0));
}

#[test]
fn without_the_repair_callers_share_the_lock_and_one_unlock_ends_it() {
    // Conversation lock-uncontended.
    let mut bench = Bench::new(Repairs::NONE);
    bench.join(1);
    let first = bench.take(&[1]);
    let second = bench.lock();
    assert_eq!(bench.outputs(), (vec![], vec![LockEvent::Granted { lock: second }]));
    bench.release(first).expect("it is held");
    assert_eq!(bench.messages(), [sent(peer(1), Release, RequestId::ZERO)]);
    assert_eq!(bench.release(second), Err(LockNotHeld));
    assert_eq!(bench.unlock(), Err(LockNotHeld));
}

#[test]
fn a_try_fails_at_once_while_a_caller_of_the_node_holds_or_waits() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    let why = LockFailure::Held { by: None };
    let waiting = bench.lock();
    bench.expect_requests(&[1]);
    let tried = bench.try_lock();
    assert_eq!(bench.outputs(), (vec![], vec![LockEvent::Failed { lock: tried, why }]));
    bench.release(waiting).expect("it waits");
    bench.outputs();
    bench.take(&[1]);
    let tried = bench.try_lock();
    assert_eq!(bench.outputs(), (vec![], vec![LockEvent::Failed { lock: tried, why }]));
}

#[test]
fn the_next_in_line_lets_other_nodes_ask_first() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    let first = bench.take(&[1]);
    let second = bench.lock();
    bench.release(first).expect("it is held");
    assert_eq!(bench.messages(), [sent(peer(1), Release, RequestId::ZERO)]);
    bench.pass(4);
    bench.receive(peer(1), Request, id(1)).expect("it is answered");
    assert_eq!(bench.messages(), [sent(peer(1), Grant, id(1))]);
    bench.pass(10_000);
    assert_eq!(bench.messages(), []);
    bench.receive(peer(1), Release, RequestId::ZERO).expect("it is the holder");
    let request = bench.expect_requests(&[1]);
    bench.receive(peer(1), Grant, request).expect("it answers");
    assert_eq!(bench.events(), [LockEvent::Granted { lock: second }]);
}

#[test]
fn when_the_first_in_line_gives_up_the_next_goes_on() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    let first = bench.lock_for(100);
    let request = bench.expect_requests(&[1]);
    bench.lock();
    bench.pass(100);
    let (messages, events) = bench.outputs();
    assert_eq!(events, [LockEvent::Failed { lock: first, why: LockFailure::TimedOut }]);
    assert_eq!(messages[0], sent(peer(1), Release, RequestId::ZERO));
    assert_eq!((messages[1].kind, messages.len()), (Request, 2));
    assert_ne!(messages[1].id, request);
}

#[test]
fn one_that_waits_in_line_times_out_or_withdraws_without_a_datagram() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    bench.take(&[1]);
    let impatient = bench.lock_for(50);
    let withdrawn = bench.lock();
    bench.release(withdrawn).expect("it waits");
    bench.pass(50);
    let failed = LockEvent::Failed { lock: impatient, why: LockFailure::TimedOut };
    assert_eq!(bench.outputs(), (vec![], vec![failed]));
    assert_eq!(bench.locks.usage(), (1, 1));
}

#[test]
fn the_line_and_the_table_are_bounded() {
    let mut bench = Bench::with(|config| {
        config.max_locks = 1;
        config.max_lock_waiters = 2;
    });
    bench.lock();
    bench.lock();
    bench.lock();
    let many = Err(LockError::TooManyWaiters { limit: 2 });
    assert_eq!(bench.lock_key(KEY), many);
    assert_eq!(bench.lock_key("another"), Err(LockError::TooManyLocks { limit: 1 }));
    assert_eq!(bench.lock_key(""), Err(LockError::KeyLength { len: 0 }));
    assert_eq!(bench.lock_key(&"k".repeat(256)), Err(LockError::KeyLength { len: 256 }));
    assert_eq!(bench.locks.usage(), (1, 3));
}

#[test]
fn a_key_lives_until_every_output_that_names_it_was_sent() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    let lock = bench.lock();
    bench.release(lock).expect("it waits");
    let mut slots = Vec::new();
    while let Some(output) = bench.locks.poll_output() {
        if let LockOutput::Send { key, .. } = output {
            slots.push(key);
        }
    }
    assert_eq!(slots.len(), 2, "request and release");
    assert_eq!(bench.locks.usage(), (1, 0));
    bench.locks.sent(slots[0]);
    assert_eq!(bench.locks.key(slots[1]), KEY.as_bytes());
    bench.locks.sent(slots[1]);
    assert_eq!(bench.locks.usage(), (0, 0));
}

#[test]
fn a_node_that_leaves_loses_what_it_holds_and_says_nothing_more() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    let held = bench.take(&[1]);
    let waiting = bench.lock();
    let asking = bench.lock_key("other").expect("there is room");
    bench.outputs();
    bench.receive(peer(1), Request, id(1)).expect("it is answered");
    bench.receive_key(peer(1), Request, id(1), b"granted").expect("it is answered");
    bench.outputs();
    bench.locks.close(bench.now);
    let (messages, mut events) = bench.outputs();
    assert_eq!(messages, []);
    let why = LockFailure::Closed;
    let expected = [
        LockEvent::Lost { lock: held, why: LockLoss::Left },
        LockEvent::Failed { lock: waiting, why },
        LockEvent::Failed { lock: asking, why },
    ];
    events.sort_by_key(|event| expected.iter().position(|other| other == event));
    assert_eq!(events, expected);
    assert_eq!(bench.locks.usage(), (0, 0));
    assert_eq!(bench.locks.next_timeout(), None);
    assert_eq!(bench.lock_key(KEY), Err(LockError::Closed));
    assert_eq!(bench.try_lock_key(KEY), Err(LockError::Closed));
    assert_eq!(bench.receive(peer(1), Grant, id(1)), Err(Rejection::Closed));
    assert_eq!(bench.release(held), Err(LockNotHeld));
}
