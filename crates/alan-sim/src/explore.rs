//! Exploration: one scenario under many seeds, as fast as it goes.

use std::ops::Range;

use crate::check::Violation;
use crate::outcome::{Options, RunStats, run_with};
use crate::plan::Plan;
use crate::scenario::{Scenario, Variant};

/// What one seed came to.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explored {
    /// The seed.
    pub seed: u64,
    /// What it violated, if anything.
    pub violation: Option<Violation>,
    /// How much happened.
    pub stats: RunStats,
}

/// Runs a scenario with each of these seeds, in order, when the iterator is asked for it.
pub fn explore(
    scenario: &Scenario,
    variant: Variant,
    seeds: Range<u64>,
) -> impl Iterator<Item = Explored> + '_ {
    seeds.map(move |seed| {
        let plan = Plan::generate(scenario, variant, seed);
        let outcome = run_with(&plan, Options::FAST);
        Explored { seed, violation: outcome.violation, stats: outcome.stats }
    })
}
