//! Order: the callers of one node get a lock in the order of their calls.
//!
//! Between nodes the classic algorithm has no ages, so there is nothing to check.

use std::collections::VecDeque;

use alan_proto::{Action, LockEvent, LockId};

use super::{Breach, Check, Fact};
use crate::place::Place;
use crate::plan::Key;

/// The calls of each node that wait, in order.
#[derive(Debug)]
pub(super) struct Order {
    waiting: Vec<VecDeque<(Key, LockId)>>,
    /// In the Go library callers share a lock rather than stand in line.
    shared: bool,
}

impl Order {
    pub(super) fn new(nodes: usize, shared: bool) -> Self {
        Self { waiting: vec![VecDeque::new(); nodes], shared }
    }

    fn forget(&mut self, node: Place, lock: LockId) {
        self.waiting[node.index()].retain(|(_, waiting)| *waiting != lock);
    }
}

impl Check for Order {
    fn observe(&mut self, fact: &Fact) -> Result<(), Breach> {
        match *fact {
            Fact::LockCalled { node, lock, key } => {
                self.waiting[node.index()].push_back((key, lock));
            }
            Fact::Told { node, action: Action::Lock(event), key: Some(key), .. } => match event {
                LockEvent::Granted { lock: served } => {
                    let waiting = &self.waiting[node.index()];
                    let mut line = waiting.iter().filter(|(waits_for, _)| *waits_for == key);
                    let first = line.next().map_or(served, |(_, first)| *first);
                    if first != served && !self.shared {
                        return Err(Breach::OutOfTurn { node, key, served, first });
                    }
                    self.forget(node, served);
                }
                LockEvent::Failed { lock, .. } => self.forget(node, lock),
                _ => {}
            },
            Fact::LockDropped { node, lock, .. } => self.forget(node, lock),
            Fact::Ended { node } => self.waiting[node.index()].clear(),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{called, failed, granted, lock_id};
    use super::*;

    #[test]
    fn who_overtakes_an_earlier_caller_of_the_node_is_seen() {
        let mut order = Order::new(1, false);
        for fact in [called(0, 1, 'a'), called(0, 2, 'b'), called(0, 3, 'a'), granted(0, 2, 'b')] {
            order.observe(&fact).expect("another key");
        }
        let (served, first) = (lock_id(3), lock_id(1));
        let breach = Breach::OutOfTurn { node: Place(0), key: Key::new('a'), served, first };
        assert_eq!(order.observe(&granted(0, 3, 'a')), Err(breach));
    }

    #[test]
    fn who_gave_up_is_waited_for_no_longer() {
        let mut order = Order::new(1, false);
        for fact in [called(0, 1, 'a'), called(0, 3, 'a'), failed(0, 1, 'a')] {
            order.observe(&fact).expect("nobody was served");
        }
        assert_eq!(order.observe(&granted(0, 3, 'a')), Ok(()));
    }
}
