//! How an invariant was violated, as data and in words.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::{LockId, RequestId};
use thiserror::Error;

use crate::payload::Tag;
use crate::place::Place;
use crate::plan::Key;
use crate::time::Moment;

/// What must hold in every history.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Invariant {
    /// At most one valid holder of a key at any true time.
    Exclusion,
    /// When the faults have ended, whoever waits is served within a bound.
    Progress,
    /// The callers of one node are served in the order of their calls.
    Order,
    /// After everyone has released and left, every table is empty.
    Leaks,
    /// Joined and left alternate; no death without silence; in the end all views agree.
    Membership,
    /// Every request and lock call ends exactly once.
    Completion,
    /// What was sent is what is delivered, once for each datagram.
    Delivery,
    /// Each request is executed at most once in each life of who is asked.
    Once,
    /// No table beyond its limit.
    Bounds,
    /// Hybrid clocks go forward, and nobody's wild clock pushes them.
    Clocks,
    /// With a key, nothing changes by what did not come from a key holder.
    Secrecy,
    /// Nothing happens twice or without a cause, whatever is sent again or made up.
    Freshness,
    /// Nobody gets more bytes out of a node than he puts in.
    Amplification,
}

impl Invariant {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exclusion => "exclusion",
            Self::Progress => "progress",
            Self::Order => "order",
            Self::Leaks => "leaks",
            Self::Membership => "membership",
            Self::Completion => "completion",
            Self::Delivery => "delivery",
            Self::Once => "once",
            Self::Bounds => "bounds",
            Self::Clocks => "clocks",
            Self::Secrecy => "secrecy",
            Self::Freshness => "freshness",
            Self::Amplification => "amplification",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A violation: what, and when.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{} violated at {at}: {breach}", self.invariant())]
pub struct Violation {
    /// When it showed, in true time.
    pub at: Moment,
    /// How.
    pub breach: Breach,
}

impl Violation {
    /// Which invariant it violates.
    #[must_use]
    pub const fn invariant(&self) -> Invariant {
        self.breach.invariant()
    }
}

/// How an invariant was violated.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Breach {
    /// Two users hold a valid guard of one key.
    #[error("{} and {} both hold lock {key}", holders[0], holders[1])]
    TwoHolders {
        /// Which lock.
        key: Key,
        /// The nodes, the one that held first first.
        holders: [Place; 2],
    },
    /// The faults have ended long ago, and something still waits.
    #[error("still waiting long after the faults had ended: {}", listed(pending))]
    Stuck {
        /// What waits.
        pending: Vec<Pending>,
    },
    /// A caller was served before one of the same node that had called earlier.
    #[error("{node} got lock {key} for its call {served}, but {first} had called first", served = served.get(), first = first.get())]
    OutOfTurn {
        /// Where.
        node: Place,
        /// Which lock.
        key: Key,
        /// Who got it.
        served: LockId,
        /// Whose turn it was.
        first: LockId,
    },
    /// A table is not empty, though everything is over.
    #[error("{node} still has {rows} {table}, though everything is over")]
    Leak {
        /// Where.
        node: Place,
        /// Which table.
        table: Table,
        /// How many rows.
        rows: usize,
    },
    /// A peer joined that was a member, or left that was none.
    #[error("{node} says that {peer} {}, and it {}", joins(*joined), was(*joined))]
    NotAlternating {
        /// Who says so.
        node: Place,
        /// Of whom.
        peer: SocketAddr,
        /// Whether it said joined.
        joined: bool,
    },
    /// A member was declared silent that had been heard.
    #[error("{node} declared {peer} silent {silent_for:?} after a heartbeat of it")]
    NotSilent {
        /// Who.
        node: Place,
        /// Whom.
        peer: SocketAddr,
        /// How long after its latest heartbeat, on the clock of `node`.
        silent_for: Duration,
    },
    /// The faults have ended long ago, and a node does not see what is there.
    #[error("{node} {} {peer}, long after the faults had ended", sees(*missing))]
    ViewsDiffer {
        /// Who.
        node: Place,
        /// Whom it does not see, or sees though nobody is there.
        peer: SocketAddr,
        /// Whether it does not see somebody who is there.
        missing: bool,
    },
    /// A request moved on that was over, or had never been.
    #[error("{node} was told of request {request}, which is over or never was")]
    RequestNotPending {
        /// Where.
        node: Place,
        /// Which request.
        request: RequestId,
    },
    /// A request timed out before its deadline.
    #[error("{node} gave request {request} up before its deadline")]
    TimedOutEarly {
        /// Where.
        node: Place,
        /// Which request.
        request: RequestId,
    },
    /// A lock call was told what cannot follow on what it was told before.
    #[error("{node} was told of lock call {} what cannot follow", lock.get())]
    LockCallOver {
        /// Where.
        node: Place,
        /// Which call.
        lock: LockId,
    },
    /// A node remembers more or fewer calls than have begun and not ended.
    #[error("{node} has {rows} {table}, but {expected} are under way")]
    Miscounted {
        /// Where.
        node: Place,
        /// Which table.
        table: Table,
        /// How many rows it has.
        rows: usize,
        /// How many it should have.
        expected: usize,
    },
    /// A payload was delivered that is not in the datagram.
    #[error("{node} delivered {delivered:?} out of a datagram that held {held:?}")]
    Misdelivered {
        /// Where.
        node: Place,
        /// What its user got.
        delivered: Option<Tag>,
        /// What the datagram held.
        held: Option<Tag>,
    },
    /// A payload arrived intact and was not delivered.
    #[error("{node} did not deliver {held}")]
    NotDelivered {
        /// Where.
        node: Place,
        /// What arrived.
        held: Tag,
    },
    /// A request was executed twice, or said to be repeated that had not been executed.
    #[error("{node} executed request {request} twice, or never")]
    NotOnce {
        /// Where.
        node: Place,
        /// Which request.
        request: RequestId,
    },
    /// A table has more rows than its limit.
    #[error("{node} has {rows} {table}, over its limit of {limit}")]
    OverLimit {
        /// Where.
        node: Place,
        /// Which table.
        table: Table,
        /// How many rows.
        rows: usize,
        /// The limit.
        limit: usize,
    },
    /// A hybrid clock went back, or was pushed too far ahead.
    #[error("the hybrid clock of {node} {} to {shows}", went(*went_back))]
    ClockWrong {
        /// Whose.
        node: Place,
        /// What it shows, in microseconds.
        shows: u64,
        /// Whether it went back; else it is too far ahead.
        went_back: bool,
    },
    /// A node reacted to what no key holder had sent.
    #[error("{node} reacted to what no key holder had sent: {what}")]
    Reacted {
        /// Where.
        node: Place,
        /// How.
        what: &'static str,
    },
    /// A user got again what had been delivered, or got it from the wrong sender.
    #[error("{node} delivered {held} {}", again(*from))]
    NotFresh {
        /// Where.
        node: Place,
        /// What.
        held: Tag,
        /// The wrong sender, if it is that; else it is a second time.
        from: Option<SocketAddr>,
    },
    /// A node believes of a peer what nothing that happened gives it a reason for.
    #[error("{node} says that {peer} {what}")]
    WithoutCause {
        /// Who.
        node: Place,
        /// Of whom.
        peer: SocketAddr,
        /// What.
        what: &'static str,
    },
    /// A stranger got more bytes than it had sent.
    #[error("{node} sent {sent} bytes to {to}, which had sent {got}")]
    Amplified {
        /// Who.
        node: Place,
        /// The stranger.
        to: SocketAddr,
        /// How many bytes it had sent.
        got: u64,
        /// How many it was sent.
        sent: u64,
    },
    /// The check that follows each step and the one that looks at everything differ: a defect of
    /// the simulator.
    #[error("the two ways to check {invariant} differ")]
    CheckersDisagree {
        /// On what.
        invariant: Invariant,
    },
}

impl Breach {
    /// Which invariant it violates.
    #[must_use]
    pub const fn invariant(&self) -> Invariant {
        match self {
            Self::TwoHolders { .. } => Invariant::Exclusion,
            Self::Stuck { .. } => Invariant::Progress,
            Self::OutOfTurn { .. } => Invariant::Order,
            Self::Leak { .. } => Invariant::Leaks,
            Self::NotAlternating { .. } | Self::NotSilent { .. } | Self::ViewsDiffer { .. } => {
                Invariant::Membership
            }
            Self::RequestNotPending { .. }
            | Self::TimedOutEarly { .. }
            | Self::LockCallOver { .. }
            | Self::Miscounted { .. } => Invariant::Completion,
            Self::Misdelivered { .. } | Self::NotDelivered { .. } => Invariant::Delivery,
            Self::NotOnce { .. } => Invariant::Once,
            Self::OverLimit { .. } => Invariant::Bounds,
            Self::ClockWrong { .. } => Invariant::Clocks,
            Self::Reacted { .. } => Invariant::Secrecy,
            Self::NotFresh { .. } | Self::WithoutCause { .. } => Invariant::Freshness,
            Self::Amplified { .. } => Invariant::Amplification,
            Self::CheckersDisagree { invariant } => *invariant,
        }
    }
}

/// Something that waits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Pending {
    /// Where.
    pub node: Place,
    /// Since when.
    pub since: Moment,
    /// For what.
    pub what: Waiting,
}

/// What is waited for.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Waiting {
    /// A lock.
    Lock(Key),
    /// The answer to a try at a lock.
    TryLock(Key),
    /// The answer to a request.
    Response(RequestId),
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, since, what } = self;
        match what {
            Waiting::Lock(key) => write!(f, "{node} waits for lock {key} since {since}"),
            Waiting::TryLock(key) => write!(f, "{node} tries lock {key} since {since}"),
            Waiting::Response(id) => write!(f, "{node} waits for the answer to {id} since {since}"),
        }
    }
}

/// A table of a node.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Table {
    /// Members.
    Peers,
    /// Addresses that discovery names.
    Named,
    /// Requests that wait.
    Requests,
    /// Lock keys.
    Locks,
    /// Lock calls that wait or hold.
    LockCalls,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Peers => "peers",
            Self::Named => "named addresses",
            Self::Requests => "pending requests",
            Self::Locks => "lock keys",
            Self::LockCalls => "lock calls",
        })
    }
}

fn listed(pending: &[Pending]) -> String {
    pending.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn again(from: Option<SocketAddr>) -> String {
    from.map_or_else(|| "again".into(), |from| format!("as sent by {from}"))
}

const fn joins(joined: bool) -> &'static str {
    if joined { "joined" } else { "left" }
}

const fn was(joined: bool) -> &'static str {
    if joined { "was a member already" } else { "was no member" }
}

const fn went(back: bool) -> &'static str {
    if back { "went back" } else { "was pushed ahead" }
}

const fn sees(missing: bool) -> &'static str {
    if missing { "does not see" } else { "still sees" }
}
