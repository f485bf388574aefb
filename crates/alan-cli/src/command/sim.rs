//! `alan sim`: whole clusters in virtual time, seed by seed; and the histories that violate what is
//! promised, as small and as readable as they get.

mod history;
mod list;
mod measure;
mod progress;
mod report;
mod run;
mod search;
mod table;

use std::io::{self, Write};

use alan_sim::plan::Locks;

use super::Outcome;
use crate::args::sim::SimCommand;

pub(crate) fn run(command: &SimCommand) -> Outcome {
    match command {
        SimCommand::List(args) => list::run(args),
        SimCommand::Run(args) => run::run(args),
        SimCommand::Replay(args) => history::replay(args),
        SimCommand::Shrink(args) => history::shrink(args),
        SimCommand::Table(args) => table::run(args),
        SimCommand::Measure(command) => measure::run(command),
    }
}

/// Prints at once. Whoever has stopped listening does not want to hear about it.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

const fn name_of(locks: Locks) -> &'static str {
    match locks {
        Locks::Classic => "classic",
        Locks::Repaired => "repaired",
        _ => "partly repaired",
    }
}
