//! A violation: its seed, how to see it again, a history as small as it gets, and a timeline.

use std::fmt;

use alan_sim::plan::{Entry, Locks};
use alan_sim::scenario::{Scenario, Variant};
use alan_sim::shrink::{Effort, Shrunk, shrink};
use alan_sim::timeline::{InWords, Timeline};
use alan_sim::{Explored, PerMille, Plan, Violation, run};
use serde_json::{Value, json};

use super::name_of;
use crate::args::sim::Size;

/// How many rows of the timeline are printed with a violation.
const ROWS: usize = 60;

/// One scenario in one variant, as it is called on the command line.
#[derive(Clone, Copy)]
pub(super) struct Case {
    pub(super) scenario: &'static Scenario,
    pub(super) size: Size,
    pub(super) locks: Locks,
    pub(super) lost: Option<PerMille>,
}

impl Case {
    pub(super) fn plan(self, seed: u64) -> Plan {
        Plan::generate(self.scenario, self.variant(), seed)
    }

    pub(super) fn variant(self) -> Variant {
        self.size.variant(self.locks, self.lost)
    }

    /// The command that shows a seed again.
    pub(super) fn command(self, verb: &str, seed: u64) -> String {
        let Self { scenario, size, locks, .. } = self;
        let (name, size, locks) = (scenario.name, size.name(), name_of(locks));
        let loss = self.percent().map_or_else(String::new, |percent| format!(" --loss {percent}"));
        format!("alan sim {verb} {name} --seed {seed} --cluster-size {size} --locks {locks}{loss}")
    }
}

impl Case {
    fn percent(self) -> Option<u16> {
        self.lost.map(|lost| lost.0 / 10)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, size, locks, .. } = self;
        let (size, locks) = (size.name(), name_of(*locks));
        write!(f, "{}, cluster size {size}, {locks} locks", scenario.name)?;
        self.percent().map_or(Ok(()), |percent| write!(f, ", {percent} % lost"))
    }
}

/// A violation that was shrunk.
pub(super) struct Report {
    case: Case,
    seed: u64,
    violation: Violation,
    shrunk: Shrunk,
}

impl Report {
    /// Shrinks what was found. `None` if that violated nothing.
    pub(super) fn new(case: Case, found: &Explored) -> Option<Self> {
        let violation = found.violation.clone()?;
        let shrunk = shrink(&case.plan(found.seed), Effort::default())?;
        Some(Self { case, seed: found.seed, violation, shrunk })
    }

    /// How small the history got.
    pub(super) fn size(&self) -> String {
        let plan = &self.shrunk.plan;
        let count = |number: usize, one: &str, more: &str| {
            format!("{number} {}", if number == 1 { one } else { more })
        };
        let nodes = count(plan.nodes.len(), "node", "nodes");
        format!("{nodes}, {}", count(plan.schedule.len(), "entry", "entries"))
    }

    pub(super) const fn violation(&self) -> &Violation {
        &self.violation
    }

    pub(super) fn json(&self) -> Value {
        let (violation, shrunk) = (&self.violation, &self.shrunk);
        let words = |entry: &Entry| InWords(entry).to_string().trim_start().to_owned();
        let schedule: Vec<String> = shrunk.plan.schedule.iter().map(words).collect();
        json!({
            "seed": self.seed,
            "invariant": violation.invariant().name(),
            "at_us": violation.at.as_micros(),
            "what": violation.breach.to_string(),
            "replay": self.case.command("replay", self.seed),
            "minimised": {
                "what": shrunk.violation.breach.to_string(),
                "nodes": shrunk.plan.nodes.len(),
                "schedule": schedule,
                "runs": shrunk.runs,
                "finished": shrunk.finished,
            },
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (case, seed, shrunk) = (self.case, self.seed, &self.shrunk);
        writeln!(f, "✗ {case}: {}", self.violation)?;
        writeln!(f, "  seed   {seed}")?;
        writeln!(f, "  replay {}", case.command("replay", seed))?;
        writeln!(f, "  page   {} --html FILE", case.command("shrink", seed))?;
        Minimised(shrunk).fmt(f)?;
        let outcome = run(&shrunk.plan);
        writeln!(f, "\n{}", Timeline::new(&shrunk.plan, &outcome).text(ROWS))
    }
}

/// What is left of a plan when it was shrunk.
pub(super) struct Minimised<'a>(pub(super) &'a Shrunk);

impl fmt::Display for Minimised<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shrunk { plan, violation, runs, finished, .. } = self.0;
        let rest = if *finished { "" } else { "; more effort might find a smaller one" };
        writeln!(f, "\nMinimised history, found in {runs} runs{rest}:")?;
        for line in InWords(plan).to_string().lines() {
            writeln!(f, "  {line}")?;
        }
        writeln!(f, "  ✗ {violation}")
    }
}
