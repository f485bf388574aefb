//! The runtime that is none: a thread for the loop, threads for handlers and callbacks.

use std::num::NonZero;
use std::{io, thread};

use alan_driver::{Driver, Message, Queues, Runtime, Serve, Task};

use crate::crew::Crew;
use crate::turns::{self, Readiness};
use crate::wait::Wait;

/// How a node uses threads.
///
/// | thread | how many | until |
/// | --- | --- | --- |
/// | `alan-loop`: receives and keeps time | 1 | the node has left the cluster; `shutdown` joins it |
/// | `alan-handler`: runs the handler of [`serve`](crate::Node::serve) | as many as peers were busy at once, and one that waits; at most [`handlers`](Self::handlers) | the node has left the cluster |
/// | `alan-callback`: runs an [`on_peer_join`](crate::Node::on_peer_join) or [`on_peer_leave`](crate::Node::on_peer_leave) | 1 for each | the node has left the cluster |
/// | `alan-discovery`: asks for addresses | 1 | the node has left the cluster |
///
/// A handler that is stuck keeps its thread, and delays nobody but its own peer. When all the
/// handlers that may be are at work, further peers' messages wait in their queues (which are
/// bounded: see [`queue_size`](crate::Builder::queue_size)) and are served in turn; heartbeats,
/// locks and replies don't wait for handlers, ever.
///
/// The last three kinds are not joined, because they run code that is not the node's: a handler
/// may be the one that shuts the node down, and a name server may not answer for seconds. They end
/// by themselves when that code returns.
///
/// Like [`std::thread::spawn`], `serve`, `on_peer_join` and `on_peer_leave` panic when the system
/// has no thread to give. [`start`](crate::Builder::start) returns an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Threads {
    handlers: NonZero<usize>,
}

/// Enough for any but the largest clusters with the slowest handlers; none is made before it is
/// needed.
const HANDLERS: NonZero<usize> = NonZero::new(256).expect("it is not 0");

impl Threads {
    /// Up to 256 handlers.
    pub const fn new() -> Self {
        Self { handlers: HANDLERS }
    }

    /// How many handlers may be at work at the same time: so many threads there are at most to
    /// serve one node. For [`Builder::start_on`](crate::Builder::start_on).
    #[must_use]
    pub const fn handlers(self, most: NonZero<usize>) -> Self {
        Self { handlers: most }
    }
}

impl Default for Threads {
    fn default() -> Self {
        Self::new()
    }
}

impl Runtime for Threads {
    fn current() -> io::Result<Self> {
        Ok(Self::new())
    }

    fn spawn(&self, task: Task) {
        let name = "alan-callback".to_owned();
        let spawned = thread::Builder::new().name(name).spawn(|| task.wait());
        or_panic(spawned.map(drop));
    }

    fn drive(&self, driver: Driver) -> io::Result<()> {
        let readiness = Readiness::of(&driver)?;
        driver.run_on_thread(|driver| turns::run(driver, readiness))
    }
}

impl Serve<()> for Threads {
    fn serve<H: Fn(Message) + Send + Sync + 'static>(&self, queues: Queues, handler: H) {
        or_panic(Crew::start(queues, handler, self.handlers));
    }
}

/// As `std::thread::spawn` does.
fn or_panic(spawned: io::Result<()>) {
    if let Err(error) = spawned {
        panic!("the system has no thread to give: {error}");
    }
}
