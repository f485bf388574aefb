//! `alan sim replay` and `alan sim shrink`: one history, printed or as a page.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{fs, io};

use alan_sim::shrink::{self, Effort};
use alan_sim::timeline::{InWords, Page, Timeline, Topic};
use alan_sim::{Plan, run};
use thiserror::Error;

use super::super::Outcome;
use super::print;
use super::report::{Case, Minimised};
use crate::args::sim::HistoryArgs;

#[derive(Debug, Error)]
enum HistoryError {
    #[error("seed {seed} violates nothing in {case}, so there is nothing to make smaller")]
    NothingViolated { seed: u64, case: String },
    #[error("{} can't be written", path.display())]
    Write { path: PathBuf, source: io::Error },
}

pub(super) fn replay(args: &HistoryArgs) -> Outcome {
    let plan = case(args).plan(args.seed);
    let mut text = String::new();
    if args.html.is_none() {
        writeln!(text, "{}\n", InWords(&plan))?;
    }
    show(args, &plan, "replay", text)
}

pub(super) fn shrink(args: &HistoryArgs) -> Outcome {
    let case = case(args);
    let nothing = || HistoryError::NothingViolated { seed: args.seed, case: case.to_string() };
    let effort = Effort::default();
    let shrunk = shrink::shrink(&case.plan(args.seed), effort).ok_or_else(nothing)?;
    let text =
        if args.html.is_none() { format!("{}\n", Minimised(&shrunk)) } else { String::new() };
    show(args, &shrunk.plan, "shrink", text)
}

fn case(args: &HistoryArgs) -> Case {
    let HistoryArgs { scenario, cluster_size: size, locks, loss: lost, .. } = *args;
    Case { scenario, size, locks, lost }
}

/// Runs the plan, and prints or writes what happened.
fn show(args: &HistoryArgs, plan: &Plan, verb: &str, mut text: String) -> Outcome {
    let outcome = run(plan);
    let timeline = if args.everything {
        Timeline::about(plan, &outcome, Topic::Everything)
    } else {
        Timeline::new(plan, &outcome)
    };
    if let Some(path) = &args.html {
        let (title, command) = (case(args).to_string(), case(args).command(verb, args.seed));
        let title = format!("{title}, seed {}", args.seed);
        let mut page = Page::new(&title, &command);
        page.rows = args.rows;
        fs::write(path, timeline.html(&page).to_string())
            .map_err(|source| HistoryError::Write { path: path.clone(), source })?;
    } else {
        writeln!(text, "{}", timeline.text(args.rows))?;
    }
    match &outcome.violation {
        Some(violation) => writeln!(text, "✗ {violation}")?,
        None => writeln!(text, "✓ every invariant held")?,
    }
    if let Some(path) = &args.html {
        writeln!(text, "the timeline is in {}", path.display())?;
    }
    print(&text)?;
    Ok(if outcome.violation.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
