//! Peer exchange: when to ask a member whom it knows.
//!
//! Two members whose digests of the membership differ ask each other for their lists. What is
//! learnt is a candidate, to be verified like any other.

use core::time::Duration;

use crate::event::Incarnation;
use crate::time::Instant;

/// The longest pause between two questions to a member that taught nothing new.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The exchange with one member.
#[derive(Clone, Copy, Hash, Default, Debug)]
pub(crate) struct Exchange {
    not_before: Instant,
    pause: Duration,
    /// The page that was asked for, when, and whether pages before it taught anything.
    asked: Option<Asked>,
    /// How many pages of ours it got since when.
    answered: usize,
    answered_since: Instant,
    /// When it was told our profile because it asked, and was asked for its own.
    profile_told: Option<Instant>,
    profile_asked: Option<Instant>,
}

#[derive(Clone, Copy, Hash, Debug)]
struct Asked {
    cursor: u32,
    at: Instant,
    learnt: bool,
}

impl Exchange {
    /// Whether the member, whose digest differs, may be asked now; then the first page is.
    pub(crate) fn begin(&mut self, now: Instant) -> bool {
        let waiting = self.asked.is_some_and(|asked| now.saturating_since(asked.at) < PATIENCE);
        if waiting || now < self.not_before {
            return false;
        }
        self.asked = Some(Asked { cursor: 0, at: now, learnt: false });
        true
    }

    /// A page came that says where the next begins, 0 for nowhere, and that taught something or
    /// not. Gives the page to ask for next. `None` too where nothing had been asked.
    pub(crate) fn page(
        &mut self,
        now: Instant,
        next: u32,
        learnt: bool,
        shortest_pause: Duration,
    ) -> Option<u32> {
        let asked = self.asked.take()?;
        let learnt = learnt || asked.learnt;
        // Pages go forward, so that no member can keep us asking.
        if next > asked.cursor {
            self.asked = Some(Asked { cursor: next, at: now, learnt });
            return Some(next);
        }
        self.pause = if learnt {
            shortest_pause
        } else {
            (self.pause * 2).clamp(shortest_pause, LONGEST_PAUSE.max(shortest_pause))
        };
        self.not_before = now + self.pause;
        None
    }

    /// Whether the member may have another page of our list: no more than `pages` in `period`, since
    /// a page is far longer than the question.
    pub(crate) fn may_answer(&mut self, now: Instant, period: Duration, pages: usize) -> bool {
        if now.saturating_since(self.answered_since) >= period {
            self.answered = 0;
            self.answered_since = now;
        }
        self.answered += 1;
        self.answered <= pages
    }

    /// Whether the member may be told our profile, which is far longer than the question: once in
    /// `period`.
    pub(crate) fn may_tell_profile(&mut self, now: Instant, period: Duration) -> bool {
        first_in(period, now, &mut self.profile_told)
    }

    /// Whether the member may be asked for its profile: no more often than it would answer.
    pub(crate) fn may_ask_profile(&mut self, now: Instant, period: Duration) -> bool {
        first_in(period, now, &mut self.profile_asked)
    }

    /// Whether a page is waited for.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.asked.is_some()
    }
}

/// Whether nothing was done for `period`; then it is done now.
fn first_in(period: Duration, now: Instant, last: &mut Option<Instant>) -> bool {
    let paused = last.is_some_and(|last| now.saturating_since(last) < period);
    if !paused {
        *last = Some(now);
    }
    !paused
}

/// A number that is the same for the same set of lives, in whatever order they came.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub(crate) struct Digest(u64);

impl Digest {
    /// Adds a life to the set, or takes it out again.
    pub(crate) const fn toggle(&mut self, life: Incarnation) {
        self.0 ^= mixed(life.get());
    }

    pub(crate) const fn get(self) -> u64 {
        self.0
    }
}

/// Spreads a number over all bits (the finalizer of MurmurHash3, fmix64), so that sums of related
/// numbers do not cancel out.
const fn mixed(mut bits: u64) -> u64 {
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ (bits >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn life(number: u64) -> Incarnation {
        Incarnation::new(number).expect("not zero")
    }

    #[test]
    fn the_order_in_which_lives_came_does_not_matter() {
        let (mut one, mut other) = (Digest::default(), Digest::default());
        (1..100).for_each(|number| one.toggle(life(number)));
        (1..100).rev().for_each(|number| other.toggle(life(number)));
        assert_eq!(one, other);
        one.toggle(life(5));
        assert_ne!(one, other);
        other.toggle(life(5));
        assert_eq!(one, other);
    }

    #[test]
    fn the_digest_is_the_one_that_the_protocol_says() {
        let mut digest = Digest::default();
        digest.toggle(life(0x0123_4567_89ab_cdef));
        assert_eq!(digest.get(), 0x87cb_fbfe_8902_2cea);
    }

    #[test]
    fn who_teaches_nothing_is_asked_less_and_less() {
        let mut exchange = Exchange::default();
        let mut now = Instant::from_millis(1);
        let mut pauses = Vec::new();
        for _ in 0..12 {
            while !exchange.begin(now) {
                now = now + SECOND;
            }
            let from = now;
            assert_eq!(exchange.page(now, 0, false, SECOND), None);
            while !exchange.begin(now) {
                now = now + SECOND;
            }
            pauses.push(now.saturating_since(from).as_secs());
            assert_eq!(exchange.page(now, 0, false, SECOND), None);
        }
        assert!(pauses.is_sorted(), "{pauses:?}");
        assert_eq!(pauses.last(), Some(&300));
    }

    #[test]
    fn pages_are_asked_for_one_after_the_other_and_only_forward() {
        let mut exchange = Exchange::default();
        let now = Instant::from_millis(1);
        assert_eq!(exchange.page(now, 7, true, SECOND), None, "nothing was asked");
        assert!(exchange.begin(now));
        assert!(!exchange.begin(now), "an answer is waited for");
        assert_eq!(exchange.page(now, 75, true, SECOND), Some(75));
        assert_eq!(exchange.page(now, 75, true, SECOND), None, "going round in circles");
        assert!(!exchange.is_waiting());
        assert!(!exchange.begin(now + SECOND / 2));
        assert!(exchange.begin(now + SECOND));
    }

    use alloc::vec::Vec;
}
