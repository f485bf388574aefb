//! Delivery: a payload that arrives intact is delivered at once, unaltered, from whom it came; and
//! nothing else is delivered. Whether further copies of it are is *freshness*'s to judge.

use std::collections::BTreeSet;

use super::{Breach, Check, Delivered, DeliveredKind, Fact, Handed};
use crate::payload::Tag;
use crate::place::Place;
use crate::trace::Meaning;

/// What a datagram held is compared with what its receiver's user got.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    /// Messages, or requests, whose copies were delivered: further ones need not be.
    delivered: BTreeSet<(Place, IsRequest, Tag)>,
}

/// Whether a payload is a request's.
type IsRequest = bool;

impl Check for Delivery {
    fn observe(&mut self, fact: &Fact) -> Result<(), Breach> {
        let Fact::Handed { node, handed, .. } = fact else { return Ok(()) };
        let judged = if handed.genuine { self.judge(*node, handed) } else { Ok(()) };
        if let Some(Delivered { tag: Some(tag), kind, .. }) = handed.delivered {
            self.delivered.insert((*node, matches!(kind, DeliveredKind::Request(_)), tag));
        }
        judged
    }
}

impl Delivery {
    fn judge(&self, node: Place, handed: &Handed) -> Result<(), Breach> {
        let Some(delivered) = handed.delivered else { return self.judge_undelivered(node, handed) };
        judge_delivered(node, handed, delivered)
    }

    /// A response is delivered only where it is waited for; the others always, but for copies.
    fn judge_undelivered(&self, node: Place, handed: &Handed) -> Result<(), Breach> {
        let (held, is_request) = match handed.meaning {
            Meaning::Data(Some(tag)) => (tag, false),
            Meaning::Request(_, Some(tag)) => (tag, true),
            _ => return Ok(()),
        };
        if !handed.running || self.delivered.contains(&(node, is_request, held)) {
            return Ok(());
        }
        Err(Breach::NotDelivered { node, held })
    }
}

fn judge_delivered(node: Place, handed: &Handed, delivered: Delivered) -> Result<(), Breach> {
    let Delivered { from, tag: delivered, kind } = delivered;
    let held = match handed.meaning {
        Meaning::Data(tag) | Meaning::Request(_, tag) | Meaning::Response(_, tag) => tag,
        _ => None,
    };
    let same_kind = match (handed.meaning, kind) {
        (Meaning::Data(_), DeliveredKind::Message) => true,
        (Meaning::Request(sent, _), DeliveredKind::Request(request))
        | (Meaning::Response(sent, _), DeliveredKind::Response { request, .. }) => sent == request,
        _ => false,
    };
    if same_kind && delivered == held && from == handed.from && handed.running {
        Ok(())
    } else {
        Err(Breach::Misdelivered { node, delivered, held })
    }
}

#[cfg(test)]
mod tests {
    use alan_proto::Instant;

    use super::*;
    use crate::place::address_of;

    const SENT: Tag = Tag { node: Place(1), life: 0, number: 3 };
    const OTHER: Tag = Tag { number: 4, ..SENT };

    fn outcome(delivered: Option<(u16, Tag)>, running: bool) -> Result<(), Breach> {
        Delivery::default().observe(&handed(delivered, running))
    }

    fn handed(delivered: Option<(u16, Tag)>, running: bool) -> Fact {
        let kind = DeliveredKind::Message;
        let delivered = delivered.map(|(from, tag)| Delivered {
            from: address_of(Place(from), 0),
            tag: Some(tag),
            kind,
        });
        let (from, meaning) = (address_of(Place(1), 0), Meaning::Data(Some(SENT)));
        let handed = Handed { from, len: 13, meaning, genuine: true, running, delivered };
        Fact::Handed { node: Place(0), now: Instant::EPOCH, handed }
    }

    #[test]
    fn what_is_delivered_otherwise_than_it_was_sent_is_seen() {
        assert_eq!(outcome(Some((1, SENT)), true), Ok(()));
        let wrong = |delivered| {
            let (delivered, held) = (Some(delivered), Some(SENT));
            Err(Breach::Misdelivered { node: Place(0), delivered, held })
        };
        assert_eq!(outcome(Some((1, OTHER)), true), wrong(OTHER));
        assert_eq!(outcome(Some((2, SENT)), true), wrong(SENT));
        assert_eq!(outcome(Some((1, SENT)), false), wrong(SENT));
    }

    #[test]
    fn a_copy_of_what_was_delivered_need_not_be() {
        let mut check = Delivery::default();
        check.observe(&handed(Some((1, SENT)), true)).expect("the first");
        assert_eq!(check.observe(&handed(None, true)), Ok(()));
    }

    #[test]
    fn what_is_not_delivered_is_seen_while_the_node_runs() {
        let breach = Breach::NotDelivered { node: Place(0), held: SENT };
        assert_eq!(outcome(None, true), Err(breach));
        assert_eq!(outcome(None, false), Ok(()));
    }
}
