//! The other side of a conversation, on a thread with a runtime of its own.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use smol::future;
use tokio::sync::oneshot;

use crate::Failure;
use crate::ground::Ground;

/// A thread that works until this is dropped.
#[must_use = "dropped, it ends its thread"]
pub(crate) struct Background {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), Failure>>>,
}

impl Background {
    /// Starts it; `work` makes its sockets itself, since they belong to its runtime.
    pub(crate) fn spawn<G: Ground, F>(work: impl FnOnce(G::Runtime) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let ground = G::new()?;
            let work = work(ground.runtime());
            let stopped = async {
                let _dropped = stopped.await;
                Ok(())
            };
            ground.run(Duration::MAX, future::or(work, stopped))
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        let thread = self.thread.take().expect("only this takes it");
        match thread.join() {
            Ok(Ok(())) => {}
            // Nobody answered any more, so the row has failed as well; this is the reason.
            Ok(Err(failure)) => eprintln!("the other side failed: {failure}"),
            Err(_panic) => eprintln!("the other side panicked"),
        }
    }
}
