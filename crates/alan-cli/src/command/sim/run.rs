//! `alan sim run`: scenarios under many seeds.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::Outcome;
use super::progress::{Progress, per_second, thousands};
use super::report::{Case, Report};
use super::search::{Found, Seeds, search};
use super::{name_of, print};
use crate::args::sim::RunArgs;

pub(super) fn run(args: &RunArgs) -> Outcome {
    let seeds = Seeds::from(&args.seeds);
    let mut held = true;
    let mut all = Found { first: None, seeds: 0, datagrams: 0 };
    let mut took = Duration::ZERO;
    for scenario in args.scenario.scenarios() {
        for &size in args.cluster_size.each() {
            let case = Case { scenario, size, locks: args.locks, lost: args.loss };
            let (found, time) = explore(case, &seeds);
            let report = found.first.as_ref().and_then(|first| Report::new(case, first));
            held &= found.first.is_none();
            took += time;
            all.seeds += found.seeds;
            all.datagrams += found.datagrams;
            let text = if args.json {
                json_line(case, &found, time, report.as_ref())
            } else {
                report.map_or_else(|| held_line(case, &found, time), |report| report.to_string())
            };
            print(&text)?;
        }
    }
    if !args.json {
        print(&last_line(&all, took))?;
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Searches with a bar on the terminal, and says how long it took.
pub(super) fn explore(case: Case, seeds: &Seeds) -> (Found, Duration) {
    let total = seeds.range.end - seeds.range.start;
    let mut progress = Progress::new(case.to_string(), total);
    let found =
        search(case.scenario, case.variant(), seeds, |seeds, sent| progress.tell(seeds, sent));
    (found, progress.end())
}

fn held_line(case: Case, found: &Found, time: Duration) -> String {
    let (seeds, datagrams) = (thousands(found.seeds), thousands(found.datagrams));
    let rate = thousands(per_second(found.datagrams, time));
    format!("✓ {case}: held under {seeds} seeds, {datagrams} datagrams, {rate} a second\n")
}

fn last_line(all: &Found, time: Duration) -> String {
    let (seeds, datagrams) = (thousands(all.seeds), thousands(all.datagrams));
    let (seconds, rate) = (time.as_secs_f64(), thousands(per_second(all.datagrams, time)));
    format!("{seeds} runs, {datagrams} datagrams in {seconds:.1} s: {rate} a second\n")
}

fn json_line(case: Case, found: &Found, time: Duration, report: Option<&Report>) -> String {
    let object = json!({
        "scenario": case.scenario.name,
        "cluster_size": case.size.name(),
        "locks": name_of(case.locks),
        "lost_per_mille": case.lost.map(|lost| lost.0),
        "seeds": found.seeds,
        "datagrams": found.datagrams,
        "ms": u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
        "held": report.is_none(),
        "violation": report.map_or(Value::Null, Report::json),
    });
    format!("{object}\n")
}
