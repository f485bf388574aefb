//! The clock of leases: it goes on while the machine is suspended.

use std::time::SystemTime;

use alan_proto::{HybridTime, Instant};

/// Reads the clock that the core's times are taken from.
///
/// A node that believed in its lock after a suspend, while the others have long given it away,
/// would be the worst of faults. So this clock runs through suspend, where the platform has one
/// that does:
///
/// | platform | clock |
/// | --- | --- |
/// | Linux, Android, Fuchsia, OpenBSD | `CLOCK_BOOTTIME` |
/// | macOS, iOS and their kin | `CLOCK_MONOTONIC`, which runs through sleep there |
/// | Windows | [`std::time::Instant`], which runs through sleep there |
/// | others | [`std::time::Instant`], which may stand still during suspend |
///
/// All copies read the same clock, so readings within one process can be compared; those of two
/// processes can't. A reading costs tens of nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeaseClock(());

impl LeaseClock {
    /// The process's lease clock.
    pub const fn new() -> Self {
        Self(())
    }

    /// The present moment. Never earlier than one that was read before.
    pub fn now(&self) -> Instant {
        Instant::from_micros(platform::micros())
    }
}

/// What the wall clock says, for a node's start: later it is not looked at, so that nobody who sets
/// it moves anything. A clock before 1970 counts as that; others' clocks put it right.
pub(crate) fn wall() -> HybridTime {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    HybridTime::from_micros(u64::try_from(since_1970.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "fuchsia",
    target_os = "openbsd",
    target_vendor = "apple",
))]
mod platform {
    use rustix::time::{ClockId, clock_gettime};

    #[cfg(target_vendor = "apple")]
    const CLOCK: ClockId = ClockId::Monotonic;
    #[cfg(not(target_vendor = "apple"))]
    const CLOCK: ClockId = ClockId::Boottime;

    pub(super) fn micros() -> u64 {
        let time = clock_gettime(CLOCK);
        let seconds = u64::try_from(time.tv_sec).expect("this clock starts at zero and rises");
        let nanos = u64::try_from(time.tv_nsec).expect("nanoseconds are never negative");
        seconds * 1_000_000 + nanos / 1_000
    }
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "fuchsia",
    target_os = "openbsd",
    target_vendor = "apple",
)))]
mod platform {
    use std::sync::LazyLock;
    use std::time::Instant;

    static FIRST_READING: LazyLock<Instant> = LazyLock::new(Instant::now);

    pub(super) fn micros() -> u64 {
        let elapsed = FIRST_READING.elapsed().as_micros();
        u64::try_from(elapsed).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_read_the_same_clock_and_it_never_goes_back() {
        let clock = LeaseClock::new();
        let copy = clock;
        let mut last = clock.now();
        for _ in 0..1_000 {
            let next = copy.now();
            assert!(next >= last, "{next:?} after {last:?}");
            last = clock.now();
            assert!(last >= next, "{last:?} after {next:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn on_linux_it_counts_from_boot_with_suspends_included() {
        use std::time::Duration;

        // The kernel's uptime includes time in suspend, and is cut to hundredths of a second.
        let before = LeaseClock::new().now();
        let uptime = std::fs::read_to_string("/proc/uptime").expect("Linux has it");
        let after = LeaseClock::new().now();

        let seconds = uptime.split(' ').next().expect("two numbers");
        let seconds = seconds.parse::<f64>().expect("a number");
        let uptime = Instant::EPOCH + Duration::from_secs_f64(seconds);
        assert!(uptime + Duration::from_millis(10) >= before, "{uptime:?} before {before:?}");
        assert!(uptime <= after, "{uptime:?} after {after:?}");
    }
}
