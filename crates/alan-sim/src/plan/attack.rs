//! What somebody who is no node of the cluster does to it.

use std::time::Duration;

use crate::place::Place;

/// How somebody who sees every datagram sends it again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Repeat {
    /// From which address it seems to come.
    pub from: Disguise,
    /// To whom it goes.
    pub to: Target,
    /// How long after it was sent first it comes again, at least.
    pub after: Duration,
    /// How much later than that, at most; all values alike, so that what is sent again comes in any
    /// order.
    pub within: Duration,
}

/// The address that something sent again seems to come from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Disguise {
    /// Its first sender's.
    Sender,
    /// Its first receiver's, as if that had answered with it.
    Receiver,
    /// Some node's, whichever is drawn.
    AnyNode,
    /// A stranger's, one of a few.
    Stranger,
}

/// Who gets what is sent again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// Who got it first.
    Receiver,
    /// Who sent it.
    Sender,
    /// Some node, whichever is drawn.
    AnyNode,
}

/// A control message in the name of a node's address, by somebody who does not see what nodes
/// send and has no key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Claim {
    /// Whose address it comes from.
    pub whose: Place,
    /// What it says.
    pub says: Word,
    /// Whether it names a life, a made-up one; else it is a classic peer's.
    pub with_life: bool,
}

/// The kinds of control messages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Word {
    /// JOIN.
    Join,
    /// HEARTBEAT.
    Heartbeat,
    /// LEAVE.
    Leave,
}

/// What a flood consists of. Each datagram comes from a stranger's address, 65,536 of them in turn.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Flood {
    /// JOINs that name a made-up life each, in clear text.
    Joins,
    /// JOINs of classic peers, in clear text.
    ClassicJoins,
    /// Bytes without any meaning.
    Noise,
}
