//! The loop of a node as a task on `async-io`: readiness, one timer, fairness.

use std::future::poll_fn;
use std::io;
use std::net::UdpSocket;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use alan_driver::{Driver, Turn};
use async_io::{Async, Timer};
use futures_lite::future::yield_now;

/// Moments that differ by less than this are the same to the timer.
const PRECISION: Duration = Duration::from_millis(1);

/// The driver's socket under another descriptor, known to the reactor. Used for readiness only.
pub(crate) fn register(driver: &Driver) -> io::Result<Async<UdpSocket>> {
    Async::new_nonblocking(driver.socket().try_clone()?)
}

/// Runs a node until it has left the cluster.
pub(crate) async fn run(driver: Driver, socket: Async<UdpSocket>) {
    // In this order, so that the descriptor is closed before the driver says that it is.
    let mut driver = driver;
    let socket = socket;
    let mut alarm = Alarm { timer: Timer::never(), at: None };
    let mut readable = true;
    loop {
        if readable {
            let _is_empty = driver.receive().is_err();
        }
        match driver.advance() {
            Turn::Ended => return,
            Turn::Again => {
                readable = true;
                yield_now().await;
            }
            Turn::Sleep(time) => {
                alarm.set(time);
                readable = sleep(&driver, &socket, &mut alarm).await;
            }
        }
    }
}

/// Waits for a datagram, for the timer, or to be woken. Says whether there may be a datagram.
async fn sleep(driver: &Driver, socket: &Async<UdpSocket>, alarm: &mut Alarm) -> bool {
    let mut readable = false;
    poll_fn(|context| {
        let ready = driver.poll_ready(context, |context| {
            let polled = socket.poll_readable(context);
            readable = polled.is_ready();
            polled
        });
        if alarm.poll(context).is_ready() { Poll::Ready(()) } else { ready }
    })
    .await;
    readable
}

/// A timer that may go off too early, but not too late. Going off costs a turn, once; setting it
/// wakes the reactor, which would cost a system call each turn.
struct Alarm {
    timer: Timer,
    /// What the timer is set to.
    at: Option<Instant>,
}

impl Alarm {
    fn set(&mut self, time: Option<Duration>) {
        let Some(at) = time.and_then(|time| Instant::now().checked_add(time)) else { return };
        if self.at.is_none_or(|set| at + PRECISION < set) {
            self.timer.set_at(at);
            self.at = Some(at);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let polled = Pin::new(&mut self.timer).poll(context);
        polled.map(|_moment| self.at = None)
    }
}
