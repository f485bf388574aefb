//! What alan costs: each row runs alan and a bare baseline by turns and prints their ratio.
//!
//! ```text
//! cargo run --release --manifest-path benches/Cargo.toml -- [--json] [--repetitions N] [NAME…]
//! ```
//!
//! A NAME selects the rows that begin with it. docs/performance.md says what the rows mean.
#![forbid(unsafe_code)]

mod arguments;
mod rows;
mod measure;
mod statistics;
mod table;
mod json;
mod cluster;
mod ground;
mod background;
mod one_core;
mod bare;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use rows::Row;
use statistics::Summary;

/// Why a row has no number. Rows have nothing to recover from: they end and say why.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args().skip(1)) {
        Ok(Command::Run(arguments)) => arguments,
        Ok(Command::Help) => {
            print!("{}", arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Command::List) => {
            for row in rows::ALL {
                println!("{}", row.name);
            }
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("{problem}\n\n{}", arguments::HELP);
            return ExitCode::from(2);
        }
    };
    if cfg!(debug_assertions) {
        eprintln!("not optimised: run with --release, these figures say nothing");
    }
    if run(&arguments) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the selected rows, and tells whether each of them has a figure.
fn run(arguments: &Arguments) -> bool {
    let mut finished = Vec::new();
    let mut complete = true;
    for row in rows::ALL.iter().filter(|row| arguments.selects(row.name)) {
        eprintln!("{} …", row.name);
        match summary(row, arguments.repetitions) {
            Ok(summary) if arguments.json => println!("{}", json::line(row, &summary)),
            Ok(summary) => finished.push((row, summary)),
            Err(failure) => {
                eprintln!("{}: {failure}", row.name);
                complete = false;
            }
        }
    }
    if !arguments.json {
        print!("{}", table::render(&finished));
    }
    complete
}

fn summary(row: &Row, repetitions: u32) -> Result<Summary, Failure> {
    let samples = (row.run)(repetitions)?;
    Ok(Summary::of(&samples).ok_or("no repetition was run")?)
}
