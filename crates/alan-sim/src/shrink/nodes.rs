//! Takes a node out of a plan: what it does goes with it, and those behind it move up.

use crate::place::Place;
use crate::plan::{Cut, Event, Knows, Name, Plan};

/// The plan without one node. A cluster size that is larger than what is left would leave nobody a
/// quorum, and everybody waiting for a reason that is none of the algorithm's: it follows.
pub(super) fn without(plan: &Plan, gone: Place) -> Plan {
    let mut smaller = plan.clone();
    smaller.nodes.remove(gone.index());
    for node in &mut smaller.nodes {
        forget(&mut node.knows, gone);
    }
    smaller.schedule.retain_mut(|entry| keep(&mut entry.event, gone));
    let left = u32::try_from(smaller.nodes.len()).expect("few nodes");
    smaller.cluster.size = smaller.cluster.size.min(left);
    smaller
}

/// Gives the place its new number; `false` if it is the one that is gone.
fn place(place: &mut Place, gone: Place) -> bool {
    if *place > gone {
        place.0 -= 1;
        return true;
    }
    *place != gone
}

fn keep(event: &mut Event, gone: Place) -> bool {
    match event {
        Event::Lock { node, .. }
        | Event::TryLock { node, .. }
        | Event::Cancel { node, .. }
        | Event::Unlock { node, .. }
        | Event::Broadcast { node }
        | Event::RequestAll { node, .. }
        | Event::CancelRequest { node }
        | Event::Leave { node, .. }
        | Event::Crash { node, .. }
        | Event::Pause { node, .. }
        | Event::StepWallClock { node, .. } => place(node, gone),
        Event::Send { node, to } | Event::Request { node, to, .. } => {
            place(node, gone) && place(to, gone)
        }
        Event::Strangers { to, .. }
        | Event::Forge { to, .. }
        | Event::Replay { to, .. }
        | Event::Flood { to, .. } => place(to, gone),
        Event::Claim { to, claim, .. } => place(to, gone) && place(&mut claim.whose, gone),
        Event::Discovery { node, knows } => {
            forget(knows, gone);
            place(node, gone)
        }
        Event::Cut { cut, .. } => keep_cut(cut, gone),
        Event::Weather { .. } | Event::Repeat { .. } => true,
    }
}

/// A cut that has only one side left is none.
fn keep_cut(cut: &mut Cut, gone: Place) -> bool {
    match cut {
        Cut::Sides(sides) => {
            if gone.index() < sides.len() {
                sides.remove(gone.index());
            }
            sides.windows(2).any(|pair| pair[0] != pair[1])
        }
        Cut::Between(a, b) | Cut::OneWay(a, b) => place(a, gone) && place(b, gone),
        Cut::Mute(node) | Cut::Deaf(node) => place(node, gone),
    }
}

fn forget(knows: &mut Knows, gone: Place) {
    if let Knows::These(names) = knows {
        names.retain_mut(|name| match name {
            Name::Node(node) | Name::First(node) => place(node, gone),
            Name::Dead(_) => true,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stands_behind_a_node_that_goes_moves_up() {
        let plan = Plan::new(3).cluster_size(3).at(10).lock(0, 'a', 1).at(20).lock(2, 'a', 1);
        let plan = plan.at(30).partition(&[&[2]], 5).at(40).request(2, 1, 5);
        let smaller = without(&plan, Place(1));
        let expected = Plan::new(2).cluster_size(2).at(10).lock(0, 'a', 1).at(20).lock(1, 'a', 1);
        let expected = expected.at(30).partition(&[&[1]], 5);
        assert_eq!(smaller.schedule, expected.schedule);
        assert_eq!((smaller.nodes.len(), smaller.cluster.size), (2, 2));
    }

    #[test]
    fn a_cut_that_separates_nobody_goes() {
        let plan = Plan::new(3).at(30).partition(&[&[2]], 5);
        assert!(without(&plan, Place(2)).schedule.is_empty());
    }
}
