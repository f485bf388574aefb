//! See `alan_fuzz::node`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| alan_fuzz::node::run(input));
