//! What happens to a node, in order, for any number of subscribers.

mod subscriber;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use alan_proto::wire::Settings as PeerSettings;
use alan_proto::{Incarnation, LeaveReason, PeerEvent, QuorumEvent, Warning};
use futures_core::Stream;

use crate::engine::Engine;
use crate::fault;
use crate::wakes::Wakes;

use subscriber::Subscriber;

/// Something that happened to the node.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A node has become a member. Per peer, `Joined` and `Left` alternate.
    Joined {
        /// Its address.
        peer: SocketAddr,
        /// Which life of the node it is; `None` for a classic peer.
        incarnation: Option<Incarnation>,
    },
    /// A member is gone. What it sent before was handed out before; a handler may still be busy with
    /// it.
    Left {
        /// Its address.
        peer: SocketAddr,
        /// Why it is a member no more.
        why: LeaveReason,
    },
    /// A member's name or metadata is known now, or has changed: see
    /// [`Node::peer`](crate::Node::peer).
    Updated {
        /// Its address.
        peer: SocketAddr,
    },
    /// The member that has just joined is configured otherwise than this node, in what all must agree
    /// on.
    ConfigMismatch {
        /// Its address.
        peer: SocketAddr,
        /// What it says that it is configured with.
        theirs: PeerSettings,
    },
    /// Enough nodes are here. Only with a cluster size.
    QuorumReached {
        /// Nodes here, this one included.
        have: usize,
        /// Nodes needed.
        need: usize,
    },
    /// Too few nodes are here. Only with a cluster size.
    QuorumLost {
        /// Nodes here, this one included.
        have: usize,
        /// Nodes needed.
        need: usize,
    },
    /// Messages of this peer are refused, because its queue is full, or all queues together are
    /// (see [`queue_bytes`](crate::Builder::queue_bytes)). Said once, and again only after there
    /// has been room for half as much as there may be.
    QueueFull {
        /// Whose queue; `None` for the one that all strangers share.
        peer: Option<SocketAddr>,
    },
    /// Something that an operator should know.
    Warning(Warning),
    /// A discovery round failed. It is tried again, with growing pauses.
    DiscoveryFailed {
        /// What went wrong, in words.
        error: Arc<str>,
    },
    /// This subscriber was too slow, and so many events were left out. What follows at once is the
    /// difference between what it last saw and what is true now.
    Lagged(u64),
}

impl From<PeerEvent> for Event {
    fn from(event: PeerEvent) -> Self {
        match event {
            PeerEvent::Joined { peer, incarnation } => Self::Joined { peer, incarnation },
            PeerEvent::Left { peer, why } => Self::Left { peer, why },
            PeerEvent::Updated { peer } => Self::Updated { peer },
            PeerEvent::ConfigMismatch { peer, settings: theirs, .. } => {
                Self::ConfigMismatch { peer, theirs }
            }
            other => {
                unreachable!("a change of membership that this version does not know: {other:?}")
            }
        }
    }
}

impl From<QuorumEvent> for Event {
    fn from(event: QuorumEvent) -> Self {
        match event {
            QuorumEvent::Reached { have, need } => Self::QuorumReached { have, need },
            QuorumEvent::Lost { have, need } => Self::QuorumLost { have, need },
            other => {
                unreachable!("a change of the quorum that this version does not know: {other:?}")
            }
        }
    }
}

/// What is true, as far as it has been told: the members and the quorum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct View {
    members: BTreeMap<SocketAddr, Member>,
    quorum: Quorum,
}

/// What was told about a member since it joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member {
    incarnation: Option<Incarnation>,
    /// How often it was said that its name or metadata have changed.
    updates: u64,
    mismatch: Option<PeerSettings>,
}

/// The last thing that was said about the quorum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Quorum {
    reached: bool,
    have: usize,
    need: usize,
}

impl Quorum {
    const fn event(self) -> Event {
        let Self { reached, have, need } = self;
        if reached { Event::QuorumReached { have, need } } else { Event::QuorumLost { have, need } }
    }
}

impl View {
    fn apply(&mut self, event: &Event) {
        match *event {
            Event::Joined { peer, incarnation } => {
                self.members.insert(peer, Member { incarnation, updates: 0, mismatch: None });
            }
            Event::Updated { peer } => {
                if let Some(member) = self.members.get_mut(&peer) {
                    member.updates += 1;
                }
            }
            Event::ConfigMismatch { peer, theirs } => {
                if let Some(member) = self.members.get_mut(&peer) {
                    member.mismatch = Some(theirs);
                }
            }
            Event::Left { peer, .. } => {
                self.members.remove(&peer);
            }
            Event::QuorumReached { have, need } => {
                self.quorum = Quorum { reached: true, have, need };
            }
            Event::QuorumLost { have, need } => {
                self.quorum = Quorum { reached: false, have, need };
            }
            Event::QueueFull { .. }
            | Event::Warning(_)
            | Event::DiscoveryFailed { .. }
            | Event::Lagged(_) => {}
        }
    }
}

/// All subscribers, and what is true.
#[derive(Debug)]
pub(crate) struct Hub {
    view: View,
    subscribers: BTreeMap<u64, Subscriber>,
    next: u64,
    limit: usize,
    closed: bool,
}

impl Hub {
    /// A hub whose subscribers have `limit` events queued at most.
    pub(crate) fn new(limit: usize) -> Self {
        Self { view: View::default(), subscribers: BTreeMap::new(), next: 0, limit, closed: false }
    }

    pub(crate) fn publish(&mut self, event: &Event, wakes: &mut Wakes) {
        self.view.apply(event);
        for (place, subscriber) in self.subscribers.values_mut().enumerate() {
            for _ in 0..fault::times_told(event, place) {
                subscriber.push(event, self.limit, wakes);
            }
        }
    }

    /// Nothing more comes: who has read all is told so.
    pub(crate) fn close(&mut self, wakes: &mut Wakes) {
        self.closed = true;
        for subscriber in self.subscribers.values_mut() {
            subscriber.wake(wakes);
        }
    }

    fn subscribe(&mut self) -> u64 {
        self.next += 1;
        self.subscribers.insert(self.next, Subscriber::new(&self.view));
        self.next
    }

    /// What is left of a subscriber, to be dropped when no mutex is held: its waker is in it.
    fn unsubscribe(&mut self, subscriber: u64) -> Option<Subscriber> {
        self.subscribers.remove(&subscriber)
    }

    fn poll(
        &mut self,
        subscriber: u64,
        context: &Context<'_>,
        wakes: &mut Wakes,
    ) -> Poll<Option<Event>> {
        let subscriber = self
            .subscribers
            .get_mut(&subscriber)
            .expect("a subscriber is removed when its stream is dropped");
        match subscriber.next(&self.view) {
            Some(event) => Poll::Ready(Some(event)),
            None if self.closed => Poll::Ready(None),
            None => {
                subscriber.register(context.waker(), wakes);
                Poll::Pending
            }
        }
    }
}

/// The events of a node, in order: a [`Stream`], or [`recv`](Self::recv) by [`recv`](Self::recv).
///
/// It opens with the members of the moment of subscription, as [`Event::Joined`] and what else is
/// known of each, so that nothing falls between a look at the peers and the first event. Each subscriber has a bounded queue of
/// its own; one that lags gets [`Event::Lagged`] and then what has changed, and holds nobody up.
/// The stream ends when the node has left the cluster.
#[derive(Debug)]
#[must_use = "dropped, it is a subscription no more"]
pub struct Events {
    engine: Arc<Engine>,
    subscriber: u64,
}

impl Events {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        let subscriber = engine.outlet().events.subscribe();
        Self { engine, subscriber }
    }

    /// The next event, or `None` once the node has left the cluster. Cancelling loses nothing.
    pub async fn recv(&mut self) -> Option<Event> {
        std::future::poll_fn(|context| self.poll_recv(context)).await
    }

    fn poll_recv(&self, context: &Context<'_>) -> Poll<Option<Event>> {
        self.engine.deliver(|outlet, _, wakes| outlet.events.poll(self.subscriber, context, wakes))
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_recv(context)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _dropped_outside = self.engine.outlet().events.unsubscribe(self.subscriber);
    }
}
