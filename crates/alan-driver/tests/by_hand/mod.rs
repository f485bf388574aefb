//! A node whose loop the test turns by hand, and a peer made of a bare socket.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use alan_driver::clock::LeaseClock;
use alan_driver::{Builder, Driver, Node, Runtime, Task};
use alan_proto::wire::{Control, Message};

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

thread_local! {
    static STARTED: RefCell<Option<Driver>> = const { RefCell::new(None) };
}

/// A runtime that leaves the loop to the test.
#[derive(Clone)]
pub(crate) struct ByHand;

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
pub(crate) fn now<F: IntoFuture>(future: F) -> Option<F::Output> {
    match pin!(future.into_future()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// A node at a port of its own, its loop, and a peer made of a bare socket.
pub(crate) struct Bench {
    pub(crate) node: Node<ByHand>,
    pub(crate) driver: Driver,
    pub(crate) peer: UdpSocket,
}

pub(crate) const TIMEOUT: Duration = Duration::from_millis(50);

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with_heartbeats(interval: Duration, timeout: Duration) -> Self {
        Self::with(|builder| builder.heartbeat_interval(interval).heartbeat_timeout(timeout))
    }

    /// With the heartbeats of [`new`](Self::new), unless `set` sets others.
    pub(crate) fn with(set: impl FnOnce(Builder<ByHand>) -> Builder<ByHand>) -> Self {
        let port = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let builder = Node::<ByHand>::builder()
            .peers::<&str>([])
            .bind([127, 0, 0, 1])
            .port(port.expect("the system has ports").port())
            .heartbeat_interval(Duration::from_millis(20))
            .heartbeat_timeout(TIMEOUT)
            .kernel_buffer(65_536);
        let builder = set(builder);
        let node = now(async { builder.start().await }).expect("it waits for nothing");
        let node = node.expect("the port is free");
        let driver = STARTED.take().expect("it was handed over");
        let peer = UdpSocket::bind("127.0.0.1:0").expect("the system has ports");
        peer.set_read_timeout(Some(PATIENCE)).expect("it is a duration");
        Self { node, driver, peer }
    }

    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.peer.local_addr().expect("it is bound")
    }

    pub(crate) fn send(&self, message: &Message<'_>) {
        let mut datagram = vec![0; message.encoded_len()];
        message.encode(&mut datagram);
        self.peer.send_to(&datagram, self.node.local_addr()).expect("loopback takes it");
    }

    pub(crate) fn heartbeat(&self) {
        self.send(&Message::Heartbeat(Control { port: self.peer_addr().port(), block: None }));
    }

    /// Makes the bare socket a member.
    pub(crate) fn join(&mut self) {
        self.heartbeat();
        let _ = self.driver.receive();
        assert!(self.node.peer(self.peer_addr()).is_some());
    }

    pub(crate) fn peer_is_gone(&self) -> bool {
        self.node.peer(self.peer_addr()).is_none()
    }

    /// Lets the peer's timeout pass with the loop asleep.
    pub(crate) fn oversleep(&self) {
        let clock = LeaseClock::new();
        let heard = self.node.peer(self.peer_addr()).expect("it is a member").last_heard;
        while clock.now() < heard + 2 * TIMEOUT {
            std::thread::yield_now();
        }
    }
}
