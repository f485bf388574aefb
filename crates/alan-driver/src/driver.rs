//! The loop of a node, turn by turn, for adapters to run: receive, keep time, sleep.

use std::fmt;
use std::io;
use std::net::UdpSocket;
use std::ops::Deref;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::engine::Engine;
use crate::socket::{ReceiveBuffers, Socket};
use crate::wakes::Wakes;

/// Batches that one call receives at most, so that others get the thread.
const BATCHES_PER_TURN: usize = 4;

/// The receiving and time-keeping side of one node. An adapter owns it and runs this loop until it
/// is told [`Turn::Ended`]; dropping it earlier ends the node without a goodbye.
///
/// 1. [`receive`](Self::receive), if the socket may be readable.
/// 2. [`advance`](Self::advance), which says how to go on.
/// 3. To sleep is to wait for the first of: the time that it gave;
///    [`poll_woken`](Self::poll_woken); the socket becoming readable, but that only while
///    [`poll_room`](Self::poll_room) is ready.
///
/// Neither call waits for anything, and each does a bounded amount of work.
///
/// ```
/// use std::time::Duration;
///
/// use alan_driver::{Driver, Received, Turn};
///
/// # fn wait_for(_socket: &std::net::UdpSocket, _driver: &Driver, _time: Option<Duration>) {}
/// fn run(mut driver: Driver) {
///     loop {
///         let more = matches!(driver.receive(), Ok(Received::Some));
///         match driver.advance() {
///             Turn::Ended => return,
///             Turn::Sleep(time) if !more => wait_for(driver.socket(), &driver, time),
///             Turn::Again | Turn::Sleep(_) => std::thread::yield_now(),
///         }
///     }
/// }
/// ```
pub struct Driver {
    socket: Arc<Socket>,
    buffers: ReceiveBuffers,
    wakes: Wakes,
    /// Bytes received since the present deadline came, while the socket was never found empty.
    backlog: usize,
    /// The most bytes that can have been waiting at any one moment.
    kernel_buffer: usize,
    /// Dropped last, after the socket: whoever waits for the end finds the port free.
    engine: Running,
}

/// An engine whose loop is there. Dropping it ends the engine.
struct Running(Arc<Engine>);

impl Deref for Running {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// How the loop goes on after [`Driver::advance`].
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Begin the next turn, after giving other tasks a chance.
    Again,
    /// Sleep; at most for this long, if a time is given.
    Sleep(Option<Duration>),
    /// The node has left the cluster. Drop the driver.
    Ended,
}

/// What [`Driver::receive`] left behind.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// There may be more to receive.
    Some,
    /// A queue is full and its policy is to wait: see [`Driver::poll_room`].
    Blocked,
}

impl Driver {
    pub(crate) fn new(engine: Arc<Engine>, socket: Arc<Socket>) -> Self {
        // Whatever the kernel does not want to tell, it is not more than what was asked for.
        let kernel_buffer = socket.receive_buffer_size().unwrap_or(crate::socket::KERNEL_BUFFER);
        Self {
            socket,
            buffers: ReceiveBuffers::new(),
            wakes: Wakes::default(),
            backlog: 0,
            kernel_buffer,
            engine: Running(engine),
        }
    }

    /// The socket, to be registered for readiness and for nothing else.
    pub fn socket(&self) -> &UdpSocket {
        (*self.socket).as_ref()
    }

    /// Receives and handles what has arrived, up to a bounded amount. An error of the kind
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) says that nothing is left; there are no others.
    pub fn receive(&mut self) -> io::Result<Received> {
        for _ in 0..BATCHES_PER_TURN {
            if self.engine.outlet().inbox.is_blocked() {
                return Ok(Received::Blocked);
            }
            match self.socket.receive(&mut self.buffers) {
                Ok(_) => {
                    let datagrams = self.buffers.datagrams();
                    self.backlog += self.engine.handle_batch(datagrams, &mut self.wakes);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.backlog = 0;
                    return Err(error);
                }
                // One read has failed, not the socket.
                Err(error) => {
                    self.engine.count_receive_failure(&error);
                    break;
                }
            }
        }
        Ok(Received::Some)
    }

    /// Does what is due, and says how to go on.
    ///
    /// When a deadline has come, all that had arrived by then is received first: nobody is
    /// declared silent whose sign of life waits in the socket. A socket that never runs empty
    /// can't put that off for ever: what arrived before the deadline has been read once as many
    /// bytes have been as the kernel can hold.
    pub fn advance(&mut self) -> Turn {
        if self.engine.is_due() {
            if matches!(self.receive(), Ok(Received::Some)) && self.backlog < self.kernel_buffer {
                return Turn::Again;
            }
            self.backlog = 0;
            self.engine.handle_timeout();
            #[cfg(feature = "metrics")]
            self.engine.record_metrics();
        } else {
            self.backlog = 0;
        }
        match self.engine.sleep() {
            Ok(time) => Turn::Sleep(time),
            Err(_closed) => Turn::Ended,
        }
    }

    /// Ready when a command has moved the next deadline forward, or the node has ended.
    pub fn poll_woken(&self, context: &Context<'_>) -> Poll<()> {
        self.engine.poll_woken(context)
    }

    /// Ready when there is room to receive: always, unless a full queue is to be waited for.
    pub fn poll_room(&self, context: &Context<'_>) -> Poll<()> {
        if self.engine.outlet().inbox.must_wait(context.waker()) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("engine", &self.engine.0).finish_non_exhaustive()
    }
}
