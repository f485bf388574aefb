//! The command `alan`: a demo, an agent and tools for alan clusters.
//!
//! Exit codes: 0 when it did what was asked, 1 when it could not, 2 when it was asked wrongly.
#![forbid(unsafe_code)]

mod args;
mod command;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match &args.command {
        Command::Demo(demo) => command::demo::run(demo),
        Command::Agent(agent) => command::agent::run(agent),
        Command::Keygen(keygen) => command::keygen::run(keygen),
        Command::Sim(sim) => command::sim::run(sim),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("alan: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            eprintln!("  because: {cause}");
            source = cause.source();
        }
        ExitCode::FAILURE
    })
}
