//! Secrecy: with a key, nothing that did not come from a key holder changes anything: it is
//! counted, and that is all.

use super::{Breach, Check, Face, Fact};

/// What a node is before and after it was handed something that nobody with the key sent.
#[derive(Debug)]
pub(super) struct Secrecy;

impl Check for Secrecy {
    fn observe(&mut self, fact: &Fact) -> Result<(), Breach> {
        let Fact::Untrusted { node, before, after, reacted } = *fact else {
            return Ok(());
        };
        let Face { usage, deadline, unopened, rejected } = after;
        let wrong = |what| Err(Breach::Reacted { node, what });
        match () {
            () if reacted => wrong("it sent, delivered or told something"),
            () if usage != before.usage => wrong("a table changed"),
            () if deadline != before.deadline => wrong("a timer changed"),
            () if unopened != before.unopened + 1 || rejected != before.rejected + 1 => {
                wrong("it was not counted as what does not open")
            }
            () => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::usage;
    use super::*;
    use crate::place::Place;

    fn face(peers: usize, unopened: u64) -> Face {
        let usage = usage(|usage| usage.peers = peers);
        Face { usage, deadline: None, unopened, rejected: unopened }
    }

    #[test]
    fn a_node_that_changes_by_what_a_stranger_sends_is_seen() {
        let node = Place(0);
        let outcome = |after, reacted| {
            Secrecy.observe(&Fact::Untrusted { node, before: face(2, 5), after, reacted })
        };
        assert_eq!(outcome(face(2, 6), false), Ok(()));
        assert!(outcome(face(2, 6), true).is_err());
        assert!(outcome(face(3, 6), false).is_err());
        assert!(outcome(face(2, 5), false).is_err());
    }
}
