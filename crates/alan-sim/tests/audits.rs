//! What the checks conclude step by step is what looking at the whole world shows after each step.

use alan_sim::check::{Breach, Invariant};
use alan_sim::plan::Locks;
use alan_sim::scenario::{ALL, Scenario, Variant};
use alan_sim::{Audits, Options, Plan, Recording, run_with};

const EVERY_STEP: Options = Options { recording: Recording::Nothing, audits: Audits::EveryStep };

#[test]
fn both_ways_to_check_reach_the_same_verdict_after_every_step() {
    let mut violated = 0;
    let large = ["cold-start-30", "cold-start-300", "dns-mostly-dead", "strangers", "join-flood"];
    for scenario in ALL.iter().filter(|scenario| !large.contains(&scenario.name)) {
        for seed in 0..6 {
            let locks = if seed < 3 { Locks::Classic } else { Locks::Repaired };
            let variant = Variant::new(seed % 2 == 0, locks);
            let plan = Plan::generate(scenario, variant, seed);
            let audited = run_with(&plan, EVERY_STEP);
            let unaudited = run_with(&plan, Options::FAST);
            assert_eq!(audited.violation, unaudited.violation, "{} {seed}", scenario.name);
            violated += usize::from(audited.violation.is_some());
        }
    }
    assert!(violated > 20, "too few of the histories violate anything: {violated}");
}

#[test]
fn two_holders_are_seen_by_both_ways_at_the_same_step() {
    let scenario = Scenario::find("pause").expect("it is there");
    let clashes = (0..30).filter(|&seed| {
        let variant = Variant::new(true, Locks::Repaired);
        let outcome = run_with(&Plan::generate(scenario, variant, seed), EVERY_STEP);
        match outcome.violation.map(|violation| violation.breach) {
            Some(breach @ Breach::TwoHolders { .. }) => {
                assert_eq!(breach.invariant(), Invariant::Exclusion);
                true
            }
            Some(other) => panic!("seed {seed}: {other}"),
            None => false,
        }
    });
    assert!(clashes.count() > 5);
}
