//! The alan cluster protocol as a pure state machine.
//!
//! A [`Node`] has no socket, clock, thread, global or hidden randomness. Everything that happens
//! to it is a call with the time in it; everything that it wants done comes out of
//! [`Node::poll_action`]. So the same code runs under any runtime, in a simulator, and inside a
//! model checker.
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `mutants` | off | bugs planted on purpose, for tests that must find them; needs `std` |
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::alloc_instead_of_core, clippy::std_instead_of_core)]

extern crate alloc;
#[cfg(any(test, feature = "mutants"))]
extern crate std;

#[cfg(feature = "mutants")]
pub mod mutant;
#[cfg(not(feature = "mutants"))]
mod mutant;
pub mod time;
mod storage;
mod timer;
pub mod config;
pub mod error;
pub mod event;
pub mod stats;
pub mod envelope;
pub mod wire;
pub mod lock;
mod quorum;
mod discovery;
mod membership;
mod request;
#[allow(dead_code, reason = "the node takes it into use with requests that survive loss")]
mod round_trip;
#[allow(dead_code, reason = "the node takes it into use with requests that survive loss")]
mod intervals;
#[allow(dead_code, reason = "the node takes it into use with requests that survive loss")]
mod served;
#[allow(dead_code, reason = "the node takes it into use with requests that survive loss")]
mod asks;
mod responses;
mod warning;
mod outbox;
mod node;

pub use config::Config;
pub use error::*;
pub use event::*;
pub use node::Node;
pub use responses::{Repeat, ResponseCache, ResponseLimits};
pub use stats::{Refusal, Rejection, Stats, Usage};
pub use time::Instant;
