//! Locks while nodes come and go: grantors that forget, rolling restarts, one node too many.

use std::time::Duration;

use super::common::{MET, any, bounded, cluster, lock_load};
use super::{About, Scenario, Variant};
use crate::draw::Draws;
use crate::place::Place;
use crate::plan::{Event, Key, Plan, Return};

const A: Key = Key::new('a');

pub(super) const CRASH_RESTART: Scenario = Scenario {
    name: "crash-restart",
    summary: "grantors restart with empty memory while another node holds what they granted",
    about: About::Locks,
    classic_fails: true,
    draw: crash_restart,
};

fn crash_restart(draws: &mut Draws, variant: Variant) -> Plan {
    forgetful(draws, variant, true)
}

pub(super) const REPLACEMENT: Scenario = Scenario {
    name: "replacement",
    summary: "grantors die and are replaced at other addresses while another node holds",
    about: About::Locks,
    classic_fails: true,
    draw: replacement,
};

fn replacement(draws: &mut Draws, variant: Variant) -> Plan {
    forgetful(draws, variant, false)
}

/// A node holds; some or all others die, come back soon, and want the lock.
fn forgetful(draws: &mut Draws, variant: Variant, same_address: bool) -> Plan {
    let mut plan = cluster(draws, variant, 3);
    let holder = any(draws, &plan);
    let at = draws.millis(MET..=MET + 300);
    let hold = draws.millis(2_000..=8_000);
    plan.add(at, Event::Lock { node: holder, key: A, hold, patience: None });
    let dies_at = at + draws.millis(200..=1_000);
    let all_die = draws.below(2) == 0;
    for node in plan.places().filter(|node| *node != holder) {
        if !all_die && draws.below(2) == 0 {
            continue;
        }
        let after = draws.millis(1..=200);
        let dies_at = dies_at + draws.millis(0..=100);
        let back = Some(Return { after, same_address });
        plan.add(dies_at, Event::Crash { node, back });
        let asks_at = dies_at + after + draws.millis(0..=100);
        let hold = draws.millis(50..=500);
        plan.add(asks_at, Event::Lock { node, key: A, hold, patience: None });
    }
    bounded(plan)
}

pub(super) const CHURN: Scenario = Scenario {
    name: "churn",
    summary: "every node is restarted, one after the other, under lock load",
    about: About::Locks,
    classic_fails: true,
    draw: churn,
};

fn churn(draws: &mut Draws, variant: Variant) -> Plan {
    let nodes = *draws.pick(&[3, 3, 5]);
    let mut plan = cluster(draws, variant, nodes);
    let pause = draws.within(500..=4_000);
    let mut at = Duration::from_millis(MET);
    for node in plan.places() {
        at += Duration::from_millis(pause);
        let same_address = draws.below(3) > 0;
        let back = Some(Return { after: draws.millis(50..=1_000), same_address });
        let crashes = draws.below(3) == 0;
        let event = if crashes { Event::Crash { node, back } } else { Event::Leave { node, back } };
        plan.add(at, event);
    }
    let all: Vec<Place> = plan.places().collect();
    let end = MET + pause * (u64::from(nodes) + 1);
    let calls = draws.within(5..=25);
    lock_load(draws, &mut plan, &all, (MET, end), calls, 1_000);
    bounded(plan)
}

pub(super) const SURGE: Scenario = Scenario {
    name: "surge",
    summary: "a rolling update of three nodes, with one or two more than three at times",
    about: About::Locks,
    classic_fails: false,
    draw: surge,
};

fn surge(draws: &mut Draws, variant: Variant) -> Plan {
    let more = *draws.pick(&[1, 2]);
    let mut plan = cluster(draws, variant, 3 + more);
    plan.cluster.size = if variant.sized { 3 } else { 0 };
    let step = draws.within(500..=3_000);
    let mut at = Duration::from_millis(MET);
    // Places 3 and on start while the first ones still run, and those leave after.
    for new in 3..3 + more {
        at += Duration::from_millis(step);
        plan.nodes[usize::from(new)].start = at;
        let leaves_at = at + draws.millis(200..=2_000);
        plan.add(leaves_at, Event::Leave { node: Place(new - 3), back: None });
    }
    let all: Vec<Place> = plan.places().collect();
    let end = MET + step * 4;
    let calls = draws.within(5..=20);
    lock_load(draws, &mut plan, &all, (MET, end), calls, 1_000);
    bounded(plan)
}
