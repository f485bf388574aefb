//! Locks under nothing but races, reordering, pauses and drifting clocks; and under everything.

use std::time::Duration;

use super::common::{MET, any, bounded, cluster, lock_load, other, rough, talk};
use super::{About, Scenario, Variant};
use crate::draw::{Draws, PerMille};
use crate::place::Place;
use crate::plan::{Cut, Event, FirstToRun, Key, Knows, Name, Plan, Return, Weather};

const A: Key = Key::new('a');

pub(super) const STARTUP_RACE: Scenario = Scenario {
    name: "startup-race",
    summary: "all nodes start at once and lock before they know each other",
    about: About::Locks,
    classic_fails: true,
    draw: startup_race,
};

fn startup_race(draws: &mut Draws, variant: Variant) -> Plan {
    let nodes = *draws.pick(&[3, 3, 4, 5]);
    let mut plan = cluster(draws, variant, nodes);
    for node in plan.places() {
        let at = plan.nodes[node.index()].start + draws.millis(0..=80);
        let hold = draws.millis(50..=1_000);
        plan.add(at, Event::Lock { node, key: A, hold, patience: None });
    }
    bounded(plan)
}

pub(super) const REORDER: Scenario = Scenario {
    name: "reorder",
    summary: "grants, releases and repeated requests overtake each other; nothing is cut",
    about: About::Locks,
    classic_fails: true,
    draw: reorder,
};

fn reorder(draws: &mut Draws, variant: Variant) -> Plan {
    let nodes = *draws.pick(&[3, 3, 3, 5]);
    let mut plan = cluster(draws, variant, nodes);
    plan.weather.delay.spread = draws.millis(20..=300);
    plan.weather.delay.late = PerMille(50);
    plan.weather.delay.tail = draws.millis(100..=2_000);
    plan.weather.doubled = PerMille(*draws.pick(&[0, 50, 200]));
    let all: Vec<Place> = plan.places().collect();
    let calls = draws.within(4..=16);
    // Late heartbeats can still be too late for who starts: no lock before all have met.
    lock_load(draws, &mut plan, &all, (MET * 4, MET * 4 + 6_000), calls, 300);
    bounded(plan)
}

pub(super) const PAUSE: Scenario = Scenario {
    name: "pause",
    summary: "a holder stops for longer than its peers wait, then goes on",
    about: About::Locks,
    classic_fails: true,
    draw: pause,
};

fn pause(draws: &mut Draws, variant: Variant) -> Plan {
    let mut plan = cluster(draws, variant, 3);
    let timeout = plan.cluster.heartbeat_timeout;
    let holder = any(draws, &plan);
    let at = draws.millis(MET..=MET + 500);
    let stops = at + draws.millis(200..=1_000);
    let lasts = draws.duration(timeout / 2..=timeout * 3);
    let hold = lasts * 2 + Duration::from_secs(2);
    plan.add(at, Event::Lock { node: holder, key: A, hold, patience: None });
    let first = *draws.pick(&[FirstToRun::Application, FirstToRun::Driver]);
    plan.add(stops, Event::Pause { node: holder, lasts, first });
    for _ in 0..draws.within(1..=3) {
        let node = other(draws, &plan, holder);
        let hold = draws.duration(Duration::from_millis(100)..=lasts);
        let at = stops + draws.duration(Duration::ZERO..=lasts);
        plan.add(at, Event::Lock { node, key: A, hold, patience: None });
    }
    bounded(plan)
}

pub(super) const DRIFT: Scenario = Scenario {
    name: "drift",
    summary: "clocks run one per cent fast and slow, under lock load",
    about: About::Locks,
    classic_fails: false,
    draw: drift,
};

fn drift(draws: &mut Draws, variant: Variant) -> Plan {
    let mut plan = cluster(draws, variant, 3);
    for node in &mut plan.nodes {
        node.clock_rate = *draws.pick(&[-10_000, 10_000]);
    }
    let all: Vec<Place> = plan.places().collect();
    let calls = draws.within(5..=20);
    lock_load(draws, &mut plan, &all, (MET, 20_000), calls, 2_000);
    bounded(plan)
}

pub(super) const CHAOS: Scenario = Scenario {
    name: "chaos",
    summary: "all of it: loss, cuts, crashes, pauses, new addresses, storms, under load",
    about: About::Locks,
    classic_fails: true,
    draw: chaos,
};

fn chaos(draws: &mut Draws, variant: Variant) -> Plan {
    let nodes = *draws.pick(&[3, 3, 4, 5, 7]);
    let mut plan = cluster(draws, variant, nodes);
    plan.cluster.sealed = draws.below(8) == 0;
    rough(draws, &mut plan);
    plan.weather.in_order = draws.below(4) == 0;
    plan.weather.bandwidth = *draws.pick(&[None, None, None, Some(50_000)]);
    for node in &mut plan.nodes {
        node.socket = *draws.pick(&[8, 4_096]);
    }
    if plan.cluster.sealed {
        plan.weather.corrupted = PerMille(20);
    }
    let all: Vec<Place> = plan.places().collect();
    let lasts = draws.within(5_000..=30_000);
    for _ in 0..draws.within(1..=10) {
        let (at, event) = (draws.millis(0..=lasts), fault(draws, &plan));
        plan.add(at, event);
    }
    let calls = draws.within(5..=30);
    lock_load(draws, &mut plan, &all, (0, lasts), calls, 3_000);
    let words = draws.within(0..=20);
    talk(draws, &mut plan, (0, lasts), words);
    // In the end discovery is right again, or nobody need ever meet.
    for node in plan.places() {
        plan.add(Duration::from_millis(lasts), Event::Discovery { node, knows: Knows::Everyone });
    }
    bounded(plan)
}

/// Any fault, for any time up to a few timeouts.
fn fault(draws: &mut Draws, plan: &Plan) -> Event {
    let node = any(draws, plan);
    let peer = other(draws, plan, node);
    let lasts = draws.duration(Duration::from_millis(10)..=plan.cluster.heartbeat_timeout * 3);
    let back = Return { after: lasts / 3, same_address: draws.below(2) == 0 };
    // A minority may stay away.
    let for_good = draws.below(3) == 0 && node.index() < (plan.nodes.len() - 1) / 2;
    let back = (!for_good).then_some(back);
    let sides = (0..plan.nodes.len()).map(|_| u8::from(draws.below(2) == 0)).collect();
    let first = *draws.pick(&[FirstToRun::Application, FirstToRun::Driver]);
    let mut weather = plan.weather;
    weather.delay.spread = Duration::from_millis(500);
    let storm = Weather { lost: PerMille(300), doubled: PerMille(100), ..weather };
    match draws.below(12) {
        0 => Event::Cut { cut: Cut::Sides(sides), lasts },
        1 => Event::Cut { cut: Cut::Between(node, peer), lasts },
        2 => Event::Cut { cut: Cut::OneWay(node, peer), lasts },
        3 => Event::Cut { cut: Cut::Mute(node), lasts },
        4 => Event::Cut { cut: Cut::Deaf(node), lasts },
        5 => Event::Crash { node, back },
        6 => Event::Leave { node, back },
        7 | 8 => Event::Pause { node, lasts, first },
        9 => Event::Strangers { to: node, first: 0, count: 3, with_life: draws.below(2) == 0 },
        10 => Event::Discovery { node, knows: Knows::These(vec![Name::First(peer)]) },
        _ => Event::Weather { weather: storm, lasts },
    }
}
