//! The loop of a node on a thread: readiness, and sleep until there is something to do.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use alan_driver::{Driver, Turn};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll as Poller, Token};

const SOCKET: Token = Token(0);
const BELL: Token = Token(1);

/// What the loop waits with: the driver's socket under another descriptor, used for readiness only,
/// and a bell for whoever wants to wake it.
pub(crate) struct Readiness {
    poller: Poller,
    events: Events,
    socket: UdpSocket,
    waker: Waker,
}

/// Wakes the loop from another thread.
struct Bell(mio::Waker);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake().expect("the system lets a thread be woken");
    }
}

impl Readiness {
    pub(crate) fn of(driver: &Driver) -> io::Result<Self> {
        let poller = Poller::new()?;
        let mut socket = UdpSocket::from_std(driver.socket().try_clone()?);
        poller.registry().register(&mut socket, SOCKET, Interest::READABLE)?;
        let bell = Bell(mio::Waker::new(poller.registry(), BELL)?);
        // Which of the two it was does not matter: a turn looks at everything.
        let events = Events::with_capacity(2);
        Ok(Self { poller, events, socket, waker: Arc::new(bell).into() })
    }

    /// Sleeps until a datagram comes, the bell rings, or the time is over.
    fn wait(&mut self, time: Option<Duration>) {
        if let Err(error) = self.poller.poll(&mut self.events, time) {
            // A turn too many does no harm.
            assert_eq!(error.kind(), io::ErrorKind::Interrupted, "waiting for a socket: {error}");
        }
    }
}

/// Runs a node until it has left the cluster.
pub(crate) fn run(mut driver: Driver, readiness: Readiness) {
    // Declared after the driver and so dropped before it: the port is free when the driver says so.
    let mut readiness = readiness;
    loop {
        // Only when this finds the socket empty does the poller tell of the next datagram.
        let is_empty = readiness.socket.try_io(|| driver.receive()).is_err();
        match driver.advance() {
            Turn::Ended => return,
            Turn::Again => {}
            Turn::Sleep(time) => {
                let mut context = Context::from_waker(&readiness.waker);
                let ready = driver.poll_ready(&mut context, |_| {
                    if is_empty { Poll::Pending } else { Poll::Ready(()) }
                });
                if ready.is_pending() {
                    readiness.wait(time);
                }
            }
        }
    }
}
