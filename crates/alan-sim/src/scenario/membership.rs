//! Who is there: cold starts, restarts, bad networks, strangers, and discovery that is wrong.

use std::time::Duration;

use super::common::{MET, any, bounded, cluster, lock_load, other, talk};
use super::{About, Scenario, Variant};
use crate::draw::{Draws, PerMille};
use crate::place::Place;
use crate::plan::{Cut, Event, Forgery, Knows, Name, Plan, Return};

const fn about_membership(
    name: &'static str,
    summary: &'static str,
    draw: fn(&mut Draws, Variant) -> Plan,
) -> Scenario {
    Scenario { name, summary, about: About::Membership, classic_fails: false, draw }
}

/// None, or one in twenty.
fn lossy_or_not(draws: &mut Draws, plan: &mut Plan) {
    plan.weather.lost = PerMille(*draws.pick(&[0, 50]));
}

pub(super) const COLD_START_3: Scenario =
    about_membership("cold-start-3", "three nodes start at once", |draws, variant| {
        cold_start(draws, variant, 3)
    });

pub(super) const COLD_START_30: Scenario =
    about_membership("cold-start-30", "thirty nodes start at once", |draws, variant| {
        cold_start(draws, variant, 30)
    });

pub(super) const COLD_START_300: Scenario =
    about_membership("cold-start-300", "three hundred nodes start at once", |draws, variant| {
        let mut plan = cold_start(draws, variant, 300);
        plan.cluster.heartbeat_interval = Duration::from_secs(5);
        plan.cluster.heartbeat_timeout = Duration::from_secs(15);
        plan.cluster.refresh = Duration::from_secs(30);
        plan.bound = Some(Duration::from_secs(3));
        plan.goodbye = false;
        plan
    });

/// All know each other soon after the calm begins: who has not answered by then is asked again
/// within the longest pause between two JOINs.
fn cold_start(draws: &mut Draws, variant: Variant, nodes: u16) -> Plan {
    let mut plan = cluster(draws, variant, nodes);
    lossy_or_not(draws, &mut plan);
    let spread = *draws.pick(&[0, 100, 1_000]);
    for node in &mut plan.nodes {
        node.start = draws.millis(0..=spread);
    }
    plan.calm = Duration::from_millis(spread + 1_000);
    plan.bound = Some(plan.cluster.join_interval * 2 + Duration::from_secs(1));
    plan
}

pub(super) const ROLLING_RESTART: Scenario = about_membership(
    "rolling-restart",
    "every node leaves or dies and comes back, one after the other",
    rolling_restart,
);

fn rolling_restart(draws: &mut Draws, variant: Variant) -> Plan {
    let nodes = *draws.pick(&[3, 5, 10]);
    let mut plan = cluster(draws, variant, nodes);
    lossy_or_not(draws, &mut plan);
    let mut at = Duration::from_millis(MET);
    for node in plan.places() {
        at += draws.millis(100..=4_000);
        let same_address = draws.below(2) == 0;
        let back = Some(Return { after: draws.millis(1..=3_000), same_address });
        let crashes = draws.below(2) == 0;
        let event = if crashes { Event::Crash { node, back } } else { Event::Leave { node, back } };
        plan.add(at, event);
    }
    talk(draws, &mut plan, (0, 20_000), 20);
    bounded(plan)
}

pub(super) const LOSSY: Scenario =
    about_membership("lossy", "one datagram in twenty to five is lost", |draws, variant| {
        let nodes = *draws.pick(&[3, 5, 10]);
        let mut plan = cluster(draws, variant, nodes);
        plan.weather.lost = PerMille(*draws.pick(&[50, 100, 200]));
        plan.weather.doubled = PerMille(50);
        talk(draws, &mut plan, (0, 30_000), 30);
        bounded(plan)
    });

pub(super) const ONE_WAY: Scenario = about_membership(
    "one-way",
    "some links carry one direction only for a while",
    |draws, variant| {
        let nodes = *draws.pick(&[3, 5]);
        let mut plan = cluster(draws, variant, nodes);
        for _ in 0..draws.within(1..=4) {
            let node = any(draws, &plan);
            let peer = other(draws, &plan, node);
            let cuts = [Cut::OneWay(node, peer), Cut::Mute(node), Cut::Deaf(node)];
            let cut = draws.pick(&cuts).clone();
            let (at, lasts) = (draws.millis(0..=5_000), draws.millis(100..=15_000));
            plan.add(at, Event::Cut { cut, lasts });
        }
        talk(draws, &mut plan, (0, 20_000), 20);
        bounded(plan)
    },
);

pub(super) const STRANGERS: Scenario = about_membership(
    "strangers",
    "a flood of strangers asks to join, more than the peer table holds",
    |draws, variant| {
        let mut plan = cluster(draws, variant, 3);
        plan.cluster.max_peers = 100;
        let to = any(draws, &plan);
        for wave in 0..draws.within(1..=5) {
            let at = Duration::from_millis(MET) + draws.millis(0..=5_000);
            let first = u16::try_from(wave * 100).expect("few waves");
            // Those of the Go library are believed, the others are not.
            let with_life = draws.below(2) == 0;
            plan.add(at, Event::Strangers { to, first, count: 150, with_life });
        }
        talk(draws, &mut plan, (0, 10_000), 20);
        bounded(plan)
    },
);

pub(super) const FORGERIES: Scenario = about_membership(
    "forgeries",
    "somebody without the key sends noise, other keys' datagrams and clear text; bits flip",
    |draws, variant| {
        let mut plan = cluster(draws, variant, 3).sealed();
        plan.weather.corrupted = PerMille(20);
        for _ in 0..draws.within(2..=10) {
            let to = any(draws, &plan);
            let what = *draws.pick(&[Forgery::Noise, Forgery::OtherKey, Forgery::ClearText]);
            let at = draws.millis(0..=8_000);
            plan.add(at, Event::Forge { to, what, count: 30 });
        }
        talk(draws, &mut plan, (0, 10_000), 20);
        bounded(plan)
    },
);

pub(super) const REPEATS: Scenario = about_membership(
    "repeats",
    "somebody sends again what nodes were sent before, former lives' datagrams among it",
    |draws, variant| {
        let mut plan = cluster(draws, variant, 3);
        plan.cluster.sealed = draws.below(2) == 0;
        for _ in 0..draws.within(1..=5) {
            let to = any(draws, &plan);
            let at = draws.millis(MET..=8_000);
            let count = u16::try_from(draws.within(1..=100)).expect("few");
            plan.add(at, Event::Replay { to, count });
        }
        if draws.below(2) == 0 {
            // A datagram of a former life may displace the present one: not a time for locks.
            let node = any(draws, &plan);
            let back = Some(Return { after: draws.millis(1..=1_000), same_address: true });
            plan.add(Duration::from_millis(MET), Event::Crash { node, back });
        } else {
            let all: Vec<Place> = plan.places().collect();
            lock_load(draws, &mut plan, &all, (MET, 8_000), 12, 500);
        }
        bounded(plan)
    },
);

pub(super) const DNS_LIES: Scenario = about_membership(
    "dns-lies",
    "discovery names addresses that are dead, and leaves out nodes that live",
    |draws, variant| {
        let nodes = *draws.pick(&[3, 5]);
        let mut plan = cluster(draws, variant, nodes);
        lossy_or_not(draws, &mut plan);
        // A chain of names, one node to the next, makes every pair meet that it names: here each
        // node names all that come after it, and nobody before it.
        for node in plan.places() {
            let later = (node.0 + 1..nodes).map(|later| Name::Node(Place(later)));
            let dead = (0..draws.below(20)).map(|_| Name::Dead(7));
            let knows = Knows::These(later.chain(dead).collect());
            plan.nodes[node.index()].knows = knows;
        }
        plan.calm = Duration::from_secs(10);
        bounded(plan)
    },
);

pub(super) const DNS_CHANGES: Scenario = about_membership(
    "dns-changes",
    "discovery names former addresses, nobody, or everybody, in turn",
    |draws, variant| {
        let mut plan = cluster(draws, variant, 4);
        lossy_or_not(draws, &mut plan);
        for _ in 0..draws.within(2..=8) {
            let node = any(draws, &plan);
            let first = plan.places().map(Name::First).collect();
            let answers = [Knows::These(Vec::new()), Knows::These(first), Knows::Everyone];
            let knows = draws.pick(&answers).clone();
            let at = draws.millis(0..=10_000);
            plan.add(at, Event::Discovery { node, knows });
        }
        let node = any(draws, &plan);
        let back = Some(Return { after: draws.millis(1..=2_000), same_address: false });
        plan.add(draws.millis(2_000..=8_000), Event::Crash { node, back });
        let last = Duration::from_secs(11);
        for node in plan.places() {
            plan.add(last, Event::Discovery { node, knows: Knows::Everyone });
        }
        bounded(plan)
    },
);

pub(super) const DNS_MOSTLY_DEAD: Scenario = about_membership(
    "dns-mostly-dead",
    "discovery names five hundred addresses, most of them dead",
    |draws, variant| {
        let nodes = *draws.pick(&[3, 5]);
        let mut plan = cluster(draws, variant, nodes);
        lossy_or_not(draws, &mut plan);
        for node in &mut plan.nodes {
            let dead = (0..500 - nodes).map(Name::Dead);
            let alive = (0..nodes).map(|alive| Name::Node(Place(alive)));
            node.knows = Knows::These(dead.chain(alive).collect());
        }
        plan.calm = Duration::from_secs(10);
        bounded(plan)
    },
);

pub(super) const CONVERSATION: Scenario = about_membership(
    "conversation",
    "messages and requests to one and to all, answered late or never, on any network",
    |draws, variant| {
        let nodes = *draws.pick(&[2, 3, 5]);
        let mut plan = cluster(draws, variant, nodes);
        plan.cluster.sealed = draws.below(4) == 0;
        super::common::rough(draws, &mut plan);
        plan.weather.in_order = draws.below(2) == 0;
        plan.weather.bandwidth = *draws.pick(&[None, None, Some(20_000)]);
        for node in &mut plan.nodes {
            node.answers_after = draws.millis(0..=5_000);
            node.socket = *draws.pick(&[4, 4_096]);
        }
        let times = draws.within(20..=200);
        talk(draws, &mut plan, (0, 20_000), times);
        bounded(plan)
    },
);

pub(super) const MIXED: Scenario = about_membership(
    "mixed",
    "some nodes speak as the Go library does, with and without a key; they come, go and talk",
    |draws, variant| {
        let nodes = *draws.pick(&[2, 3, 5]);
        let mut plan = cluster(draws, variant, nodes);
        plan.cluster.sealed = draws.below(2) == 0;
        lossy_or_not(draws, &mut plan);
        plan.nodes[0].classic = true;
        for node in plan.nodes.iter_mut().skip(2) {
            node.classic = draws.below(2) == 0;
        }
        for _ in 0..draws.below(3) {
            let node = any(draws, &plan);
            let back = Some(Return { after: draws.millis(1..=8_000), same_address: true });
            let crashes = draws.below(2) == 0;
            let event =
                if crashes { Event::Crash { node, back } } else { Event::Leave { node, back } };
            plan.add(draws.millis(MET..=10_000), event);
        }
        talk(draws, &mut plan, (0, 20_000), 40);
        bounded(plan)
    },
);

pub(super) const TWO_ADDRESSES: Scenario = about_membership(
    "two-addresses",
    "some nodes have two addresses, and send from either; one may be cut off, or restart",
    |draws, variant| {
        let nodes = *draws.pick(&[2, 3, 5]);
        let mut plan = cluster(draws, variant, nodes);
        plan.cluster.sealed = draws.below(2) == 0;
        lossy_or_not(draws, &mut plan);
        plan.nodes[0].two_addresses = true;
        for node in plan.nodes.iter_mut().skip(1) {
            node.two_addresses = draws.below(2) == 0;
        }
        if draws.below(2) == 0 {
            let node = any(draws, &plan);
            let back = Some(Return { after: draws.millis(1..=8_000), same_address: true });
            plan.add(draws.millis(0..=10_000), Event::Crash { node, back });
        }
        if draws.below(2) == 0 {
            let cut = Cut::Mute(any(draws, &plan));
            let (at, lasts) = (draws.millis(0..=5_000), draws.millis(100..=8_000));
            plan.add(at, Event::Cut { cut, lasts });
        }
        talk(draws, &mut plan, (0, 20_000), 40);
        bounded(plan)
    },
);

pub(super) const INSTANT_RESTART: Scenario = about_membership(
    "instant-restart",
    "nodes die and are there again, at the same address, within a round trip, several times",
    |draws, variant| {
        let nodes = *draws.pick(&[2, 3, 5]);
        let mut plan = cluster(draws, variant, nodes);
        plan.cluster.sealed = draws.below(2) == 0;
        lossy_or_not(draws, &mut plan);
        let round_trip = (plan.weather.delay.least + plan.weather.delay.spread) * 2;
        // Some while the nodes are about to meet, some when they have.
        for _ in 0..draws.within(1..=6) {
            let node = any(draws, &plan);
            let after = draws.duration(Duration::ZERO..=round_trip);
            let back = Some(Return { after, same_address: true });
            let latest = *draws.pick(&[100, 10_000]);
            plan.add(draws.millis(0..=latest), Event::Crash { node, back });
        }
        talk(draws, &mut plan, (0, 15_000), 40);
        bounded(plan)
    },
);

/// In microseconds.
const HOUR: i64 = 3_600_000_000;

pub(super) const WALL_CLOCKS: Scenario = about_membership(
    "wall-clocks",
    "wall clocks are off by hours, days or years, and are set while nodes run and before others start",
    |draws, variant| {
        let nodes = *draws.pick(&[2, 3, 5]);
        let mut plan = cluster(draws, variant, nodes);
        lossy_or_not(draws, &mut plan);
        let steps = [-HOUR, HOUR, -30 * HOUR, 20 * HOUR, 30 * HOUR, 90_000 * HOUR, -500_000 * HOUR];
        for node in &mut plan.nodes {
            node.wall_offset = *draws.pick(&[0, 0, HOUR, -HOUR, 30 * HOUR, 90_000 * HOUR]);
        }
        for _ in 0..draws.within(1..=8) {
            let (node, micros) = (any(draws, &plan), *draws.pick(&steps));
            let at = draws.millis(0..=10_000);
            plan.add(at, Event::StepWallClock { node, micros });
            if draws.below(2) == 0 {
                let back = Some(Return { after: draws.millis(1..=500), same_address: true });
                plan.add(at + draws.millis(0..=2_000), Event::Crash { node, back });
            }
        }
        talk(draws, &mut plan, (0, 15_000), 20);
        bounded(plan)
    },
);
