//! What every adapter of the alan cluster protocol needs and no runtime owns.
//!
//! An adapter (`alan-tokio`, and others to come) is a loop, timers and a way to spawn. Everything
//! else is here, once: the [`Node`] handle and its operations, the queues of messages and events,
//! discovery, configuration, the socket and the clock.
//!
//! ```text
//!  user ── Node ── operation ──┐ on the user's own task: seal, then send
//!                              ▼
//!  Discover ─► Resolver ─► Engine (alan_proto::Node, completions) ─► Socket
//!                              ▲
//!  adapter's loop ── Driver ───┘ receive, keep time ─► delivery, events ─► user
//! ```
//!
//! To write an adapter, implement [`Runtime`] as [`Driver`] says, and [`AsyncRuntime`] or [`Serve`].
#![forbid(unsafe_code)]

#[macro_use]
#[cfg(feature = "faults")]
pub mod fault;
#[macro_use]
#[cfg(not(feature = "faults"))]
#[expect(unreachable_pub, reason = "the suite that names the faults has the feature")]
mod fault;
pub mod clock;
pub mod socket;
pub mod discovery;
pub mod config;
pub mod error;
mod wakes;
mod signal;
mod completion;
mod peer;
mod delivery;
mod events;
mod engine;
mod driver;
mod runtime;
pub mod operation;
mod builder;
mod node;
pub mod api;

pub use builder::{Builder, StartError};
pub use completion::{Missing, Reply};
pub use delivery::{Incoming, IncomingTaken, Message, Queues, Request, Served};
pub use driver::{Driver, Turn};
pub use engine::{NodeStats, NodeUsage};
pub use error::{
    BroadcastError, Closed, LockError, LockLost, MetadataError, QuorumError, ReplyError,
    RequestAllError, RequestError, RotateKeysError, SendError,
};
pub use events::{Event, Events};
pub use node::Node;
pub use operation::{LockGuard, Replies, Sent};
pub use peer::Peer;
pub use runtime::{AsyncRuntime, Runtime, Serve, Task};

// The core's words that the handle's users meet.
pub use alan_proto::envelope::{Key, Keyring};
pub use alan_proto::wire::Settings as PeerSettings;
pub use alan_proto::{
    Config, Incarnation, Instant, KeyringFull, LeaveReason, LockNotHeld, Refusal, Rejection,
    RequestId, Stats, Usage, Warning,
};
