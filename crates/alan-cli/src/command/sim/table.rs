//! `alan sim table`: what each scenario about locks comes to, as a table in Markdown.

use std::process::ExitCode;

use alan_sim::scenario::{ALL, About};

use super::super::Outcome;
use super::print;
use super::progress::thousands;
use super::report::{Case, Report};
use super::run::explore;
use super::search::Seeds;
use crate::args::sim::{Sizes, TableArgs};

const HEAD: &str = "\
| scenario | cluster size | violated | seeds until then | after shrinking |
| --- | --- | --- | --- | --- |
";

pub(super) fn run(args: &TableArgs) -> Outcome {
    let seeds = Seeds::from(&args.seeds);
    print(HEAD)?;
    for scenario in ALL.iter().filter(|scenario| scenario.about == About::Locks) {
        for &size in Sizes::Both.each() {
            let case = Case { scenario, size, locks: args.locks, lost: None };
            let (found, _) = explore(case, &seeds);
            let report = found.first.as_ref().and_then(|first| Report::new(case, first));
            let (name, size) = (scenario.name, size.name());
            let row = match (&found.first, report) {
                (Some(first), Some(report)) => {
                    let invariant = report.violation().invariant();
                    let until = first.seed - seeds.range.start + 1;
                    let length = report.size();
                    format!("| {name} | {size} | {invariant} | {until} | {length} |\n")
                }
                _ => format!("| {name} | {size} | – | none in {} | – |\n", thousands(found.seeds)),
            };
            print(&row)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
