//! The command `alan`.
#![forbid(unsafe_code)]

fn main() {}
