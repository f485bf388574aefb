//! The commands, one file each.

pub(crate) mod agent;
pub(crate) mod demo;
pub(crate) mod keygen;
pub(crate) mod sim;

/// What a command gives back: the exit code, or an error that `main` prints before it exits with 1.
pub(crate) type Outcome = Result<std::process::ExitCode, Box<dyn std::error::Error>>;
