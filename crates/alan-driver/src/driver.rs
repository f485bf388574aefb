//! The loop of a node, turn by turn, for adapters to run: receive, keep time, sleep.

use std::fmt;
use std::io;
use std::net::UdpSocket;
use std::ops::Deref;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use crate::delivery::Reading;
use crate::engine::{Engine, Port};
use crate::socket::{KERNEL_OVERHEAD, ReceiveBuffers};
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
///    [`poll_room`](Self::poll_room) is ready. [`poll_ready`](Self::poll_ready) is all of it but
///    the time.
///
/// Neither call waits for anything, and each does a bounded amount of work.
///
/// ```
/// use std::time::Duration;
///
/// use alan_driver::{Driver, Turn};
///
/// # fn wait_for(_socket: &std::net::UdpSocket, _driver: &Driver, _time: Option<Duration>) {}
/// fn run(mut driver: Driver) {
///     loop {
///         let _is_empty = driver.receive().is_err();
///         match driver.advance() {
///             Turn::Ended => return,
///             Turn::Again => std::thread::yield_now(),
///             Turn::Sleep(time) => wait_for(driver.socket(), &driver, time),
///         }
///     }
/// }
/// ```
pub struct Driver {
    /// Dropped before the socket: when the port is free, all the rest has ended, too.
    engine: Running,
    socket: Arc<Port>,
    buffers: ReceiveBuffers,
    wakes: Wakes,
    /// Whether the last read has left something in the socket that may be read now.
    more: bool,
    /// Bytes of the kernel's buffer that were freed, at least, since the present deadline came,
    /// while the socket was never found empty.
    backlog: usize,
    /// The most bytes that can have been waiting at any one moment.
    kernel_buffer: usize,
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

impl Driver {
    pub(crate) fn new(engine: Arc<Engine>, socket: Arc<Port>) -> Self {
        // Whatever the kernel does not want to tell, it is not more than what was asked for.
        let kernel_buffer = socket.receive_buffer_size().unwrap_or(crate::socket::KERNEL_BUFFER);
        Self {
            engine: Running(engine),
            socket,
            buffers: ReceiveBuffers::new(),
            wakes: Wakes::default(),
            more: false,
            backlog: 0,
            kernel_buffer,
        }
    }

    /// Runs `turns`, which is the loop, on a thread of its own. Shutting the node down joins that.
    pub fn run_on_thread(self, turns: impl FnOnce(Self) + Send + 'static) -> io::Result<()> {
        let engine = Arc::clone(&self.engine.0);
        let thread = thread::Builder::new().name("alan-loop".to_owned());
        engine.set_thread(thread.spawn(move || turns(self))?);
        Ok(())
    }

    /// The socket, to be registered for readiness and for nothing else.
    pub fn socket(&self) -> &UdpSocket {
        (**self.socket).as_ref()
    }

    /// Receives and handles what has arrived, up to a bounded amount, and nothing while there is no
    /// [room](Self::poll_room). An error of the kind [`WouldBlock`](io::ErrorKind::WouldBlock) says
    /// that the socket is empty; there are no others. After anything else,
    /// [`advance`](Self::advance) says whether to go on receiving.
    pub fn receive(&mut self) -> io::Result<()> {
        self.read(Reading::ToDeliver)
    }

    fn read(&mut self, reading: Reading) -> io::Result<()> {
        self.more = false;
        for _ in 0..BATCHES_PER_TURN {
            if reading == Reading::ToDeliver && self.engine.outlet().inbox.is_blocked() {
                return Ok(());
            }
            match self.socket.receive(&mut self.buffers) {
                Ok(_) => {
                    self.backlog += self.buffers.kernel_bytes();
                    let datagrams = self.buffers.datagrams();
                    self.engine.handle_batch(datagrams, reading, &mut self.wakes);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.backlog = 0;
                    return Err(error);
                }
                // One read has failed, not the socket.
                Err(error) => {
                    self.backlog += KERNEL_OVERHEAD;
                    self.engine.count_receive_failure(&error);
                    break;
                }
            }
            if fault!(JudgeUnheard) {
                break;
            }
        }
        self.more = true;
        Ok(())
    }

    /// Does what is due, and says how to go on.
    ///
    /// When a deadline has come, all that had arrived by then is received first: nobody is
    /// declared silent whose sign of life waits in the socket. A socket that never runs empty
    /// can't put that off for ever: what arrived before the deadline has been read once as many
    /// bytes have been as the kernel can hold. Nor does a full queue, where that blocks: messages
    /// that find no room are refused then.
    pub fn advance(&mut self) -> Turn {
        if let Some(due) = self.engine.due() {
            let reading = if due.judges { Reading::ToJudge } else { Reading::ToDeliver };
            let _is_empty = fault!(JudgeUnheard) || self.read(reading).is_err();
            if self.more && self.backlog < self.kernel_buffer && !fault!(JudgeUnheard) {
                return Turn::Again;
            }
            self.backlog = 0;
            self.engine.handle_timeout(due);
            #[cfg(feature = "metrics")]
            self.engine.record_metrics();
        } else {
            self.backlog = 0;
        }
        // Asked for once: who does not receive again is to wait for the socket.
        let more = std::mem::take(&mut self.more);
        match self.engine.sleep() {
            Err(_closed) => Turn::Ended,
            Ok(_) if more => Turn::Again,
            Ok(time) => Turn::Sleep(time),
        }
    }

    /// Ready when the loop is to turn before its time: it was [woken](Self::poll_woken), or there
    /// is [room](Self::poll_room) and `readable`, which polls the socket's readiness, is ready.
    pub fn poll_ready<T>(
        &self,
        context: &mut Context<'_>,
        readable: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<()> {
        let woken = self.poll_woken(context).is_ready();
        let has_room = self.poll_room(context).is_ready();
        if (has_room && readable(context).is_ready()) || woken {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Ready when a command has moved the next deadline forward, or the node has ended.
    pub fn poll_woken(&self, context: &Context<'_>) -> Poll<()> {
        self.engine.poll_woken(context)
    }

    /// Ready when there is room to receive: always, unless a full queue is to be waited for.
    pub fn poll_room(&self, context: &Context<'_>) -> Poll<()> {
        let task = context.waker();
        let must_wait = self.engine.deliver(|outlet, _, wakes| outlet.inbox.must_wait(task, wakes));
        if must_wait { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("engine", &self.engine.0).finish_non_exhaustive()
    }
}
