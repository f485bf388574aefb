//! What is due when: in the order of time, and of insertion where the time is the same.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::place::Place;
use crate::time::Moment;

/// Something that is due.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Due {
    /// An entry of the plan's schedule.
    Entry(u32),
    /// The machine at this place starts its next node.
    Start(Place),
    /// A datagram reaches the socket that it was sent to.
    Arrive(u32),
    /// A driver wakes.
    Drive(Place),
    /// A user's code has something to do: a task of the world's table.
    Task(u32),
    /// Discovery answers a node, in this life.
    Refresh(Place, u16),
    /// A pause is over, in this life.
    Resume(Place, u16),
    /// A cut heals.
    Heal(u32),
    /// The next part of a flood, an entry of the schedule.
    Flood(u32),
    /// The plan's weather is back.
    Weather(u32),
    /// The whole world is checked.
    Audit,
    /// The faults end.
    Calm,
    /// The bound is over.
    Judge,
    /// Everything is over.
    End,
}

/// A queue of what is due.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<(Moment, u64, Due)>>,
    sequence: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Moment, due: Due) {
        self.sequence += 1;
        self.heap.push(Reverse((at, self.sequence, due)));
    }

    pub(crate) fn pop(&mut self) -> Option<(Moment, Due)> {
        self.heap.pop().map(|Reverse((at, _, due))| (at, due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_at_the_same_time_comes_in_the_order_of_insertion() {
        let mut queue = Queue::default();
        let (early, late) = (Moment::from_millis(1), Moment::from_millis(2));
        queue.push(late, Due::Calm);
        queue.push(early, Due::Judge);
        queue.push(early, Due::Audit);
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [(early, Due::Judge), (early, Due::Audit), (late, Due::Calm)]);
    }
}
