//! Messages on their way to the user: per peer in order, bounded, and before the peer's `Left`.

mod incoming;
mod message;
mod queue;
mod served;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::task::Waker;

use alan_proto::{PeerEvent, RequestId};

use crate::wakes::Wakes;

pub use incoming::{Incoming, IncomingTaken};
pub(crate) use message::{Inbound, Kind};
pub use message::{Message, Request};
use queue::{Entry, Queue};
pub(crate) use served::serve_in_tasks;
pub use served::{Queues, Served};

/// Whose messages wait in a queue.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum QueueKey {
    /// A member's, or a former member's.
    Peer(SocketAddr),
    /// Everybody else's.
    Strangers,
}

/// What became of a message that was put into the inbox.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    Queued,
    /// Turned away; `tell` when its queue has only just become full.
    Refused {
        queue: QueueKey,
        tell: bool,
    },
}

/// Why the loop reads from the socket, which matters where full queues block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    /// To hand out messages: reading stops while a queue is full. What came in one batch with the
    /// message that filled it is queued nevertheless.
    ToDeliver,
    /// To hear everybody before anybody is declared silent: reading stops for nothing, and messages
    /// whose queue is full are refused.
    ToJudge,
}

/// Who reads the messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Consumer {
    /// Nobody yet: messages wait, events don't wait for them.
    Awaited,
    Present,
    /// It was dropped: messages go nowhere.
    Gone,
}

/// How the inbox is bounded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InboxLimits {
    /// Messages per queue.
    pub(crate) messages: usize,
    /// Queues, those of departed peers that were not read to the end included.
    pub(crate) queues: usize,
    /// Bytes of payload in all queues together.
    pub(crate) bytes: usize,
    /// Whether a full queue stops all receiving, instead of refusing its own messages.
    pub(crate) block: bool,
}

/// All queues of a node, and which of them have something to hand out.
#[derive(Debug)]
pub(crate) struct Inbox {
    limits: InboxLimits,
    peers: HashMap<SocketAddr, Queue>,
    strangers: Queue,
    /// The stranger whose message is in the hands of a server.
    stranger_served: Option<SocketAddr>,
    /// Queues with messages that nobody serves at present, in the order of their turns.
    turns: VecDeque<QueueKey>,
    consumer: Consumer,
    reader: Option<Waker>,
    closed: bool,
    queued: usize,
    queued_bytes: usize,
    /// How many queues are full, and who waits until none is.
    full: usize,
    blocked: Option<Waker>,
    refused: u64,
    discarded: u64,
    /// Requests that were queued and dropped unread since this was last asked for.
    unanswered: Vec<(SocketAddr, RequestId)>,
}

impl Inbox {
    pub(crate) fn new(limits: InboxLimits) -> Self {
        Self {
            limits,
            peers: HashMap::new(),
            strangers: Queue::default(),
            stranger_served: None,
            turns: VecDeque::new(),
            consumer: Consumer::Awaited,
            reader: None,
            closed: false,
            queued: 0,
            queued_bytes: 0,
            full: 0,
            blocked: None,
            refused: 0,
            discarded: 0,
            unanswered: Vec::new(),
        }
    }

    /// The requests that were dropped unread since the last call.
    pub(crate) fn take_unanswered(&mut self) -> Vec<(SocketAddr, RequestId)> {
        std::mem::take(&mut self.unanswered)
    }

    /// Messages that were turned away, and messages that were queued and dropped unread.
    pub(crate) const fn losses(&self) -> (u64, u64) {
        (self.refused, self.discarded)
    }

    /// Messages that wait to be read, and queues that hold some.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let queues = self.peers.values().filter(|queue| queue.messages() > 0).count();
        (self.queued, queues + usize::from(self.strangers.messages() > 0))
    }

    /// Bytes of payload that wait to be read.
    pub(crate) const fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Queues a message behind what its sender sent before.
    pub(crate) fn push(
        &mut self,
        message: Inbound,
        reading: Reading,
        wakes: &mut Wakes,
    ) -> Admission {
        let key = if self.peers.contains_key(&message.from) {
            QueueKey::Peer(message.from)
        } else {
            QueueKey::Strangers
        };
        if self.consumer == Consumer::Gone || self.closed || self.is_faultily_deaf_to(key) {
            self.refused += 1;
            return Admission::Refused { queue: key, tell: false };
        }
        let limit = self.limits.messages;
        let patient = self.blocks() && reading == Reading::ToDeliver;
        let bytes = self.queued_bytes + message.payload.len();
        let fits = bytes <= self.limits.bytes;
        let has_abated = self.has_abated();
        let queue = self.queue_mut(key).expect("it was found, or is the strangers'");
        if (queue.messages() >= limit || !fits) && !patient {
            let tell = !std::mem::replace(&mut queue.told, true);
            self.refused += 1;
            return Admission::Refused { queue: key, tell };
        }
        queue.told &= !(has_abated && queue.messages() <= limit / 2);
        queue.push_message(message);
        let became_full = queue.messages() == limit;
        let idle = queue.begin_turn();
        self.full += usize::from(became_full);
        self.queued += 1;
        self.queued_bytes = bytes;
        if idle {
            self.turns.push_back(key);
            wakes.take(&mut self.reader);
        }
        Admission::Queued
    }

    /// Takes note of a change of the membership. What is to be told at once is added to `tell`; the
    /// rest follows when no message before it waits any more. A message in the hands of a server
    /// does not wait: a handler that is stuck must not hide that its peer is dead.
    pub(crate) fn on_peer(&mut self, event: PeerEvent, tell: &mut Vec<PeerEvent>) {
        let waits = self.consumer == Consumer::Present && !fault!(LeftOvertakes);
        match event {
            PeerEvent::Joined { peer, .. } => {
                if !self.peers.contains_key(&peer) {
                    self.adopt(peer);
                }
                let queue = self.peers.get_mut(&peer).expect("it has just been made");
                queue.member = true;
                if queue.has_marker() {
                    queue.push_marker(event);
                } else {
                    tell.push(event);
                }
            }
            PeerEvent::Left { peer, .. } => {
                let Some(queue) = self.peers.get_mut(&peer) else {
                    tell.push(event);
                    return;
                };
                queue.member = false;
                if waits && queue.messages() > 0 {
                    queue.push_marker(event);
                } else {
                    tell.push(event);
                }
                if self.peers.len() > self.limits.queues {
                    self.discard(QueueKey::Peer(peer), tell);
                    // Whoever asked is gone.
                    self.unanswered.clear();
                }
                self.forget_if_done(peer);
            }
            other => match self.peers.get_mut(&other.peer()) {
                Some(queue) if queue.has_marker() => queue.push_marker(other),
                _ => tell.push(other),
            },
        }
    }

    /// The next message of whoever's turn it is. Events that waited for it go to `tell`.
    pub(crate) fn take_next(
        &mut self,
        tell: &mut Vec<PeerEvent>,
        wakes: &mut Wakes,
    ) -> Option<Inbound> {
        let key = self.turns.pop_front()?;
        let queue = self.queue_mut(key).expect("a queue with a turn exists");
        queue.end_turn();
        let message = self.pop_message(key, wakes);
        self.release_markers(key, tell);
        if self.queue_mut(key).is_some_and(Queue::begin_turn) {
            self.turns.push_back(key);
        }
        self.forget(key);
        message
    }

    /// Gives the queue whose turn it is to one server, until [`next_served`](Self::next_served)
    /// finds it empty.
    pub(crate) fn take_queue(&mut self) -> Option<QueueKey> {
        let key = self.turns.pop_front()?;
        self.queue_mut(key).expect("a queue with a turn exists").serve();
        Some(key)
    }

    /// The next message of a queue that is being served; the one before it is done with. Events that
    /// waited for nothing but this message go to `tell`: whether its server ever finishes it is no
    /// concern of theirs. `None` ends the serving.
    pub(crate) fn next_served(
        &mut self,
        key: QueueKey,
        tell: &mut Vec<PeerEvent>,
        wakes: &mut Wakes,
    ) -> Option<Inbound> {
        self.finish_served(key, wakes);
        let message = self.pop_message(key, wakes);
        self.release_markers(key, tell);
        match &message {
            None => self.end_serving(key, wakes),
            Some(message) if key == QueueKey::Strangers => {
                self.stranger_served = Some(message.from);
            }
            Some(_) => {}
        }
        message
    }

    /// Ends the serving of a queue, whatever is left in it.
    pub(crate) fn end_serving(&mut self, key: QueueKey, wakes: &mut Wakes) {
        self.finish_served(key, wakes);
        if let Some(queue) = self.queue_mut(key) {
            queue.end_turn();
            if queue.begin_turn() {
                self.turns.push_back(key);
                wakes.take(&mut self.reader);
            }
        }
        self.forget(key);
    }

    /// Makes the caller the one who reads. False when there is, or was, one already.
    pub(crate) fn attach(&mut self) -> bool {
        let free = self.consumer == Consumer::Awaited || fault!(PermitManyReaders);
        if free {
            self.consumer = Consumer::Present;
        }
        free
    }

    /// The reader is gone: nobody will read what is queued, and no event waits for it.
    pub(crate) fn detach(&mut self, tell: &mut Vec<PeerEvent>, wakes: &mut Wakes) {
        self.consumer = Consumer::Gone;
        wakes.discard(self.reader.take());
        if self.closed {
            return; // Servers that still have some read theirs to the end.
        }
        let keys: Vec<_> = self.peers.keys().copied().map(QueueKey::Peer).collect();
        for key in keys.into_iter().chain([QueueKey::Strangers]) {
            self.discard(key, tell);
            self.forget(key);
        }
        self.turns.clear();
        wakes.take(&mut self.blocked);
    }

    /// No more messages come. Those that wait can still be read.
    pub(crate) fn close(&mut self, wakes: &mut Wakes) {
        self.closed = true;
        wakes.take(&mut self.reader);
    }

    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn register(&mut self, reader: &Waker, wakes: &mut Wakes) {
        wakes.register(&mut self.reader, reader);
    }

    /// Whether receiving must stop until a full queue has room; then `driver` is woken.
    pub(crate) fn must_wait(&mut self, driver: &Waker, wakes: &mut Wakes) -> bool {
        let must_wait = self.is_blocked();
        if must_wait {
            wakes.register(&mut self.blocked, driver);
        }
        must_wait
    }

    /// Whether receiving must stop until a full queue has room.
    pub(crate) const fn is_blocked(&self) -> bool {
        self.is_full() && self.blocks()
    }

    /// Whether a queue is full, or all of them together are.
    const fn is_full(&self) -> bool {
        self.full > 0 || self.queued_bytes >= self.limits.bytes
    }

    /// Whether there is so much room again that a lack of it would be news.
    const fn has_abated(&self) -> bool {
        self.queued_bytes <= self.limits.bytes / 2
    }

    const fn blocks(&self) -> bool {
        self.limits.block && matches!(self.consumer, Consumer::Present)
    }

    fn queue_mut(&mut self, key: QueueKey) -> Option<&mut Queue> {
        match key {
            QueueKey::Peer(peer) => self.peers.get_mut(&peer),
            QueueKey::Strangers => Some(&mut self.strangers),
        }
    }

    /// Makes a queue for a new member, and moves there what it sent as a stranger: otherwise
    /// the two could overtake each other. While a message of it is being handled, the new queue
    /// is in the same hands.
    fn adopt(&mut self, peer: SocketAddr) {
        let limit = self.limits.messages;
        let was_full = self.strangers.messages() >= limit;
        let mut queue = self.strangers.split_off(peer);
        self.full -= usize::from(was_full && self.strangers.messages() < limit);
        self.full += usize::from(queue.messages() >= limit);
        if self.stranger_served == Some(peer) {
            queue.serve();
        }
        if queue.begin_turn() {
            self.turns.push_back(QueueKey::Peer(peer));
        }
        if self.strangers.messages() == 0 && self.strangers.abandon_turn() {
            self.turns.retain(|key| *key != QueueKey::Strangers);
        }
        self.peers.insert(peer, queue);
    }

    /// The message in the server's hands is done with. If its sender has become a member since, the
    /// queue that it then got is free.
    fn finish_served(&mut self, key: QueueKey, wakes: &mut Wakes) {
        if key == QueueKey::Strangers
            && let Some(peer) = self.stranger_served.take()
        {
            self.end_serving(QueueKey::Peer(peer), wakes);
        }
    }

    fn pop_message(&mut self, key: QueueKey, wakes: &mut Wakes) -> Option<Inbound> {
        let was_full = self.is_full();
        let queue = self.queue_mut(key)?;
        let message = queue.pop_message()?;
        let left = queue.messages();
        self.queued -= 1;
        self.queued_bytes -= message.payload.len();
        self.full -= usize::from(left + 1 == self.limits.messages);
        if was_full && !self.is_full() {
            wakes.take(&mut self.blocked);
        }
        Some(message)
    }

    fn release_markers(&mut self, key: QueueKey, tell: &mut Vec<PeerEvent>) {
        if let Some(queue) = self.queue_mut(key) {
            while let Some(marker) = queue.pop_marker() {
                tell.push(marker);
            }
        }
    }

    /// Drops what is queued, and lets the events behind it go.
    fn discard(&mut self, key: QueueKey, tell: &mut Vec<PeerEvent>) {
        let limit = self.limits.messages;
        let Some(queue) = self.queue_mut(key) else { return };
        let was_full = queue.messages() >= limit;
        let (dropped, mut dropped_bytes) = (queue.messages(), 0);
        let had_turn = queue.abandon_turn();
        let mut unanswered = Vec::new();
        for entry in queue.drain() {
            match entry {
                Entry::Message(message) => {
                    dropped_bytes += message.payload.len();
                    unanswered.extend(message.request());
                }
                Entry::Peer(marker) => tell.push(marker),
            }
        }
        self.unanswered.append(&mut unanswered);
        self.queued -= dropped;
        self.queued_bytes -= dropped_bytes;
        self.discarded += dropped as u64;
        self.full -= usize::from(was_full);
        if had_turn {
            self.turns.retain(|other| *other != key);
        }
    }

    fn forget(&mut self, key: QueueKey) {
        if let QueueKey::Peer(peer) = key {
            self.forget_if_done(peer);
        }
    }

    fn is_faultily_deaf_to(&self, key: QueueKey) -> bool {
        fault!(IgnoreStrangers) && key == QueueKey::Strangers
            || fault!(DropUnread) && self.consumer == Consumer::Awaited
    }

    /// A queue goes when its peer has left and all of it has been handed out.
    fn forget_if_done(&mut self, peer: SocketAddr) {
        if self.peers.get(&peer).is_some_and(|queue| !queue.member && !queue.is_busy()) {
            self.peers.remove(&peer);
        }
    }
}

#[cfg(test)]
mod tests;
