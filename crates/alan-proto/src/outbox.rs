//! What the node wants done and nobody has fetched yet, in order. Messages wait as small values
//! and become bytes only in the caller's buffer.

use alloc::collections::VecDeque;
use core::net::SocketAddr;

use crate::event::{
    Action, Incarnation, LockEvent, PeerEvent, QuorumEvent, RequestEvent, RequestId, Warning,
};
use crate::lock::KeySlot;
use crate::storage::Handle;
use crate::time::Instant;
use crate::wire::{Challenge, LockMessageKind, Probe};

/// Which control message to a member.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ControlKind {
    Leave,
    Heartbeat,
}

/// The JOIN that a HEARTBEAT answers.
#[derive(Clone, Copy, Hash, Debug)]
pub(crate) struct Question {
    pub(crate) incarnation: Incarnation,
    pub(crate) sent_at: Instant,
    /// When it was heard.
    pub(crate) at: Instant,
    pub(crate) challenge: Option<Challenge>,
}

/// A message to an extended member beside the control messages.
#[derive(Clone, Copy, Hash, Debug)]
pub(crate) enum Note {
    Profile,
    ProfileAsk,
    PeersAsk { cursor: u32 },
    Peers { cursor: u32 },
    Probe(Probe),
    ResponseGone { id: RequestId },
}

/// One thing to be done.
#[derive(Clone, Copy, Hash, Debug)]
pub(crate) enum Queued {
    /// JOIN to a candidate, or to another address of a member.
    Join {
        to: SocketAddr,
    },
    /// JOIN that proves us to a member which may not have us as one.
    Proof {
        member: Handle,
        to: SocketAddr,
    },
    /// JOIN that asks a member whether it is still there.
    Ping {
        member: Handle,
    },
    /// HEARTBEAT to whoever sent a JOIN, which is a member or not.
    Answer {
        to: SocketAddr,
        question: Question,
        wants_proof: bool,
    },
    /// LEAVE to a candidate, which may have taken us in.
    Goodbye {
        to: SocketAddr,
    },
    Control {
        member: Handle,
        kind: ControlKind,
    },
    Note {
        member: Handle,
        note: Note,
    },
    Lock {
        to: SocketAddr,
        kind: LockMessageKind,
        id: RequestId,
        key: KeySlot,
    },
    Event(Action),
}

/// The queue. It is full while it holds more than its limit; the node then takes no input, so it
/// never holds more than that and what one input leads to.
#[derive(Clone, Hash, Debug)]
pub(crate) struct Outbox {
    queue: VecDeque<Queued>,
    limit: usize,
}

impl Outbox {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { queue: VecDeque::new(), limit }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.queue.len() > self.limit
    }

    pub(crate) fn push(&mut self, queued: Queued) {
        self.queue.push_back(queued);
    }

    pub(crate) fn control(&mut self, member: Handle, kind: ControlKind) {
        self.push(Queued::Control { member, kind });
    }

    pub(crate) fn note(&mut self, member: Handle, note: Note) {
        self.push(Queued::Note { member, note });
    }

    pub(crate) fn event(&mut self, event: impl Into<Action>) {
        self.push(Queued::Event(event.into()));
    }

    pub(crate) fn pop(&mut self) -> Option<Queued> {
        self.queue.pop_front()
    }
}

macro_rules! into_action {
    ($($event:ty => $variant:ident),+ $(,)?) => {
        $(impl From<$event> for Action {
            fn from(event: $event) -> Self {
                Self::$variant(event)
            }
        })+
    };
}

into_action! {
    PeerEvent => Peer,
    QuorumEvent => Quorum,
    RequestEvent => Request,
    LockEvent => Lock,
    Warning => Warning,
}
