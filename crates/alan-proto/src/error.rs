//! Why an operation was refused. No refused operation changes any state.

use core::fmt;
use core::time::Duration;

use thiserror::Error;

/// A configuration value outside its permitted range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("{field} is {value}, but must be {permitted}")]
pub struct ConfigError {
    /// The field's name in [`Config`](crate::Config).
    pub field: &'static str,
    /// What it was set to.
    pub value: ConfigValue,
    /// The permitted range, in words.
    pub permitted: &'static str,
}

/// The value that a [`ConfigError`] complains about.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigValue {
    /// A count or a size.
    Number(u64),
    /// A time.
    Duration(Duration),
}

impl fmt::Display for ConfigValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Duration(duration) => write!(f, "{duration:?}"),
        }
    }
}

/// A key that is not 32 bytes long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("a key must be exactly 32 bytes, but {given} were given")]
pub struct KeyLengthError {
    /// How many bytes were given.
    pub given: usize,
}

/// A [`Keyring`](crate::envelope::Keyring) has as many keys as it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the keyring has {limit} keys, which is the limit")]
pub struct KeyringFull {
    /// The limit.
    pub limit: usize,
}

/// Keys were given to a node that sends and receives in clear text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the node is in clear text, and has no keys to change")]
pub struct NotSealed;

/// Why [`send_to`](crate::Node::send_to), [`broadcast`](crate::Node::broadcast) or
/// [`reply`](crate::Node::reply) was refused.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SendError {
    /// The payload does not fit into one datagram of the configured `buffer_size`.
    #[error("the message has {len} bytes, but at most {max} fit into one datagram")]
    MessageTooLarge {
        /// The payload's length.
        len: usize,
        /// The longest payload that fits.
        max: usize,
    },
    /// A broadcast needs the quorum, and it is not there.
    #[error("no quorum: {have} of {need} nodes are here")]
    NoQuorum {
        /// Nodes here, this one included.
        have: usize,
        /// Nodes needed.
        need: usize,
    },
    /// The address has port 0, to which nothing can be sent.
    #[error("the address has port 0")]
    NoPort,
    /// The node has said goodbye.
    #[error("the node has left the cluster")]
    Closed,
}

/// Why [`request`](crate::Node::request) or [`request_all`](crate::Node::request_all) was refused.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RequestError {
    /// It could not be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// As many requests are pending as [`Config::max_requests`](crate::Config::max_requests) allows.
    #[error("{limit} requests are pending, which is the limit")]
    TooManyRequests {
        /// The limit.
        limit: u32,
    },
    /// Thousands of actions wait because [`poll_action`](crate::Node::poll_action) was not called.
    #[error("thousands of actions wait to be polled")]
    OutboxFull,
}

/// Why [`lock`](crate::Node::lock) or [`try_lock`](crate::Node::try_lock) was refused.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum LockError {
    /// The key is empty or longer than 255 bytes.
    #[error("the key has {len} bytes, but must have 1 to 255")]
    KeyLength {
        /// The key's length in bytes.
        len: usize,
    },
    /// [`try_lock`](crate::Node::try_lock) needs the quorum, and it is not there.
    #[error("no quorum: {have} of {need} nodes are here")]
    NoQuorum {
        /// Nodes here, this one included.
        have: usize,
        /// Nodes needed.
        need: usize,
    },
    /// As many keys are in use as [`Config::max_locks`](crate::Config::max_locks) allows.
    #[error("{limit} lock keys are in use, which is the limit")]
    TooManyLocks {
        /// The limit.
        limit: u32,
    },
    /// As many callers wait for this key as
    /// [`Config::max_lock_waiters`](crate::Config::max_lock_waiters) allows.
    #[error("{limit} callers wait for this lock, which is the limit")]
    TooManyWaiters {
        /// The limit.
        limit: u32,
    },
    /// Thousands of actions wait because [`poll_action`](crate::Node::poll_action) was not called.
    #[error("thousands of actions wait to be polled")]
    OutboxFull,
    /// The node has said goodbye.
    #[error("the node has left the cluster")]
    Closed,
}

/// This node does not hold the lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("this node does not hold the lock")]
pub struct LockNotHeld;

/// Metadata that is too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the metadata has {len} bytes, but must have at most {max}")]
pub struct MetadataTooLong {
    /// How many bytes were given.
    pub len: usize,
    /// How many are permitted.
    pub max: usize,
}
