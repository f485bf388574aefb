//! What became of a datagram that was to be opened, and what it says about its sender.

use thiserror::Error;

use super::nonce::SessionId;
use crate::event::Incarnation;

/// What became of a datagram.
#[must_use]
#[derive(PartialEq, Eq, Debug)]
pub struct Opening<'d> {
    /// The message, or why there is none.
    pub outcome: Result<Opened<'d>, Unopened>,
    /// How often a key was tried, up to twice per key: what the datagram cost.
    pub trials: u8,
}

impl<'d> Opening<'d> {
    /// The message alone, whoever it is from.
    pub fn message(self) -> Result<&'d mut [u8], Unopened> {
        self.outcome.map(|opened| opened.message)
    }

    pub(super) const fn of_clear(message: &'d mut [u8]) -> Self {
        Self { outcome: Ok(Opened { message, origin: Origin::Clear }), trials: 0 }
    }
}

/// A message, and whom it is from.
#[derive(PartialEq, Eq, Debug)]
pub struct Opened<'d> {
    /// The message, in its place in the datagram.
    pub message: &'d mut [u8],
    /// What the envelope proves about its sender.
    pub origin: Origin,
}

/// What the envelope proves about a message's sender.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// It came in clear text: nobody can tell.
    Clear,
    /// The member in this slot sealed it, in the life in which it was admitted, and it was not
    /// seen before.
    Member(usize),
    /// Somebody who has a key sealed it, at any time: a node that is no member, a member that
    /// seals as if it were none, or whoever recorded one of them.
    Stranger {
        /// Whether it was sealed for this life of ours alone.
        bound: bool,
        /// The session under which it claims to be sealed, of what was sealed for everyone. That
        /// is the only channel whose sequence tells where broadcasts stand, so nothing else can
        /// complete the proof of a member. A random nonce may look like it, one time in 65,536.
        proof: Option<Proof>,
    },
}

/// The session and sequence of a datagram that opened, for
/// [`Envelope::admit`](super::Envelope::admit). A claim only, until what is in the datagram proves
/// that it is not a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proof {
    pub(super) session: SessionId,
    pub(super) incarnation: Incarnation,
    pub(super) sequence: u64,
}

impl Proof {
    /// The life that the session claims to be.
    #[must_use]
    pub const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }
}

/// Why a datagram gives no message. It is left as it was.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error)]
pub enum Unopened {
    /// It was sealed under another key, or for another receiver, or altered, or never sealed. It
    /// can't be told which, so a stranger learns nothing.
    #[error("the datagram does not open")]
    Unsealed {
        /// Whether its nonce says that it was sealed for one receiver: perhaps for a former life
        /// of ours. Half of all random nonces say so too.
        bound: bool,
    },
    /// Its nonce is one under which this member sealed something that was opened already, or
    /// something too old to tell. Found out before a key is tried, so anybody may have sent it.
    #[error("the datagram was opened before, or is too old to tell")]
    Replayed {
        /// The member's slot.
        member: usize,
    },
    /// It is of no member's session, and no more than that was to be tried.
    #[error("the datagram is of no session, and keys were not to be tried")]
    OverBudget,
    /// It opens, but this member has not announced the channel, or uses another one by now.
    #[error("the datagram came on a channel that its sender did not announce")]
    UnknownChannel {
        /// The member's slot.
        member: usize,
    },
}
