//! One table of one-shot timers: an indexed binary heap, so that arming, moving and stopping cost
//! O(log n) and nothing stale is ever left behind.
//!
//! Timers due at the same moment fire in the order in which they were armed.

use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use crate::storage::{Handle, Slab};
use crate::time::Instant;

/// Names an armed timer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct TimerId(Handle);

#[derive(Clone, Debug, Hash)]
struct Timer<K> {
    at: Instant,
    /// Breaks ties by age.
    sequence: u64,
    /// Where the heap holds this timer.
    position: usize,
    what: K,
}

/// The armed timers, each with the reason `K` why it was armed.
#[derive(Clone, Debug)]
pub(crate) struct Timers<K> {
    armed: Slab<Timer<K>>,
    heap: Vec<Handle>,
    next_sequence: u64,
}

impl<K: Copy> Timers<K> {
    pub(crate) const fn new() -> Self {
        Self { armed: Slab::new(u32::MAX), heap: Vec::new(), next_sequence: 0 }
    }

    /// The earliest timer and its reason; O(1).
    pub(crate) fn next(&self) -> Option<(Instant, K)> {
        let timer = self.armed.get(*self.heap.first()?)?;
        Some((timer.at, timer.what))
    }

    pub(crate) fn arm(&mut self, at: Instant, what: K) -> TimerId {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let position = self.heap.len();
        let Ok(handle) = self.armed.insert(Timer { at, sequence, position, what }) else {
            unreachable!("the tables that own timers are bounded far below 2^32");
        };
        self.heap.push(handle);
        self.sift_up(position);
        TimerId(handle)
    }

    /// Stops a timer; one that has fired or was stopped before is left alone.
    pub(crate) fn stop(&mut self, id: TimerId) {
        if let Some(timer) = self.armed.get(id.0) {
            self.remove_from_heap(timer.position);
            self.armed.remove(id.0);
        }
    }

    /// Stops the timer in `slot`, if there is one, and leaves `None` there.
    pub(crate) fn stop_in(&mut self, slot: &mut Option<TimerId>) {
        if let Some(id) = slot.take() {
            self.stop(id);
        }
    }

    /// Takes the earliest timer out if it is due. At the end of time nothing is: what is armed again
    /// from there on would be due without end.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (at, what) = self.next()?;
        if at > now || at == Instant::END {
            return None;
        }
        let handle = self.heap[0];
        self.remove_from_heap(0);
        self.armed.remove(handle);
        Some(what)
    }

    fn order(&self, position: usize) -> (Instant, u64) {
        let timer = self.armed.get(self.heap[position]).expect("the heap names armed timers only");
        (timer.at, timer.sequence)
    }

    fn place(&mut self, position: usize) {
        let handle = self.heap[position];
        let timer = self.armed.get_mut(handle).expect("the heap names armed timers only");
        timer.position = position;
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.place(a);
        self.place(b);
    }

    fn sift_up(&mut self, mut position: usize) {
        while position > 0 {
            let parent = (position - 1) / 2;
            if self.order(parent) <= self.order(position) {
                return;
            }
            self.swap(parent, position);
            position = parent;
        }
    }

    fn sift_down(&mut self, mut position: usize) {
        loop {
            let (left, right) = (2 * position + 1, 2 * position + 2);
            let mut first = position;
            for child in [left, right] {
                if child < self.heap.len() && self.order(child) < self.order(first) {
                    first = child;
                }
            }
            if first == position {
                return;
            }
            self.swap(first, position);
            position = first;
        }
    }

    fn remove_from_heap(&mut self, position: usize) {
        self.heap.swap_remove(position);
        if position < self.heap.len() {
            self.place(position);
            self.sift_up(position);
            self.sift_down(position);
        }
    }
}

impl<K: Hash> Hash for Timers<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.armed.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_times_fire_in_the_order_of_arming() {
        let mut timers = Timers::new();
        for what in 0..10 {
            timers.arm(Instant::from_millis(5), what);
        }
        assert_eq!(timers.pop_due(Instant::from_millis(4)), None);
        let fired: Vec<_> =
            core::iter::from_fn(|| timers.pop_due(Instant::from_millis(5))).collect();
        assert_eq!(fired, (0..10).collect::<Vec<_>>());
    }

    #[derive(Clone, Debug)]
    enum Command {
        Arm(u64),
        Stop(usize),
        Advance(u64),
    }

    fn command() -> impl Strategy<Value = Command> {
        prop_oneof![
            (0u64..100).prop_map(Command::Arm),
            any::<usize>().prop_map(Command::Stop),
            (0u64..10).prop_map(Command::Advance),
        ]
    }

    proptest! {
        #[test]
        fn timers_fire_like_a_sorted_map_would(commands in prop::collection::vec(command(), 0..200)) {
            let mut timers = Timers::new();
            let mut model = BTreeMap::new();
            let mut ids = Vec::new();
            let mut now = 0u64;
            for (sequence, command) in (0u64..).zip(commands) {
                match command {
                    Command::Arm(after) => {
                        let at = now + after;
                        ids.push((timers.arm(Instant::from_micros(at), sequence), at, sequence));
                        model.insert((at, sequence), sequence);
                    }
                    Command::Stop(pick) if !ids.is_empty() => {
                        let (id, at, sequence) = ids[pick % ids.len()];
                        timers.stop(id);
                        model.remove(&(at, sequence));
                    }
                    Command::Stop(_) => {}
                    Command::Advance(by) => {
                        now += by;
                        while let Some(what) = timers.pop_due(Instant::from_micros(now)) {
                            let (first, expected) = model.pop_first().expect("the model has it too");
                            prop_assert!(first.0 <= now);
                            prop_assert_eq!(what, expected);
                        }
                    }
                }
                let next = model.first_key_value().map(|(key, what)| (Instant::from_micros(key.0), *what));
                prop_assert_eq!(timers.next(), next);
            }
        }
    }
}
