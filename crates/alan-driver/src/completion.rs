//! Who waits for what: each waiter has a row in a table here, is woken by itself, and takes its row
//! along when it is dropped.

mod locks;
mod quorum;
mod requests;
mod responses;

pub(crate) use locks::{LockState, Locks};
pub(crate) use quorum::{Place, QuorumWaits};
pub(crate) use requests::{End, Pending, Requests};
pub use requests::{Missing, Reply};
pub(crate) use responses::{Again, Responses};
