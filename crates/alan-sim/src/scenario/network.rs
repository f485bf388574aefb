//! Locks on a network that is cut: in two, between two, or one way.

use std::time::Duration;

use super::common::{MET, any, bounded, cluster, lock_load, other};
use super::{About, Scenario, Variant};
use crate::draw::Draws;
use crate::place::Place;
use crate::plan::{Cut, Event, Key, Plan};

const A: Key = Key::new('a');

pub(super) const PARTITION: Scenario = Scenario {
    name: "partition",
    summary: "two sides, each with some nodes, that heal, and again",
    about: About::Locks,
    classic_fails: true,
    draw: partition,
};

fn partition(draws: &mut Draws, variant: Variant) -> Plan {
    let nodes = *draws.pick(&[3, 3, 4, 5]);
    let mut plan = cluster(draws, variant, nodes);
    let timeout = plan.cluster.heartbeat_timeout;
    let mut locks_at = Duration::from_millis(MET) + draws.millis(100..=600);
    for _ in 0..draws.within(1..=2) {
        // The first node of the smaller side holds when the cut comes.
        let alone = any(draws, &plan);
        let sides = plan.places().map(|place| match place {
            place if place == alone => 1,
            _ => u8::from(nodes > 3 && draws.below(4) == 0),
        });
        let cut = Cut::Sides(sides.collect());
        let lasts = draws.duration(timeout / 2..=timeout * 4);
        let hold = lasts / 2 + draws.millis(0..=4_000);
        plan.add(locks_at, Event::Lock { node: alone, key: A, hold, patience: None });
        let at = locks_at + draws.millis(50..=400);
        plan.add(at, Event::Cut { cut, lasts });
        for _ in 0..draws.within(1..=3) {
            let node = other(draws, &plan, alone);
            let (hold, after) = (draws.millis(50..=2_000), draws.duration(Duration::ZERO..=lasts));
            plan.add(at + after, Event::Lock { node, key: A, hold, patience: None });
        }
        locks_at = at + lasts + draws.millis(100..=5_000);
    }
    bounded(plan)
}

pub(super) const PARTIAL_VISIBILITY: Scenario = Scenario {
    name: "partial-visibility",
    summary: "two nodes both see a third, and never each other",
    about: About::Locks,
    classic_fails: true,
    draw: partial_visibility,
};

fn partial_visibility(draws: &mut Draws, variant: Variant) -> Plan {
    let nodes = *draws.pick(&[3, 3, 4]);
    let mut plan = cluster(draws, variant, nodes);
    let lasts = Duration::from_secs(12);
    plan.add(Duration::ZERO, Event::Cut { cut: Cut::Between(Place(0), Place(1)), lasts });
    let calls = draws.within(2..=12);
    let these = if draws.below(2) == 0 { &[Place(0), Place(1)][..] } else { &[0, 1, 2].map(Place) };
    lock_load(draws, &mut plan, these, (MET, 11_000), calls, 1_500);
    bounded(plan)
}

pub(super) const ASYMMETRIC: Scenario = Scenario {
    name: "asymmetric",
    summary: "a holder hears others, and they do not hear it",
    about: About::Locks,
    classic_fails: true,
    draw: asymmetric,
};

fn asymmetric(draws: &mut Draws, variant: Variant) -> Plan {
    let mut plan = cluster(draws, variant, 3);
    let timeout = plan.cluster.heartbeat_timeout;
    let holder = any(draws, &plan);
    let at = draws.millis(MET..=MET + 300);
    let cut_at = at + draws.millis(200..=600);
    let lasts = draws.duration(timeout..=timeout * 4);
    let hold = lasts + draws.millis(0..=2_000);
    plan.add(at, Event::Lock { node: holder, key: A, hold, patience: None });
    let peer = other(draws, &plan, holder);
    let cuts = [Cut::Mute(holder), Cut::OneWay(holder, peer)];
    let cut = draws.pick(&cuts).clone();
    plan.add(cut_at, Event::Cut { cut, lasts });
    for _ in 0..draws.within(1..=3) {
        let node = other(draws, &plan, holder);
        let (hold, after) = (draws.millis(50..=2_000), draws.duration(Duration::ZERO..=lasts));
        plan.add(cut_at + after, Event::Lock { node, key: A, hold, patience: None });
    }
    bounded(plan)
}
