//! See `alan_fuzz::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| alan_fuzz::config::run(input));
