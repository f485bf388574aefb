//! Delivery: a payload that arrives intact is delivered at once, unaltered, from whom it came; and
//! nothing else is delivered. Whether further copies of it are is *freshness*'s to judge.
//!
//! What may be turned away, and counted: what is sealed between two of whom one does not know the
//! other yet, or not in its present life. Between two who have met nothing is, but for a request
//! that its sender has given up.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use alan_proto::Rejection;

use super::{Breach, Check, Delivered, DeliveredKind, Fact, Handed};
use crate::payload::Tag;
use crate::place::{Place, place_of};
use crate::plan::Plan;
use crate::trace::Meaning;

/// What a datagram held is compared with what its receiver's user got.
#[derive(Debug)]
pub(super) struct Delivery {
    sealed: bool,
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
    pub(super) const fn new(plan: &Plan) -> Self {
        Self { sealed: plan.cluster.sealed, delivered: BTreeSet::new() }
    }

    fn judge(&self, node: Place, handed: &Handed) -> Result<(), Breach> {
        match handed.delivered {
            Some(delivered) => judge_delivered(node, handed, delivered),
            None => self.judge_undelivered(node, handed),
        }
    }

    /// A response is delivered only where it is waited for; the others mostly, but for copies.
    fn judge_undelivered(&self, node: Place, handed: &Handed) -> Result<(), Breach> {
        let (held, is_request) = match handed.meaning {
            Meaning::Data(Some(tag)) | Meaning::SessionData(Some(tag)) => (tag, false),
            Meaning::Request(_, Some(tag)) | Meaning::SessionRequest(_, Some(tag)) => (tag, true),
            _ => return Ok(()),
        };
        let is_copy = self.delivered.contains(&(node, is_request, held));
        if !handed.running || is_copy || self.may_turn_away(handed) {
            return Ok(());
        }
        Err(Breach::NotDelivered { node, held })
    }

    fn may_turn_away(&self, handed: &Handed) -> bool {
        let Some(why) = handed.rejected else { return false };
        let is_request = matches!(handed.meaning, Meaning::SessionRequest(..));
        let between_members = is_request || matches!(handed.meaning, Meaning::SessionData(_));
        if handed.mutual {
            is_request && why == Rejection::DeadRequest
        } else {
            self.sealed || between_members
        }
    }
}

fn judge_delivered(node: Place, handed: &Handed, delivered: Delivered) -> Result<(), Breach> {
    let Delivered { from, tag: delivered, kind } = delivered;
    let held = match handed.meaning {
        Meaning::Data(tag)
        | Meaning::SessionData(tag)
        | Meaning::Request(_, tag)
        | Meaning::SessionRequest(_, tag)
        | Meaning::Response(_, tag)
        | Meaning::SessionResponse(_, tag) => tag,
        _ => None,
    };
    let (same_kind, has_payload) = match (handed.meaning, kind) {
        (Meaning::Data(_) | Meaning::SessionData(_), DeliveredKind::Message) => (true, true),
        (Meaning::SessionRequest(sent, _), DeliveredKind::Repeated(request)) => {
            (sent == request, false)
        }
        (
            Meaning::Request(sent, _) | Meaning::SessionRequest(sent, _),
            DeliveredKind::Request(request),
        )
        | (
            Meaning::Response(sent, _) | Meaning::SessionResponse(sent, _),
            DeliveredKind::Response { request, .. },
        ) => (sent == request, true),
        _ => (false, true),
    };
    let same_payload = !has_payload || delivered == held;
    if same_kind && same_payload && is_same_node(from, handed.from) && handed.running {
        Ok(())
    } else {
        Err(Breach::Misdelivered { node, delivered, held })
    }
}

/// Whether two addresses are one, or one machine's.
fn is_same_node(a: SocketAddr, b: SocketAddr) -> bool {
    a == b || place_of(a).is_some_and(|there| place_of(b) == Some(there))
}

#[cfg(test)]
mod tests {
    use alan_proto::{Instant, RequestId};

    use super::*;
    use crate::place::address_of;

    const SENT: Tag = Tag { node: Place(1), life: 0, number: 3 };
    const OTHER: Tag = Tag { number: 4, ..SENT };

    fn check(sealed: bool) -> Delivery {
        Delivery { sealed, delivered: BTreeSet::new() }
    }

    fn outcome(delivered: Option<(u16, Tag)>, running: bool) -> Result<(), Breach> {
        check(false).observe(&handed(delivered, running))
    }

    fn handed(delivered: Option<(u16, Tag)>, running: bool) -> Fact {
        let kind = DeliveredKind::Message;
        let delivered = delivered.map(|(from, tag)| Delivered {
            from: address_of(Place(from), 0),
            tag: Some(tag),
            kind,
        });
        let (from, meaning) = (address_of(Place(1), 0), Meaning::Data(Some(SENT)));
        let (mutual, rejected) = (true, None);
        let (len, genuine) = (13, true);
        let handed = Handed { from, len, meaning, genuine, running, mutual, rejected, delivered };
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
        let mut check = check(false);
        check.observe(&handed(Some((1, SENT)), true)).expect("the first");
        assert_eq!(check.observe(&handed(None, true)), Ok(()));
    }

    #[test]
    fn what_is_not_delivered_is_seen_while_the_node_runs() {
        let breach = Breach::NotDelivered { node: Place(0), held: SENT };
        assert_eq!(outcome(None, true), Err(breach));
        assert_eq!(outcome(None, false), Ok(()));
    }

    #[test]
    fn what_members_say_may_be_turned_away_only_between_two_who_have_not_met() {
        let outcome = |sealed, mutual, why| {
            let Fact::Handed { node, now, mut handed } = handed(None, true) else { unreachable!() };
            (handed.mutual, handed.rejected) = (mutual, Some(why));
            handed.meaning = Meaning::SessionRequest(RequestId::ZERO, Some(SENT));
            check(sealed).observe(&Fact::Handed { node, now, handed })
        };
        let breach = Err(Breach::NotDelivered { node: Place(0), held: SENT });
        for sealed in [false, true] {
            assert_eq!(outcome(sealed, false, Rejection::Unproven), Ok(()));
            assert_eq!(outcome(sealed, true, Rejection::Unproven), breach);
            assert_eq!(outcome(sealed, true, Rejection::DeadRequest), Ok(()));
        }
    }
}
