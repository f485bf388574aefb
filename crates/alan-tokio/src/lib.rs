//! alan clusters under tokio.
#![forbid(unsafe_code)]
