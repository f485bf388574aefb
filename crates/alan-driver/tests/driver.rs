//! A node whose loop the test turns by hand: what the loop promises, and what needs no loop.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use alan_driver::clock::LeaseClock;
use alan_driver::{Driver, LeaveReason, Node, Runtime, Task, Turn};
use alan_proto::wire::{Control, Message};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

thread_local! {
    static STARTED: RefCell<Option<Driver>> = const { RefCell::new(None) };
}

/// A runtime that leaves the loop to the test.
#[derive(Clone)]
struct ByHand;

impl Runtime for ByHand {
    fn current() -> io::Result<Self> {
        Ok(Self)
    }

    fn spawn(&self, _task: Task) {
        panic!("nothing here needs a task");
    }

    fn drive(&self, driver: Driver) -> io::Result<()> {
        STARTED.set(Some(driver));
        Ok(())
    }
}

/// What a future gives without waiting.
fn now<F: IntoFuture>(future: F) -> Option<F::Output> {
    match pin!(future.into_future()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// A node at a port of its own, its loop, and a peer made of a bare socket.
struct Bench {
    node: Node<ByHand>,
    driver: Driver,
    peer: UdpSocket,
}

const TIMEOUT: Duration = Duration::from_millis(50);

impl Bench {
    fn new() -> Self {
        Self::with_heartbeats(Duration::from_millis(20), TIMEOUT)
    }

    fn with_heartbeats(interval: Duration, timeout: Duration) -> Self {
        let port = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let builder = Node::<ByHand>::builder()
            .peers::<&str>([])
            .bind([127, 0, 0, 1])
            .port(port.expect("the system has ports").port())
            .heartbeat_interval(interval)
            .heartbeat_timeout(timeout)
            .kernel_buffer(65_536);
        let node = now(async { builder.start().await }).expect("it waits for nothing");
        let node = node.expect("the port is free");
        let driver = STARTED.take().expect("it was handed over");
        let peer = UdpSocket::bind("127.0.0.1:0").expect("the system has ports");
        peer.set_read_timeout(Some(PATIENCE)).expect("it is a duration");
        Self { node, driver, peer }
    }

    fn peer_addr(&self) -> SocketAddr {
        self.peer.local_addr().expect("it is bound")
    }

    fn send(&self, message: &Message<'_>) {
        let mut datagram = vec![0; message.encoded_len()];
        message.encode(&mut datagram);
        self.peer.send_to(&datagram, self.node.local_addr()).expect("loopback takes it");
    }

    fn heartbeat(&self) {
        self.send(&Message::Heartbeat(Control { port: self.peer_addr().port(), block: None }));
    }

    /// Makes the bare socket a member.
    fn join(&mut self) {
        self.heartbeat();
        let _ = self.driver.receive();
        assert!(self.node.peer(self.peer_addr()).is_some());
    }

    /// Lets the peer's timeout pass with the loop asleep.
    fn oversleep(&self) {
        let clock = LeaseClock::new();
        let heard = self.node.peer(self.peer_addr()).expect("it is a member").last_heard;
        while clock.now() < heard + 2 * TIMEOUT {
            std::thread::yield_now();
        }
    }
}

#[test]
fn who_was_heard_while_the_loop_slept_is_not_declared_dead() {
    let mut bench = Bench::new();
    bench.join();
    bench.oversleep();
    bench.heartbeat();
    while bench.driver.advance() == Turn::Again {}
    assert!(bench.node.peer(bench.peer_addr()).is_some(), "its heartbeat lay in the socket");

    let mut events = bench.node.events();
    bench.oversleep();
    while bench.driver.advance() == Turn::Again {}
    assert!(bench.node.peer(bench.peer_addr()).is_none(), "this time nothing did");
    let left = std::iter::from_fn(|| now(events.recv()).flatten()).last();
    let (peer, why) = (bench.peer_addr(), LeaveReason::Silent);
    assert_eq!(left, Some(alan_driver::Event::Left { peer, why }));
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
    while bench.node.peer(bench.peer_addr()).is_some() {
        for _ in 0..1_000 {
            let _kernel_is_full = stranger.send_to(&noise, bench.node.local_addr());
        }
        let turn = bench.driver.advance();
        never_empty &= turn == Turn::Again || bench.node.peer(bench.peer_addr()).is_none();
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
