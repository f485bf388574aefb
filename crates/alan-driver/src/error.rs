//! Why an operation failed: one type per operation, each saying what to do about it.

use std::net::SocketAddr;

use alan_proto::LeaveReason;
use thiserror::Error;

use crate::socket::SendFailure;

/// The node has left the cluster, or is about to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the node has left the cluster")]
pub struct Closed;

/// Why [`send_to`](crate::Node::send_to) failed. Nothing was sent.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SendError {
    /// The message does not fit into one datagram: split it, or raise `buffer_size` on all nodes.
    #[error("the message has {len} bytes, but at most {max} fit into one datagram")]
    MessageTooLarge {
        /// The message's length in bytes.
        len: usize,
        /// The most that fits.
        max: usize,
    },
    /// The address has port 0, to which nothing can be sent.
    #[error("the address has port 0")]
    NoPort,
    /// The system did not take the datagram. Trying again may help.
    #[error("the datagram was not sent: {0}")]
    NotSent(#[source] SendFailure),
    /// The node has left the cluster.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why [`Request::reply`](crate::Request::reply) failed. Nothing was sent.
pub type ReplyError = SendError;

/// Why [`broadcast`](crate::Node::broadcast) failed. Nothing was sent to anybody.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BroadcastError {
    /// The message does not fit into one datagram: split it, or raise `buffer_size` on all nodes.
    #[error("the message has {len} bytes, but at most {max} fit into one datagram")]
    MessageTooLarge {
        /// The message's length in bytes.
        len: usize,
        /// The most that fits.
        max: usize,
    },
    /// The deadline passed before enough nodes were here.
    #[error("no quorum: {have} of {need} nodes are here")]
    NoQuorum {
        /// Nodes here, this one included.
        have: usize,
        /// Nodes needed.
        need: usize,
    },
    /// The node has left the cluster.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why [`request`](crate::Node::request) has no reply.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RequestError {
    /// The message does not fit into one datagram. Nothing was sent.
    #[error("the message has {len} bytes, but at most {max} fit into one datagram")]
    MessageTooLarge {
        /// The message's length in bytes.
        len: usize,
        /// The most that fits; a request to a member has 28 bytes less room than a message.
        max: usize,
    },
    /// The address has port 0, to which nothing can be sent.
    #[error("the address has port 0")]
    NoPort,
    /// The system did not take the datagram. Trying again may help.
    #[error("the request to {peer} was not sent: {failure}")]
    NotSent {
        /// Who was to be asked.
        peer: SocketAddr,
        /// What the system said.
        #[source]
        failure: SendFailure,
    },
    /// The peer was a member and is gone. It may have handled the request or not.
    #[error("{peer} is gone: {why}")]
    PeerDisconnected {
        /// Who was asked.
        peer: SocketAddr,
        /// Why it is gone.
        why: LeaveReason,
    },
    /// The peer got the request and has no answer to it, or none any more: its queue was full, or
    /// its answers got lost for so long that it keeps them no longer
    /// (see [`response_cache`](crate::Builder::response_cache)). It may have handled the request or
    /// not, and will not handle it again.
    #[error("{peer} got the request, but has no answer to it any more")]
    ResponseGone {
        /// Who was asked.
        peer: SocketAddr,
    },
    /// The deadline passed. The peer may have handled the request or not.
    #[error("no reply before the deadline")]
    Timeout,
    /// As many requests are pending as `max_requests` permits. Nothing was sent.
    #[error("{limit} requests are pending, which is the limit")]
    TooManyRequests {
        /// The limit.
        limit: u32,
    },
    /// The node has left the cluster.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why [`request_all`](crate::Node::request_all) failed. Peers that did not answer are no failure:
/// see [`Replies::missing`](crate::Replies::missing).
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RequestAllError {
    /// The message does not fit into one datagram. Nothing was sent.
    #[error("the message has {len} bytes, but at most {max} fit into one datagram")]
    MessageTooLarge {
        /// The message's length in bytes.
        len: usize,
        /// The most that fits; a request to a member has 28 bytes less room than a message.
        max: usize,
    },
    /// The deadline passed before enough nodes were here. Nothing was sent.
    #[error("no quorum: {have} of {need} nodes are here")]
    NoQuorum {
        /// Nodes here, this one included.
        have: usize,
        /// Nodes needed.
        need: usize,
    },
    /// As many requests are pending as `max_requests` permits. Nothing was sent.
    #[error("{limit} requests are pending, which is the limit")]
    TooManyRequests {
        /// The limit.
        limit: u32,
    },
    /// The node has left the cluster.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why [`wait_for_quorum`](crate::Node::wait_for_quorum) ended without one.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum QuorumError {
    /// The deadline passed before enough nodes were here.
    #[error("no quorum: {have} of {need} nodes are here")]
    NoQuorum {
        /// Nodes here, this one included.
        have: usize,
        /// Nodes needed.
        need: usize,
    },
    /// The node has left the cluster.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why [`lock`](crate::Node::lock) or [`try_lock`](crate::Node::try_lock) did not get the lock. All
/// that had been granted on the way is given back.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum LockError {
    /// The key is empty or too long.
    #[error("the key has {len} bytes, but must have 1 to 255")]
    KeyLength {
        /// The key's length in bytes.
        len: usize,
    },
    /// Enough nodes are not here: for `try_lock` now, for `lock` when the deadline passed.
    #[error("no quorum: {have} of {need} nodes are here")]
    NoQuorum {
        /// Nodes here, this one included.
        have: usize,
        /// Nodes needed.
        need: usize,
    },
    /// `try_lock` met a holder, or somebody who asked first.
    #[error("the lock is held{}", said_by(*by))]
    Held {
        /// Who said so; `None` for another caller of this node.
        by: Option<SocketAddr>,
    },
    /// The deadline passed while waiting for the lock.
    #[error("the lock was not free before the deadline")]
    Timeout,
    /// As many keys are in use as `max_locks` permits.
    #[error("{limit} lock keys are in use, which is the limit")]
    TooManyLocks {
        /// The limit.
        limit: u32,
    },
    /// As many callers of this node wait for the key as `max_lock_waiters` permits.
    #[error("{limit} callers wait for this lock, which is the limit")]
    TooManyWaiters {
        /// The limit.
        limit: u32,
    },
    /// The node has left the cluster.
    #[error(transparent)]
    Closed(#[from] Closed),
}

fn said_by(peer: Option<SocketAddr>) -> String {
    peer.map_or_else(|| ", or waited for, at this node".to_owned(), |peer| format!(", says {peer}"))
}

/// Why a lock is held no longer. Whatever it protected may be in other hands.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum LockLost {
    /// This node is leaving the cluster, which frees its locks.
    #[error("the lock was lost: the node is leaving the cluster")]
    LeftCluster,
    /// A denial took it away.
    #[error("the lock was lost: {by} denied it")]
    Denied {
        /// Who sent the denial.
        by: SocketAddr,
    },
    /// It was released: by its guard, or by name with [`unlock`](crate::Node::unlock).
    #[error("the lock was released")]
    Released,
}

/// Why [`set_metadata`](crate::Node::set_metadata) failed. Nothing has changed.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum MetadataError {
    /// It is longer than may be told.
    #[error("the metadata has {len} bytes, but must have at most {max}")]
    TooLong {
        /// How many bytes were given.
        len: usize,
        /// How many are permitted.
        max: usize,
    },
    /// The node has left the cluster.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why [`rotate_keys`](crate::Node::rotate_keys) failed. Nothing has changed.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RotateKeysError {
    /// The node was started in plain text, and goes on like that: restart it with a key.
    #[error("the node is in plain text, and has no keys to change")]
    NotSealed,
    /// The node has left the cluster.
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl From<alan_proto::SendError> for SendError {
    fn from(error: alan_proto::SendError) -> Self {
        use alan_proto::SendError as Core;
        match error {
            Core::MessageTooLarge { len, max } => Self::MessageTooLarge { len, max },
            Core::NoPort => Self::NoPort,
            _ => Self::Closed(Closed),
        }
    }
}

impl From<alan_proto::SendError> for BroadcastError {
    fn from(error: alan_proto::SendError) -> Self {
        use alan_proto::SendError as Core;
        match error {
            Core::MessageTooLarge { len, max } => Self::MessageTooLarge { len, max },
            Core::NoQuorum { have, need } => Self::NoQuorum { have, need },
            _ => Self::Closed(Closed),
        }
    }
}

impl From<QuorumError> for BroadcastError {
    fn from(error: QuorumError) -> Self {
        match error {
            QuorumError::NoQuorum { have, need } => Self::NoQuorum { have, need },
            QuorumError::Closed(closed) => Self::Closed(closed),
        }
    }
}

impl From<alan_proto::RequestError> for RequestError {
    fn from(error: alan_proto::RequestError) -> Self {
        use alan_proto::{RequestError as Core, SendError as Send};
        match error {
            Core::Send(Send::MessageTooLarge { len, max }) => Self::MessageTooLarge { len, max },
            Core::Send(Send::NoPort) => Self::NoPort,
            Core::TooManyRequests { limit } => {
                Self::TooManyRequests { limit: limit + u32::from(fault!(WrongLimit)) }
            }
            _ => Self::Closed(Closed),
        }
    }
}

impl From<alan_proto::RequestError> for RequestAllError {
    fn from(error: alan_proto::RequestError) -> Self {
        use alan_proto::{RequestError as Core, SendError as Send};
        match error {
            Core::Send(Send::MessageTooLarge { len, max }) => Self::MessageTooLarge { len, max },
            Core::Send(Send::NoQuorum { have, need }) => Self::NoQuorum { have, need },
            Core::TooManyRequests { limit } => Self::TooManyRequests { limit },
            _ => Self::Closed(Closed),
        }
    }
}

impl From<QuorumError> for RequestAllError {
    fn from(error: QuorumError) -> Self {
        match error {
            QuorumError::NoQuorum { have, need } => Self::NoQuorum { have, need },
            QuorumError::Closed(closed) => Self::Closed(closed),
        }
    }
}
