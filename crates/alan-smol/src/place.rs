//! Where a node's loop and tasks run: smol's global executor, one's own, or anything that spawns.

use std::fmt;
use std::io;
use std::sync::Arc;

use alan_driver::{AsyncRuntime, Driver, Runtime, Task};
use async_executor::Executor;

use crate::task;

/// Where a node runs, for [`Builder::start_on`](crate::Builder::start_on). Cheap to clone.
#[derive(Clone)]
pub struct Smol {
    spawn: Arc<dyn Fn(Task) + Send + Sync>,
}

impl Smol {
    /// smol's global executor, as [`Builder::start`](crate::Builder::start) has it. It has one
    /// thread, or as many as the environment variable `SMOL_THREADS` says.
    #[cfg(feature = "global")]
    pub fn global() -> Self {
        Self::spawning(|task| smol::spawn(task).detach())
    }

    /// An executor of your own, which somebody has to run: nodes on one that nobody runs neither
    /// receive nor shut down. When it is dropped, so is the node, without a goodbye: its peers
    /// notice after their heartbeat timeout. A node does not keep its executor alive.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use alan_smol::{Node, Smol};
    /// use smol::Executor;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let executor = Arc::new(Executor::new());
    /// let builder = Node::builder().dns("my-cluster.local");
    /// # let builder = Node::builder().peers::<&str>([]).bind([127, 91, 3, 1]);
    /// let node = builder.start_on(Smol::on(&executor))?;
    /// smol::block_on(executor.run(async {
    ///     node.ready().await?;
    ///     node.shutdown().await;
    ///     Ok(())
    /// }))
    /// # }
    /// ```
    pub fn on(executor: &Arc<Executor<'static>>) -> Self {
        // A node with an executor in its hand would keep it alive, and its own task with it.
        let executor = Arc::downgrade(executor);
        Self::spawning(move |task| {
            if let Some(executor) = executor.upgrade() {
                executor.spawn(task).detach();
            }
        })
    }

    /// Anything else that can spawn: an executor in a `static`, async-std's. Each call must have
    /// its task polled to the end, or dropped. It is called from any thread, and must not run the
    /// task before it returns.
    ///
    /// ```
    /// use alan_smol::{Node, Smol};
    /// use smol::Executor;
    ///
    /// static EXECUTOR: Executor<'_> = Executor::new();
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let here = Smol::spawning(|task| EXECUTOR.spawn(task).detach());
    /// let builder = Node::builder().dns("my-cluster.local");
    /// # let builder = Node::builder().peers::<&str>([]).bind([127, 91, 4, 1]);
    /// let node = builder.start_on(here)?;
    /// smol::block_on(EXECUTOR.run(node.shutdown()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawning(spawn: impl Fn(Task) + Send + Sync + 'static) -> Self {
        Self { spawn: Arc::new(spawn) }
    }
}

impl AsyncRuntime for Smol {}

impl Runtime for Smol {
    /// smol's global executor: a thread can't tell which other one it is running.
    #[cfg(feature = "global")]
    fn current() -> io::Result<Self> {
        Ok(Self::global())
    }

    /// There is none: a thread can't tell which executor it is running.
    #[cfg(not(feature = "global"))]
    fn current() -> io::Result<Self> {
        let what = "without the feature `global`, an executor must be named: see `start_on`";
        Err(io::Error::new(io::ErrorKind::Unsupported, what))
    }

    fn spawn(&self, task: Task) {
        (self.spawn)(task);
    }

    fn drive(&self, driver: Driver) -> io::Result<()> {
        let socket = task::register(&driver)?;
        self.spawn(Box::pin(task::run(driver, socket)));
        Ok(())
    }
}

impl fmt::Debug for Smol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smol").finish_non_exhaustive()
    }
}
