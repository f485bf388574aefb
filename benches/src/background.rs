//! The other side of a conversation, on a thread with a runtime of its own.

use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::{Failure, measure};

/// A thread that works until this is dropped.
#[must_use = "dropped, it ends its thread"]
pub(crate) struct Background {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), Failure>>>,
}

impl Background {
    /// Starts it; `work` makes its sockets itself, since they belong to its runtime.
    pub(crate) fn spawn(work: impl Future<Output = Result<(), Failure>> + Send + 'static) -> Self {
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            measure::runtime()?.block_on(async {
                tokio::select! {
                    ended = measure::as_task(work) => ended,
                    _dropped = stopped => Ok(()),
                }
            })
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
