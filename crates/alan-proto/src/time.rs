//! Time as the core knows it: a monotonic count of microseconds that callers pass in.

use core::fmt;
use core::ops::Add;
use core::time::Duration;

/// A moment on the caller's monotonic clock, in microseconds since an epoch of the caller's choice.
///
/// The core never reads a clock: every call that may depend on time takes an `Instant`. Adapters
/// take it from a clock that goes on through suspend; tests make it up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The clock's epoch.
    pub const EPOCH: Self = Self(0);

    /// The last moment, which is never over: what is due then never happens.
    pub(crate) const END: Self = Self(u64::MAX);

    /// The moment `micros` microseconds after the clock's epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The moment `millis` milliseconds after the clock's epoch (saturating).
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the clock's epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time since `earlier`, or zero if `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at the end of the range, some 584,000 years after the epoch.
    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_saturates_at_the_end_of_time() {
        assert_eq!(
            Instant::from_micros(u64::MAX) + Duration::from_secs(1),
            Instant::from_micros(u64::MAX)
        );
        assert_eq!(Instant::EPOCH + Duration::MAX, Instant::from_micros(u64::MAX));
    }

    #[test]
    fn an_earlier_moment_is_no_time_ago() {
        let late = Instant::from_millis(5);
        assert_eq!(Instant::EPOCH.saturating_since(late), Duration::ZERO);
        assert_eq!(late.saturating_since(Instant::EPOCH), Duration::from_millis(5));
    }
}
