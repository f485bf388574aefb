//! Exclusion: at most one valid holder of a key at any true time.
//!
//! A holder is a user with a guard that says that it is valid. One whose process has died holds
//! nothing. One that is paused can do nothing with its guard meanwhile; but when it goes on and its
//! guard still says valid, it holds again, from that moment.

use alan_proto::{Action, LockEvent, LockId};

use super::{Breach, Check, Fact};
use crate::host::Host;
use crate::place::Place;
use crate::plan::Key;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Guard {
    node: Place,
    lock: LockId,
}

/// The valid guards of each key, in the order in which they became valid.
#[derive(Debug)]
pub(super) struct Exclusion {
    guards: Vec<Vec<Guard>>,
    paused: Vec<bool>,
    /// Two callers of one node may share a lock, as in the Go library.
    shared: bool,
}

impl Exclusion {
    pub(super) fn new(nodes: usize, shared: bool) -> Self {
        Self { guards: vec![Vec::new(); Key::COUNT.into()], paused: vec![false; nodes], shared }
    }

    pub(super) const fn shared(&self) -> bool {
        self.shared
    }

    /// The first key that has two holders, and the two.
    pub(super) fn clash(&self) -> Option<(Key, [Place; 2])> {
        Key::all()
            .zip(&self.guards)
            .find_map(|(key, guards)| self.two_of(guards).map(|holders| (key, holders)))
    }

    fn two_of(&self, guards: &[Guard]) -> Option<[Place; 2]> {
        let mut holders = guards.iter().filter(|guard| !self.paused[guard.node.index()]);
        let first = holders.next()?;
        let second = holders.find(|guard| !self.shared || guard.node != first.node)?;
        Some([first.node, second.node])
    }

    fn judge(&self, key: Key) -> Result<(), Breach> {
        match self.two_of(&self.guards[key.number()]) {
            Some(holders) => Err(Breach::TwoHolders { key, holders }),
            None => Ok(()),
        }
    }

    fn forget(&mut self, node: Place, lock: LockId, key: Key) {
        self.guards[key.number()].retain(|guard| *guard != Guard { node, lock });
    }
}

impl Check for Exclusion {
    fn observe(&mut self, fact: &Fact) -> Result<(), Breach> {
        match *fact {
            Fact::Told { node, action: Action::Lock(event), key: Some(key), .. } => match event {
                LockEvent::Granted { lock } => {
                    self.guards[key.number()].push(Guard { node, lock });
                    return self.judge(key);
                }
                LockEvent::Lost { lock, .. } => self.forget(node, lock, key),
                _ => {}
            },
            Fact::LockDropped { node, lock, key } => self.forget(node, lock, key),
            Fact::Ended { node } => {
                self.paused[node.index()] = false;
                for guards in &mut self.guards {
                    guards.retain(|guard| guard.node != node);
                }
            }
            Fact::Paused { node } => self.paused[node.index()] = true,
            Fact::Resumed { node } => {
                self.paused[node.index()] = false;
                if let Some((key, holders)) = self.clash() {
                    return Err(Breach::TwoHolders { key, holders });
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The same, by looking at every user's guards.
pub(super) fn whole(hosts: &[Host], shared: bool) -> Option<(Key, [Place; 2])> {
    Key::all().find_map(|key| {
        let mut guards: Vec<_> = hosts
            .iter()
            .filter(|host| host.runs())
            .flat_map(|host| host.guards(key).map(|since| (since, host.place())))
            .collect();
        guards.sort();
        let (_, first) = *guards.first()?;
        let (_, second) = *guards[1..].iter().find(|(_, node)| !shared || *node != first)?;
        Some((key, [first, second]))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{granted, lock_id};
    use super::*;

    const A: Key = Key::new('a');

    fn clash(first: u16, second: u16) -> Result<(), Breach> {
        Err(Breach::TwoHolders { key: A, holders: [Place(first), Place(second)] })
    }

    #[test]
    fn two_valid_guards_of_one_key_are_seen() {
        let mut exclusion = Exclusion::new(3, false);
        assert_eq!(exclusion.observe(&granted(0, 1, 'a')), Ok(()));
        assert_eq!(exclusion.observe(&granted(1, 1, 'b')), Ok(()));
        assert_eq!(exclusion.observe(&granted(2, 1, 'a')), clash(0, 2));
    }

    #[test]
    fn a_holder_that_released_or_died_holds_nothing() {
        let mut exclusion = Exclusion::new(3, false);
        let lock = lock_id(1);
        exclusion.observe(&granted(0, 1, 'a')).expect("the first");
        exclusion.observe(&Fact::LockDropped { node: Place(0), lock, key: A }).expect("fewer");
        exclusion.observe(&granted(1, 1, 'a')).expect("alone");
        exclusion.observe(&Fact::Ended { node: Place(1) }).expect("fewer");
        assert_eq!(exclusion.observe(&granted(2, 1, 'a')), Ok(()));
    }

    #[test]
    fn a_paused_holder_counts_again_when_it_goes_on() {
        let mut exclusion = Exclusion::new(2, false);
        exclusion.observe(&granted(0, 1, 'a')).expect("the first");
        exclusion.observe(&Fact::Paused { node: Place(0) }).expect("fewer");
        exclusion.observe(&granted(1, 1, 'a')).expect("the only one that can act");
        assert_eq!(exclusion.observe(&Fact::Resumed { node: Place(0) }), clash(0, 1));
    }

    #[test]
    fn callers_of_one_node_share_a_lock_only_where_the_algorithm_says_so() {
        let mut exclusion = Exclusion::new(1, true);
        exclusion.observe(&granted(0, 1, 'a')).expect("the first");
        assert_eq!(exclusion.observe(&granted(0, 2, 'a')), Ok(()));
        let mut exclusion = Exclusion::new(1, false);
        exclusion.observe(&granted(0, 1, 'a')).expect("the first");
        assert_eq!(exclusion.observe(&granted(0, 2, 'a')), clash(0, 0));
    }
}
