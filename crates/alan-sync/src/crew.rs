//! Handlers on threads: one waits for the next queue with messages, the others are at work.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{io, thread};

use alan_driver::{Message, Queues, Served};

use crate::wait::Wait;

/// The threads that serve one node. They are made when they are needed and kept until the node has
/// left the cluster.
///
/// Whoever gets a queue first sees to it that somebody waits for the next one. When all that may
/// be are at work, queues wait until one of them is done.
pub(crate) struct Crew<H> {
    /// In the hands of the one who waits; the others who are idle queue for that.
    queues: Mutex<Queues>,
    handler: H,
    staff: Mutex<Staff>,
    most: NonZero<usize>,
}

#[derive(Clone, Copy)]
struct Staff {
    threads: usize,
    busy: usize,
}

impl<H: Fn(Message) + Send + Sync + 'static> Crew<H> {
    /// Fails only when the system has no thread to give.
    pub(crate) fn start(queues: Queues, handler: H, most: NonZero<usize>) -> io::Result<()> {
        let staff = Mutex::new(Staff { threads: 1, busy: 0 });
        let crew = Arc::new(Self { queues: Mutex::new(queues), handler, staff, most });
        crew.hire()
    }

    fn hire(self: &Arc<Self>) -> io::Result<()> {
        let crew = Arc::clone(self);
        let name = "alan-handler".to_owned();
        thread::Builder::new().name(name).spawn(move || crew.work())?;
        Ok(())
    }

    /// What each of the threads does until the node has left the cluster.
    fn work(self: Arc<Self>) {
        while let Some(queue) = self.next_queue() {
            self.begin();
            // The panic hook has told about it. It costs the message it was about, and no thread.
            let _panic = catch_unwind(AssertUnwindSafe(|| queue.for_each(&self.handler)));
            locked(&self.staff).busy -= 1;
        }
    }

    fn next_queue(&self) -> Option<Served> {
        locked(&self.queues).next().wait()
    }

    /// Counts this thread as busy, and gets another one if nobody is left to wait.
    fn begin(self: &Arc<Self>) {
        let mut staff = locked(&self.staff);
        staff.busy += 1;
        if staff.busy < staff.threads || staff.threads >= self.most.get() {
            return;
        }
        match self.hire() {
            Ok(()) => staff.threads += 1,
            Err(error) => {
                let threads = staff.threads;
                tracing::warn!(%error, threads, "no further thread for handlers: peers may wait");
            }
        }
    }
}

/// Nothing that is locked here is left half changed by a panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
