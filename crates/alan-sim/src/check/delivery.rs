//! Delivery: a payload that arrives intact is delivered at once, exactly once for each datagram,
//! unaltered, from whom it came; and nothing else is delivered.

use super::{Breach, Check, Delivered, DeliveredKind, Fact, Handed};
use crate::place::Place;
use crate::trace::Meaning;

/// What a datagram held is compared with what its receiver's user got.
#[derive(Debug)]
pub(super) struct Delivery;

impl Check for Delivery {
    fn observe(&mut self, fact: &Fact) -> Result<(), Breach> {
        match fact {
            Fact::Handed { node, handed, .. } if handed.genuine => judge(*node, handed),
            _ => Ok(()),
        }
    }
}

fn judge(node: Place, handed: &Handed) -> Result<(), Breach> {
    let held = match handed.meaning {
        Meaning::Data(tag) | Meaning::Request(_, tag) | Meaning::Response(_, tag) => tag,
        _ => None,
    };
    let Some(Delivered { from, tag: delivered, kind }) = handed.delivered else {
        // A response is delivered only where it is waited for.
        let always = matches!(handed.meaning, Meaning::Data(_) | Meaning::Request(..));
        return match held {
            Some(held) if always && handed.running => Err(Breach::NotDelivered { node, held }),
            _ => Ok(()),
        };
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
    use crate::payload::Tag;
    use crate::place::address_of;

    const SENT: Tag = Tag { node: Place(1), life: 0, number: 3 };
    const OTHER: Tag = Tag { number: 4, ..SENT };

    fn outcome(delivered: Option<(u16, Tag)>, running: bool) -> Result<(), Breach> {
        let kind = DeliveredKind::Message;
        let delivered = delivered.map(|(from, tag)| Delivered {
            from: address_of(Place(from), 0),
            tag: Some(tag),
            kind,
        });
        let (from, meaning) = (address_of(Place(1), 0), Meaning::Data(Some(SENT)));
        let handed = Handed { from, meaning, genuine: true, running, delivered };
        Delivery.observe(&Fact::Handed { node: Place(0), now: Instant::EPOCH, handed })
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
    fn what_is_not_delivered_is_seen_while_the_node_runs() {
        let breach = Breach::NotDelivered { node: Place(0), held: SENT };
        assert_eq!(outcome(None, true), Err(breach));
        assert_eq!(outcome(None, false), Ok(()));
    }
}
