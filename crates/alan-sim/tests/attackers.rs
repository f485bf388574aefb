//! What attackers bring about, and that the simulator sees it.

use std::collections::BTreeSet;
use std::time::Duration;

use alan_sim::check::{Breach, Invariant};
use alan_sim::plan::{Claim, Disguise, Event, Flood, Locks, Repeat, Target, Word};
use alan_sim::scenario::{ALL, Scenario, Variant};
use alan_sim::{Options, Outcome, Place, Plan, explore, run, run_with, shrink};

const SIZED: Variant = Variant::new(true, Locks::Repaired);

fn scenario(name: &str) -> &'static Scenario {
    Scenario::find(name).expect("it is there")
}

/// Which invariants a scenario violates within so many seeds.
fn violated(name: &str, seeds: u64) -> BTreeSet<Invariant> {
    let explored = explore(scenario(name), SIZED, 0..seeds);
    explored.filter_map(|explored| Some(explored.violation?.invariant())).collect()
}

/// What attackers bring about. A row that holds is run with `all`.
#[test]
fn attackers_bring_about_nothing_but_what_serving_the_go_library_leaves_open() {
    let expected = [
        ("replay", 25, &[][..]),
        ("reflection", 25, &[]),
        ("spoofed-leave", 40, &[]),
        ("join-flood", 3, &[]),
        // What a node seals for those whom it does not know opens at any time.
        ("replay-to-classic", 15, &[Invariant::Freshness]),
        // A node is where its answers come through.
        ("relay", 15, &[Invariant::Freshness]),
    ];
    for (name, seeds, invariants) in expected {
        assert_eq!(violated(name, seeds), invariants.iter().copied().collect(), "{name}");
        let listed = ALL.iter().any(|scenario| scenario.name == name);
        assert_eq!(listed, invariants.is_empty(), "`all` runs {name} if it holds, and only then");
    }
}

/// The same histories without the attacker: what is seen is his doing.
#[test]
fn without_the_attacker_nothing_is_violated() {
    for name in ["replay", "replay-to-classic", "reflection", "spoofed-leave", "join-flood"] {
        for seed in 0..8 {
            let mut plan = Plan::generate(scenario(name), SIZED, seed);
            plan.schedule.retain(|entry| {
                !matches!(
                    entry.event,
                    Event::Repeat { .. }
                        | Event::Strangers { .. }
                        | Event::Claim { .. }
                        | Event::Flood { .. }
                )
            });
            assert!(plan.attacked, "it is checked all the same");
            assert_eq!(run_with(&plan, Options::FAST).violation, None, "{name} {seed}");
        }
    }
}

/// Three nodes and somebody who sends again all that they send.
fn repeated(from: Disguise, to: Target) -> Plan {
    let mut plan = Plan::new(3).sealed().at(1_000).broadcast(0);
    plan.attacked = true;
    plan.cluster.classic_peers = false;
    let (after, within) = (Duration::ZERO, Duration::from_millis(500));
    let repeat = Repeat { from, to, after, within };
    plan.add(Duration::ZERO, Event::Repeat { repeat, lasts: Duration::from_secs(2) });
    plan
}

#[test]
fn who_repeats_sends_each_datagram_to_whom_and_as_whom_the_plan_says() {
    let quiet = Plan {
        schedule: Vec::new(),
        attacked: false,
        ..repeated(Disguise::Sender, Target::Sender)
    };
    let sent = |plan: &Plan| run(&Plan { attacked: false, ..plan.clone() }).trace.to_string();
    assert!(!sent(&quiet).contains("n0 ──► n0  HEARTBEAT"), "nobody writes to himself");
    let own = sent(&repeated(Disguise::Sender, Target::Sender));
    assert!(own.contains("n0 ──► n0  SESSION_DATA"), "{own}");
    let returned = sent(&repeated(Disguise::Receiver, Target::Sender));
    assert!(returned.contains("n1 ──► n0  SESSION_DATA n0.0.0"), "{returned}");
    let strange = sent(&repeated(Disguise::Stranger, Target::Receiver));
    assert!(strange.contains("10.200.0"), "{strange}");
}

#[test]
fn a_message_that_is_sent_again_is_delivered_once_and_nobody_is_disturbed() {
    let plan = repeated(Disguise::Sender, Target::Receiver);
    let mut quiet = plan.clone();
    quiet.schedule.retain(|entry| !matches!(entry.event, Event::Repeat { .. }));
    let (attacked, quiet) = (run(&plan), run(&quiet));
    assert_eq!(attacked.violation, None);
    assert_eq!((attacked.stats.received, quiet.stats.received), (2, 2));
    assert!(attacked.stats.sent > quiet.stats.sent + 20, "he did send");
    let told = |outcome: &Outcome| {
        let lines = outcome.trace.to_string();
        let told = lines.lines().filter(|line| line.contains(" tells: "));
        told.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(told(&attacked), told(&quiet));
}

#[test]
fn where_classic_peers_are_served_a_message_to_a_stranger_can_be_sent_again() {
    // It is sent before the two have met, sealed for anybody.
    let mut plan = Plan::new(2).sealed().at(0).event(Event::Send { node: Place(0), to: Place(1) });
    plan.attacked = true;
    let (after, within) = (Duration::from_millis(5), Duration::ZERO);
    let repeat = Repeat { from: Disguise::Stranger, to: Target::Receiver, after, within };
    plan.add(Duration::ZERO, Event::Repeat { repeat, lasts: Duration::from_secs(1) });
    let unattacked = Plan { schedule: plan.schedule[..1].to_vec(), ..plan.clone() };
    assert_eq!(run(&unattacked).stats.received, 1, "it arrives before they know each other");
    plan.schedule.reverse();
    let breach = run(&plan).violation.expect("it is delivered as a stranger's").breach;
    assert!(matches!(breach, Breach::NotFresh { from: Some(_), .. }), "{breach}");
    plan.cluster.classic_peers = false;
    let refused = run(&plan);
    assert_eq!((refused.violation, refused.stats.received), (None, 0));
}

#[test]
fn what_is_said_in_a_members_name_without_its_session_ends_nothing() {
    let mut plan = Plan::new(3);
    plan.attacked = true;
    let claim = |says, with_life| Claim { whose: Place(1), says, with_life };
    let event = |claim| Event::Claim { to: Place(0), claim, count: 3 };
    for says in [Word::Leave, Word::Join, Word::Heartbeat] {
        let claimed = plan.clone().at(1_000).event(event(claim(says, false)));
        let claimed = claimed.at(1_500).event(event(claim(says, true)));
        let outcome = run(&claimed);
        assert_eq!(outcome.violation, None, "{says:?}");
        assert_eq!(outcome.stats.false_deaths, 0, "{says:?}");
    }
}

#[test]
fn a_stranger_that_names_a_life_is_answered_with_less_than_it_sent_and_once_only() {
    let mut plan = Plan::new(2);
    plan.attacked = true;
    let (to, first, with_life) = (Place(0), 0, true);
    let plan = plan.at(1_000).event(Event::Strangers { to, first, count: 1, with_life });
    let outcome = run(&plan);
    assert_eq!(outcome.violation, None);
    let history = outcome.trace.to_string();
    let answers = history.lines().filter(|line| line.contains("n0 ──► 10.200.0.0:5000"));
    assert_eq!(answers.count(), 1, "{history}");
    let stats = outcome.stats;
    assert!(0 < stats.to_strangers && stats.to_strangers <= stats.from_strangers, "{stats:?}");
}

#[test]
fn a_flood_sends_what_it_is_told_to_and_only_for_as_long_as_it_lasts() {
    for (what, sealed) in [(Flood::Noise, true), (Flood::ClassicJoins, false), (Flood::Joins, true)]
    {
        let lasts = Duration::from_millis(25);
        let mut plan = Plan::new(3).at(1_000).broadcast(1);
        plan.cluster.sealed = sealed;
        plan.cluster.max_peers = 20;
        let quiet = run_with(&plan, Options::FAST).stats.sent;
        let flood = Event::Flood { to: Place(0), what, per_second: 100_000, lasts };
        plan.add(Duration::from_secs(1), flood);
        let outcome = run_with(&plan, Options::FAST);
        assert_eq!(outcome.violation, None, "{what:?}");
        let more = outcome.stats.sent - quiet;
        assert!((2_500..3_500).contains(&more), "{what:?}: {more}");
        assert_eq!(outcome.stats.false_deaths, 0, "{what:?}");
    }
}

#[test]
fn what_an_attacker_did_is_shrunk_to_a_few_entries_under_the_same_key() {
    let (plan, outcome) = (0..20)
        .map(|seed| Plan::generate(scenario("replay-to-classic"), SIZED, seed))
        .map(|plan| (plan.clone(), run_with(&plan, Options::FAST)))
        .find(|(_, outcome)| outcome.violation.is_some())
        .expect("it fails");
    let shrunk = shrink::shrink(&plan, shrink::Effort::default()).expect("it violates something");
    assert_eq!(Some(shrunk.violation.invariant()), outcome.violation.map(|v| v.invariant()));
    assert!(shrunk.plan.cluster.sealed && shrunk.plan.attacked);
    assert!(shrunk.plan.schedule.len() <= 4, "{:?}", shrunk.plan.schedule);
}

#[test]
fn a_node_that_speaks_as_the_go_library_does_is_a_member_that_names_no_life() {
    for sealed in [false, true] {
        let mut plan = Plan::new(3).at(1_000).lock(0, 'a', 100).at(1_050).lock(1, 'a', 100);
        let plan = {
            plan.cluster.sealed = sealed;
            plan.nodes[0].classic = true;
            plan.at(2_000).broadcast(0).at(2_000).request(1, 0, 500).at(3_000).leave(0)
        };
        let outcome = run(&plan);
        assert_eq!(outcome.violation, None, "sealed {sealed}");
        assert_eq!(outcome.stats.grants, 2);
        let history = outcome.trace.to_string();
        assert!(history.contains("n0 ──► n1  JOIN  ["), "{history}");
        assert!(!history.contains("n1 ──► n0  HEARTBEAT  ["), "the others do name theirs");
        assert!(history.contains("n1 tells: n0 left: it said goodbye"), "{history}");
    }
}

#[test]
fn a_wall_clock_that_is_set_changes_nothing_that_nodes_do() {
    let plan = Plan::new(3).at(1_000).lock(0, 'a', 500).at(1_100).lock(1, 'a', 500);
    let mut stepped = plan.clone();
    stepped.nodes[1].wall_offset = 7_200_000_000;
    for (at, micros) in [(1_050, -86_400_000_000), (1_200, 3_600_000_000)] {
        stepped = stepped.at(at).event(Event::StepWallClock { node: Place(1), micros });
    }
    stepped.calm = plan.calm;
    let (quiet, stepped) = (run(&plan), run(&stepped));
    assert_eq!((quiet.violation, quiet.stats.grants), (stepped.violation, stepped.stats.grants));
    let history = stepped.trace.to_string();
    let set_back = "the wall clock of n1 steps by -86400000000 µs to 1799920801050000";
    assert!(history.contains(set_back), "{history}");
}
