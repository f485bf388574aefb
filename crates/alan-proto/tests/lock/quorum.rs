//! The quorum's gate before a request, and behind it.

use alan_proto::lock::Repairs;
use alan_proto::{LockError, LockEvent, LockFailure};

use crate::bench::{Bench, Grant, Request, id, peer, sent};

#[test]
fn nothing_is_sent_before_the_quorum_is_here() {
    // Conversation quorum-gate; but here a node counts itself.
    for repairs in [Repairs::NONE, Repairs::ALL] {
        let mut bench = Bench::new(repairs);
        bench.quorum(1, 2);
        let lock = bench.lock();
        assert_eq!(bench.try_lock_key("other"), Err(LockError::NoQuorum { have: 1, need: 2 }));
        bench.pass(60_000);
        assert_eq!(bench.outputs(), (vec![], vec![]));
        bench.quorum(2, 2);
        assert_eq!(bench.messages(), [], "the member is not known yet");
        bench.join(1);
        let request = bench.expect_requests(&[1]);
        bench.receive(peer(1), Grant, request).expect("it answers");
        assert_eq!(bench.events(), [LockEvent::Granted { lock }]);
    }
}

#[test]
fn a_deadline_without_quorum_says_so() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.quorum(1, 2);
    let lock = bench.lock_for(100);
    bench.pass(100);
    let why = LockFailure::NoQuorum { have: 1, need: 2 };
    assert_eq!(bench.events(), [LockEvent::Failed { lock, why }]);
    assert_eq!(bench.locks.usage(), (0, 0));
}

#[test]
fn a_held_lock_is_kept_and_others_are_granted_without_quorum() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    bench.quorum(2, 2);
    let lock = bench.take(&[1]);
    bench.quorum(1, 2);
    bench.leave(1);
    assert!(bench.locks.held(lock));
    bench.receive_key(peer(2), Request, id(2), b"other").expect("it is answered");
    assert_eq!(bench.messages()[0].kind, Grant);
    assert_eq!(bench.unlock(), Ok(lock));
}

#[test]
fn a_request_that_completes_because_the_quorum_left_is_not_granted() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    bench.join(2);
    bench.quorum(3, 2);
    let lock = bench.lock();
    bench.expect_requests(&[1, 2]);
    bench.leave(1);
    bench.leave(2);
    assert!(!bench.locks.held(lock));
    assert_eq!(bench.outputs(), (vec![], vec![]));
    bench.join(3);
    let request = bench.expect_requests(&[3]);
    bench.receive(peer(3), Grant, request).expect("it answers");
    assert_eq!(bench.events(), [LockEvent::Granted { lock }]);
}

#[test]
fn a_woken_request_waits_for_the_quorum_again() {
    let mut bench = Bench::new(Repairs::ALL);
    bench.join(1);
    bench.join(2);
    bench.quorum(3, 3);
    bench.receive(peer(1), Request, id(1)).expect("it is answered");
    assert_eq!(bench.messages(), [sent(peer(1), Grant, id(1))]);
    bench.lock();
    bench.quorum(2, 3);
    bench.leave(1);
    assert_eq!(bench.messages(), []);
    bench.join(3);
    bench.quorum(3, 3);
    bench.expect_requests(&[3, 2]);
}
