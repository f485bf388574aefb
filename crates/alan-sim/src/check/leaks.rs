//! No leaks: after everyone has released and left, every table is empty.

use alan_proto::Usage;

use super::{Breach, Check, Fact, Table};
use crate::host::Host;
use crate::place::Place;

/// A node that has left keeps nothing.
#[derive(Debug)]
pub(super) struct Leaks;

impl Check for Leaks {
    fn observe(&mut self, fact: &Fact) -> Result<(), Breach> {
        match *fact {
            Fact::Touched { node, usage, running: false } => judge_left(node, &usage),
            _ => Ok(()),
        }
    }
}

/// Locks and requests are over with the goodbye; the members are kept to say it to them again.
fn judge_left(node: Place, usage: &Usage) -> Result<(), Breach> {
    none(node, Table::Requests, usage.requests)?;
    none(node, Table::LockCalls, usage.lock_callers)?;
    none(node, Table::Locks, usage.locks)
}

/// Everybody else has left.
pub(super) fn judge_last(last: &Host) -> Result<(), Breach> {
    let Some(usage) = last.usage() else { return Ok(()) };
    judge_left(last.place(), &usage)?;
    none(last.place(), Table::Peers, usage.peers)
}

fn none(node: Place, table: Table, rows: usize) -> Result<(), Breach> {
    if rows == 0 { Ok(()) } else { Err(Breach::Leak { node, table, rows }) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{a_host, usage};
    use super::*;

    #[test]
    fn a_node_that_left_with_a_row_in_a_table_is_seen() {
        let node = Place(0);
        let left = |usage| Leaks.observe(&Fact::Touched { node, usage, running: false });
        assert_eq!(left(usage(|_| {})), Ok(()));
        assert_eq!(left(usage(|usage| usage.peers = 3)), Ok(()));
        let leak = |table| Err(Breach::Leak { node, table, rows: 1 });
        assert_eq!(left(usage(|usage| usage.locks = 1)), leak(Table::Locks));
        assert_eq!(left(usage(|usage| usage.requests = 1)), leak(Table::Requests));
        assert_eq!(left(usage(|usage| usage.lock_callers = 1)), leak(Table::LockCalls));
    }

    #[test]
    fn the_last_node_that_still_has_a_member_is_seen() {
        let node = Place(0);
        assert_eq!(judge_last(&a_host(|_, _| {})), Ok(()));
        let with_member = a_host(|node, now| {
            let mut heartbeat = *b"\x03\x13\x88";
            let from = crate::place::stranger(1);
            assert!(node.handle_datagram(now, from, &mut heartbeat).is_none());
        });
        let leak = Breach::Leak { node, table: Table::Peers, rows: 1 };
        assert_eq!(judge_last(&with_member), Err(leak));
    }

    #[test]
    fn a_running_node_may_have_rows() {
        let usage = usage(|usage| usage.locks = 1);
        let touched = Fact::Touched { node: Place(0), usage, running: true };
        assert_eq!(Leaks.observe(&touched), Ok(()));
    }
}
