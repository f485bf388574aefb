//! Which requests of one requester were executed here: each at most once, however often and in
//! whatever order its datagrams come.
//!
//! A requester numbers its requests to this node one after the other, from where it says when it
//! becomes a member, and says with each datagram which is the lowest number that it still waits
//! for. Below that nothing is executed any more, and above it every number seen is remembered: not
//! for a time, but for as long as it can come again.

use crate::intervals::{Insert, Intervals};
use crate::mutant::{Mutant, planted};

/// How many intervals of seen numbers are remembered for one requester, 16 bytes each. It takes
/// as many requests that were lost, and are still waited for, to fill them; whatever comes then is
/// not executed until some of those have come.
pub(crate) const INTERVAL_LIMIT: usize = 1_024;

/// How far ahead of what was waited for last a request can be. What is farther is not of this life.
const REACH: u64 = 1 << 32;

/// What to do with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It is new: deliver it. From now on it is [`Repeated`](Self::Repeated).
    Execute,
    /// It was delivered before: repeat its answer, if there is one.
    Repeated,
    /// Its requester has said that it waits for it no longer, or it may have come before this
    /// record began, or it is one of a former life: it is never executed. Who asks all the same is
    /// to be told that there is no answer any more.
    Dead,
    /// There is no room to remember it. Do nothing: its requester sends it again.
    Full,
}

/// The requests of one life of a peer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Served {
    seen: Intervals,
}

impl Default for Served {
    fn default() -> Self {
        Self::resume(1)
    }
}

impl Served {
    /// The record of a life that says that its next request has the number `next`, and that may
    /// have been a member before, with a record that was dropped: nothing below is executed,
    /// whether it had come or not.
    pub(crate) fn resume(next: u64) -> Self {
        let mut seen = Intervals::new(INTERVAL_LIMIT);
        seen.raise_floor(next);
        Self { seen }
    }

    /// Judges the request `number`, whose requester still waits for it and for nothing below
    /// `number - behind`.
    pub(crate) fn receive(&mut self, number: u64, behind: u32) -> Verdict {
        let lowest = number.saturating_sub(u64::from(behind));
        if lowest.saturating_sub(self.seen.floor()) > REACH && !planted(Mutant::FormerRequest) {
            return Verdict::Dead;
        }
        self.seen.raise_floor(lowest);
        match self.seen.insert(number) {
            Insert::New => Verdict::Execute,
            Insert::Known if planted(Mutant::ExecutedTwice) => Verdict::Execute,
            Insert::Known => Verdict::Repeated,
            Insert::BelowFloor => Verdict::Dead,
            Insert::Full => Verdict::Full,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_is_executed_once_and_is_dead_when_nobody_waits_for_it() {
        let mut served = Served::default();
        assert_eq!(served.receive(0, 0), Verdict::Dead);
        assert_eq!(served.receive(2, 1), Verdict::Execute);
        assert_eq!(served.receive(2, 1), Verdict::Repeated);
        assert_eq!(served.receive(1, 0), Verdict::Execute);
        assert_eq!(served.receive(4, 0), Verdict::Execute);
        assert_eq!(served.receive(3, 2), Verdict::Dead);
        assert_eq!(served.receive(2, 1), Verdict::Dead);
        assert_eq!(served.receive(4, 1), Verdict::Repeated);
    }

    #[test]
    fn a_resumed_record_executes_only_what_cannot_have_come_before() {
        let mut served = Served::resume(6);
        assert_eq!(served.receive(5, 4), Verdict::Dead);
        assert_eq!(served.receive(4, 3), Verdict::Dead);
        assert_eq!(served.receive(6, 5), Verdict::Execute);
    }

    #[test]
    fn a_late_request_of_a_former_life_is_dead_and_harms_no_other() {
        for (own, former) in [(1_000, 1 << 40), (1 << 40, 1_000)] {
            let mut served = Served::resume(own);
            assert_eq!(served.receive(own, 0), Verdict::Execute);
            assert_eq!(served.receive(former, 0), Verdict::Dead);
            assert_eq!(served.receive(own + 1, 1), Verdict::Execute);
        }
    }

    #[test]
    fn the_lowest_request_that_is_waited_for_is_executed_however_many_are_lost() {
        let mut served = Served::default();
        let mut number = 1;
        for _ in 0..INTERVAL_LIMIT {
            number += 3;
            let behind = u32::try_from(number - 1).expect("small");
            assert_eq!(served.receive(number, behind), Verdict::Execute);
        }
        assert_eq!(served.receive(number + 3, 0x1_0000), Verdict::Full);
        assert_eq!(served.receive(1, 0), Verdict::Execute);
        assert_eq!(served.receive(1, 0), Verdict::Repeated);
        // Their requester gives the first lost ones up: there is room again.
        assert_eq!(
            served.receive(number + 3, u32::try_from(number - 2).expect("small")),
            Verdict::Execute
        );
    }

    proptest! {
        /// A requester with a few requests under way, of which it ends some, over a network that
        /// repeats and reorders.
        #[test]
        fn nothing_is_executed_twice_and_everything_waited_for_can_be(
            steps in prop::collection::vec((0u8..4, any::<prop::sample::Index>()), 1..300),
        ) {
            let mut served = Served::default();
            let mut waiting = BTreeSet::new();
            let mut in_flight: alloc::vec::Vec<(u64, u32)> = alloc::vec::Vec::new();
            let mut executed = BTreeSet::new();
            let mut next = 1u64;
            for (step, pick) in steps {
                match step {
                    0 => {
                        waiting.insert(next);
                        next += 1;
                    }
                    1 if !waiting.is_empty() => {
                        let number = *pick.get(&waiting.iter().copied().collect::<alloc::vec::Vec<_>>());
                        waiting.remove(&number);
                    }
                    2 if !waiting.is_empty() => {
                        let number = *pick.get(&waiting.iter().copied().collect::<alloc::vec::Vec<_>>());
                        let lowest = *waiting.first().expect("not empty");
                        in_flight.push((number, u32::try_from(number - lowest).expect("small")));
                    }
                    3 if !in_flight.is_empty() => {
                        let (number, behind) = *pick.get(&in_flight);
                        match served.receive(number, behind) {
                            Verdict::Execute => prop_assert!(executed.insert(number)),
                            Verdict::Repeated => prop_assert!(executed.contains(&number)),
                            Verdict::Dead => prop_assert!(!waiting.contains(&number)),
                            Verdict::Full => prop_assert!(false, "not so many are lost"),
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}
