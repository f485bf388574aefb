//! Values that configuration has a form of its own for.

use std::str::FromStr;
use std::time::Duration;

/// What happens to a peer's message when that peer's queue is full.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum QueueFull {
    /// The message is refused and counted, and an event says so. Other peers notice nothing.
    #[default]
    Refuse,
    /// Nothing more is received until there is room, as in the Go library: no message is lost to
    /// the queue, but all else waits too. When a handler stalls for the heartbeat timeout, this
    /// node takes all others for dead (and without a cluster size gets any lock), and then they
    /// take it for dead. A handler that waits for a reply or a lock may wait for itself.
    Block,
}

impl FromStr for QueueFull {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "block" => Ok(Self::Block),
            _ => Err(()),
        }
    }
}

/// How often discovery is asked again, as a [`Layer`](super::Layer) holds it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refresh {
    /// Only when the program says so.
    Off,
    /// Each time that this has passed.
    Every(Duration),
}

impl Refresh {
    pub(crate) fn interval(self) -> Option<Duration> {
        match self {
            Self::Off => None,
            Self::Every(interval) => Some(interval),
        }
    }
}

impl FromStr for Refresh {
    type Err = humantime::DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self::Off);
        }
        humantime::parse_duration(text).map(Self::Every)
    }
}
