//! What comes out of a node: actions to carry out, and the payload that a datagram delivered.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use crate::time::Instant;
use crate::wire::{Role, Settings};

/// A random number, never zero, that names one start of one node.
///
/// Two datagrams with the same incarnation come from the same life of the same process; a restart
/// has a new one, also at the same address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(core::num::NonZeroU64);

impl Incarnation {
    /// The incarnation with this number, or `None` for zero, which names nobody.
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        match core::num::NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number, never zero.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.get())
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incarnation({self})")
    }
}

/// The 16 bytes that tie a response to its request on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub [u8; 16]);

impl RequestId {
    /// Sixteen zero bytes: what a LOCK_RELEASE carries that names no request.
    pub const ZERO: Self = Self([0; 16]);
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

/// Names one local call of [`Node::lock`](crate::Node::lock) or
/// [`Node::try_lock`](crate::Node::try_lock), from the call until it has failed, was lost or was
/// released. Never used twice by one node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LockId(pub(crate) u64);

impl LockId {
    /// The number behind the id, for logs.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Something that the node wants done or told. Returned by
/// [`Node::poll_action`](crate::Node::poll_action) in the order in which it came about.
#[must_use]
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// Send the first `len` bytes of the buffer that was passed to `poll_action`.
    Transmit(Transmit),
    /// The membership changed. Per peer, joined and left alternate.
    Peer(PeerEvent),
    /// The quorum was reached or lost. Only with a cluster size.
    Quorum(QuorumEvent),
    /// A request moved on without a response.
    Request(RequestEvent),
    /// A request to a member is to be transmitted, for the first time or once more: call
    /// [`Node::transmit_request`](crate::Node::transmit_request) with its payload.
    TransmitRequest {
        /// The request.
        request: RequestId,
        /// The member.
        to: SocketAddr,
    },
    /// A lock request came to its end, or a held lock was lost.
    Lock(LockEvent),
    /// Something that an operator should hear of.
    Warning(Warning),
    /// Goodbye was said to everyone; nothing more will come and nothing more will be accepted.
    Closed,
}

/// A datagram in the caller's buffer.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Transmit {
    /// Where to send it.
    pub to: SocketAddr,
    /// How many bytes of the buffer it fills, from the start.
    pub len: usize,
}

/// A change of the membership.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PeerEvent {
    /// The peer has become a member.
    Joined {
        /// Its address: source IP and advertised port.
        peer: SocketAddr,
        /// Its incarnation; `None` for a classic peer.
        incarnation: Option<Incarnation>,
    },
    /// The peer is no member any more.
    Left {
        /// Its address.
        peer: SocketAddr,
        /// Why.
        why: LeaveReason,
    },
    /// The member's name or metadata is known now, or has changed:
    /// [`Node::profile`](crate::Node::profile).
    Updated {
        /// Its address.
        peer: SocketAddr,
    },
    /// The member that has just joined is configured otherwise than this node, in what all voters
    /// must agree on.
    ConfigMismatch {
        /// Its address.
        peer: SocketAddr,
        /// Its incarnation.
        incarnation: Incarnation,
        /// What it says that it is configured with.
        settings: Settings,
    },
}

impl PeerEvent {
    /// Whom the event is about.
    #[must_use]
    pub const fn peer(&self) -> SocketAddr {
        match self {
            Self::Joined { peer, .. }
            | Self::Left { peer, .. }
            | Self::Updated { peer }
            | Self::ConfigMismatch { peer, .. } => *peer,
        }
    }
}

/// Why a peer is no member any more.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LeaveReason {
    /// It sent LEAVE.
    SaidGoodbye,
    /// Nothing was heard of it for the heartbeat timeout.
    Silent,
    /// The same address speaks under another incarnation: the old one is gone.
    Restarted,
}

impl fmt::Display for LeaveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SaidGoodbye => "said goodbye",
            Self::Silent => "silent",
            Self::Restarted => "restarted",
        })
    }
}

/// A change of the quorum.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum QuorumEvent {
    /// Enough nodes are here.
    Reached {
        /// Nodes here, this one included.
        have: usize,
        /// Nodes needed.
        need: usize,
    },
    /// Too few nodes are here.
    Lost {
        /// Nodes here, this one included.
        have: usize,
        /// Nodes needed.
        need: usize,
    },
}

/// A request moved on without a response. Responses come as [`Delivery::Response`].
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RequestEvent {
    /// A member that was asked is gone and will not answer.
    PeerLeft {
        /// The request.
        request: RequestId,
        /// Who is gone.
        peer: SocketAddr,
        /// Why.
        why: LeaveReason,
        /// Whether nobody else is waited for: the request is over.
        finished: bool,
    },
    /// A member that was asked has executed the request, but has no answer for it any more.
    ResponseGone {
        /// The request.
        request: RequestId,
        /// Who had been asked.
        peer: SocketAddr,
        /// Whether nobody else is waited for: the request is over.
        finished: bool,
    },
    /// The deadline has passed; the request is over.
    TimedOut {
        /// The request.
        request: RequestId,
    },
    /// The node is leaving the cluster; the request is over.
    Closed {
        /// The request.
        request: RequestId,
    },
}

/// A lock request came to its end, or a held lock was lost.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LockEvent {
    /// The lock is held from now on.
    Granted {
        /// The request.
        lock: LockId,
    },
    /// The lock was not got; the request is over.
    Failed {
        /// The request.
        lock: LockId,
        /// Why.
        why: LockFailure,
    },
    /// A held lock is held no longer, without having been released.
    Lost {
        /// The request that had been granted.
        lock: LockId,
        /// Why.
        why: LockLoss,
    },
}

/// Why a lock was not got.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LockFailure {
    /// A `try_lock` met a holder, or another request that came first.
    Held {
        /// The peer that said so; `None` for a caller of this node.
        by: Option<SocketAddr>,
    },
    /// The deadline passed while waiting for the lock.
    TimedOut,
    /// The deadline passed while there was no quorum.
    NoQuorum {
        /// Nodes here, this one included.
        have: usize,
        /// Nodes needed.
        need: usize,
    },
    /// The node is leaving the cluster.
    Closed,
}

/// Why a held lock is held no longer.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LockLoss {
    /// This node is leaving the cluster, which frees its locks.
    Left,
    /// A stray denial took it away. Only with the repair
    /// [`match_denials`](crate::lock::Repairs::match_denials) off.
    Denied {
        /// Who sent it.
        by: SocketAddr,
    },
}

/// Something that an operator should hear of. Each kind comes at most once a minute.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Warning {
    /// Datagrams came in that do not open: usually another key, or a plain node among sealed ones.
    Unopened {
        /// The source of the latest.
        source: SocketAddr,
        /// How many since the last warning of this kind.
        count: u64,
    },
    /// A peer's hybrid logical clock is more than a day ahead: it is not followed.
    ClockAhead {
        /// Whose.
        peer: SocketAddr,
        /// How far ahead of ours.
        by: Duration,
    },
    /// A member is configured otherwise than this node, in what all voters must agree on.
    ConfigMismatch {
        /// Which member.
        peer: SocketAddr,
        /// What it says.
        theirs: Settings,
        /// What this node is configured with.
        ours: Settings,
    },
    /// More voters are here than [`Config::cluster_size`](crate::Config::cluster_size) says that
    /// there ever are: two majorities of it could exist.
    ClusterLarger {
        /// Voters here, this node included.
        have: usize,
        /// The configured size.
        cluster_size: u32,
    },
    /// A peer was turned away because the peer table is full.
    PeersFull {
        /// The latest that was turned away.
        source: SocketAddr,
        /// The limit: [`Config::max_peers`](crate::Config::max_peers).
        limit: u32,
    },
}

/// The user payload of one datagram, lent out of the caller's receive buffer.
#[must_use]
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Delivery<'d> {
    /// A message that expects no answer.
    Message {
        /// Who sent it, member or not.
        from: SocketAddr,
        /// What it says.
        payload: &'d [u8],
    },
    /// A request, to be answered with [`Node::reply`](crate::Node::reply) or not at all.
    Request {
        /// Who asks, member or not.
        from: SocketAddr,
        /// Ties the answer to it.
        request: RequestId,
        /// What is asked.
        payload: &'d [u8],
    },
    /// A member repeats a request that was delivered before: it has not got the answer. Send it
    /// again with [`Node::reply`](crate::Node::reply) if it is at hand, say
    /// [`Node::reply_gone`](crate::Node::reply_gone) if it was given and is kept no longer, and do
    /// nothing while the request is still being worked on. It is never to be executed again.
    Repeated {
        /// Who asks.
        from: SocketAddr,
        /// Which request.
        request: RequestId,
    },
    /// An answer to a request of this node, from whom was asked and had not answered.
    Response {
        /// Which request.
        request: RequestId,
        /// Who answers. A member does so under the address that names it, also where it was asked
        /// at another.
        from: SocketAddr,
        /// The answer.
        payload: &'d [u8],
        /// Whether nobody else is waited for: the request is over.
        finished: bool,
    },
}

/// A member, as this node knows it.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PeerInfo {
    /// The address that names it: source IP and advertised port.
    pub addr: SocketAddr,
    /// Where it is reached now: usually `addr`.
    pub path: SocketAddr,
    /// Its incarnation; `None` for a classic peer.
    pub incarnation: Option<Incarnation>,
    /// When it became a member.
    pub joined: Instant,
    /// When a datagram of it was last accepted.
    pub last_heard: Instant,
    /// The smoothed round-trip time (RFC 6298); `None` before the first measure, and for a classic
    /// peer, with which none can be taken.
    pub round_trip: Option<Duration>,
    /// Whether it votes and counts for a quorum; classic peers do.
    pub role: Role,
}

/// When the node wants [`Node::handle_timeout`](crate::Node::handle_timeout) called, and what for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Deadline {
    /// The moment.
    pub at: Instant,
    /// The reason.
    pub reason: Wakeup,
}

/// The reason of a [`Deadline`].
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Wakeup {
    /// Members are due a HEARTBEAT.
    Heartbeat,
    /// A member may have been silent for too long.
    Silence,
    /// A candidate that has not answered is due another JOIN.
    Join,
    /// A request's deadline, or its next transmission.
    Request,
    /// A member that may not have us as one yet is due another proof.
    Confirmation,
    /// A lock request's deadline, or its next attempt.
    Lock,
    /// The next round of goodbyes.
    Goodbye,
}
