//! Whole clusters in one process, one thread and virtual time: one seed, one history, bit for bit,
//! every step of it checked.
//!
//! The nodes are the very [`alan_proto::Node`] that the adapters drive. Around each stands a
//! machine with a clock that drifts, a driver that may lag, and a user who locks, asks and sends;
//! between them a network that loses, doubles, delays, cuts and alters.
//!
//! A [`Plan`] is everything that a run is made from. [`Plan::generate`] draws one from a
//! [`Scenario`](scenario::Scenario) and a seed; [`Plan::new`] begins one by hand. [`run`] makes an
//! [`Outcome`] of it: the [`Trace`], and the first [`Violation`] of an
//! [`Invariant`](check::Invariant), if there is one.
//!
//! ```
//! use alan_sim::{Plan, check::Breach, plan::Locks, run};
//!
//! // The Go library grants while it asks: two that ask at the same moment both hold the lock.
//! let plan = Plan::new(2).locks(Locks::Classic).at(1_000).lock(0, 'a', 500).at(1_000).lock(1, 'a', 500);
//! let outcome = run(&plan);
//! println!("{}", outcome.trace);
//! let violation = outcome.violation.expect("two holders");
//! assert!(matches!(violation.breach, Breach::TwoHolders { .. }));
//!
//! // With its defects repaired they don't.
//! assert_eq!(run(&plan.locks(Locks::Repaired)).violation, None);
//! ```
//!
//! | module | what it is |
//! | --- | --- |
//! | [`plan`] | what a run is made from, and the words to write one by hand |
//! | [`scenario`] | the kinds of trouble that seeds are drawn for |
//! | `world` | lets happen what is due, in the order of true time |
//! | `host` | one machine: clock, driver, node, user |
//! | `network` | what becomes of a datagram |
//! | [`check`] | the invariants, one a file |
//! | [`trace`] | what happened, step by step |
//! | [`explore()`] | many seeds of one scenario |
//! | [`measure`] | how fast, how much, how often |
//! | [`mod@shrink`] | makes a plan that violates an invariant smaller |
//! | [`timeline`] | a history for people: text, and a page |
#![forbid(unsafe_code)]

mod time;
mod draw;
mod payload;
pub mod place;
pub mod plan;
pub mod scenario;
mod queue;
mod network;
mod host;
mod world;
pub mod check;
pub mod trace;
mod outcome;
mod explore;
pub mod measure;
pub mod shrink;
pub mod timeline;

pub use check::Violation;
pub use draw::PerMille;
pub use explore::{Explored, explore};
pub use outcome::{Audits, Options, Outcome, RunStats, run, run_with};
pub use payload::Tag;
pub use place::Place;
pub use plan::Plan;
pub use time::Moment;
pub use trace::{Recording, Trace};
