//! Membership: per peer, joined and left alternate; nobody is declared silent who was heard; and
//! once the faults have been over for a while, everyone sees exactly those who are there.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::{Action, Incarnation, Instant, LeaveReason, PeerEvent};

use super::{Breach, Check, Fact};
use crate::host::Host;
use crate::place::{Place, address_of, place_of};
use crate::trace::Meaning;

/// What one node thinks of the machine at one place.
#[derive(Clone, Copy, Debug, Default)]
struct View {
    /// Which of the place's addresses are members: bit m for the one after m moves.
    addresses: u64,
    /// The life at the latest of them.
    incarnation: Option<Incarnation>,
    /// When its latest JOIN or HEARTBEAT was handed in.
    heard: Instant,
}

/// All views, as the nodes' events tell them.
#[derive(Debug)]
pub(super) struct Membership {
    nodes: usize,
    /// Row by row: what each node thinks of each place.
    views: Vec<View>,
    /// Members that are at no place, by node.
    strangers: Vec<BTreeSet<SocketAddr>>,
    /// Who is there: after how many moves, in which life.
    present: Vec<Option<(u8, Incarnation)>>,
    /// How many views are not what is there, strangers included.
    differing: usize,
    timeout: Duration,
}

fn bit(moves: u8) -> u64 {
    assert!(moves < 64, "a place is replaced at most 63 times in a checked run");
    1 << moves
}

/// Whether a view is not what is there.
fn differs(view: &View, present: Option<(u8, Incarnation)>) -> bool {
    match present {
        None => view.addresses != 0,
        Some((moves, life)) => view.addresses != bit(moves) || view.incarnation != Some(life),
    }
}

impl Membership {
    pub(super) fn new(nodes: usize, timeout: Duration) -> Self {
        Self {
            nodes,
            views: vec![View::default(); nodes * nodes],
            strangers: vec![BTreeSet::new(); nodes],
            present: vec![None; nodes],
            differing: 0,
            timeout,
        }
    }

    /// How many views of running nodes are not what is there.
    pub(super) const fn differing(&self) -> usize {
        self.differing
    }

    fn differs_at(&self, node: usize, place: usize) -> bool {
        node != place
            && self.present[node].is_some()
            && differs(&self.views[node * self.nodes + place], self.present[place])
    }

    /// How much of the count is this place's: as one who sees, and as one who is seen.
    fn share(&self, place: usize) -> usize {
        let seen = (0..self.nodes).filter(|&other| self.differs_at(other, place)).count();
        let seeing = (0..self.nodes).filter(|&other| self.differs_at(place, other)).count();
        let strangers = self.present[place].map_or(0, |_| self.strangers[place].len());
        seen + seeing + strangers
    }

    fn set_present(&mut self, place: usize, present: Option<(u8, Incarnation)>) {
        self.differing -= self.share(place);
        self.present[place] = present;
        // A new life knows nobody, whatever the former one knew.
        self.views[place * self.nodes..][..self.nodes].fill(View::default());
        self.strangers[place].clear();
        self.differing += self.share(place);
    }

    fn on_event(&mut self, node: Place, now: Instant, event: PeerEvent) -> Result<(), Breach> {
        let peer = event.peer();
        let joined = matches!(event, PeerEvent::Joined { .. });
        let wrong = Err(Breach::NotAlternating { node, peer, joined });
        let Some((place, moves)) = place_of(peer).filter(|(p, _)| p.index() < self.nodes) else {
            let strangers = &mut self.strangers[node.index()];
            let sound = if joined { strangers.insert(peer) } else { strangers.remove(&peer) };
            if sound && joined {
                self.differing += 1;
            } else if sound {
                self.differing -= 1;
            }
            return if sound { Ok(()) } else { wrong };
        };
        let index = node.index() * self.nodes + place.index();
        let before = self.differs_at(node.index(), place.index());
        let view = &mut self.views[index];
        if (view.addresses & bit(moves) != 0) == joined {
            return wrong;
        }
        view.addresses ^= bit(moves);
        match event {
            PeerEvent::Joined { incarnation, .. } => {
                (view.incarnation, view.heard) = (incarnation, now);
            }
            PeerEvent::Left { why: LeaveReason::Silent, .. } => {
                let silent_for = now.saturating_since(view.heard);
                if view.addresses == 0 && silent_for < self.timeout {
                    return Err(Breach::NotSilent { node, peer, silent_for });
                }
            }
            _ => {}
        }
        let after = self.differs_at(node.index(), place.index());
        self.differing += usize::from(after);
        self.differing -= usize::from(before);
        Ok(())
    }

    fn on_heard(&mut self, node: Place, now: Instant, from: SocketAddr, life: Incarnation) {
        let Some((place, _)) = place_of(from).filter(|(place, _)| place.index() < self.nodes)
        else {
            return;
        };
        let view = &mut self.views[node.index() * self.nodes + place.index()];
        if view.incarnation == Some(life) {
            view.heard = now;
        }
    }
}

impl Check for Membership {
    fn observe(&mut self, fact: &Fact) -> Result<(), Breach> {
        match *fact {
            Fact::Started { node, moves, incarnation } => {
                self.set_present(node.index(), Some((moves, incarnation)));
            }
            Fact::Ended { node } => self.set_present(node.index(), None),
            Fact::Told { node, now, action: Action::Peer(event), .. } => {
                return self.on_event(node, now, event);
            }
            Fact::Handed { node, now, handed, .. } if handed.genuine => {
                if let Meaning::Join(Some(life)) | Meaning::Heartbeat(Some(life)) = handed.meaning {
                    self.on_heard(node, now, handed.from, life);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Every view of a running node that is not what is there, by asking the nodes: who it is of, and
/// whether somebody is there that the node does not see.
fn differences<'a>(
    hosts: &'a [Host],
    host: &'a Host,
) -> impl Iterator<Item = (SocketAddr, bool)> + 'a {
    let mut views = vec![View::default(); hosts.len()];
    let mut strangers = Vec::new();
    for member in host.members() {
        match place_of(member.addr).filter(|(place, _)| place.index() < hosts.len()) {
            Some((place, moves)) => {
                let view = &mut views[place.index()];
                view.addresses |= bit(moves);
                let present = hosts[place.index()].present();
                if present.is_none_or(|(present, _)| present == moves) {
                    view.incarnation = member.incarnation;
                }
            }
            None => strangers.push((member.addr, false)),
        }
    }
    let seen = hosts.iter().zip(views).filter_map(move |(other, view)| {
        let differing = other.place() != host.place() && differs(&view, other.present());
        differing.then(|| {
            let moves = other.present().map_or(0, |(moves, _)| moves);
            (address_of(other.place(), moves), other.present().is_some())
        })
    });
    seen.chain(strangers)
}

/// How many views of running nodes are not what is there, by asking the nodes.
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
    use super::super::tests::life;
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
        Fact::Started { node, moves: 0, incarnation: life(incarnation) }
    }

    fn membership() -> Membership {
        let mut membership = Membership::new(2, Duration::from_secs(3));
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
        let handed = Handed {
            from: address_of(B, 0),
            meaning: Meaning::Heartbeat(Some(life(2))),
            genuine: true,
            running: true,
            delivered: None,
        };
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
        assert_eq!(after(started(B, 3)), 2, "A sees the former life");
        assert_eq!(after(left(1, LeaveReason::Restarted)), 2);
        assert_eq!(after(joined(1, 3)), 1);
        let peer = crate::place::stranger(1);
        assert_eq!(after(told(2, PeerEvent::Joined { peer, incarnation: None })), 2);
        assert_eq!(after(Fact::Ended { node: A }), 0, "B has never been told of A");
    }
}
