//! What every adapter of the alan cluster protocol needs and no runtime owns.
#![forbid(unsafe_code)]

pub mod clock;
pub mod socket;
pub mod discovery;
pub mod config;
