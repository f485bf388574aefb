//! Values that configuration has a form of its own for.

use std::str::FromStr;
use std::time::Duration;

/// What happens to a peer's message when that peer's queue is full, or all of them together are.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum QueueFull {
    /// The message is refused and counted, and an event says so. Other peers notice nothing.
    #[default]
    Refuse,
    /// Nothing more is received until there is room, as in the Go library: all else waits too, also
    /// the reply or the lock that the handler may be waiting for. But nobody is judged unheard:
    /// whenever the protocol has something due (the next heartbeat at the latest), the socket is
    /// read to its end, and messages that find no room are refused and counted, with an event, as
    /// under [`Refuse`](Self::Refuse). So a handler that stalls for less than that loses nothing,
    /// as long as the [kernel's buffer](super::Settings::kernel_buffer) holds what comes; one that
    /// stalls for longer loses messages, but no member whose heartbeats had room there.
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
