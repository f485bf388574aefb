//! Time in the simulated world: the true time, and each node's own clock that runs a little off it.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

use alan_proto::Instant;

/// A moment of true time, in microseconds since the world began. No node ever sees one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(u64);

impl Moment {
    /// When the world began.
    pub const START: Self = Self(0);

    /// The moment so many microseconds after the world began.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The moment so many milliseconds after the world began.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000)
    }

    /// Microseconds since the world began.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time since `earlier`, or zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A duration in whole microseconds.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The monotonic clock of one machine: starts anywhere, and runs fast or slow by a fixed rate. It
/// goes on while its node is paused, down or restarted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Clock {
    offset: u64,
    /// Parts per million by which it is fast (or, negative, slow).
    rate_ppm: i64,
}

const MILLION: i64 = 1_000_000;

impl Clock {
    pub(crate) fn new(offset: u64, rate_ppm: i32) -> Self {
        assert!(rate_ppm.abs() < 1_000_000, "a clock runs forward");
        Self { offset, rate_ppm: rate_ppm.into() }
    }

    /// What the clock shows.
    pub(crate) fn local(self, moment: Moment) -> Instant {
        let elapsed = moment.0.cast_signed();
        let shown = elapsed
            + (elapsed / MILLION) * self.rate_ppm
            + (elapsed % MILLION) * self.rate_ppm / MILLION;
        Instant::from_micros(self.offset + shown.cast_unsigned())
    }

    /// The first moment at which the clock shows `local` or more.
    pub(crate) fn when(self, local: Instant) -> Moment {
        let Some(shown) = local.as_micros().checked_sub(self.offset) else {
            return Moment::START;
        };
        let rate = i128::from(MILLION + self.rate_ppm);
        let guess = i128::from(shown) * i128::from(MILLION) / rate;
        let mut moment = Moment(u64::try_from(guess).unwrap_or(u64::MAX >> 1).saturating_sub(2));
        while self.local(moment) < local {
            moment.0 += 1;
        }
        moment
    }
}

/// The wall clock of one machine, in microseconds since 1970. It is off by a number that changes
/// when somebody sets it, at a rate that is always right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct WallClock {
    offset: i64,
}

/// What a wall clock that is right shows when the world begins: a day in January 2027.
const WORLD_BEGINS: u64 = 1_800_000_000_000_000;

impl WallClock {
    /// A clock that is fast by so many microseconds or, negative, slow.
    pub(crate) const fn new(offset: i64) -> Self {
        Self { offset }
    }

    /// What it shows; 0 for times before 1970.
    pub(crate) const fn at(self, moment: Moment) -> u64 {
        WORLD_BEGINS.saturating_add(moment.0).saturating_add_signed(self.offset)
    }

    /// Sets it forward by so many microseconds or, negative, back.
    pub(crate) const fn step(&mut self, micros: i64) {
        self.offset = self.offset.saturating_add(micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_a_time_first_at_the_moment_that_it_names_for_it() {
        for rate_ppm in [-10_000, -1, 0, 1, 10_000] {
            let clock = Clock::new(77, rate_ppm);
            for shown in [77, 78, 1_000, 999_999, 1_000_077, 123_456_789] {
                let local = Instant::from_micros(shown);
                let moment = clock.when(local);
                assert!(clock.local(moment) >= local);
                if moment > Moment::START {
                    assert!(clock.local(Moment(moment.0 - 1)) < local, "{rate_ppm} {shown}");
                }
            }
        }
    }

    #[test]
    fn a_wall_clock_can_be_set_back_before_what_it_has_shown() {
        let mut wall = WallClock::new(-500);
        let shown = wall.at(Moment::from_millis(10));
        assert_eq!(shown, WORLD_BEGINS + 9_500);
        wall.step(-20_000);
        assert_eq!(wall.at(Moment::from_millis(11)), shown - 19_000);
        wall.step(i64::MIN);
        assert_eq!(wall.at(Moment::START), 0);
    }

    #[test]
    fn a_fast_clock_is_ahead_by_its_rate() {
        let clock = Clock::new(0, 10_000);
        assert_eq!(clock.local(Moment::from_millis(100_000)), Instant::from_millis(101_000));
    }
}
