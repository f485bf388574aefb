//! Which sequences of one channel were seen already.

use crate::mutant::{Mutant, planted};

/// How far behind the highest sequence a datagram may come and still be told from a replay.
pub(super) const WIDTH: u64 = 1_024;

const WORD_BITS: u64 = 64;
#[allow(clippy::cast_possible_truncation, reason = "16 fits")]
const WORDS: usize = (WIDTH / WORD_BITS) as usize;

/// The last 1,024 sequences up to the highest one seen; 136 bytes. What is older counts as seen.
///
/// A ring of bits: a sequence has the place of the one that is 1,024 less, which falls out of the
/// window just when the new one enters.
pub(super) struct Window {
    /// One more than the highest sequence seen.
    next: u64,
    seen: [u64; WORDS],
}

impl Window {
    /// Takes sequences from `first` on, and never an older one.
    pub(super) const fn opening_at(first: u64) -> Self {
        Self { next: first, seen: [u64::MAX; WORDS] }
    }

    /// Whether `sequence` is neither seen nor too old to tell.
    pub(super) fn is_fresh(&self, sequence: u64) -> bool {
        if sequence >= self.next || planted(Mutant::ReplaysOpen) {
            return true;
        }
        let (word, bit) = place(sequence);
        self.next - sequence <= WIDTH && self.seen[word] & bit == 0
    }

    /// Remembers a fresh sequence. Only what has proved to be genuine may come here: the window
    /// moves, and what falls out of it is lost.
    pub(super) fn record(&mut self, sequence: u64) {
        debug_assert!(self.is_fresh(sequence), "a sequence is recorded once");
        if sequence >= self.next {
            self.advance_to(sequence);
        }
        let (word, bit) = place(sequence);
        self.seen[word] |= bit;
    }

    /// Makes `newest` the highest sequence; it, and those that were skipped, are not seen yet.
    fn advance_to(&mut self, newest: u64) {
        if newest - self.next >= WIDTH {
            self.seen.fill(0);
        } else {
            for sequence in self.next..=newest {
                let (word, bit) = place(sequence);
                self.seen[word] &= !bit;
            }
        }
        self.next = newest.saturating_add(1);
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the remainder of 16 fits")]
const fn place(sequence: u64) -> (usize, u64) {
    let word = sequence / WORD_BITS % (WIDTH / WORD_BITS);
    (word as usize, 1 << (sequence % WORD_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Remembers everything.
    struct Naive {
        first: u64,
        seen: BTreeSet<u64>,
    }

    impl Naive {
        fn is_fresh(&self, sequence: u64) -> bool {
            let too_old = self.seen.last().is_some_and(|newest| sequence + WIDTH <= *newest);
            sequence >= self.first && !too_old && !self.seen.contains(&sequence)
        }
    }

    /// Steps of every size, back and forth, around the window's width too.
    fn steps() -> impl Strategy<Value = i64> {
        prop_oneof![
            -3..4i64,
            -70..70i64,
            -1_030..1_031i64,
            prop_oneof![Just(-1_025i64), Just(-1_024), Just(-1_023), Just(1_023), Just(1_024)],
            -5_000..5_000i64,
        ]
    }

    proptest! {
        #[test]
        fn it_answers_like_a_set_that_forgets_nothing(
            first in 0..3_000u64,
            start in 0..6_000u64,
            steps in proptest::collection::vec(steps(), 0..300),
        ) {
            let mut window = Window::opening_at(first);
            let mut naive = Naive { first, seen: BTreeSet::new() };
            let mut sequence = start;
            for step in steps {
                prop_assert_eq!(window.is_fresh(sequence), naive.is_fresh(sequence));
                if naive.is_fresh(sequence) {
                    window.record(sequence);
                    naive.seen.insert(sequence);
                }
                sequence = sequence.saturating_add_signed(step);
            }
        }
    }

    #[test]
    fn it_takes_its_whole_width_in_reverse_and_nothing_twice() {
        let mut window = Window::opening_at(0);
        for sequence in (0..WIDTH).rev() {
            assert!(window.is_fresh(sequence), "{sequence}");
            window.record(sequence);
            assert!(!window.is_fresh(sequence), "{sequence}");
        }
        window.record(WIDTH + 1);
        assert!(window.is_fresh(WIDTH));
    }

    #[test]
    fn nothing_from_before_it_opened_is_fresh() {
        for first in [0, 1, 63, 64, 1_023, 1_024, 1_025, 1 << 47] {
            let mut window = Window::opening_at(first);
            window.record(first + 5);
            assert!((first.saturating_sub(1_100)..first).all(|older| !window.is_fresh(older)));
            assert!((first..first + 5).all(|skipped| window.is_fresh(skipped)), "{first}");
        }
    }
}
