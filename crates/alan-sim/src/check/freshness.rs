//! Freshness: whatever an attacker sends again or makes up, nobody joins who is not there, nobody
//! is said to have left who has not, and nobody who is gone stays. In a sealed cluster also: no
//! payload is delivered twice or in somebody else's name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::{Action, Incarnation, LeaveReason, PeerEvent};

use super::{Breach, Delivered, DeliveredKind, Fact};
use crate::host::Host;
use crate::payload::Tag;
use crate::place::{Place, address_of, first_of, place_of};
use crate::plan::{Event, Plan};
use crate::time::Moment;

/// One life of a node.
#[derive(Clone, Copy, Debug)]
struct Life {
    node: Place,
    address: SocketAddr,
    leaving: bool,
    ended: Option<Moment>,
}

/// Whether a payload was a request.
type IsRequest = bool;

/// What has happened, and what of it each node was told.
#[derive(Debug)]
pub(super) struct Freshness {
    lives: BTreeMap<Incarnation, Life>,
    present: Vec<Option<Incarnation>>,
    /// The member at an address, as a node was told.
    told: BTreeMap<(Place, SocketAddr), Incarnation>,
    /// Who has left, as a node was told.
    gone: BTreeSet<(Place, Incarnation)>,
    /// What users got, where there is a key.
    delivered: Option<BTreeSet<(Place, IsRequest, Tag)>>,
    /// Classic nodes say nothing by which a new life could be told from a former one.
    classic: Vec<bool>,
    /// How long after an end its last datagrams may still arrive.
    under_way: Duration,
    /// How long after its end a member may still be believed to be there.
    believed: Duration,
}

impl Freshness {
    pub(super) fn new(plan: &Plan) -> Self {
        let timeout = plan.cluster.heartbeat_timeout;
        let repeats = plan.schedule.iter().filter_map(|entry| match entry.event {
            Event::Repeat { repeat, .. } => Some(repeat.after + repeat.within),
            _ => None,
        });
        // What the network lost is fresh when somebody sends it again.
        let later = repeats.max().unwrap_or_default();
        Self {
            lives: BTreeMap::new(),
            present: vec![None; plan.nodes.len()],
            told: BTreeMap::new(),
            gone: BTreeSet::new(),
            delivered: plan.cluster.sealed.then(BTreeSet::new),
            classic: plan.nodes.iter().map(|node| node.classic).collect(),
            under_way: timeout,
            believed: timeout * 2 + later + Duration::from_secs(1),
        }
    }

    /// Takes note of a fact, and says if it breaks the invariant.
    pub(super) fn observe_at(&mut self, at: Moment, fact: &Fact) -> Result<(), Breach> {
        match *fact {
            Fact::Started { node, moves, incarnation, .. } => self.start(node, moves, incarnation),
            Fact::Touched { node, running: false, .. } => {
                if let Some(life) = self.present_life(node) {
                    life.leaving = true;
                }
            }
            Fact::Ended { node } => {
                if let Some(life) = self.present_life(node) {
                    life.ended = Some(at);
                }
                self.present[node.index()] = None;
            }
            Fact::Told { node, action: Action::Peer(event), .. } => {
                return self.on_event(at, node, event);
            }
            Fact::Handed { node, handed, .. } => {
                return handed.delivered.map_or(Ok(()), |delivered| self.on_got(node, delivered));
            }
            _ => {}
        }
        Ok(())
    }

    /// Who is gone may be believed to be there for as long as silence takes to show, not longer.
    pub(super) fn judge_members(&self, at: Moment, host: &Host) -> Result<(), Breach> {
        if !host.runs() {
            return Ok(());
        }
        let outlived = host.members().find(|member| {
            let life = member.incarnation.and_then(|life| self.lives.get(&life));
            life.and_then(|life| life.ended).is_some_and(|ended| at.since(ended) > self.believed)
        });
        outlived.map_or(Ok(()), |member| {
            let what = "is a member, long after its end";
            Err(Breach::WithoutCause { node: host.place(), peer: member.addr, what })
        })
    }

    fn present_life(&mut self, node: Place) -> Option<&mut Life> {
        self.lives.get_mut(&self.present[node.index()]?)
    }

    /// A new life knows nobody. Its user may be asked again what the former one was asked.
    fn start(&mut self, node: Place, moves: u8, incarnation: Incarnation) {
        let address = address_of(node, moves);
        let life = Life { node, address, leaving: false, ended: None };
        self.lives.insert(incarnation, life);
        self.present[node.index()] = Some(incarnation);
        self.told.retain(|(place, _), _| *place != node);
        self.gone.retain(|(place, _)| *place != node);
        if let Some(delivered) = &mut self.delivered {
            delivered.retain(|(place, is_request, _)| *place != node || !*is_request);
        }
    }

    fn on_event(&mut self, at: Moment, node: Place, event: PeerEvent) -> Result<(), Breach> {
        let peer = event.peer();
        let wrong = |what| Err(Breach::WithoutCause { node, peer, what });
        match event {
            PeerEvent::Joined { incarnation: Some(incarnation), .. } => {
                self.told.insert((node, peer), incarnation);
                let Some(life) = self.lives.get(&incarnation) else {
                    return wrong("joined, under a life that never was");
                };
                let over = life.leaving || life.ended.is_some();
                let long_ago = life.ended.is_some_and(|ended| at.since(ended) > self.under_way);
                if life.address != first_of(peer) || life.node == node {
                    return wrong("joined, which is not where that life is");
                }
                if long_ago || over && self.gone.contains(&(node, incarnation)) {
                    return wrong("joined, after its end");
                }
            }
            PeerEvent::Joined { incarnation: None, .. } => {
                let is_classic = |place: Place| self.classic.get(place.index()) == Some(&true);
                let place = place_of(peer).map(|(place, _)| place);
                if place.is_some_and(|place| !is_classic(place) && !is_classic(node)) {
                    return wrong("joined as a classic peer");
                }
            }
            PeerEvent::Left { why, .. } => {
                let Some(incarnation) = self.told.remove(&(node, peer)) else { return Ok(()) };
                self.gone.insert((node, incarnation));
                let Some(life) = self.lives.get(&incarnation) else { return Ok(()) };
                let ended = life.ended.is_some();
                match why {
                    LeaveReason::SaidGoodbye if !life.leaving => {
                        return wrong("said goodbye, which it did not");
                    }
                    LeaveReason::Restarted if !ended => {
                        return wrong("has restarted, which it did not");
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn on_got(&mut self, node: Place, delivered: Delivered) -> Result<(), Breach> {
        let Delivered { from, tag: Some(held), kind } = delivered else { return Ok(()) };
        let Some(earlier) = &mut self.delivered else { return Ok(()) };
        let is_request = match kind {
            DeliveredKind::Message => false,
            DeliveredKind::Request(_) => true,
            // It answers a request, which ends once: that is completion's to judge.
            DeliveredKind::Response { .. } | DeliveredKind::Repeated(_) => return Ok(()),
        };
        if place_of(from).is_none_or(|(place, _)| place != held.node) {
            return Err(Breach::NotFresh { node, held, from: Some(from) });
        }
        if earlier.insert((node, is_request, held)) {
            Ok(())
        } else {
            Err(Breach::NotFresh { node, held, from: None })
        }
    }
}

#[cfg(test)]
mod tests {
    use alan_proto::Instant;

    use super::super::tests::{handed, life, usage};
    use super::*;
    use crate::check::Handed;
    use crate::place::stranger;
    use crate::trace::Meaning;

    const A: Place = Place(0);
    const B: Place = Place(1);

    fn check() -> Freshness {
        let mut check = Freshness::new(&Plan::new(2).sealed());
        for (node, number) in [(A, 1), (B, 2)] {
            let fact = Fact::Started { node, moves: 0, incarnation: life(number), wall: 0 };
            check.observe_at(Moment::START, &fact).expect("a start");
        }
        check
    }

    fn told(event: PeerEvent) -> Fact {
        Fact::Told { node: A, now: Instant::EPOCH, action: Action::Peer(event), key: None }
    }

    fn joined(peer: SocketAddr, number: u64) -> Fact {
        told(PeerEvent::Joined { peer, incarnation: Some(life(number)) })
    }

    fn left(why: LeaveReason) -> Fact {
        told(PeerEvent::Left { peer: address_of(B, 0), why })
    }

    fn after(seconds: u64) -> Moment {
        Moment::from_millis(seconds * 1_000)
    }

    #[test]
    fn who_joins_without_being_there_is_seen() {
        let mut check = check();
        let there = address_of(B, 0);
        let mut observe = |at, fact: &Fact| check.observe_at(at, fact).is_ok();
        assert!(observe(Moment::START, &joined(there, 2)));
        assert!(!observe(Moment::START, &joined(there, 3)), "nobody is life 3");
        assert!(!observe(Moment::START, &joined(stranger(1), 2)), "it is elsewhere");
        assert!(!observe(Moment::START, &joined(address_of(A, 0), 1)), "that is the node itself");
        let classic = PeerEvent::Joined { peer: there, incarnation: None };
        assert!(!observe(Moment::START, &told(classic)), "B has a life");
        assert!(observe(after(1), &Fact::Ended { node: B }));
        assert!(observe(after(2), &joined(there, 2)), "its last datagram may be under way");
        assert!(!observe(after(5), &joined(there, 2)), "not for so long");
    }

    #[test]
    fn who_has_ended_and_was_said_to_have_left_does_not_come_back() {
        let mut check = check();
        let fact = joined(address_of(B, 0), 2);
        check.observe_at(after(0), &fact).expect("it is there");
        check.observe_at(after(1), &Fact::Ended { node: B }).expect("an end");
        check.observe_at(after(1), &left(LeaveReason::Silent)).expect("it is gone");
        let (node, peer, what) = (A, address_of(B, 0), "joined, after its end");
        let breach = Breach::WithoutCause { node, peer, what };
        assert_eq!(check.observe_at(after(1), &fact), Err(breach));
    }

    #[test]
    fn a_goodbye_that_was_not_said_and_a_restart_that_was_none_are_seen() {
        for why in [LeaveReason::SaidGoodbye, LeaveReason::Restarted] {
            let mut check = check();
            check.observe_at(after(0), &joined(address_of(B, 0), 2)).expect("it is there");
            assert!(check.observe_at(after(1), &left(why)).is_err());
        }
        let mut check = check();
        check.observe_at(after(0), &joined(address_of(B, 0), 2)).expect("it is there");
        let leaving = Fact::Touched { node: B, usage: usage(|_| {}), running: false };
        check.observe_at(after(1), &leaving).expect("it leaves");
        assert_eq!(check.observe_at(after(1), &left(LeaveReason::SaidGoodbye)), Ok(()));
    }

    #[test]
    fn what_is_delivered_twice_or_in_a_strangers_name_is_seen() {
        let held = Tag { node: B, life: 0, number: 1 };
        let got = |from, kind| {
            let delivered = Some(Delivered { from, tag: Some(held), kind });
            let meaning = Meaning::Data(Some(held));
            let handed = Handed { len: 13, delivered, ..handed(from, meaning) };
            Fact::Handed { node: A, now: Instant::EPOCH, handed }
        };
        let mut check = check();
        let mut observe = |fact: &Fact| check.observe_at(Moment::START, fact);
        let message = got(address_of(B, 0), DeliveredKind::Message);
        assert_eq!(observe(&message), Ok(()));
        assert_eq!(observe(&message), Err(Breach::NotFresh { node: A, held, from: None }));
        let from = Some(stranger(1));
        let strange = got(stranger(1), DeliveredKind::Message);
        assert_eq!(observe(&strange), Err(Breach::NotFresh { node: A, held, from }));

        // A request may be made again to another life, by its sender.
        let request = got(address_of(B, 0), DeliveredKind::Request(alan_proto::RequestId::ZERO));
        assert_eq!(observe(&request), Ok(()));
        observe(&Fact::Ended { node: A }).expect("an end");
        observe(&Fact::Started { node: A, moves: 0, incarnation: life(3), wall: 0 })
            .expect("a start");
        assert_eq!(observe(&request), Ok(()));
        assert_eq!(observe(&message), Err(Breach::NotFresh { node: A, held, from: None }));
    }
}
