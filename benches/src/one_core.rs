//! Keeps the threads of a row on one core.
//!
//! In a round trip one side works while the other waits, so that a second core is of no use; but
//! whether the system puts the sides on one core or on two decides whether each datagram has to
//! wake an idle core, and on a virtual machine that takes longer than all the rest. It is not what
//! these rows ask.

use crate::Failure;

/// While it lives, this thread and the threads that it starts share one core. On Linux only;
/// elsewhere it does nothing.
#[must_use = "dropped, it gives all cores back"]
pub(crate) struct OneCore {
    #[cfg(target_os = "linux")]
    before: rustix::thread::CpuSet,
}

#[cfg(target_os = "linux")]
impl OneCore {
    pub(crate) fn enter() -> Result<Self, Failure> {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

        let before = sched_getaffinity(None)?;
        let mut one = CpuSet::new();
        one.set(sched_getcpu());
        sched_setaffinity(None, &one)?;
        Ok(Self { before })
    }
}

#[cfg(target_os = "linux")]
impl Drop for OneCore {
    fn drop(&mut self) {
        if let Err(error) = rustix::thread::sched_setaffinity(None, &self.before) {
            eprintln!("the next rows have one core too: {error}");
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl OneCore {
    pub(crate) fn enter() -> Result<Self, Failure> {
        Ok(Self {})
    }
}
