//! Bounds: no table has more rows than its limit.

use alan_proto::{Config, Usage};

use super::{Breach, Check, Fact, Table};
use crate::place::Place;

/// The limits.
#[derive(Debug)]
pub(super) struct Bounds {
    peers: usize,
    named: usize,
    requests: usize,
    locks: usize,
}

impl Bounds {
    pub(super) fn new(config: &Config) -> Self {
        let limit = |limit: u32| usize::try_from(limit).expect("32 bits");
        Self {
            peers: limit(config.max_peers),
            named: limit(config.max_candidates),
            requests: limit(config.max_requests),
            locks: limit(config.max_locks),
        }
    }

    pub(super) fn judge(&self, node: Place, usage: &Usage) -> Result<(), Breach> {
        for (table, rows, limit) in [
            (Table::Peers, usage.peers, self.peers),
            (Table::Named, usage.named, self.named),
            (Table::Requests, usage.requests, self.requests),
            (Table::Locks, usage.locks, self.locks),
        ] {
            if rows > limit {
                return Err(Breach::OverLimit { node, table, rows, limit });
            }
        }
        Ok(())
    }
}

impl Check for Bounds {
    fn observe(&mut self, fact: &Fact) -> Result<(), Breach> {
        match fact {
            Fact::Touched { node, usage, .. } => self.judge(*node, usage),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::usage;
    use super::*;

    #[test]
    fn a_table_beyond_its_limit_is_seen() {
        let mut bounds = Bounds::new(&Config::default());
        let node = Place(0);
        let mut with = |peers| {
            let usage = usage(|usage| usage.peers = peers);
            bounds.observe(&Fact::Touched { node, usage, running: true })
        };
        assert_eq!(with(4_096), Ok(()));
        let (table, rows, limit) = (Table::Peers, 4_097, 4_096);
        assert_eq!(with(4_097), Err(Breach::OverLimit { node, table, rows, limit }));
    }
}
