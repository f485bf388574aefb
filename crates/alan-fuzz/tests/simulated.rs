//! The simulator as one more finder of planted bugs: a few seeds of scenarios that the core holds.
//!
//! Only with the feature `mutants`. Without a mutant it says nothing that the simulator's own tests
//! do not say with more seeds.

use alan_sim::plan::Locks;
use alan_sim::scenario::{Scenario, Variant};
use alan_sim::{Explored, explore};

const SEEDS: u64 = 20;

fn hold(name: &str, sized: bool) {
    let scenario = Scenario::find(name).expect("it is there");
    let variant = Variant::new(sized, Locks::Repaired);
    for Explored { seed, violation, .. } in explore(scenario, variant, 0..SEEDS) {
        assert_eq!(violation, None, "{name}, seed {seed}");
    }
}

#[test]
fn conversation_holds() {
    hold("conversation", false);
}

#[test]
fn rolling_restart_holds() {
    hold("rolling-restart", false);
}

#[test]
fn forgeries_hold() {
    hold("forgeries", false);
}

#[test]
fn repeats_hold() {
    hold("repeats", false);
}

#[test]
fn lossy_holds() {
    hold("lossy", false);
}

#[test]
fn reorder_holds() {
    hold("reorder", true);
}
