//! Keeps the threads of a row on one core, so that a row's figure is what both sides cost together.
//!
//! Whether the system puts the two sides on one core or on two changes from one moment to the next,
//! and with it what a datagram costs, by a factor of two and more: on two cores each one may have
//! to wake an idle core, which on a virtual machine takes longer than all the rest, and the cheaper
//! side hides behind the dearer. None of that is what the rows ask.

use crate::Failure;

/// While it lives, this thread and the threads that it starts share one core. On Linux only;
/// elsewhere it does nothing.
#[must_use = "dropped, it gives all cores back"]
pub(crate) struct OneCore {
    #[cfg(target_os = "linux")]
    before: rustix::thread::CpuSet,
}

/// The same for all rows: async-io has a thread that stays where the first one had it.
#[cfg(target_os = "linux")]
static CORE: std::sync::OnceLock<usize> = std::sync::OnceLock::new();

#[cfg(target_os = "linux")]
impl OneCore {
    pub(crate) fn enter() -> Result<Self, Failure> {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

        let before = sched_getaffinity(None)?;
        let mut one = CpuSet::new();
        one.set(*CORE.get_or_init(sched_getcpu));
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
