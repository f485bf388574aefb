//! Somebody attacks: he sends again what he saw, speaks in others' names, and sends a great deal.
//!
//! Whatever he does, nothing of it shows in what nodes tell and deliver: see the invariants
//! *freshness* and *amplification*. What he can do to a cluster without a key if he sees its
//! datagrams is not tried here: everything.

use std::time::Duration;

use super::common::{MET, any, bounded, cluster, other, talk};
use super::{About, Scenario, Variant};
use crate::draw::{Draws, PerMille};
use crate::plan::{Claim, Disguise, Event, Flood, Plan, Repeat, Return, Target, Word};

const fn about_attackers(
    name: &'static str,
    summary: &'static str,
    draw: fn(&mut Draws, Variant) -> Plan,
) -> Scenario {
    Scenario { name, summary, about: About::Membership, classic_fails: false, draw }
}

/// A cluster that somebody attacks from when it has met, for so many milliseconds, while its users
/// talk.
fn attacked(draws: &mut Draws, variant: Variant, lasts: u64) -> Plan {
    let nodes = *draws.pick(&[3, 3, 5]);
    let mut plan = cluster(draws, variant, nodes);
    plan.attacked = true;
    // What is sent to whom one has not met is sealed for anybody, at any time.
    talk(draws, &mut plan, (MET, MET + lasts), lasts / 200);
    plan
}

/// A node dies, leaves, or is restarted while the attack goes on.
fn comings_and_goings(draws: &mut Draws, plan: &mut Plan, lasts: u64) {
    for _ in 0..draws.within(1..=3) {
        let node = any(draws, plan);
        let same_address = draws.below(4) > 0;
        let back = Some(Return { after: draws.millis(1..=8_000), same_address });
        let event = match draws.below(3) {
            0 => Event::Leave { node, back },
            _ => Event::Crash { node, back },
        };
        plan.add(draws.millis(MET..=MET + lasts), event);
    }
}

/// With a bound for who got his own datagrams back: an address from which they came is not asked for
/// a minute.
fn long_bounded(plan: Plan) -> Plan {
    let mut plan = bounded(plan);
    plan.bound = plan.bound.map(|bound| bound + Duration::from_secs(65));
    plan
}

pub(super) const REPLAY: Scenario = about_attackers(
    "replay",
    "somebody without the key sends again all that he sees, to anybody, in any order",
    |draws, variant| {
        let mut plan = replay(draws, variant);
        plan.cluster.classic_peers = false;
        plan
    },
);

pub(super) const REPLAY_TO_CLASSIC: Scenario = about_attackers(
    "replay-to-classic",
    "the same where peers of the Go library are served: what is sealed for anybody comes again",
    replay,
);

fn replay(draws: &mut Draws, variant: Variant) -> Plan {
    let lasts = draws.within(5_000..=15_000);
    let mut plan = attacked(draws, variant, lasts).sealed();
    plan.weather.lost = PerMille(*draws.pick(&[0, 0, 50]));
    comings_and_goings(draws, &mut plan, lasts);
    for _ in 0..draws.within(1..=3) {
        let from = [Disguise::Sender, Disguise::Sender, Disguise::AnyNode, Disguise::Stranger];
        let within = Duration::from_millis(*draws.pick(&[1, 500, 5_000, 20_000]));
        // What goes to another node while it is fresh is not repeated, but relayed.
        let (to, after) = match draws.below(3) {
            0 => (Target::AnyNode, plan.cluster.heartbeat_timeout),
            _ => (Target::Receiver, Duration::ZERO),
        };
        let repeat = Repeat { from: *draws.pick(&from), to, after, within };
        // From the first JOIN on.
        let at = draws.millis(0..=MET);
        plan.add(at, Event::Repeat { repeat, lasts: Duration::from_millis(lasts) });
    }
    long_bounded(plan)
}

pub(super) const RELAY: Scenario = about_attackers(
    "relay",
    "somebody hands what nodes send, while it is fresh, to other nodes, as if from anywhere",
    |draws, variant| {
        let lasts = 10_000;
        let mut plan = attacked(draws, variant, lasts).sealed();
        plan.cluster.classic_peers = false;
        comings_and_goings(draws, &mut plan, lasts);
        for _ in 0..draws.within(1..=3) {
            let from = *draws.pick(&[Disguise::Sender, Disguise::Receiver, Disguise::AnyNode]);
            let (to, after) = (Target::AnyNode, Duration::ZERO);
            let within = Duration::from_millis(*draws.pick(&[1, 10, 500]));
            let repeat = Repeat { from, to, after, within };
            let at = draws.millis(0..=MET);
            plan.add(at, Event::Repeat { repeat, lasts: Duration::from_millis(lasts) });
        }
        bounded(plan)
    },
);

pub(super) const REFLECTION: Scenario = about_attackers(
    "reflection",
    "nodes get their own datagrams back, or questions that name somebody else as the asker",
    |draws, variant| {
        let lasts = 8_000;
        let mut plan = attacked(draws, variant, lasts);
        plan.cluster.sealed = draws.below(2) == 0;
        // What is sealed for anybody, because of them, opens again.
        plan.cluster.classic_peers = !plan.cluster.sealed;
        let long = Duration::from_millis(lasts);
        let within = Duration::from_millis(*draws.pick(&[1, 500, 5_000]));
        let from = *draws.pick(&[Disguise::Sender, Disguise::Receiver, Disguise::Stranger]);
        // Without a key, what comes back in a node's own name is what that node could have sent.
        let from = if plan.cluster.sealed { from } else { Disguise::Sender };
        let after = Duration::ZERO;
        let repeat = Repeat { from, to: Target::Sender, after, within };
        plan.add(Duration::ZERO, Event::Repeat { repeat, lasts: long });
        if plan.cluster.sealed {
            let repeat = Repeat { from: Disguise::Stranger, to: Target::Receiver, after, within };
            plan.add(draws.millis(0..=MET), Event::Repeat { repeat, lasts: long });
        } else {
            let to = any(draws, &plan);
            for first in 0..*draws.pick(&[1, 20]) {
                let at = Duration::from_millis(MET) + draws.millis(0..=lasts);
                plan.add(at, Event::Strangers { to, first, count: 5, with_life: true });
            }
        }
        long_bounded(plan)
    },
);

pub(super) const SPOOFED_LEAVE: Scenario = about_attackers(
    "spoofed-leave",
    "somebody who does not see them says LEAVE, JOIN and HEARTBEAT in the nodes' names",
    |draws, variant| {
        let lasts = 8_000;
        let mut plan = attacked(draws, variant, lasts);
        for _ in 0..draws.within(2..=12) {
            let whose = any(draws, &plan);
            let to = other(draws, &plan, whose);
            let says = *draws.pick(&[Word::Leave, Word::Leave, Word::Join, Word::Heartbeat]);
            let claim = Claim { whose, says, with_life: draws.below(2) == 0 };
            let count = u16::try_from(draws.within(1..=20)).expect("few");
            let at = Duration::from_millis(MET) + draws.millis(0..=lasts);
            plan.add(at, Event::Claim { to, claim, count });
        }
        bounded(plan)
    },
);

pub(super) const JOIN_FLOOD: Scenario = about_attackers(
    "join-flood",
    "a hundred thousand strangers a second ask a node to join, or send it noise",
    |draws, variant| {
        let lasts = Duration::from_millis(*draws.pick(&[50, 200, 1_000]));
        let mut plan = attacked(draws, variant, 4_000);
        let what = *draws.pick(&[Flood::Joins, Flood::Joins, Flood::ClassicJoins, Flood::Noise]);
        plan.cluster.sealed = draws.below(2) == 0;
        plan.cluster.max_peers = *draws.pick(&[64, 4_096]);
        let to = any(draws, &plan);
        let at = Duration::from_millis(MET) + draws.millis(0..=2_000);
        plan.add(at, Event::Flood { to, what, per_second: 100_000, lasts });
        bounded(plan)
    },
);
