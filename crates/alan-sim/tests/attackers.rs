//! What attackers bring about, and that the simulator sees it.

use std::collections::BTreeSet;
use std::time::Duration;

use alan_sim::check::{Breach, Invariant};
use alan_sim::plan::{Claim, Disguise, Event, Flood, Locks, Repeat, Target, Word};
use alan_sim::scenario::{ALL, Scenario, Variant};
use alan_sim::{Options, Place, Plan, explore, run, run_with, shrink};

const SIZED: Variant = Variant { sized: true, locks: Locks::Repaired };

fn scenario(name: &str) -> &'static Scenario {
    Scenario::find(name).expect("it is there")
}

/// Which invariants a scenario violates within so many seeds.
fn violated(name: &str, seeds: u64) -> BTreeSet<Invariant> {
    let explored = explore(scenario(name), SIZED, 0..seeds);
    explored.filter_map(|explored| Some(explored.violation?.invariant())).collect()
}

/// Nodes believe whoever opens their datagrams, so far. A row changes when they stop doing so.
#[test]
fn attackers_are_caught_at_what_nodes_do_not_withstand_yet() {
    let expected = [
        ("replay", 40, &[Invariant::Freshness][..]),
        ("reflection", 40, &[Invariant::Freshness]),
        ("spoofed-leave", 40, &[Invariant::Freshness]),
        ("join-flood", 8, &[Invariant::Freshness]),
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
    for name in ["replay", "reflection", "spoofed-leave", "join-flood"] {
        for seed in 0..15 {
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
    let repeat = Repeat { from, to, within: Duration::from_millis(500) };
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
    assert!(own.contains("n0 ──► n0  DATA"), "{own}");
    let returned = sent(&repeated(Disguise::Receiver, Target::Sender));
    assert!(returned.contains("n1 ──► n0  DATA n0.0.0"), "{returned}");
    let strange = sent(&repeated(Disguise::Stranger, Target::Receiver));
    assert!(strange.contains("10.200.0"), "{strange}");
}

#[test]
fn a_message_that_is_sent_again_is_delivered_again_so_far() {
    let violation = run(&repeated(Disguise::Sender, Target::Receiver)).violation;
    let breach = violation.expect("it is delivered twice").breach;
    assert!(matches!(breach, Breach::NotFresh { from: None, .. }), "{breach}");
}

#[test]
fn a_join_that_only_claims_to_be_a_members_makes_it_a_restarted_one_so_far() {
    let mut plan = Plan::new(3);
    plan.attacked = true;
    let claim = |says, with_life| Claim { whose: Place(1), says, with_life };
    let event = |claim| Event::Claim { to: Place(0), claim, count: 3 };
    let leave = plan.clone().at(1_000).event(event(claim(Word::Leave, false)));
    let leave = leave.at(1_500).event(event(claim(Word::Leave, true)));
    assert_eq!(run(&leave).violation, None, "a LEAVE must name the life");
    let join = plan.at(1_000).event(event(claim(Word::Join, true)));
    let breach = run(&join).violation.expect("it is believed").breach;
    assert!(breach.to_string().contains("has restarted, which it did not"), "{breach}");
}

#[test]
fn without_a_key_a_stranger_that_names_a_life_gets_more_out_of_a_node_than_it_puts_in_so_far() {
    let mut plan = Plan::new(2);
    plan.attacked = true;
    let plan = plan.at(1_000).event(Event::Strangers { to: Place(0), first: 0, count: 1 });
    let freshness = run(&plan).violation.expect("a stranger joins");
    assert_eq!(freshness.invariant(), Invariant::Freshness);
    let sent = run(&Plan { attacked: false, ..plan })
        .trace
        .to_string()
        .lines()
        .filter(|line| line.contains("n0 ──► 10.200.0.0:5000"))
        .count();
    assert!(sent > 1, "one JOIN, {sent} answers");
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
        .map(|seed| Plan::generate(scenario("replay"), SIZED, seed))
        .map(|plan| (plan.clone(), run_with(&plan, Options::FAST)))
        .find(|(_, outcome)| outcome.violation.is_some())
        .expect("it fails so far");
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
fn a_wall_clock_that_is_set_changes_nothing_that_nodes_do_so_far() {
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
