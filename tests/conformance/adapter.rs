//! What the suite needs to know of an adapter: how to wait, start, spawn, and write a handler.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use alan_driver::{AsyncRuntime, Driver, IncomingTaken, Message, Runtime, StartError, Task};
use alan_smol::Smol;
use alan_sync::{Threads, Wait};
use alan_tokio::Tokio;
use tokio::runtime;

use crate::stage::{NewNode, Node};

/// One way to run nodes: an adapter, in one of its environments.
pub(crate) trait Adapter: Sized + 'static {
    type Runtime: Runtime;

    /// Waits for a future, with the runtime around it.
    fn block_on<F: Future>(future: F) -> F::Output;

    /// Starts a node, inside of `block_on`.
    fn start(node: NewNode<Self>) -> impl Future<Output = Result<Node<Self>, StartError>> {
        node.start()
    }

    /// Starts a node whose loop nobody else's work shares a thread with, inside of `block_on`.
    fn start_apart(node: NewNode<Self>) -> impl Future<Output = Result<Node<Self>, StartError>> {
        Self::start(node)
    }

    /// Runs a task beside the one that waits.
    fn spawn(task: Task) {
        Self::Runtime::current().expect("this is inside of `block_on`").spawn(task);
    }

    /// Hands the node's messages to a handler that may wait, as the adapter's users would.
    fn serve<H, F>(node: &Node<Self>, handler: H) -> Result<(), IncomingTaken>
    where
        H: Fn(Message) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static;
}

/// Handlers are asynchronous.
macro_rules! serve_with_futures {
    () => {
        fn serve<H, F>(node: &Node<Self>, handler: H) -> Result<(), IncomingTaken>
        where
            H: Fn(Message) -> F + Send + Sync + 'static,
            F: Future<Output = ()> + Send + 'static,
        {
            node.serve(handler)
        }
    };
}

/// alan-tokio on a runtime with several threads.
pub(crate) struct TokioThreads;

impl Adapter for TokioThreads {
    type Runtime = Tokio;

    fn block_on<F: Future>(future: F) -> F::Output {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("the system has threads").block_on(future)
    }

    serve_with_futures!();
}

/// alan-tokio on a runtime with one thread.
pub(crate) struct TokioThread;

impl Adapter for TokioThread {
    type Runtime = Tokio;

    fn block_on<F: Future>(future: F) -> F::Output {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("the system has resources").block_on(future)
    }

    serve_with_futures!();
}

/// alan-smol on smol's global executor.
pub(crate) struct GlobalSmol;

impl Adapter for GlobalSmol {
    type Runtime = Smol;

    fn block_on<F: Future>(future: F) -> F::Output {
        smol::block_on(future)
    }

    async fn start_apart(node: NewNode<Self>) -> Result<Node<Self>, StartError> {
        node.start_on(Smol::spawning(|task| drop(thread::spawn(|| smol::block_on(task)))))
    }

    serve_with_futures!();
}

/// alan-smol on async-std's executor.
pub(crate) struct AsyncStd;

impl AsyncStd {
    fn runtime() -> Smol {
        Smol::spawning(|task| drop(async_std::task::spawn(task)))
    }
}

impl Adapter for AsyncStd {
    type Runtime = Smol;

    fn block_on<F: Future>(future: F) -> F::Output {
        async_std::task::block_on(future)
    }

    async fn start(node: NewNode<Self>) -> Result<Node<Self>, StartError> {
        node.start_on(Self::runtime())
    }

    async fn start_apart(node: NewNode<Self>) -> Result<Node<Self>, StartError> {
        node.start_on(Smol::spawning(|task| drop(thread::spawn(|| Self::block_on(task)))))
    }

    fn spawn(task: Task) {
        Self::runtime().spawn(task);
    }

    serve_with_futures!();
}

/// alan-sync: threads only.
pub(crate) struct PlainThreads;

impl Adapter for PlainThreads {
    type Runtime = Threads;

    fn block_on<F: Future>(future: F) -> F::Output {
        future.wait()
    }

    /// Handlers block.
    fn serve<H, F>(node: &Node<Self>, handler: H) -> Result<(), IncomingTaken>
    where
        H: Fn(Message) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        node.serve(move |message| handler(message).wait())
    }
}

/// Clusters whose nodes take turns in running under tokio, smol and threads.
pub(crate) struct MixedCluster;

impl Adapter for MixedCluster {
    type Runtime = Mixed;

    fn block_on<F: Future>(future: F) -> F::Output {
        TokioThreads::block_on(future)
    }

    async fn start_apart(node: NewNode<Self>) -> Result<Node<Self>, StartError> {
        node.start_on(Mixed::Tokio(Tokio::current()?))
    }

    fn spawn(task: Task) {
        TokioThreads::spawn(task);
    }

    serve_with_futures!();
}

/// One of the three.
#[derive(Clone)]
pub(crate) enum Mixed {
    Tokio(Tokio),
    Smol(Smol),
    Threads(Threads),
}

impl Runtime for Mixed {
    /// The one whose turn it is.
    fn current() -> io::Result<Self> {
        static TURN: AtomicUsize = AtomicUsize::new(0);
        Ok(match TURN.fetch_add(1, Ordering::Relaxed) % 3 {
            0 => Self::Tokio(Tokio::current()?),
            1 => Self::Smol(Smol::current()?),
            _ => Self::Threads(Threads::current()?),
        })
    }

    fn spawn(&self, task: Task) {
        match self {
            Self::Tokio(runtime) => runtime.spawn(task),
            Self::Smol(runtime) => runtime.spawn(task),
            Self::Threads(runtime) => runtime.spawn(task),
        }
    }

    fn drive(&self, driver: Driver) -> io::Result<()> {
        match self {
            Self::Tokio(runtime) => runtime.drive(driver),
            Self::Smol(runtime) => runtime.drive(driver),
            Self::Threads(runtime) => runtime.drive(driver),
        }
    }
}

impl AsyncRuntime for Mixed {}
