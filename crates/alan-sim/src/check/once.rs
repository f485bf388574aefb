//! Once: a request between members is executed at most once in each life of who is asked, and said
//! to be repeated only after that.
//!
//! Not so where a node without a key has two addresses: whoever takes its former life for a second
//! member, at the other address, asks both, and nothing in the datagram says which is meant.

use std::collections::BTreeSet;

use alan_proto::RequestId;

use super::{Breach, Check, DeliveredKind, Fact};
use crate::plan::Plan;
use crate::trace::Meaning;

/// What the present life at each place has executed.
#[derive(Debug)]
pub(super) struct Once {
    executed: Vec<BTreeSet<RequestId>>,
    ambiguous: bool,
}

impl Once {
    pub(super) fn new(plan: &Plan) -> Self {
        let two_addresses = plan.nodes.iter().any(|node| node.two_addresses);
        let ambiguous = two_addresses && !plan.cluster.sealed;
        Self { executed: vec![BTreeSet::new(); plan.nodes.len()], ambiguous }
    }
}

impl Check for Once {
    fn observe(&mut self, fact: &Fact) -> Result<(), Breach> {
        match *fact {
            Fact::Ended { node } => self.executed[node.index()].clear(),
            Fact::Handed { node, handed, .. } => {
                let executed = &mut self.executed[node.index()];
                let Meaning::SessionRequest(request, _) = handed.meaning else { return Ok(()) };
                let as_it_should = match handed.delivered.map(|delivered| delivered.kind) {
                    Some(DeliveredKind::Request(_)) => executed.insert(request),
                    Some(DeliveredKind::Repeated(_)) => executed.contains(&request),
                    _ => true,
                };
                if !as_it_should && !self.ambiguous {
                    return Err(Breach::NotOnce { node, request });
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alan_proto::Instant;

    use super::super::tests::handed;
    use super::*;
    use crate::check::{Delivered, Handed};
    use crate::place::{Place, address_of};

    const NODE: Place = Place(0);
    const REQUEST: RequestId = RequestId([7; 16]);

    fn delivered(kind: DeliveredKind) -> Fact {
        let from = address_of(Place(1), 0);
        let delivered = Some(Delivered { from, tag: None, kind });
        let request = Meaning::SessionRequest(REQUEST, None);
        let handed = Handed { len: 41, genuine: true, delivered, ..handed(from, request) };
        Fact::Handed { node: NODE, now: Instant::EPOCH, handed }
    }

    #[test]
    fn a_request_that_is_executed_twice_by_one_life_is_seen() {
        let mut once = Once::new(&Plan::new(1));
        let executed = delivered(DeliveredKind::Request(REQUEST));
        let breach = Err(Breach::NotOnce { node: NODE, request: REQUEST });
        assert_eq!(once.observe(&executed), Ok(()));
        assert_eq!(once.observe(&executed), breach);
        assert_eq!(once.observe(&Fact::Ended { node: NODE }), Ok(()));
        assert_eq!(once.observe(&executed), Ok(()));
    }

    #[test]
    fn a_request_that_is_said_to_be_repeated_and_was_never_executed_is_seen() {
        let mut once = Once::new(&Plan::new(1));
        let repeated = delivered(DeliveredKind::Repeated(REQUEST));
        let breach = Err(Breach::NotOnce { node: NODE, request: REQUEST });
        assert_eq!(once.observe(&repeated), breach);
        assert_eq!(once.observe(&delivered(DeliveredKind::Request(REQUEST))), Ok(()));
        assert_eq!(once.observe(&repeated), Ok(()));
    }
}
