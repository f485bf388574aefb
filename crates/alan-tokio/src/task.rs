//! The loop of a node as a tokio task: readiness, one timer, fairness.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use alan_driver::{Driver, Turn};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::readiness::Readiness;

/// A timer that is not wanted is set this far away.
const FAR: Duration = Duration::from_secs(3_600);

/// How exact tokio's timers are.
const PRECISION: Duration = Duration::from_millis(1);

/// Runs a node until it has left the cluster.
pub(crate) async fn run(driver: Driver, socket: Readiness) {
    // In this order, so that the descriptor is closed before the driver says that it is.
    let mut driver = driver;
    let socket = socket;
    let mut timer = pin!(sleep_until(Instant::now()));
    loop {
        // Only when this finds the socket empty does tokio wait for the next datagram; it is
        // skipped when tokio knows of none.
        let _is_empty = socket.try_read(|| driver.receive()).is_err();
        match driver.advance() {
            Turn::Ended => return,
            Turn::Again => tokio::task::yield_now().await,
            Turn::Sleep(time) => {
                let at = Instant::now() + time.unwrap_or(FAR).min(FAR);
                // One that goes off too early costs a turn, once; setting it costs each turn.
                if timer.is_elapsed() || at + PRECISION < timer.deadline() {
                    timer.as_mut().reset(at);
                }
                sleep(&driver, &socket, timer.as_mut()).await;
            }
        }
    }
}

/// Waits for a datagram, for the timer, or to be woken.
async fn sleep(driver: &Driver, socket: &Readiness, mut timer: Pin<&mut Sleep>) {
    poll_fn(|context| {
        let ready = driver.poll_ready(context, |context| socket.poll_readable(context));
        if timer.as_mut().poll(context).is_ready() { Poll::Ready(()) } else { ready }
    })
    .await;
}
