//! What a node's loop promises, and what needs no loop: the test turns it by hand.

mod by_hand;

use std::io;
use std::net::UdpSocket;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Instant;

use alan_driver::clock::LeaseClock;
use alan_driver::config::QueueFull;
use alan_driver::{Driver, LeaveReason, Turn};
use alan_proto::wire::Message;

use by_hand::{Bench, PATIENCE, TIMEOUT, now};

#[test]
fn who_was_heard_while_the_loop_slept_is_not_declared_dead() {
    let mut bench = Bench::new();
    bench.join();
    bench.oversleep();
    bench.heartbeat();
    while bench.driver.advance() == Turn::Again {}
    assert!(bench.node.peer(bench.peer_addr()).is_some(), "its heartbeat lay in the socket");

    // The loop's own lateness is nobody's silence, so now it turns on time.
    let mut events = bench.node.events();
    bench.oversleep();
    let started = Instant::now();
    while !bench.peer_is_gone() {
        let _ = bench.driver.advance();
        assert!(started.elapsed() < PATIENCE, "this time nothing did");
    }
    let left = std::iter::from_fn(|| now(events.recv()).flatten()).last();
    let (peer, why) = (bench.peer_addr(), LeaveReason::Silent);
    assert_eq!(left, Some(alan_driver::Event::Left { peer, why }));
}

/// Nothing is excused here: only what was read before judging keeps the peer alive.
#[test]
fn a_loop_on_time_reads_all_that_waits_before_it_judges() {
    let mut bench = Bench::new();
    bench.join();
    let clock = LeaseClock::new();
    let end = clock.now() + 4 * TIMEOUT;
    while clock.now() < end {
        bench.heartbeat();
        let _ = bench.driver.advance();
        assert!(!bench.peer_is_gone(), "its heartbeat lay in the socket");
    }
}

#[test]
fn a_full_queue_that_blocks_hides_no_sign_of_life() {
    let mut bench = Bench::with(|builder| builder.queue_size(1).queue_full(QueueFull::Block));
    let mut incoming = bench.node.incoming().expect("nobody else reads");
    bench.join();
    bench.send(&Message::Data(b"fills the queue"));
    let _ = bench.driver.receive();
    bench.send(&Message::Data(b"finds no room"));
    assert!(bench.driver.receive().is_ok(), "it does not look");
    assert_eq!(bench.node.stats().messages_refused, 0, "it waits in the socket");

    bench.oversleep();
    bench.heartbeat();
    while bench.driver.advance() == Turn::Again {}
    assert!(bench.node.peer(bench.peer_addr()).is_some(), "its heartbeat lay in the socket");
    assert_eq!(bench.node.stats().messages_refused, 1, "somebody had to make way");
    let message = now(incoming.recv()).flatten().expect("one was queued");
    assert_eq!(message.payload()[..], b"fills the queue"[..]);
    assert!(now(incoming.recv()).is_none());
}

#[test]
fn a_socket_that_never_runs_empty_does_not_stop_the_clock() {
    let mut bench = Bench::new();
    bench.join();
    bench.oversleep();
    // Strangers' datagrams, more than are read in a turn, before each turn. They are short, so
    // that as many as possible fit into the kernel's buffer.
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("the system has ports");
    let noise = [0];
    let mut never_empty = true;
    let started = Instant::now();
    while !bench.peer_is_gone() {
        for _ in 0..1_000 {
            let _kernel_is_full = stranger.send_to(&noise, bench.node.local_addr());
        }
        let received = bench.node.stats().protocol.received;
        let turn = bench.driver.advance();
        let has_read = bench.node.stats().protocol.received > received;
        never_empty &= turn == Turn::Again || !has_read || bench.peer_is_gone();
        assert!(started.elapsed() < PATIENCE, "the silent peer is still here");
    }
    assert!(never_empty, "the socket ran empty: this has shown nothing");
}

#[test]
fn receiving_says_when_nothing_is_left() {
    let mut bench = Bench::new();
    bench.heartbeat();
    while bench.driver.receive().is_ok() {
        assert_eq!(bench.driver.advance(), Turn::Again, "there may be more");
    }
    let error = bench.driver.receive().expect_err("nothing came");
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert_ne!(bench.driver.advance(), Turn::Again, "it is empty");
    assert_eq!(bench.node.peer_count(), 1);
}

#[test]
fn a_command_sends_at_once_whatever_the_loop_does() {
    let bench = Bench::new();
    bench.node.send_to(bench.peer_addr(), b"no hop").expect("it leaves");
    let mut buffer = [0; 64];
    let (len, from) = bench.peer.recv_from(&mut buffer).expect("it is here");
    assert_eq!(from, bench.node.local_addr());
    let message = Message::decode(&buffer[..len]).expect("it is well formed");
    assert_eq!(message, Message::Data(b"no hop"));
}

#[test]
fn the_loop_is_woken_by_an_earlier_deadline_and_by_nothing_else() {
    let mut bench = Bench::with_heartbeats(PATIENCE, 2 * PATIENCE);
    let context = Context::from_waker(Waker::noop());
    let is_woken = |driver: &Driver| driver.poll_woken(&context).is_ready();
    let Turn::Sleep(Some(pause)) = bench.driver.advance() else { panic!("heartbeats are due") };
    let _ = is_woken(&bench.driver);

    let peer = bench.peer_addr();
    let mut late = pin!(bench.node.request(peer, b"?").timeout(2 * PATIENCE).into_future());
    assert!(late.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(!is_woken(&bench.driver), "it wakes up earlier anyway");

    let mut soon = pin!(bench.node.request(peer, b"?").timeout(pause / 2).into_future());
    assert!(soon.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(is_woken(&bench.driver));
    assert!(!is_woken(&bench.driver), "once");
}

#[test]
fn a_node_without_its_loop_has_ended() {
    let Bench { node, driver, .. } = Bench::new();
    let mut waiting = pin!(node.request(node.local_addr(), b"?").into_future());
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(driver);
    assert!(node.has_ended());
    UdpSocket::bind(node.local_addr()).expect("the port is free");
    let Some(Err(error)) = now(waiting) else { panic!("it hangs") };
    assert!(matches!(error, alan_driver::RequestError::Closed(_)), "{error:?}");
    assert_eq!(node.usage().requests, 0);
}
