//! Each target on its seeds and on random inputs, as an ordinary test.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use alan_fuzz::{TARGETS, Target, seeds};
use data_encoding::HEXLOWER;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// The longest random input. Most are shorter.
const LONGEST: usize = 1_000;

fn target(name: &str) -> Target {
    TARGETS.into_iter().find(|target| target.name == name).expect("it is a target")
}

/// Runs one input; if it fails, says how to do that again.
fn try_input(target: Target, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(input))) {
        let (name, hex) = (target.name, HEXLOWER.encode(input));
        eprintln!("\nThe input that failed, as a line of fuzz/seeds/{name}.hex:\n{hex}");
        eprintln!("Again: ALAN_FUZZ_INPUT={hex} cargo test -p alan-fuzz --test replay {name}\n");
        resume_unwind(panic);
    }
}

fn replay(name: &str, random_inputs: u64) {
    let target = target(name);
    if let Ok(input) = std::env::var("ALAN_FUZZ_INPUT") {
        let input = HEXLOWER.decode(input.as_bytes()).expect("ALAN_FUZZ_INPUT is hexadecimal");
        return try_input(target, &input);
    }
    for seed in seeds::of(name) {
        try_input(target, &seed);
    }
    for number in 0..random_inputs {
        let mut rng = ChaCha8Rng::seed_from_u64(number);
        let len = usize::try_from(rng.next_u64()).unwrap_or(0) % (LONGEST + 1);
        let mut input = vec![0; len];
        rng.fill_bytes(&mut input);
        try_input(target, &input);
    }
}

#[test]
fn decoder_holds_for_its_seeds_and_for_random_messages() {
    replay("decoder", 20_000);
}

#[test]
fn envelope_holds_for_its_seeds_and_for_random_alterations() {
    replay("envelope", 2_000);
}

#[test]
fn node_holds_for_its_seeds_and_for_random_histories() {
    replay("node", 300);
}

#[test]
fn pair_holds_for_its_seeds_and_for_random_attacks() {
    replay("pair", 100);
}

#[test]
fn config_holds_for_its_seeds_and_for_random_texts() {
    replay("config", 2_000);
}

#[test]
fn every_target_has_seeds_that_were_made_and_seeds_that_were_found() {
    for target in TARGETS {
        let (made, all) = (seeds::made(target.name).len(), seeds::of(target.name).len());
        assert!(0 < made && made < all, "{}: {made} of {all} were made", target.name);
    }
}
