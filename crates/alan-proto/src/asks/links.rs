//! Lists through the table of asks: each ask is in the list of its request and in that of its
//! peer, and gets in and out of both in O(1), without memory of its own.

use super::{Ask, Key};
use crate::storage::{Handle, Map};

/// Which of an ask's two lists.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Chain {
    Request,
    Peer,
}

/// The neighbours of an ask in one list.
#[derive(Clone, Copy, Hash, Default, Debug)]
pub(super) struct Link {
    previous: Option<Handle>,
    next: Option<Handle>,
}

/// Asks in the order in which they were made.
#[derive(Clone, Copy, Hash, Debug)]
pub(super) struct List {
    chain: Chain,
    first: Option<Handle>,
    last: Option<Handle>,
}

impl List {
    pub(super) const fn new(chain: Chain) -> Self {
        Self { chain, first: None, last: None }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) const fn first(&self) -> Option<Handle> {
        self.first
    }

    pub(super) fn after(&self, rows: &Map<Key, Ask>, ask: Handle) -> Option<Handle> {
        rows.at(ask)?.1.links[self.chain as usize].next
    }

    /// Puts an ask that is in no list of this kind behind all others.
    pub(super) fn push(&mut self, rows: &mut Map<Key, Ask>, ask: Handle) {
        *self.link(rows, ask) = Link { previous: self.last, next: None };
        match self.last {
            Some(last) => self.link(rows, last).next = Some(ask),
            None => self.first = Some(ask),
        }
        self.last = Some(ask);
    }

    /// Takes out an ask that is in this list.
    pub(super) fn remove(&mut self, rows: &mut Map<Key, Ask>, ask: Handle) {
        let Link { previous, next } = core::mem::take(self.link(rows, ask));
        match previous {
            Some(previous) => self.link(rows, previous).next = next,
            None => self.first = next,
        }
        match next {
            Some(next) => self.link(rows, next).previous = previous,
            None => self.last = previous,
        }
    }

    fn link<'a>(&self, rows: &'a mut Map<Key, Ask>, ask: Handle) -> &'a mut Link {
        let row = rows.at_mut(ask).expect("lists name asks of the table only");
        &mut row.links[self.chain as usize]
    }
}
