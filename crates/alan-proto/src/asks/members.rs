//! What each member was asked and has not answered, and how its requests are numbered.

use alloc::vec::Vec;

use super::links::{Chain, List};
use super::{Ask, Key};
use crate::storage::{Handle, Map};

#[derive(Clone, Hash, Debug)]
struct Member {
    handle: Handle,
    next_number: u64,
    /// In the order of their numbers.
    asks: List,
}

/// The members that were asked anything, by their place in the table of members.
#[derive(Clone, Hash, Debug)]
pub(super) struct Members {
    members: Vec<Option<Member>>,
    /// Where the numbers of a new member begin: above all that any former one had. A member that
    /// comes back may remember its old ones.
    first_number: u64,
}

impl Members {
    pub(super) const fn new(first_number: u64) -> Self {
        Self { members: Vec::new(), first_number }
    }

    /// The ask with the lowest number of those that this member has not answered.
    pub(super) fn first(&self, member: Handle) -> Option<Handle> {
        self.members.get(member.index())?.as_ref().filter(|row| row.handle == member)?.asks.first()
    }

    /// Puts the ask behind all others for this member.
    pub(super) fn push(&mut self, rows: &mut Map<Key, Ask>, member: Handle, ask: Handle) {
        let place = member.index();
        if place >= self.members.len() {
            self.members.resize_with(place + 1, || None);
        }
        let asked = self.members[place].get_or_insert(Member {
            handle: member,
            next_number: self.first_number,
            asks: List::new(Chain::Peer),
        });
        debug_assert_eq!(asked.handle, member, "who had this place has left");
        asked.asks.push(rows, ask);
    }

    /// The number that the next request to this member will have, or to a new one.
    pub(super) fn next_number(&self, member: Option<Handle>) -> u64 {
        let row = member.and_then(|member| {
            let row = self.members.get(member.index())?.as_ref();
            row.filter(|row| row.handle == member)
        });
        row.map_or(self.first_number, |row| row.next_number)
    }

    /// Takes the member's next number.
    pub(super) fn number(&mut self, member: Handle) -> u64 {
        let row = self.row(member);
        let number = row.next_number;
        row.next_number += 1;
        number
    }

    /// Takes the ask out of the list of this member.
    pub(super) fn remove(&mut self, rows: &mut Map<Key, Ask>, member: Handle, ask: Handle) {
        self.row(member).asks.remove(rows, ask);
    }

    /// Forgets a member that nothing waits for.
    pub(super) fn forget(&mut self, member: Handle) {
        let row = self.members.get_mut(member.index());
        if let Some(row) = row.and_then(|row| row.take_if(|row| row.handle == member)) {
            debug_assert!(row.asks.is_empty(), "what waited for it has ended");
            self.first_number = self.first_number.max(row.next_number);
        }
    }

    fn row(&mut self, member: Handle) -> &mut Member {
        let row = self.members.get_mut(member.index()).and_then(Option::as_mut);
        row.expect("a member that is asked has a row until it leaves")
    }
}
