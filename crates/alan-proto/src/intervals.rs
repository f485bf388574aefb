//! A bounded set of numbers above a floor, kept as disjoint intervals: small where almost all
//! numbers come, in whatever order.

use alloc::collections::VecDeque;

/// All numbers from `first` to `last`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Interval {
    first: u64,
    last: u64,
}

/// What became of a number that was to be inserted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Insert {
    /// It was absent and is in the set now.
    New,
    /// It is in the set already.
    Known,
    /// It lies below the floor, where nothing is told apart any more.
    BelowFloor,
    /// It would be an interval of its own, and there is no room for one. The set is unchanged.
    Full,
}

/// A set of numbers from a floor upwards, in 16 bytes an interval.
///
/// The interval that begins at the floor is not counted against the limit: the floor itself can
/// always be inserted, so a set whose floor waits for just that number never gets stuck.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Intervals {
    floor: u64,
    /// Ascending; between two of them at least one number is missing; none below the floor.
    held: VecDeque<Interval>,
    limit: usize,
}

impl Intervals {
    /// An empty set with the floor 0, of at most `limit` intervals beside the one at the floor.
    pub(crate) const fn new(limit: usize) -> Self {
        Self { floor: 0, held: VecDeque::new(), limit }
    }

    /// The number of intervals: one more, at most, than stretches of missing numbers between them.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// The greatest number in the set.
    #[cfg(test)]
    pub(crate) fn last(&self) -> Option<u64> {
        self.held.back().map(|interval| interval.last)
    }

    pub(crate) const fn floor(&self) -> u64 {
        self.floor
    }

    #[cfg(test)]
    pub(crate) fn contains(&self, number: u64) -> bool {
        let place = self.place(number);
        self.held.get(place).is_some_and(|interval| interval.first <= number)
    }

    /// Forgets what lies below `floor`. A floor lower than the present one changes nothing.
    pub(crate) fn raise_floor(&mut self, floor: u64) {
        if floor <= self.floor {
            return;
        }
        self.floor = floor;
        while let Some(lowest) = self.held.front_mut() {
            if lowest.last >= floor {
                lowest.first = lowest.first.max(floor);
                break;
            }
            self.held.pop_front();
        }
    }

    pub(crate) fn insert(&mut self, number: u64) -> Insert {
        if number < self.floor {
            return Insert::BelowFloor;
        }
        let place = self.place(number);
        let next = self.held.get(place).copied();
        if next.is_some_and(|next| next.first <= number) {
            return Insert::Known;
        }
        // Nothing overflows: a next interval begins above `number`, a previous one ends below it.
        let joins_next = next.is_some_and(|next| next.first == number + 1);
        let previous = place.checked_sub(1).filter(|&before| {
            self.held.get(before).is_some_and(|previous| previous.last + 1 == number)
        });
        match previous {
            Some(before) => {
                let removed = if joins_next { self.held.remove(place) } else { None };
                self.held[before].last = removed.map_or(number, |next| next.last);
            }
            None if joins_next => self.held[place].first = number,
            None if self.held.len() >= self.limit && number != self.floor => {
                return Insert::Full;
            }
            None => self.held.insert(place, Interval { first: number, last: number }),
        }
        Insert::New
    }

    /// The place of the first interval that does not end below `number`.
    fn place(&self, number: u64) -> usize {
        self.held.partition_point(|interval| interval.last < number)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_become_one_interval() {
        let mut set = Intervals::new(10);
        for number in [1, 3, 5, 2, 4] {
            assert_eq!(set.insert(number), Insert::New);
        }
        assert_eq!((set.len(), set.last()), (1, Some(5)));
        assert_eq!(set.insert(3), Insert::Known);
        assert!(!set.contains(0) && set.contains(1) && set.contains(5) && !set.contains(6));
    }

    #[test]
    fn a_raised_floor_cuts_an_interval_and_refuses_what_is_below() {
        let mut set = Intervals::new(10);
        for number in 10..20 {
            set.insert(number);
        }
        set.raise_floor(15);
        set.raise_floor(12);
        assert_eq!(set.insert(14), Insert::BelowFloor);
        assert!(!set.contains(14) && set.contains(15));
        set.raise_floor(21);
        assert_eq!((set.len(), set.floor()), (0, 21));
        assert_eq!(set.insert(21), Insert::New);
    }

    #[test]
    fn a_full_set_takes_what_joins_an_interval_and_always_its_floor() {
        let mut set = Intervals::new(2);
        set.raise_floor(1);
        for number in [10, 20] {
            assert_eq!(set.insert(number), Insert::New);
        }
        assert_eq!(set.insert(30), Insert::Full);
        assert_eq!(set.insert(21), Insert::New);
        assert_eq!(set.insert(19), Insert::New);
        assert_eq!(set.insert(1), Insert::New);
        assert_eq!(set.insert(30), Insert::Full);
        set.raise_floor(2);
        assert_eq!(set.insert(2), Insert::New);
        assert_eq!(set.len(), 3);
    }

    #[test]
    fn the_greatest_number_has_a_place() {
        let mut set = Intervals::new(2);
        for number in [u64::MAX, u64::MAX - 1, 0] {
            assert_eq!(set.insert(number), Insert::New);
            assert_eq!(set.insert(number), Insert::Known);
        }
        set.raise_floor(u64::MAX);
        assert_eq!((set.len(), set.last()), (1, Some(u64::MAX)));
    }

    #[test]
    fn a_warm_set_does_not_allocate() {
        let mut set = Intervals::new(64);
        let mut run = |base: u64| {
            for step in 0..64 {
                set.insert(base + 2 * step);
            }
            set.raise_floor(base + 128);
        };
        run(0);
        let cost = allocation_counter::measure(|| run(1_000));
        assert_eq!(cost.count_total, 0);
    }

    #[derive(Clone, Copy, Debug)]
    enum Input {
        Insert(u64),
        Raise(u64),
    }

    fn input() -> impl Strategy<Value = Input> {
        prop_oneof![
            8 => (0u64..60).prop_map(Input::Insert),
            1 => (0u64..60).prop_map(Input::Raise),
        ]
    }

    fn stretches(model: &BTreeSet<u64>) -> usize {
        model.iter().filter(|&&number| number == 0 || !model.contains(&(number - 1))).count()
    }

    proptest! {
        #[test]
        fn intervals_hold_what_a_sorted_set_would(
            inputs in prop::collection::vec(input(), 0..200),
            limit in 1usize..8,
        ) {
            let mut set = Intervals::new(limit);
            let mut model = BTreeSet::new();
            let mut floor = 0;
            for input in inputs {
                match input {
                    Input::Insert(number) => {
                        let alone = number != floor
                            && !model.contains(&(number + 1))
                            && !(number > 0 && model.contains(&(number - 1)));
                        let expected = if number < floor {
                            Insert::BelowFloor
                        } else if model.contains(&number) {
                            Insert::Known
                        } else if alone && stretches(&model) >= limit {
                            Insert::Full
                        } else {
                            model.insert(number);
                            Insert::New
                        };
                        prop_assert_eq!(set.insert(number), expected);
                    }
                    Input::Raise(to) => {
                        set.raise_floor(to);
                        floor = floor.max(to);
                        model.retain(|&number| number >= floor);
                    }
                }
                let held: Vec<u64> = (0..70).filter(|&number| set.contains(number)).collect();
                prop_assert_eq!(held, model.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(set.len(), stretches(&model));
                prop_assert!(set.len() <= limit + 1);
                prop_assert_eq!(set.floor(), floor);
                prop_assert_eq!(set.last(), model.last().copied());
            }
        }
    }
}
