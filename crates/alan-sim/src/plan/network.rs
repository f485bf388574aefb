//! What a plan says of the network.

use std::time::Duration;

use crate::draw::PerMille;

/// What the network does to datagrams.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Weather {
    /// How long each takes. Those with different delays overtake each other.
    pub delay: Delay,
    /// How many are lost.
    pub lost: PerMille,
    /// How many arrive twice, each copy with a delay of its own.
    pub doubled: PerMille,
    /// How many arrive with a bit flipped. A real network's checksums drop these; only a sealed
    /// cluster can tell them from good ones.
    pub corrupted: PerMille,
    /// Whether none overtakes another between the same two nodes, whatever their delays.
    pub in_order: bool,
    /// Bytes a second that each node can send; `None` for any number.
    pub bandwidth: Option<u64>,
    /// How long a datagram waits for its turn at most before it is lost; with `bandwidth` only.
    pub queue: Duration,
}

/// How long a datagram takes: `least`, and up to `spread` more; a few up to `tail` more than that.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Delay {
    /// At least this long.
    pub least: Duration,
    /// And up to this much longer, all values alike.
    pub spread: Duration,
    /// How many take longer still …
    pub late: PerMille,
    /// … by up to this much.
    pub tail: Duration,
}

impl Weather {
    /// One millisecond, give or take nothing, and nothing is lost.
    pub const CALM: Self = Self {
        delay: Delay {
            least: Duration::from_millis(1),
            spread: Duration::ZERO,
            late: PerMille(0),
            tail: Duration::ZERO,
        },
        lost: PerMille(0),
        doubled: PerMille(0),
        corrupted: PerMille(0),
        in_order: false,
        bandwidth: None,
        queue: Duration::from_millis(100),
    };

    /// The same network without its faults: nothing is lost, doubled, altered or very late.
    #[must_use]
    pub const fn without_faults(self) -> Self {
        let delay = Delay { late: PerMille(0), ..self.delay };
        let none = PerMille(0);
        Self { delay, lost: none, doubled: none, corrupted: none, bandwidth: None, ..self }
    }
}
