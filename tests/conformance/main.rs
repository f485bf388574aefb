//! Holds every adapter to every promise, on real sockets, and prints who keeps which.
//!
//! One list of promises (`promises.rs`), each a function over an adapter (`adapter.rs`), each run
//! on a thread of its own with a watchdog (`row.rs`). With `--faults` the suite turns on itself:
//! the driver is broken in one way after the other, and each break must be seen by the promise that
//! forbids it, and by no other (`breakage.rs`). See CONTRIBUTING.md.

mod arguments;
mod adapter;
mod stage;
mod waiting;
mod row;
mod table;
mod breakage;
mod name_server;
mod promises;

use std::process::ExitCode;
use std::time::Instant;

use arguments::{Arguments, Task};

fn main() -> ExitCode {
    let arguments = match Arguments::from_command_line() {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}\n\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    row::quiet_panics();
    let kept = match arguments.task {
        Task::Table | Task::Lines => {
            let begun = Instant::now();
            let outcomes = row::run_all(&arguments);
            match arguments.task {
                Task::Lines => table::print_lines(&outcomes),
                _ => table::print(&outcomes, begun.elapsed()),
            }
            outcomes.iter().all(|outcome| outcome.verdict.is_kept())
        }
        Task::List => {
            table::list();
            true
        }
        Task::Faults => breakage::check(&arguments),
    };
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
