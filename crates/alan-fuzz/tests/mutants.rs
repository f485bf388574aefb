//! Each planted bug of the core against the tests that must find it, as a table.
//!
//! ```sh
//! cargo test -p alan-fuzz --features mutants --test mutants
//! ```
//!
//! A mutant is caught by a test that fails with it and passes without it, on the same seeds; and
//! it must pass the smoke test, or it would be too plain to prove anything. The first detector that
//! finds a mutant is enough. Names of mutants as arguments run only those, with all detectors.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use alan_proto::mutant;
use serde_json::Value;

/// Test binaries of the core and of this crate, the quick ones first.
const SMOKE: &str = "smoke";
const DETECTORS: [&str; 11] = [
    "wire_block",
    "requests",
    "envelope_sessions",
    "hostile",
    "model_requests",
    "model_membership",
    "model_locks",
    "membership",
    "requests_lossy",
    "replay",
    "simulated",
];

/// A test binary, and where cargo would run it.
struct Binary {
    name: String,
    file: PathBuf,
    directory: PathBuf,
}

/// What became of one mutant.
struct Verdict {
    passes_smoke: bool,
    /// Per detector, the tests that failed.
    caught_by: BTreeMap<String, Vec<String>>,
}

fn main() -> ExitCode {
    let chosen: Vec<String> = env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let mutants = mutant::ALL.iter().map(|(name, _)| *name);
    let mutants = mutants.filter(|name| chosen.is_empty() || chosen.iter().any(|c| c == name));
    let binaries = build();
    // The core as it is comes first: it must pass everything.
    let runs: Vec<_> = [None].into_iter().chain(mutants.map(Some)).collect();
    let verdicts = judge_all(&runs, &binaries, !chosen.is_empty());

    let mut fine = true;
    for (mutant, verdict) in runs.iter().zip(&verdicts) {
        let caught = !verdict.caught_by.is_empty();
        fine &= verdict.passes_smoke && caught == mutant.is_some();
        report(*mutant, verdict);
    }
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(mutant: Option<&str>, verdict: &Verdict) {
    let name = mutant.unwrap_or("(no mutant)");
    let what = mutant::ALL.iter().find(|(other, _)| *other == name).map_or("", |(_, what)| what);
    println!("{name:20}{what}");
    if !verdict.passes_smoke {
        println!("{:20}  FAILS the smoke test", "");
    }
    for (binary, tests) in &verdict.caught_by {
        for test in tests {
            println!("{:20}  caught by {binary}: {test}", "");
        }
    }
    if mutant.is_some() && verdict.caught_by.is_empty() {
        println!("{:20}  NOT CAUGHT", "");
    }
}

/// Builds the test binaries with the feature on.
fn build() -> Vec<Binary> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["test", "--no-run", "--message-format=json"]);
    command.args(["-p", "alan-proto", "-p", "alan-fuzz", "--features", "alan-fuzz/mutants"]);
    for name in [SMOKE].iter().chain(&DETECTORS) {
        command.args(["--test", name]);
    }
    let built = command.stderr(Stdio::inherit()).output().expect("cargo can be run");
    assert!(built.status.success(), "the tests can be built");
    let lines = built.stdout.split(|&byte| byte == b'\n');
    let messages = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let mut binaries: Vec<_> = messages.filter_map(|message| binary(&message)).collect();
    binaries.sort_by_key(|binary| DETECTORS.iter().position(|name| *name == binary.name));
    assert_eq!(binaries.len(), 1 + DETECTORS.len(), "each test was built");
    binaries
}

fn binary(message: &Value) -> Option<Binary> {
    if message["target"]["kind"][0] != "test" {
        return None;
    }
    let manifest = PathBuf::from(message["manifest_path"].as_str()?);
    Some(Binary {
        name: message["target"]["name"].as_str()?.to_owned(),
        file: message["executable"].as_str()?.into(),
        directory: manifest.parent()?.to_owned(),
    })
}

/// As many at a time as there are cores; the verdicts in the order of the runs.
fn judge_all(runs: &[Option<&str>], binaries: &[Binary], thorough: bool) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(run) = runs.get(number) else { return };
                    let verdict = judge(*run, binaries, thorough);
                    verdicts.lock().expect("no judge panics").insert(number, verdict);
                }
            });
        }
    });
    verdicts.into_inner().expect("no judge panics").into_values().collect()
}

/// The core as it is meets all detectors.
fn judge(mutant: Option<&str>, binaries: &[Binary], thorough: bool) -> Verdict {
    let mut verdict = Verdict { passes_smoke: false, caught_by: BTreeMap::new() };
    for binary in binaries {
        let caught = !verdict.caught_by.is_empty();
        if caught && mutant.is_some() && !thorough {
            break;
        }
        let failed = failures(mutant, binary);
        if binary.name == SMOKE {
            verdict.passes_smoke = failed.is_empty();
        } else if !failed.is_empty() {
            verdict.caught_by.insert(binary.name.clone(), failed);
        }
    }
    verdict
}

/// The tests that fail; or the binary itself, if it did not get to its tests.
fn failures(mutant: Option<&str>, binary: &Binary) -> Vec<String> {
    let mut command = Command::new(&binary.file);
    command.current_dir(&binary.directory);
    command.env_remove("ALAN_FUZZ_INPUT").env_remove("ALAN_MUTANT");
    command.envs(mutant.map(|name| ("ALAN_MUTANT", name)));
    // The same cases with each mutant; that one fails is all that matters.
    command.env("PROPTEST_RNG_SEED", "1").env("PROPTEST_MAX_SHRINK_ITERS", "0");
    command.env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1").env("RUST_BACKTRACE", "0");
    let output = command.output().expect("a test binary can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    let failed = text.lines().filter_map(|line| {
        line.strip_prefix("test ")?.strip_suffix(" ... FAILED").map(str::to_owned)
    });
    let failed: Vec<_> = failed.collect();
    if failed.is_empty() && !output.status.success() {
        return vec![format!("{} as a whole: {}", binary.name, output.status)];
    }
    failed
}
