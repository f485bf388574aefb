//! See `alan_fuzz::decoder`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| alan_fuzz::decoder::run(input));
