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
mod hybrid;
mod storage;
mod timer;
mod pause;
mod clock;
pub mod config;
pub mod error;
pub mod event;
pub mod stats;
pub mod envelope;
pub mod wire;
pub mod lock;
mod quorum;
mod strangers;
mod challenge;
mod discovery;
mod round_trip;
mod intervals;
mod served;
mod profile;
mod exchange;
mod life;
mod membership;
mod asks;
mod responses;
mod warning;
mod outbox;
mod node;

pub use config::Config;
pub use error::*;
pub use event::*;
pub use hybrid::HybridTime;
pub use node::Node;
pub use profile::{MAX_METADATA, MAX_NAME};
pub use responses::{Repeat, ResponseCache, ResponseLimits};
pub use stats::{Refusal, Rejection, Stats, Usage};
pub use time::Instant;
