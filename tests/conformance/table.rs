//! The results, as a table: promise by adapter.

use std::time::Duration;

use crate::promises::{self, Column};
use crate::row::{Outcome, Verdict};

/// A promise's name as a sentence.
pub(crate) fn sentence(name: &str) -> String {
    name.replace('_', " ")
}

/// Prints the names of all promises.
pub(crate) fn list() {
    if let Some((_, promises)) = promises::columns().first() {
        for promise in promises {
            println!("{}: {}", promise.about, promise.name);
        }
    }
}

/// Prints a line per result: whether it was kept, its name, and why not.
pub(crate) fn print_lines(outcomes: &[Outcome]) {
    for Outcome { promise, verdict, .. } in outcomes {
        match verdict {
            Verdict::Kept(_) => println!("kept\t{promise}\t"),
            Verdict::Broken(why) => println!("broken\t{promise}\t{}", why.replace('\n', " ")),
        }
    }
}

/// Prints the table, in milliseconds, and below it what went wrong.
pub(crate) fn print(outcomes: &[Outcome], elapsed: Duration) {
    let adapters = distinct(outcomes.iter().map(|outcome| outcome.column.adapter));
    let names = distinct(outcomes.iter().map(|outcome| outcome.promise));
    if outcomes.is_empty() {
        return println!("No promise has such a name.");
    }
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let line = |first: &str, cells: &mut dyn Iterator<Item = String>| {
        print!("{first:width$}");
        cells.for_each(|cell| print!(" {cell:>13}"));
        println!();
    };

    println!("\nHow long each adapter took to keep each promise, in ms: plain/sealed\n");
    line("", &mut adapters.iter().map(ToString::to_string));
    for name in &names {
        let of_row = outcomes.iter().filter(|outcome| outcome.promise == *name);
        let cell = |adapter: &&str| {
            let of_adapter = of_row.clone().filter(|outcome| outcome.column.adapter == *adapter);
            let times: Vec<_> = of_adapter.map(|outcome| time(&outcome.verdict)).collect();
            times.join("/")
        };
        line(&sentence(name), &mut adapters.iter().map(cell));
    }
    let mut broken = 0;
    for Outcome { promise, column, verdict } in outcomes {
        if let Verdict::Broken(why) = verdict {
            broken += 1;
            let Column { adapter, .. } = column;
            println!(
                "\nBROKEN under {adapter}, {}: {}\n    {why}",
                seal(*column),
                sentence(promise)
            );
        }
    }
    let (rows, columns, kept) = (names.len(), adapters.len(), outcomes.len() - broken);
    println!(
        "\n{rows} promises, {columns} adapters: {kept} times kept, {broken} times broken; {:.1} s",
        elapsed.as_secs_f64()
    );
}

/// Each of them once, in the order in which they come first.
fn distinct<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<&'t str> {
    let mut distinct = Vec::new();
    for text in texts {
        if !distinct.contains(&text) {
            distinct.push(text);
        }
    }
    distinct
}

const fn seal(column: Column) -> &'static str {
    if column.sealed { "sealed" } else { "plain" }
}

fn time(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Kept(time) => time.as_millis().to_string(),
        Verdict::Broken(_) => "BROKEN".to_owned(),
    }
}
