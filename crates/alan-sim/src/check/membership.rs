//! Membership: per peer, joined and left alternate; nobody is declared silent who was heard; and
//! once the faults have been over for a while, everyone sees exactly those who are there.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::{Action, Incarnation, Instant, LeaveReason, PeerEvent};

use super::{Breach, Check, Fact};
use crate::host::Host;
use crate::place::{Place, address_of, place_of, second_address_of};
use crate::plan::Plan;
use crate::trace::Meaning;

/// A member, as a node's events tell of it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    incarnation: Option<Incarnation>,
    /// When its latest JOIN or HEARTBEAT was handed in.
    heard: Instant,
}

/// How far a node's view is from what is there.
#[derive(Clone, Copy, Debug, Default)]
struct View {
    members: usize,
    /// Members that are there, in the life that the node believes in.
    right: usize,
}

/// All views.
#[derive(Debug)]
pub(super) struct Membership {
    views: Vec<View>,
    /// Members at the first address of a place, node by node and place by place.
    at_first: Vec<Option<Seen>>,
    /// Members at other addresses.
    elsewhere: BTreeMap<(Place, SocketAddr), Seen>,
    /// Who is there: after how many moves, in which life.
    present: Vec<Option<(u8, Incarnation)>>,
    /// Who speaks as a classic peer, and so has no life that others could name.
    classic: Vec<bool>,
    timeout: Duration,
}

impl Membership {
    pub(super) fn new(plan: &Plan) -> Self {
        let nodes = plan.nodes.len();
        Self {
            views: vec![View::default(); nodes],
            at_first: vec![None; nodes * nodes],
            elsewhere: BTreeMap::new(),
            present: vec![None; nodes],
            classic: plan.nodes.iter().map(|node| node.classic).collect(),
            timeout: plan.cluster.heartbeat_timeout,
        }
    }

    /// How many members of running nodes are not there, and how many who are there are no members
    /// of a running node.
    pub(super) fn differing(&self) -> usize {
        let there = self.present.iter().flatten().count();
        let running = self.views.iter().zip(&self.present).filter(|(_, there)| there.is_some());
        running.map(|(view, _)| view.members - view.right + there - 1 - view.right).sum()
    }

    /// The index into `at_first`, if it is such an address.
    fn first_address(&self, node: Place, peer: SocketAddr) -> Option<usize> {
        let nodes = self.present.len();
        let (place, moves) = place_of(peer)?;
        let known = peer == address_of(place, 0) && moves == 0 && place.index() < nodes;
        known.then_some(node.index() * nodes + place.index())
    }

    fn seen(&self, node: Place, peer: SocketAddr) -> Option<Seen> {
        match self.first_address(node, peer) {
            Some(index) => self.at_first[index],
            None => self.elsewhere.get(&(node, peer)).copied(),
        }
    }

    fn set_seen(&mut self, node: Place, peer: SocketAddr, seen: Option<Seen>) {
        match (self.first_address(node, peer), seen) {
            (Some(index), seen) => self.at_first[index] = seen,
            (None, Some(seen)) => {
                self.elsewhere.insert((node, peer), seen);
            }
            (None, None) => {
                self.elsewhere.remove(&(node, peer));
            }
        }
    }

    /// Whether somebody else is at this address, in this life.
    fn is_there(&self, node: Place, peer: SocketAddr, seen: Seen) -> bool {
        place_of(peer).is_some_and(|(place, moves)| {
            let there = self.present.get(place.index()).copied().flatten();
            let classic = self.classic_pair(node, place);
            place != node && is_it(there, moves, seen.incarnation, classic)
        })
    }

    fn classic_pair(&self, node: Place, peer: Place) -> bool {
        let classic = |place: Place| self.classic.get(place.index()) == Some(&true);
        classic(node) || classic(peer)
    }

    fn set_present(&mut self, place: Place, present: Option<(u8, Incarnation)>) {
        // A new life knows nobody, whatever the former one knew.
        let nodes = self.present.len();
        self.views[place.index()] = View::default();
        self.at_first[place.index() * nodes..][..nodes].fill(None);
        self.elsewhere.retain(|(node, _), _| *node != place);
        let former = std::mem::replace(&mut self.present[place.index()], present);
        for (index, node) in (0..nodes).zip(0u16..).filter(|(index, _)| *index != place.index()) {
            for (there, is_there) in [(former, false), (present, true)] {
                let Some((moves, life)) = there else { continue };
                let classic = self.classic_pair(Place(node), place);
                for address in [address_of(place, moves), second_address_of(place, moves)] {
                    let seen = self.seen(Place(node), address);
                    if seen.is_some_and(|seen| is_life(life, seen.incarnation, classic)) {
                        let right = &mut self.views[index].right;
                        *right = if is_there { *right + 1 } else { *right - 1 };
                    }
                }
            }
        }
    }

    fn on_event(&mut self, node: Place, now: Instant, event: PeerEvent) -> Result<(), Breach> {
        let peer = event.peer();
        let before = self.seen(node, peer);
        match (event, before) {
            (PeerEvent::Joined { incarnation, .. }, None) => {
                let seen = Seen { incarnation, heard: now };
                self.set_seen(node, peer, Some(seen));
                let right = self.is_there(node, peer, seen);
                let view = &mut self.views[node.index()];
                view.members += 1;
                view.right += usize::from(right);
            }
            (PeerEvent::Left { why, .. }, Some(seen)) => {
                self.set_seen(node, peer, None);
                let right = self.is_there(node, peer, seen);
                let view = &mut self.views[node.index()];
                view.members -= 1;
                view.right -= usize::from(right);
                let silent_for = now.saturating_since(seen.heard);
                if why == LeaveReason::Silent && silent_for < self.timeout {
                    return Err(Breach::NotSilent { node, peer, silent_for });
                }
            }
            (PeerEvent::Joined { .. }, Some(_)) => {
                return Err(Breach::NotAlternating { node, peer, joined: true });
            }
            (PeerEvent::Left { .. }, None) => {
                return Err(Breach::NotAlternating { node, peer, joined: false });
            }
            _ => {}
        }
        Ok(())
    }

    /// A life speaks: who has it as a member, under this address of its machine or the other, hears
    /// it.
    fn on_heard(&mut self, node: Place, now: Instant, from: SocketAddr, life: Option<Incarnation>) {
        let Some((place, moves)) = place_of(from) else { return };
        for address in [address_of(place, moves), second_address_of(place, moves)] {
            let seen = match self.first_address(node, address) {
                Some(index) => self.at_first[index].as_mut(),
                None => self.elsewhere.get_mut(&(node, address)),
            };
            let same = |seen: &&mut Seen| seen.incarnation.is_none() || seen.incarnation == life;
            if let Some(seen) = seen.filter(same) {
                seen.heard = now;
            }
        }
    }
}

/// Whether a member that was told under this name is that life. Where one of the two speaks as a
/// classic peer, there are no names.
fn is_life(life: Incarnation, told: Option<Incarnation>, classic: bool) -> bool {
    told.map_or(classic, |told| told == life)
}

/// Whether who is at a place is the member that was told, at the address after so many moves.
fn is_it(
    there: Option<(u8, Incarnation)>,
    moves: u8,
    told: Option<Incarnation>,
    classic: bool,
) -> bool {
    there.is_some_and(|(there, life)| there == moves && is_life(life, told, classic))
}

impl Check for Membership {
    fn observe(&mut self, fact: &Fact) -> Result<(), Breach> {
        match *fact {
            Fact::Started { node, moves, incarnation, .. } => {
                self.set_present(node, Some((moves, incarnation)));
            }
            Fact::Ended { node } => self.set_present(node, None),
            Fact::Told { node, now, action: Action::Peer(event), .. } => {
                return self.on_event(node, now, event);
            }
            // One that was overtaken, or that the node cannot trust yet, is no sign of life.
            Fact::Handed { node, now, handed, .. }
                if handed.genuine && handed.rejected.is_none() =>
            {
                if let Meaning::Join(life) | Meaning::Heartbeat(life) = handed.meaning {
                    self.on_heard(node, now, handed.from, life);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// How a running node's view differs from what is there, by asking it: which address, and whether
/// somebody is there that it does not see.
fn differences<'a>(
    hosts: &'a [Host],
    host: &'a Host,
) -> impl Iterator<Item = (SocketAddr, bool)> + 'a {
    let mut missing = vec![true; hosts.len()];
    missing[host.place().index()] = false;
    let mut too_many = Vec::new();
    for member in host.members() {
        let there = place_of(member.addr).filter(|(place, moves)| {
            let Some(other) = hosts.get(place.index()) else { return false };
            let classic = host.classic || other.classic;
            *place != host.place() && is_it(other.present(), *moves, member.incarnation, classic)
        });
        match there {
            Some((place, _)) => missing[place.index()] = false,
            None => too_many.push((member.addr, false)),
        }
    }
    let missing =
        hosts.iter().zip(missing).filter(|(other, missing)| *missing && other.present().is_some());
    too_many.into_iter().chain(missing.map(|(other, _)| (other.address(), true)))
}

/// The same as [`Membership::differing`], by asking the nodes.
pub(super) fn differing(hosts: &[Host]) -> usize {
    let running = hosts.iter().filter(|host| host.present().is_some());
    running.map(|host| differences(hosts, host).count()).sum()
}

/// The first of them.
pub(super) fn first_difference(hosts: &[Host]) -> Breach {
    let running = hosts.iter().filter(|host| host.present().is_some());
    let mut all = running.flat_map(|host| {
        differences(hosts, host).map(move |(peer, missing)| (host.place(), peer, missing))
    });
    let (node, peer, missing) = all.next().expect("called where views differ");
    Breach::ViewsDiffer { node, peer, missing }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{handed, life};
    use super::*;
    use crate::check::Handed;

    const A: Place = Place(0);
    const B: Place = Place(1);

    fn told(at: u64, event: PeerEvent) -> Fact {
        let (now, action) = (Instant::from_millis(at), Action::Peer(event));
        Fact::Told { node: A, now, action, key: None }
    }

    fn joined(at: u64, incarnation: u64) -> Fact {
        let (peer, incarnation) = (address_of(B, 0), Some(life(incarnation)));
        told(at, PeerEvent::Joined { peer, incarnation })
    }

    fn left(at: u64, why: LeaveReason) -> Fact {
        told(at, PeerEvent::Left { peer: address_of(B, 0), why })
    }

    fn started(node: Place, incarnation: u64) -> Fact {
        Fact::Started { node, moves: 0, incarnation: life(incarnation), wall: 0 }
    }

    fn membership() -> Membership {
        let mut membership = Membership::new(&Plan::new(2));
        membership.observe(&started(A, 1)).expect("a start");
        membership.observe(&started(B, 2)).expect("a start");
        membership
    }

    #[test]
    fn who_joins_or_leaves_twice_is_seen() {
        let mut membership = membership();
        let wrong =
            |joined| Err(Breach::NotAlternating { node: A, peer: address_of(B, 0), joined });
        assert_eq!(membership.observe(&left(1, LeaveReason::SaidGoodbye)), wrong(false));
        assert_eq!(membership.observe(&joined(2, 2)), Ok(()));
        assert_eq!(membership.observe(&joined(3, 2)), wrong(true));
    }

    #[test]
    fn a_death_without_silence_is_seen() {
        let mut membership = membership();
        membership.observe(&joined(0, 2)).expect("the first");
        let heartbeat = Meaning::Heartbeat(Some(life(2)));
        let handed = Handed { genuine: true, ..handed(address_of(B, 0), heartbeat) };
        let now = Instant::from_millis(1_000);
        membership.observe(&Fact::Handed { node: A, now, handed }).expect("a sign of life");
        let silent_for = Duration::from_millis(2_999);
        let breach = Breach::NotSilent { node: A, peer: address_of(B, 0), silent_for };
        assert_eq!(membership.observe(&left(3_999, LeaveReason::Silent)), Err(breach));
    }

    #[test]
    fn views_differ_until_each_sees_the_life_that_is_there_and_nobody_else() {
        let mut membership = membership();
        let mut after = |fact| {
            membership.observe(&fact).expect("a sound event");
            membership.differing()
        };
        assert_eq!(after(joined(0, 2)), 1, "B does not see A");
        assert_eq!(after(Fact::Ended { node: B }), 1, "A sees B");
        assert_eq!(after(started(B, 3)), 3, "A sees the former life, and not the present one");
        assert_eq!(after(left(1, LeaveReason::Restarted)), 2);
        assert_eq!(after(joined(1, 3)), 1);
        let peer = crate::place::stranger(1);
        assert_eq!(after(told(2, PeerEvent::Joined { peer, incarnation: None })), 2);
        assert_eq!(after(Fact::Ended { node: A }), 0, "B has never been told of A");
    }
}
