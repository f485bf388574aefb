//! The command line.

use crate::rows;

pub(crate) const HELP: &str = "\
Usage: alan-benches [OPTIONS] [NAME…]

Each row runs alan and its baseline by turns, and prints the ratio of their costs: 1.00 is as fast
as the baseline, 2.00 takes twice as long. A NAME selects the rows that begin with it; without one
all rows run.

Options:
  --json             one JSON object a line instead of a table
  --repetitions N    how often each side is run, 10 to 1000 (default 50)
  --list             the rows' names
  --help             this text
";

const REPETITIONS: u32 = 50;

#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Command {
    Run(Arguments),
    List,
    Help,
}

/// What to run, and how to print it.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Arguments {
    pub(crate) json: bool,
    pub(crate) repetitions: u32,
    names: Vec<String>,
}

impl Arguments {
    pub(crate) fn selects(&self, row: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| row.starts_with(name.as_str()))
    }
}

/// Reads the arguments after the program's name. A name that selects no row is a mistake.
pub(crate) fn parse(given: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut arguments = Arguments { json: false, repetitions: REPETITIONS, names: Vec::new() };
    let mut given = given.into_iter();
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--json" => arguments.json = true,
            "--list" => return Ok(Command::List),
            "--help" | "-h" => return Ok(Command::Help),
            "--repetitions" => arguments.repetitions = repetitions(given.next().as_deref())?,
            option if option.starts_with('-') => return Err(format!("unknown option {option}")),
            name if rows::ALL.iter().any(|row| row.name.starts_with(name)) => {
                arguments.names.push(argument);
            }
            name => return Err(format!("no row begins with {name}; --list names them")),
        }
    }
    Ok(Command::Run(arguments))
}

fn repetitions(value: Option<&str>) -> Result<u32, String> {
    value
        .and_then(|value| value.parse().ok())
        .filter(|count| (10..=1_000).contains(count))
        .ok_or_else(|| "--repetitions takes a number from 10 to 1000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(given: &[&str]) -> Result<Command, String> {
        parse(given.iter().map(|&argument| argument.to_owned()))
    }

    #[test]
    fn without_names_every_row_is_selected() {
        let Ok(Command::Run(arguments)) = run(&["--json"]) else { panic!("it is well formed") };
        assert!(arguments.json);
        assert!(rows::ALL.iter().all(|row| arguments.selects(row.name)));
    }

    #[test]
    fn a_name_selects_the_rows_that_begin_with_it() {
        let Ok(Command::Run(arguments)) = run(&["core", "--repetitions", "30"]) else {
            panic!("it is well formed")
        };
        assert_eq!(arguments.repetitions, 30);
        assert!(arguments.selects("core-data-plain"));
        assert!(!arguments.selects("tokio-round-trip-plain"));
    }

    #[test]
    fn mistakes_are_refused() {
        for given in [&["nonsense"][..], &["--fast"], &["--repetitions", "3"], &["--repetitions"]] {
            assert!(run(given).is_err(), "{given:?}");
        }
    }
}
