//! Locks, as the Go library makes them, with its defects repaired.

mod repairs;
mod pace;
mod key;
mod table;
mod caller;
mod classic;
mod requester;
mod answers;
mod grantor;

use core::net::SocketAddr;

pub use classic::ClassicLocks;
pub use repairs::Repairs;

use crate::event::{LockEvent, RequestId};
use crate::storage::Handle;
use crate::wire::LockMessageKind;

/// Names the key of an output that is not encoded yet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct KeySlot(Handle);

/// What the machine wants done.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LockOutput {
    /// Send a lock message.
    Send {
        /// To whom.
        to: SocketAddr,
        /// Which message.
        kind: LockMessageKind,
        /// Its id.
        id: RequestId,
        /// Its key: see [`ClassicLocks::key`] and [`ClassicLocks::sent`].
        key: KeySlot,
    },
    /// Tell the caller.
    Event(LockEvent),
}
