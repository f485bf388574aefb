//! `alan sim list`: the scenarios, and what can't be simulated yet.

use std::fmt::Write as _;
use std::process::ExitCode;

use alan_sim::scenario::{ALL, About, LATER};
use serde_json::json;

use super::super::Outcome;
use super::print;
use crate::args::sim::ListArgs;

pub(super) fn run(args: &ListArgs) -> Outcome {
    let mut text = String::new();
    if args.json {
        for scenario in ALL {
            let about = match scenario.about {
                About::Locks => "locks",
                About::Membership => "membership",
            };
            let object = json!({
                "scenario": scenario.name,
                "summary": scenario.summary,
                "about": about,
                "classic_fails": scenario.classic_fails,
            });
            writeln!(text, "{object}")?;
        }
    } else {
        for (about, title) in [(About::Locks, "Locks"), (About::Membership, "Membership")] {
            writeln!(text, "{title}")?;
            for scenario in ALL.iter().filter(|scenario| scenario.about == about) {
                writeln!(text, "  {:<20} {}", scenario.name, scenario.summary)?;
            }
        }
        writeln!(text, "Not yet")?;
        for (name, why) in LATER {
            writeln!(text, "  {name:<20} {why}")?;
        }
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
