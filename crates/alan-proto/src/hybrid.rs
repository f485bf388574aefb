//! A moment on a hybrid logical clock.

use core::fmt;

/// A moment on a hybrid logical clock: about the microseconds since 1970, and never behind a
/// moment that whoever says it had heard of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HybridTime(u64);

impl HybridTime {
    /// The moment with this number of microseconds since 1970.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// About the microseconds since 1970.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for HybridTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HybridTime({})", self.0)
    }
}
