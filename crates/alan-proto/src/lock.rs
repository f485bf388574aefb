//! Locks, as the Go library makes them, with its defects repaired: who may hold a key, and why
//! nobody else does then.
//!
//! [`ClassicLocks`] is a value of its own: lock messages, members, the quorum, commands and time
//! go in; lock messages and events come out. It knows no socket, no envelope and no membership
//! protocol, so that a simulator or a model checker can drive it alone.
//!
//! # How a lock is taken
//!
//! The requester sends LOCK_REQUEST to every member and holds the lock once each has answered with
//! LOCK_GRANT. A grantor that knows nothing against it notes the requester as the key's holder and
//! grants; else it answers LOCK_DENY. LOCK_RELEASE ends a note. A requester that was denied gives
//! back what it was granted, waits for a release, and starts over; one that has itself noted a
//! holder does not even ask before that note is gone. Callers of one node stand in line, and only
//! the first of them takes part.
//!
//! # Why at most one node holds a key
//!
//! Take two Rust nodes A and B that are members of each other, neither of which restarts or loses
//! sight of the other, and call a node *busy* with an attempt from its LOCK_REQUEST until the
//! attempt has ended or its lock was released.
//!
//! 1. A holds by an attempt only if B granted that very attempt: a grant counts for the id and key
//!    that it names, once, from whom was asked ([`Repairs::match_grants`]).
//! 2. A node that is busy grants nobody: while it holds it denies, and while it asks it denies or
//!    ends its own attempt first ([`Repairs::deny_while_asking`]); and it does not ask while it has
//!    a note of another. An attempt that has ended never becomes a lock, whatever arrives for it
//!    later.
//! 3. If both held at one moment, both would have been busy with those attempts up to then. By 1
//!    and 2, B's began only after B had granted A's, when A was busy already; and A must have
//!    granted B's later than that, while it was busy still. By 2 it did not.
//!
//! Nothing in this depends on the order in which messages arrive, or on each arriving, or only
//! once. It follows that waiting is never decided by a message that could be lost: see
//! [`Repairs::repeat_unanswered`], [`Repairs::retry_denied`] and [`Repairs::confirm_grants`].
//!
//! Two Rust nodes that don't know each other, but have a common member C, are kept apart by C's
//! note. A note begins when the key is free and ends only by a release that names its attempt
//! ([`Repairs::match_releases`]), or with its holder's membership; so C does not grant to one while
//! the other holds.
//!
//! # What is not promised
//!
//! This is the classic guarantee, and no more:
//!
//! - **Partition.** Each side forgets the other after the heartbeat timeout and goes on without
//!   it. With a cluster size, only the side with the quorum takes new locks; but a lock that was
//!   held on the other side is still held there.
//! - **Restart.** A node that restarts has forgotten what it granted and held; nodes that do not
//!   know each other and have no common member besides it are no longer kept apart.
//! - **Visibility.** Nodes that start at the same moment and lock before they know each other both
//!   succeed.
//! - **Classic peers.** One grants while it asks, so step 2 fails for it. Two of them can hold the
//!   same key; and a Rust node relies on order: one that has granted to a classic peer does not ask
//!   before that peer's release, and denies it while asking itself. It also sends a LOCK_RELEASE
//!   before it repeats a request, which must not be overtaken by that request. While each link
//!   delivers in order, a Rust node and a classic one exclude each other, loss or not.
//! - **A lost LOCK_RELEASE of a classic peer** leaves its note here until it asks again, leaves or
//!   falls silent: nothing that one can ask it would tell a holder from one that has let go.
//!
//! # No room
//!
//! A LOCK_REQUEST for a key that the table has no room for is not answered at all. A grant that is
//! not noted could be given twice. A denial would leave a classic requester waiting for the release
//! of a peer that remembers nothing. Without an answer the requester waits and asks again, and no
//! two nodes can hold the key.

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
