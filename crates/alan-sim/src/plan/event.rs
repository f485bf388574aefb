//! What can happen to nodes and networks, and what users do.

use std::fmt;
use std::time::Duration;

use super::attack::{Claim, Flood, Repeat};
use super::network::Weather;
use crate::place::Place;

/// The key of a lock: a letter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u8);

impl Key {
    /// How many there are.
    pub const COUNT: u8 = 26;

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// The key that this letter names, `a` to `z`.
    #[must_use]
    pub const fn new(letter: char) -> Self {
        assert!(letter.is_ascii_lowercase(), "a key is a letter from a to z");
        Self(letter as u8 - b'a')
    }

    /// The key with this number, from 0.
    #[must_use]
    pub const fn numbered(number: u8) -> Self {
        assert!(number < Self::COUNT, "a key is one of 26");
        Self(number)
    }

    /// The key's number, from 0.
    #[must_use]
    pub const fn number(self) -> usize {
        self.0 as usize
    }

    /// The key as nodes know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        &"abcdefghijklmnopqrstuvwxyz"[self.number()..=self.number()]
    }

    /// The key with these bytes, if it is one.
    #[must_use]
    pub const fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [letter @ b'a'..=b'z'] => Some(Self(*letter - b'a')),
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Something that happens. Each is complete in itself: a crash says when the node comes back, a cut
/// when it heals. So a plan stays sound, whichever entry is taken out of it.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A user asks for a lock, and releases it after having held it for a while.
    Lock {
        /// Where.
        node: Place,
        /// Which lock.
        key: Key,
        /// How long it is held.
        hold: Duration,
        /// How long the user waits; `None` for as long as it takes.
        patience: Option<Duration>,
    },
    /// A user tries a lock, and releases it after having held it for a while.
    TryLock {
        /// Where.
        node: Place,
        /// Which lock.
        key: Key,
        /// How long it is held.
        hold: Duration,
    },
    /// The user who waits longest for this lock gives up.
    Cancel {
        /// Where.
        node: Place,
        /// Which lock.
        key: Key,
    },
    /// Somebody releases the lock by its name, early.
    Unlock {
        /// Where.
        node: Place,
        /// Which lock.
        key: Key,
    },
    /// A user sends a message.
    Send {
        /// Where.
        node: Place,
        /// To whom.
        to: Place,
    },
    /// A user sends a message to all.
    Broadcast {
        /// Where.
        node: Place,
    },
    /// A user sends a request.
    Request {
        /// Where.
        node: Place,
        /// To whom.
        to: Place,
        /// How long the user waits; `None` until the answer or the peer's departure.
        patience: Option<Duration>,
    },
    /// A user sends a request to all.
    RequestAll {
        /// Where.
        node: Place,
        /// How long the user waits.
        patience: Option<Duration>,
    },
    /// A user gives up the oldest request that waits.
    CancelRequest {
        /// Where.
        node: Place,
    },
    /// The node leaves the cluster, and its process ends.
    Leave {
        /// Where.
        node: Place,
        /// Whether and how its machine starts another.
        back: Option<Return>,
    },
    /// The node's process dies.
    Crash {
        /// Where.
        node: Place,
        /// Whether and how its machine starts another.
        back: Option<Return>,
    },
    /// Neither the node's driver nor its user runs for a while.
    Pause {
        /// Where.
        node: Place,
        /// For how long.
        lasts: Duration,
        /// Who runs first when it goes on.
        first: FirstToRun,
    },
    /// The network is cut.
    Cut {
        /// Where.
        cut: Cut,
        /// For how long.
        lasts: Duration,
    },
    /// The network is another for a while.
    Weather {
        /// What it does.
        weather: Weather,
        /// For how long.
        lasts: Duration,
    },
    /// From its next question on, discovery names others to a node.
    Discovery {
        /// To whom.
        node: Place,
        /// Whom.
        knows: Knows,
    },
    /// Strangers ask a node to join.
    Strangers {
        /// Whom they ask.
        to: Place,
        /// The number of the first; the others follow.
        first: u16,
        /// How many.
        count: u16,
        /// Whether each names a life of its own; else they speak as the Go library does.
        with_life: bool,
    },
    /// Somebody without the key sends what is none of the cluster's.
    Forge {
        /// To whom.
        to: Place,
        /// What.
        what: Forgery,
        /// How many.
        count: u16,
    },
    /// Somebody sends again what a node was sent before, from the address that it came from.
    Replay {
        /// To whom.
        to: Place,
        /// The latest so many.
        count: u16,
    },
    /// Somebody who sees every datagram that nodes send sends each again.
    Repeat {
        /// How.
        repeat: Repeat,
        /// For how long.
        lasts: Duration,
    },
    /// Somebody sends a node control messages in another node's name.
    Claim {
        /// Whom they are sent to.
        to: Place,
        /// What they say.
        claim: Claim,
        /// How many.
        count: u16,
    },
    /// Somebody sends a node a great many datagrams.
    Flood {
        /// Which node.
        to: Place,
        /// What.
        what: Flood,
        /// How many a second.
        per_second: u32,
        /// For how long.
        lasts: Duration,
    },
    /// The wall clock of a machine is set forward or, negative, back.
    StepWallClock {
        /// Where.
        node: Place,
        /// By how much, in microseconds.
        micros: i64,
    },
}

impl Event {
    /// Whether it is a fault, rather than something that users do.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        !matches!(
            self,
            Self::Lock { .. }
                | Self::TryLock { .. }
                | Self::Cancel { .. }
                | Self::Unlock { .. }
                | Self::Send { .. }
                | Self::Broadcast { .. }
                | Self::Request { .. }
                | Self::RequestAll { .. }
                | Self::CancelRequest { .. }
                | Self::Leave { .. }
        )
    }

    /// The node whose user does it, for those that a pause of the node delays.
    #[must_use]
    pub const fn user(&self) -> Option<Place> {
        match self {
            Self::Lock { node, .. }
            | Self::TryLock { node, .. }
            | Self::Cancel { node, .. }
            | Self::Unlock { node, .. }
            | Self::Send { node, .. }
            | Self::Broadcast { node }
            | Self::Request { node, .. }
            | Self::RequestAll { node, .. }
            | Self::CancelRequest { node }
            | Self::Leave { node, .. } => Some(*node),
            _ => None,
        }
    }
}

/// A machine starts its next node, with empty memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Return {
    /// How long after the former one ended.
    pub after: Duration,
    /// Whether at the same address; else at a new one.
    pub same_address: bool,
}

/// Who runs first after a pause.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FirstToRun {
    /// The user's code, on whatever its guards say.
    Application,
    /// The driver, which first reads what has arrived meanwhile.
    Driver,
}

/// What does not get through.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Cut {
    /// Nothing between nodes of different sides: one number for each place.
    Sides(Vec<u8>),
    /// Nothing between these two.
    Between(Place, Place),
    /// Nothing from the first to the second.
    OneWay(Place, Place),
    /// Nothing from this one to anybody.
    Mute(Place),
    /// Nothing from anybody to this one.
    Deaf(Place),
}

impl Cut {
    /// Whether it stops what goes from one to the other.
    #[must_use]
    pub fn stops(&self, from: Place, to: Place) -> bool {
        match self {
            Self::Sides(sides) => sides.get(from.index()) != sides.get(to.index()),
            Self::Between(a, b) => (from, to) == (*a, *b) || (to, from) == (*a, *b),
            Self::OneWay(a, b) => (from, to) == (*a, *b),
            Self::Mute(mute) => from == *mute,
            Self::Deaf(deaf) => to == *deaf,
        }
    }
}

/// Whom discovery names.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Knows {
    /// Whoever runs at that moment, the asker included.
    Everyone,
    /// These, whether they run or not.
    These(Vec<Name>),
}

/// An address that discovery names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Name {
    /// The present address of a machine.
    Node(Place),
    /// The address that a machine had at first.
    First(Place),
    /// An address at which nobody lives.
    Dead(u16),
}

/// What somebody without the key sends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Forgery {
    /// Bytes without any meaning.
    Noise,
    /// Good messages under another key.
    OtherKey,
    /// Good messages in clear text.
    ClearText,
}
