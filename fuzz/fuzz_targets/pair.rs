//! See `alan_fuzz::pair`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| alan_fuzz::pair::run(input));
