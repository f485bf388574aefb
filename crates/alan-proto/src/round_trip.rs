//! How long a peer takes to answer: RFC 6298's smoothing, and when to send again.

use core::time::Duration;

use crate::mutant::{Mutant, planted};
use crate::pause::doubled;

/// What is waited before the first sample.
const INITIAL_TIMEOUT: Duration = Duration::from_millis(250);

/// Bounds of the timeout. The lower one leaves a peer the time to handle what it got: an answer
/// is not an acknowledgement.
const MIN_TIMEOUT: Duration = Duration::from_millis(50);
const MAX_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest pause between two transmissions.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// How coarse timers are: RFC 6298's G.
const GRANULARITY: Duration = Duration::from_millis(1);

/// A longer sample counts as this: what a peer or a stopped clock can claim has a bound.
const MAX_SAMPLE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Estimate {
    smoothed: Duration,
    variation: Duration,
}

/// A smoothed round-trip time and how much it varies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub(crate) struct RoundTrip(Option<Estimate>);

impl RoundTrip {
    /// Takes in one measurement. It must be clear which message was answered (Karn's rule).
    pub(crate) fn sample(&mut self, measured: Duration) {
        let measured = measured.min(MAX_SAMPLE);
        self.0 = Some(match self.0 {
            None => Estimate { smoothed: measured, variation: measured / 2 },
            Some(Estimate { smoothed, variation }) => Estimate {
                smoothed: (smoothed * 7 + measured) / 8,
                variation: (variation * 3 + smoothed.abs_diff(measured)) / 4,
            },
        });
    }

    /// The smoothed round-trip time; `None` before the first sample.
    pub(crate) fn smoothed(&self) -> Option<Duration> {
        self.0.map(|estimate| estimate.smoothed)
    }

    /// How far samples lie from the smoothed time; `None` before the first sample.
    #[cfg(test)]
    pub(crate) fn variation(&self) -> Option<Duration> {
        self.0.map(|estimate| estimate.variation)
    }

    /// How long to wait for an answer before the first retransmission: 50 ms to 3 s.
    pub(crate) fn timeout(&self) -> Duration {
        self.0.map_or(INITIAL_TIMEOUT, |Estimate { smoothed, variation }| {
            (smoothed + GRANULARITY.max(variation * 4)).clamp(MIN_TIMEOUT, MAX_TIMEOUT)
        })
    }
}

/// The pause after a transmission before which there were `attempts` others: `timeout`, doubled
/// for each of them, at most 5 s.
pub(crate) fn backoff(timeout: Duration, attempts: u32) -> Duration {
    let attempts = if planted(Mutant::NoBackoff) { 0 } else { attempts };
    doubled(timeout, attempts, MAX_PAUSE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_first_sample_counts_whole_and_the_next_ones_are_smoothed() {
        let mut round_trip = RoundTrip::default();
        assert_eq!((round_trip.smoothed(), round_trip.timeout()), (None, ms(250)));
        round_trip.sample(ms(100));
        assert_eq!(round_trip.smoothed(), Some(ms(100)));
        assert_eq!(round_trip.variation(), Some(ms(50)));
        assert_eq!(round_trip.timeout(), ms(300));
        round_trip.sample(ms(180));
        assert_eq!(round_trip.smoothed(), Some(ms(110)));
        assert_eq!(round_trip.variation(), Some(Duration::from_micros(57_500)));
        assert_eq!(round_trip.timeout(), ms(340));
    }

    #[test]
    fn a_steady_round_trip_gives_a_timeout_of_little_more() {
        let mut round_trip = RoundTrip::default();
        for _ in 0..200 {
            round_trip.sample(ms(200));
        }
        assert_eq!(round_trip.timeout(), ms(201));
    }

    #[test]
    fn pauses_double_up_to_five_seconds() {
        let pauses: alloc::vec::Vec<_> =
            (0..8).map(|attempts| backoff(ms(250), attempts)).collect();
        assert_eq!(pauses, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000].map(ms));
        assert_eq!(backoff(ms(50), 31), MAX_PAUSE);
        assert_eq!(backoff(ms(50), 32), MAX_PAUSE);
        assert_eq!(backoff(Duration::MAX, u32::MAX), MAX_PAUSE);
    }

    proptest! {
        #[test]
        fn whatever_is_measured_the_timeout_stays_within_its_bounds(
            samples in prop::collection::vec(any::<(u64, u32)>(), 1..50),
        ) {
            let mut round_trip = RoundTrip::default();
            for (seconds, nanos) in samples {
                round_trip.sample(Duration::new(seconds, nanos % 1_000_000_000));
                let smoothed = round_trip.smoothed().expect("there are samples");
                prop_assert!(smoothed <= MAX_SAMPLE);
                let timeout = round_trip.timeout();
                prop_assert!((MIN_TIMEOUT..=MAX_TIMEOUT).contains(&timeout));
                prop_assert!(timeout >= smoothed.min(MAX_TIMEOUT));
            }
        }
    }
}
