//! What a seed draws: a stream of numbers per purpose, so that taking one thing out of a plan
//! leaves what other things draw as it was.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::time::micros;

/// A stream of numbers (SplitMix64): small enough to make one per datagram.
#[derive(Clone, Debug)]
pub(crate) struct Draws(u64);

/// How often something happens, in thousandths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct PerMille(pub u16);

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Draws {
    /// The stream of `seed` for this purpose.
    pub(crate) const fn new(seed: u64, purpose: u64) -> Self {
        Self(
            mix(seed.wrapping_add(GAMMA))
                ^ mix(purpose.wrapping_mul(GAMMA) ^ 0x5851_f42d_4c95_7f2d),
        )
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// Less than `limit`, or 0 if that is 0.
    pub(crate) const fn below(&mut self, limit: u64) -> u64 {
        // The bias of one part in 2^64 / limit does not matter here.
        ((self.next() as u128 * limit as u128) >> 64) as u64
    }

    pub(crate) fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (least, most) = range.into_inner();
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// A whole number of microseconds in the range.
    pub(crate) fn duration(&mut self, range: RangeInclusive<Duration>) -> Duration {
        Duration::from_micros(self.within(micros(*range.start())..=micros(*range.end())))
    }

    /// Milliseconds in the range.
    pub(crate) fn millis(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    pub(crate) const fn chance(&mut self, odds: PerMille) -> bool {
        // Drawn in any case: whether something can happen does not change what comes after.
        self.below(1_000) < odds.0 as u64
    }

    pub(crate) fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        let index = self.below(among.len() as u64);
        &among[usize::try_from(index).expect("an index")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_seed_and_purpose_and_nothing_else() {
        let first = |seed, purpose| Draws::new(seed, purpose).next();
        assert_eq!(first(1, 2), first(1, 2));
        assert_ne!(first(1, 2), first(2, 1));
        assert_ne!(first(1, 2), first(1, 3));
    }

    #[test]
    fn what_is_drawn_stays_within_its_range_and_reaches_both_ends() {
        let mut draws = Draws::new(7, 0);
        let numbers: Vec<_> = (0..1_000).map(|_| draws.within(3..=5)).collect();
        assert_eq!((numbers.iter().min(), numbers.iter().max()), (Some(&3), Some(&5)));
        assert_eq!(draws.below(0), 0);
        assert!(!draws.chance(PerMille(0)));
        assert!(draws.chance(PerMille(1_000)));
    }
}
