//! See `alan_fuzz::envelope`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| alan_fuzz::envelope::run(input));
