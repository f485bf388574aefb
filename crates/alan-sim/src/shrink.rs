//! Shrinking: from a plan that violates an invariant to a small one that violates the same.
//!
//! Takes entries out of the schedule (in ever smaller groups, as in delta debugging), then nodes,
//! then what the network and the machines do to make life hard, then time; and starts over until
//! nothing more can go. What is left violates the invariant, though not always in the same way: a
//! smaller plan is another history. When nothing goes under the plan's own seed, a few others are
//! tried for each cut. The same plan shrinks to the same plan.

mod cuts;
mod nodes;
mod times;

use crate::check::{Invariant, Violation};
use crate::outcome::{Options, run_with};
use crate::plan::Plan;

/// How much shrinking may cost; where it ends the smallest plan so far is the result.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Effort {
    /// The most runs.
    pub runs: u32,
    /// The most steps of the world, all runs together: what keeps plans with hundreds of nodes
    /// from taking hours.
    pub steps: u64,
    /// How many other seeds are tried for each cut, once nothing goes under the plan's own.
    pub seeds: u8,
}

impl Default for Effort {
    /// A few seconds for a plan of a few nodes.
    fn default() -> Self {
        Self { runs: 4_000, steps: 20_000_000, seeds: 3 }
    }
}

/// A plan that was shrunk.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shrunk {
    /// The smallest plan found.
    pub plan: Plan,
    /// What it violates.
    pub violation: Violation,
    /// How many plans were run to find it.
    pub runs: u32,
    /// Whether nothing more could go, rather than the effort being spent.
    pub finished: bool,
}

/// Makes a plan smaller as long as it violates the same invariant. `None` if it violates none.
pub fn shrink(plan: &Plan, effort: Effort) -> Option<Shrunk> {
    let first = run_with(plan, Options::FAST);
    let violation = first.violation?;
    let mut shrinker = Shrinker {
        invariant: violation.invariant(),
        plan: plan.clone(),
        violation,
        effort,
        runs: 1,
        steps: first.stats.steps,
        seeds: 0,
    };
    shrinker.until_nothing_goes();
    shrinker.seeds = effort.seeds;
    if effort.seeds > 0 {
        shrinker.until_nothing_goes();
    }
    let finished = !shrinker.spent();
    let Shrinker { plan, violation, runs, .. } = shrinker;
    Some(Shrunk { plan, violation, runs, finished })
}

/// The smallest plan so far, and what is left of the effort.
struct Shrinker {
    invariant: Invariant,
    plan: Plan,
    violation: Violation,
    effort: Effort,
    runs: u32,
    steps: u64,
    /// How many other seeds each cut is tried under at present.
    seeds: u8,
}

impl Shrinker {
    fn until_nothing_goes(&mut self) {
        loop {
            let before = self.plan.clone();
            self.drop_the_end();
            self.drop_entries();
            self.drop_nodes();
            self.drop_hardships();
            self.drop_time();
            if self.plan == before || self.spent() {
                return;
            }
        }
    }

    const fn spent(&self) -> bool {
        self.runs >= self.effort.runs || self.steps >= self.effort.steps
    }

    /// Takes the smaller plan if it violates the invariant, too.
    fn try_plan(&mut self, smaller: &Plan) -> bool {
        if *smaller == self.plan {
            return false;
        }
        let seed = self.plan.seed;
        let others = (1..=u64::from(self.seeds)).map(|step| seed.wrapping_add(step));
        for seed in std::iter::once(seed).chain(others) {
            if self.spent() {
                return false;
            }
            let plan = Plan { seed, ..smaller.clone() };
            let outcome = run_with(&plan, Options::FAST);
            self.runs += 1;
            self.steps += outcome.stats.steps;
            match outcome.violation {
                Some(violation) if violation.invariant() == self.invariant => {
                    (self.plan, self.violation) = (plan, violation);
                    return true;
                }
                _ => {}
            }
        }
        false
    }

    /// Takes the plan as it is after `change`, if it violates the invariant, too.
    fn try_change(&mut self, change: impl FnOnce(&mut Plan)) -> bool {
        let mut smaller = self.plan.clone();
        change(&mut smaller);
        self.try_plan(&smaller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Breach;
    use crate::plan::Locks;

    /// One on each side of a cut takes the lock, among much that has nothing to do with it.
    fn crowded() -> Plan {
        let mut plan = Plan::new(5).locks(Locks::Classic);
        for step in 0..8 {
            plan = plan.at(500 + step * 40).broadcast(4).at(510 + step * 40).request(3, 2, 400);
        }
        let plan = plan.at(600).partition(&[&[1, 4]], 9_700).at(900).pause(4, 33);
        let plan = plan.at(6_003).lock(1, 'a', 517).at(6_204).lock(3, 'a', 523);
        plan.at(1_400).restart(4, 100)
    }

    #[test]
    fn what_does_not_matter_goes() {
        let shrunk = shrink(&crowded(), Effort::default()).expect("two holders");
        assert!(shrunk.finished, "{} runs", shrunk.runs);
        assert!(matches!(shrunk.violation.breach, Breach::TwoHolders { .. }));
        assert_eq!(shrunk.plan.nodes.len(), 2, "{:?}", shrunk.plan);
        assert_eq!(shrunk.plan.schedule.len(), 3, "{:?}", shrunk.plan);
        assert_eq!(run_with(&shrunk.plan, Options::FAST).violation, Some(shrunk.violation));
    }

    #[test]
    fn the_same_plan_shrinks_to_the_same_plan() {
        let effort = Effort::default();
        assert_eq!(shrink(&crowded(), effort), shrink(&crowded(), effort));
    }

    #[test]
    fn a_plan_that_violates_nothing_is_not_shrunk() {
        let plan = Plan::new(2).at(1_000).lock(0, 'a', 500).at(1_000).lock(1, 'a', 500);
        assert_eq!(shrink(&plan, Effort::default()), None);
    }

    #[test]
    fn the_effort_is_a_limit_and_what_is_left_still_violates() {
        let effort = Effort { runs: 7, ..Effort::default() };
        let shrunk = shrink(&crowded(), effort).expect("two holders");
        assert_eq!((shrunk.runs, shrunk.finished), (7, false));
        assert_eq!(run_with(&shrunk.plan, Options::FAST).violation, Some(shrunk.violation));
    }
}
