//! Breaks the driver on purpose: each fault must break the one promise that forbids it.
//!
//! A fault is chosen for a whole process, so the suite runs itself once for each, a few at the
//! same time, with the driver broken and one adapter in plain text.

use std::collections::BTreeSet;
use std::env;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::promises::{self, COUNT, INSEPARABLE, Promise};
use crate::table::sentence;

/// Names the fault to a process of the suite.
const VARIABLE: &str = "ALAN_FAULT";

/// The adapter whose driver is broken, where none is named.
const ADAPTER: &str = "tokio-thread";

/// How long a promise may take there. Most faults give a wrong answer; some give none.
const PATIENCE: &str = "15";

/// Processes at the same time, and promises in each.
const PROCESSES: usize = 4;
const JOBS: &str = "8";

/// What became of the suite with one fault.
struct Attempt {
    fault: &'static str,
    expected: BTreeSet<String>,
    broken: Vec<(String, String)>,
    elapsed: Duration,
}

impl Attempt {
    fn is_as_expected(&self) -> bool {
        let broken: BTreeSet<_> = self.broken.iter().map(|(promise, _)| promise.clone()).collect();
        broken == self.expected
    }
}

/// Whether each fault breaks what it must and nothing else; prints the table.
pub(crate) fn check(arguments: &Arguments) -> bool {
    if let Err(problem) = every_fault_has_its_row() {
        println!("{problem}");
        return false;
    }
    let begun = Instant::now();
    let adapter = arguments.adapter.as_deref().unwrap_or(ADAPTER);
    let rows = rows();
    let wanted: Vec<_> = rows.iter().filter(|promise| arguments.wants(promise.name)).collect();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..PROCESSES {
            scope.spawn(|| {
                while let Some(promise) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = run_with(promise.fault, expected(promise), adapter);
                    report(&result);
                    results.lock().expect("nothing panics under it").push(result);
                }
            });
        }
    });
    let results = results.into_inner().expect("nothing panicked under it");
    let good = results.iter().filter(|result| result.is_as_expected()).count();
    for (fault, promises, why) in INSEPARABLE {
        println!("\n{fault} breaks {} promises together: {why}.", promises.len());
    }
    println!(
        "\n{} faults under {adapter}: {good} broke exactly the promise that forbids them; {:.1} s",
        results.len(),
        begun.elapsed().as_secs_f64()
    );
    good == results.len()
}

fn rows() -> Vec<Promise> {
    promises::columns().swap_remove(0).1
}

/// The promises that a promise's fault breaks.
fn expected(promise: &Promise) -> BTreeSet<String> {
    let shared = INSEPARABLE.iter().find(|(fault, ..)| *fault == promise.fault);
    match shared {
        Some((_, names, _)) => names.iter().map(ToString::to_string).collect(),
        None => BTreeSet::from([promise.name.to_owned()]),
    }
}

/// Holds the list of promises and the driver's list of faults against each other.
#[cfg(feature = "faults")]
fn every_fault_has_its_row() -> Result<(), String> {
    let in_rows: BTreeSet<_> = rows().iter().map(|promise| promise.fault.to_owned()).collect();
    let in_driver: BTreeSet<_> =
        alan_driver::fault::Fault::ALL.iter().map(|fault| format!("{fault:?}")).collect();
    if in_rows.len() != COUNT {
        return Err("two promises have the same fault".to_owned());
    }
    let odd: Vec<_> = in_rows.symmetric_difference(&in_driver).collect();
    if odd.is_empty() { Ok(()) } else { Err(format!("only on one side: {odd:?}")) }
}

#[cfg(not(feature = "faults"))]
fn every_fault_has_its_row() -> Result<(), String> {
    Err("this needs a driver that can be broken: cargo test --features faults".to_owned())
}

fn run_with(fault: &'static str, expected: BTreeSet<String>, adapter: &str) -> Attempt {
    let begun = Instant::now();
    let output = Command::new(env::current_exe().expect("the suite has a path"))
        .args(["--terse", "--plain", "--adapter", adapter, "--patience", PATIENCE, "--jobs", JOBS])
        .env(VARIABLE, fault)
        .output()
        .expect("the suite can be run");
    let printed = String::from_utf8_lossy(&output.stdout);
    let mut tried = 0;
    let mut broken = Vec::new();
    for line in printed.lines() {
        let mut parts = line.split('\t').map(str::to_owned);
        let (Some(verdict), Some(promise), Some(why)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        tried += 1;
        if verdict == "broken" {
            broken.push((promise, why));
        }
    }
    if tried != COUNT {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        broken.push((format!("the suite itself, after {tried} promises"), why));
    }
    Attempt { fault, expected, broken, elapsed: begun.elapsed() }
}

fn report(result: &Attempt) {
    let Attempt { fault, expected, broken, elapsed } = result;
    let verdict = if result.is_as_expected() { "as it must" } else { "NOT AS IT MUST" };
    let mut lines = vec![format!("{fault}: {verdict}, {:.1} s", elapsed.as_secs_f64())];
    for (promise, why) in broken {
        lines.push(format!("    broken: {}\n        {why}", sentence(promise)));
    }
    for promise in expected.iter().filter(|name| !broken.iter().any(|(other, _)| other == *name)) {
        lines.push(format!("    NOT BROKEN: {}", sentence(promise)));
    }
    println!("{}", lines.join("\n"));
}
