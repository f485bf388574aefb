//! Membership, requests and deliveries hold in every scenario that is about them.

use alan_sim::plan::Locks;
use alan_sim::scenario::{ALL, About, Scenario, Variant};
use alan_sim::{Options, PerMille, Plan, explore, run_with};

const VARIANTS: [Variant; 2] =
    [Variant::new(false, Locks::Repaired), Variant::new(true, Locks::Repaired)];

/// How many seeds of a scenario are enough, for a test that is run often.
fn seeds(name: &str) -> u64 {
    match name {
        // Those have tests of their own.
        "cold-start-300" | "join-flood" | "replay" | "reflection" => 0,
        "cold-start-30" | "dns-mostly-dead" | "forgeries" => 1,
        _ => 8,
    }
}

/// Whatever is lost: as much as the scenario draws, nothing, one in twenty, or one in five.
#[test]
fn the_scenarios_about_membership_hold() {
    let about = |scenario: &&Scenario| scenario.about == About::Membership;
    let losses = [None, Some(PerMille(0)), Some(PerMille(50)), Some(PerMille(200))];
    for scenario in ALL.iter().filter(about) {
        let seeds = seeds(scenario.name);
        for (variant, lost) in VARIANTS.into_iter().flat_map(|v| losses.map(|lost| (v, lost))) {
            let variant = Variant { lost, ..variant };
            for explored in explore(scenario, variant, 0..seeds) {
                let (name, seed) = (scenario.name, explored.seed);
                assert_eq!(explored.violation, None, "{name}, {variant:?}, seed {seed}");
            }
        }
    }
}

#[test]
fn three_hundred_nodes_meet_with_and_without_loss() {
    let scenario = Scenario::find("cold-start-300").expect("it is there");
    for lost in [0, 50] {
        let mut plan = Plan::generate(scenario, VARIANTS[1], 1);
        plan.weather.lost = PerMille(lost);
        let outcome = run_with(&plan, Options::FAST);
        assert_eq!(outcome.violation, None, "{lost} in a thousand are lost");
        assert!(outcome.stats.delivered >= 300 * 299, "{:?}", outcome.stats);
    }
}

#[test]
fn in_a_conversation_payloads_arrive_and_requests_end() {
    let scenario = Scenario::find("conversation").expect("it is there");
    let received: u64 =
        explore(scenario, VARIANTS[0], 0..10).map(|explored| explored.stats.received).sum();
    assert!(received > 500, "{received} payloads");
}
