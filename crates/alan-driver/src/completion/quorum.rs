//! Operations that wait for the quorum, and their deadlines.

use std::collections::{BTreeMap, BTreeSet};
use std::task::Waker;

use alan_proto::Instant;

use crate::wakes::Wakes;

/// A waiter's place in the table, once it has one.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<u64>);

impl Place {
    pub(crate) const fn is_taken(&self) -> bool {
        self.0.is_some()
    }
}

#[derive(Debug)]
struct Row {
    deadline: Option<Instant>,
    waker: Waker,
}

/// Everybody who waits for the quorum.
#[derive(Debug, Default)]
pub(crate) struct QuorumWaits {
    next: u64,
    rows: BTreeMap<u64, Row>,
    deadlines: BTreeSet<(Instant, u64)>,
}

impl QuorumWaits {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Waits, or goes on waiting: `waker` is woken when the quorum is reached, when the deadline
    /// passes, and when the node leaves.
    pub(crate) fn wait(
        &mut self,
        place: &mut Place,
        deadline: Option<Instant>,
        task: &Waker,
        wakes: &mut Wakes,
    ) {
        let id = *place.0.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        let row = Row { deadline, waker: task.clone() };
        wakes.discard(self.rows.insert(id, row).map(|displaced| displaced.waker));
        self.deadlines.extend(deadline.map(|at| (at, id)));
    }

    /// Gives the place up, if there is one.
    pub(crate) fn leave(&mut self, place: &mut Place, wakes: &mut Wakes) {
        let Some(id) = place.0.take() else { return };
        let Some(row) = self.rows.remove(&id) else { return };
        wakes.discard([row.waker]);
        if let Some(at) = row.deadline {
            self.deadlines.remove(&(at, id));
        }
    }

    /// Wakes all of them to look again. They keep their places until they have.
    pub(crate) fn wake_all(&self, wakes: &mut Wakes) {
        wakes.extend(self.rows.values().map(|row| row.waker.clone()));
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// Wakes those whose deadline has come.
    pub(crate) fn wake_due(&mut self, now: Instant, wakes: &mut Wakes) {
        while let Some(&(at, id)) = self.deadlines.first()
            && at <= now
        {
            self.deadlines.pop_first();
            wakes.extend(self.rows.get(&id).map(|row| row.waker.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_deadline_is_told_and_due_ones_are_woken_once() {
        let mut waits = QuorumWaits::default();
        let (mut early, mut late, mut patient) = <(Place, Place, Place)>::default();
        let (soon, later) = (Instant::from_millis(10), Instant::from_millis(20));
        let wakes = &mut Wakes::default();
        waits.wait(&mut late, Some(later), Waker::noop(), wakes);
        waits.wait(&mut early, Some(soon), Waker::noop(), wakes);
        waits.wait(&mut patient, None, Waker::noop(), wakes);
        assert_eq!(waits.next_deadline(), Some(soon));

        waits.wake_due(soon, wakes);
        assert_eq!(waits.next_deadline(), Some(later), "nobody is woken for nothing");

        for place in [&mut early, &mut late, &mut patient] {
            waits.leave(place, wakes);
        }
        assert_eq!((waits.len(), waits.next_deadline()), (0, None));
    }
}
