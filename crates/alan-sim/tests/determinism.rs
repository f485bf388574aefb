//! The same plan gives the same history, bit for bit, however it is watched.

use alan_sim::plan::Locks;
use alan_sim::scenario::{EVERY, Scenario, Variant};
use alan_sim::{Audits, Options, Plan, Recording, run, run_with};

const VARIANTS: [Variant; 4] = [
    Variant::new(false, Locks::Classic),
    Variant::new(true, Locks::Classic),
    Variant::new(false, Locks::Repaired),
    Variant::new(true, Locks::Repaired),
];

/// Some plans of each scenario that is not too large for it.
fn some_plans() -> impl Iterator<Item = Plan> {
    let small = |scenario: &&Scenario| !matches!(scenario.name, "cold-start-300" | "join-flood");
    EVERY.iter().filter(small).flat_map(|scenario| {
        (0..4).zip(VARIANTS).map(|(seed, variant)| Plan::generate(scenario, variant, seed))
    })
}

#[test]
fn a_seed_draws_the_same_plan_each_time() {
    for (once, again) in some_plans().zip(some_plans()) {
        assert_eq!(once, again);
    }
}

#[test]
fn a_plan_that_is_run_twice_gives_the_same_history_to_the_last_byte() {
    for plan in some_plans() {
        let (once, again) = (run(&plan), run(&plan));
        assert_eq!(once.trace.to_string(), again.trace.to_string(), "{} {}", plan.name, plan.seed);
        assert_eq!(once, again);
        assert!(once.trace.steps().len() > 10, "{} {} is empty", plan.name, plan.seed);
    }
}

#[test]
fn how_a_run_is_watched_changes_nothing_in_it() {
    for plan in some_plans().step_by(3) {
        let watched = run(&plan);
        let kept = Recording::Latest(10);
        let unwatched = run_with(&plan, Options { recording: kept, audits: Audits::Planned });
        assert_eq!(watched.fingerprint, unwatched.fingerprint);
        assert_eq!((watched.stats, &watched.violation), (unwatched.stats, &unwatched.violation));
        let (all, last): (Vec<_>, Vec<_>) =
            (watched.trace.steps().collect(), unwatched.trace.steps().collect());
        assert_eq!(all[all.len() - last.len()..], last[..]);
        assert_eq!(run_with(&plan, Options::FAST).fingerprint, watched.fingerprint);
    }
}

#[test]
fn another_seed_gives_another_history() {
    let scenario = Scenario::find("chaos").expect("it is there");
    let history = |seed| run(&Plan::generate(scenario, VARIANTS[3], seed)).trace.to_string();
    assert_ne!(history(1), history(2));
}
