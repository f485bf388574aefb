//! What most scenarios begin with, and the load that users make.

use std::time::Duration;

use super::Variant;
use crate::draw::{Draws, PerMille};
use crate::place::Place;
use crate::plan::{Delay, Event, Key, Plan};

/// By when nodes that start at the beginning have met, with a wide margin.
pub(super) const MET: u64 = 1_500;

/// So many nodes that start within a few milliseconds, on a network without faults; intervals,
/// delays, clocks and drivers as the seed draws them.
pub(super) fn cluster(draws: &mut Draws, variant: Variant, nodes: u16) -> Plan {
    let mut plan = Plan::new(nodes);
    plan.cluster.locks = variant.locks;
    plan.cluster.size = if variant.sized { nodes.into() } else { 0 };
    let interval = Duration::from_millis(*draws.pick(&[500, 1_000, 2_000]));
    plan.cluster.heartbeat_interval = interval;
    plan.cluster.heartbeat_timeout = interval * 3;
    plan.weather.delay = Delay {
        least: draws.duration(Duration::from_micros(100)..=Duration::from_millis(2)),
        spread: Duration::from_millis(*draws.pick(&[0, 1, 10, 40])),
        ..plan.weather.delay
    };
    let lag = Duration::from_millis(*draws.pick(&[0, 0, 1, 10]));
    for node in &mut plan.nodes {
        node.start = draws.millis(0..=20);
        node.clock_rate = i32::try_from(draws.below(401)).expect("small") - 200;
        node.lag = lag;
    }
    plan
}

/// A place, any of them.
pub(super) fn any(draws: &mut Draws, plan: &Plan) -> Place {
    let nodes = plan.nodes.len() as u64;
    Place(u16::try_from(draws.below(nodes)).expect("few nodes"))
}

/// Any place but this one.
pub(super) fn other(draws: &mut Draws, plan: &Plan, than: Place) -> Place {
    let nodes = u16::try_from(plan.nodes.len()).expect("few nodes");
    let step = 1 + u16::try_from(draws.below(u64::from(nodes) - 1)).expect("few nodes");
    Place((than.0 + step) % nodes)
}

/// Users of these nodes lock, try, cancel and release, so many times between two moments given in
/// milliseconds; each hold takes at most `hold` milliseconds.
pub(super) fn lock_load(
    draws: &mut Draws,
    plan: &mut Plan,
    nodes: &[Place],
    (from, to): (u64, u64),
    calls: u64,
    hold: u64,
) {
    let keys = *draws.pick(&[1, 1, 1, 2]);
    for _ in 0..calls {
        let at = draws.millis(from..=to);
        let node = *draws.pick(nodes);
        let key = Key::numbered(u8::try_from(draws.below(keys)).expect("few keys"));
        let hold = draws.millis(0..=hold);
        let event = match draws.below(10) {
            0 | 1 => Event::TryLock { node, key, hold },
            2 => Event::Cancel { node, key },
            3 => Event::Lock { node, key, hold, patience: Some(draws.millis(50..=3_000)) },
            _ => Event::Lock { node, key, hold, patience: None },
        };
        plan.add(at, event);
    }
}

/// Users of all nodes send and ask, so many times between two moments given in milliseconds.
pub(super) fn talk(draws: &mut Draws, plan: &mut Plan, (from, to): (u64, u64), times: u64) {
    for _ in 0..times {
        let at = draws.millis(from..=to);
        let node = any(draws, plan);
        let peer = other(draws, plan, node);
        let patience = Some(draws.millis(1..=4_000));
        let event = match draws.below(8) {
            0 | 1 => Event::Send { node, to: peer },
            2 => Event::Broadcast { node },
            3 | 4 => Event::Request { node, to: peer, patience },
            5 => Event::RequestAll { node, patience },
            6 => Event::Request { node, to: peer, patience: None },
            _ => Event::CancelRequest { node },
        };
        plan.add(at, event);
    }
}

/// A few losses and duplicates, or none.
pub(super) fn rough(draws: &mut Draws, plan: &mut Plan) {
    plan.weather.lost = PerMille(*draws.pick(&[0, 0, 10, 50, 150]));
    plan.weather.doubled = PerMille(*draws.pick(&[0, 0, 20, 100]));
}

/// Sets the time within which everything must have ended after the faults: for the views to agree,
/// and for each call to be served after all others.
pub(super) fn bounded(mut plan: Plan) -> Plan {
    let holds = plan.schedule.iter().filter_map(|entry| match &entry.event {
        Event::Lock { hold, .. } | Event::TryLock { hold, .. } => Some(*hold),
        _ => None,
    });
    // A waiter that was turned away asks again after at most 2.5 s.
    let served: Duration = holds.map(|hold| hold + Duration::from_secs(3)).sum();
    let views = plan.cluster.heartbeat_timeout * 2 + plan.cluster.join_interval * 2;
    plan.bound = Some(views + served + Duration::from_secs(20));
    plan
}
