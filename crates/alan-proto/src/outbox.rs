//! What the node wants done and nobody has fetched yet, in order. Messages wait as small values
//! and become bytes only in the caller's buffer.

use alloc::collections::VecDeque;
use core::net::SocketAddr;

use crate::event::{Action, LockEvent, PeerEvent, QuorumEvent, RequestEvent, RequestId, Warning};
use crate::lock::KeySlot;
use crate::wire::LockMessageKind;

/// Which control message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ControlKind {
    Join,
    Leave,
    Heartbeat,
}

/// One thing to be done.
#[derive(Clone, Copy, Hash, Debug)]
pub(crate) enum Queued {
    Control { to: SocketAddr, kind: ControlKind },
    Lock { to: SocketAddr, kind: LockMessageKind, id: RequestId, key: KeySlot },
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

    pub(crate) fn control(&mut self, to: SocketAddr, kind: ControlKind) {
        self.push(Queued::Control { to, kind });
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
