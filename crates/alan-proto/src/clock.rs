//! The hybrid logical clock: runs like the wall clock it was started from, and never behind what
//! was heard of others (Kulkarni et al., "Logical Physical Clocks", 2014).
//!
//! The wall clock enters once, at the start; from there the node's own monotonic clock carries it
//! on. So a step of the wall clock while the node runs changes nothing.

use core::time::Duration;

use crate::hybrid::HybridTime;
use crate::time::Instant;

/// How far ahead of ours another clock may be. What is further ahead is refused, so that one node
/// with a wild wall clock can't push everybody's to the end of the range.
const LONGEST_LEAD: Duration = Duration::from_secs(86_400);

/// Another clock is too far ahead to be followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooFarAhead {
    pub(crate) by: Duration,
}

/// This node's hybrid logical clock.
#[derive(Clone, Copy, Hash, Debug)]
pub(crate) struct HybridClock {
    started: HybridTime,
    started_at: Instant,
    /// The latest that was heard of anybody.
    latest: HybridTime,
}

impl HybridClock {
    pub(crate) const fn new(wall: HybridTime, now: Instant) -> Self {
        Self { started: wall, started_at: now, latest: wall }
    }

    /// What the clock said at the start.
    pub(crate) const fn started(&self) -> HybridTime {
        self.started
    }

    /// What it says now.
    pub(crate) fn read(&self, now: Instant) -> HybridTime {
        self.physical(now).max(self.latest)
    }

    /// Takes note of another clock, which is never again ahead of what this one says.
    pub(crate) fn observe(&mut self, now: Instant, other: HybridTime) -> Result<(), TooFarAhead> {
        let by = other.as_micros().saturating_sub(self.read(now).as_micros());
        let by = Duration::from_micros(by);
        if by > LONGEST_LEAD {
            return Err(TooFarAhead { by });
        }
        self.latest = self.latest.max(other);
        Ok(())
    }

    fn physical(&self, now: Instant) -> HybridTime {
        let elapsed = now.as_micros().saturating_sub(self.started_at.as_micros());
        HybridTime::from_micros(self.started.as_micros().saturating_add(elapsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_millis(7);

    fn clock(wall: u64) -> HybridClock {
        HybridClock::new(HybridTime::from_micros(wall), START)
    }

    #[test]
    fn it_runs_with_the_monotonic_clock() {
        let clock = clock(1_000_000);
        assert_eq!(clock.read(START + Duration::from_micros(5)).as_micros(), 1_000_005);
    }

    #[test]
    fn it_is_never_behind_what_was_heard() {
        let mut clock = clock(1_000_000);
        clock.observe(START, HybridTime::from_micros(2_000_000)).expect("a second ahead");
        assert_eq!(clock.read(START).as_micros(), 2_000_000);
        clock.observe(START, HybridTime::from_micros(3)).expect("behind is fine");
        assert_eq!(clock.read(START).as_micros(), 2_000_000);
        assert_eq!(clock.read(START + Duration::from_secs(2)).as_micros(), 3_000_000);
    }

    #[test]
    fn who_is_more_than_a_day_ahead_is_not_followed() {
        let mut clock = clock(1_000_000);
        let wild = HybridTime::from_micros(1_000_001 + 86_400_000_000);
        let refused = clock.observe(START, wild).expect_err("more than a day");
        assert_eq!(refused.by, LONGEST_LEAD + Duration::from_micros(1));
        assert_eq!(clock.read(START).as_micros(), 1_000_000);
    }
}
