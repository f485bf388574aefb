//! What the command line asks for: all promises, or some.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub(crate) const USAGE: &str = "\
usage: cargo test --test conformance [-- [OPTION…] [PART OF A PROMISE'S NAME…]]
  --adapter NAME  only this adapter's columns
  --plain         only plain text
  --sealed        only sealed
  --faults        break the driver in one way after the other, and see the promises fail
                  (needs --features faults)
  --patience SECONDS  how long a promise may take before it counts as broken
  --jobs N        how many promises are tried at the same time
  --terse         one line for each result, for another program
  --list          only name the promises";

/// Far longer than any promise takes: one that gets here is broken.
const PATIENCE: Duration = Duration::from_secs(90);

/// Most of the time the promises wait, so there can be more of them than processors.
const JOBS: usize = 12;

/// What to do with the promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Task {
    /// Try them, and print a table.
    Table,
    /// Try them, and print a line for each result.
    Lines,
    /// Name them.
    List,
    /// See each of them broken.
    Faults,
}

#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    pub(crate) task: Task,
    pub(crate) names: Vec<String>,
    pub(crate) adapter: Option<String>,
    /// Only this; both, if neither was named.
    pub(crate) sealed: Option<bool>,
    pub(crate) patience: Duration,
    pub(crate) jobs: usize,
}

impl Arguments {
    pub(crate) fn from_command_line() -> Result<Self, String> {
        let mut parsed = Self {
            task: Task::Table,
            names: Vec::new(),
            adapter: None,
            sealed: None,
            patience: PATIENCE,
            jobs: JOBS,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} wants a value"));
            match argument.as_str() {
                "--adapter" => parsed.adapter = Some(value()?),
                "--plain" => parsed.sealed = Some(false),
                "--sealed" => parsed.sealed = Some(true),
                "--faults" => parsed.task = Task::Faults,
                "--terse" => parsed.task = Task::Lines,
                "--list" => parsed.task = Task::List,
                "--patience" => parsed.patience = Duration::from_secs(number(&value()?)?),
                "--jobs" => parsed.jobs = number(&value()?)?,
                // What Cargo's users give to all test programs at once.
                "--nocapture" | "--no-capture" | "--show-output" | "--quiet" | "-q" | "--exact" => {
                }
                "--test-threads" | "--color" => drop(value()?),
                option if option.starts_with("--test-threads=") => {}
                option if option.starts_with("--color=") => {}
                "--help" | "-h" => {
                    return Err("The promises of the API, under every adapter.".to_owned());
                }
                option if option.starts_with('-') => return Err(format!("what is {option}?")),
                name => parsed.names.push(name.to_owned()),
            }
        }
        Ok(parsed)
    }

    /// Whether a promise is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|part| name.contains(part.as_str()))
    }

    /// Whether a column is wanted.
    pub(crate) fn wants_column(&self, adapter: &str, sealed: bool) -> bool {
        self.adapter.as_ref().is_none_or(|wanted| wanted == adapter)
            && self.sealed.is_none_or(|wanted| wanted == sealed)
    }
}

fn number<N: FromStr<Err: fmt::Display>>(text: &str) -> Result<N, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}
