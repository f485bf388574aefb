//! Carries inputs between `fuzz/seeds/`, which is kept, and `fuzz/corpus/`, where cargo-fuzz works.
//!
//! `unpack` writes every seed into the corpus, one file each; `pack` takes what the fuzzer has found
//! into the seeds. Both work on all targets.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use alan_fuzz::{TARGETS, seeds};
use data_encoding::HEXLOWER;

/// The longest input that is kept.
const LONGEST: usize = 400;
/// The most that are kept for one target: some of each length.
const MOST: usize = 300;

fn main() -> ExitCode {
    let work = match std::env::args().nth(1).as_deref() {
        Some("unpack") => unpack,
        Some("pack") => pack,
        _ => {
            eprintln!("usage: corpus unpack|pack");
            return ExitCode::from(2);
        }
    };
    for target in TARGETS {
        match work(target.name) {
            Ok(count) => println!("{}: {count} inputs", target.name),
            Err(error) => {
                eprintln!("{}: {error}", target.name);
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn corpus(target: &str) -> PathBuf {
    seeds::root().join("fuzz/corpus").join(target)
}

fn unpack(target: &str) -> io::Result<usize> {
    let directory = corpus(target);
    fs::create_dir_all(&directory)?;
    let seeds = seeds::of(target);
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(directory.join(format!("seed-{number:04}")), seed)?;
    }
    Ok(seeds.len())
}

fn pack(target: &str) -> io::Result<usize> {
    let mut found = BTreeSet::new();
    for file in fs::read_dir(corpus(target))? {
        let input = fs::read(file?.path())?;
        if input.len() <= LONGEST {
            found.insert((input.len(), input));
        }
    }
    let made: BTreeSet<_> = seeds::made(target).into_iter().collect();
    let new = found.into_iter().map(|(_, input)| input).filter(|input| !made.contains(input));
    let new: Vec<_> = new.collect();
    let kept = new.iter().step_by(new.len().div_ceil(MOST).max(1));
    let lines: Vec<_> = kept.map(|input| HEXLOWER.encode(input)).collect();
    fs::write(seeds::found_file(target), lines.join("\n") + "\n")?;
    Ok(lines.len())
}
