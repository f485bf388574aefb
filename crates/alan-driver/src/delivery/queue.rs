//! One peer's queue: its messages in order, and between them the marks where it left and joined.

use std::collections::VecDeque;
use std::net::SocketAddr;

use alan_proto::PeerEvent;

use super::Inbound;

#[derive(Debug)]
pub(super) enum Entry {
    Message(Inbound),
    /// To be told when no message stands before it any more, so it is never the first entry.
    Peer(PeerEvent),
}

/// Whether somebody is at the queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Turn {
    #[default]
    Idle,
    /// It stands in the row of those with messages.
    Waiting,
    /// A server hands its messages out, one after the other.
    Served,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    messages: usize,
    turn: Turn,
    /// Whether its peer is a member.
    pub(super) member: bool,
    /// Whether it has been said that it has no room, and nothing was said to have changed since.
    pub(super) told: bool,
}

impl Queue {
    pub(super) const fn messages(&self) -> usize {
        self.messages
    }

    /// Whether a message waits, or may be in the hands of a server.
    pub(super) fn is_busy(&self) -> bool {
        self.messages > 0 || self.turn == Turn::Served
    }

    pub(super) fn push_message(&mut self, message: Inbound) {
        if fault!(ShuffleLongQueues) && self.messages >= 40 {
            self.entries.push_front(Entry::Message(message));
        } else {
            self.entries.push_back(Entry::Message(message));
        }
        self.messages += 1;
    }

    pub(super) fn has_marker(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry, Entry::Peer(_)))
    }

    #[cfg(test)]
    pub(super) fn marks(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry, Entry::Peer(_))).count()
    }

    /// Marks a change. A `Left` right behind the `Joined` that nobody has been told cancels it, with
    /// all that was to be told about that member in between; news about a name take the place of
    /// older ones. So at most four marks stand between two messages.
    pub(super) fn push_marker(&mut self, marker: PeerEvent) {
        let left = matches!(marker, PeerEvent::Left { .. });
        while let Some(Entry::Peer(last)) = self.entries.back() {
            match last {
                PeerEvent::Left { .. } => break,
                PeerEvent::Joined { .. } if left => {
                    self.entries.pop_back();
                    return;
                }
                _ if left || *last == marker => self.entries.pop_back(),
                _ => break,
            };
        }
        self.entries.push_back(Entry::Peer(marker));
    }

    /// The message at the front, unless a mark stands before it.
    pub(super) fn pop_message(&mut self) -> Option<Inbound> {
        match self.entries.pop_front()? {
            Entry::Message(message) => {
                self.messages -= 1;
                Some(message)
            }
            marker @ Entry::Peer(_) => {
                self.entries.push_front(marker);
                None
            }
        }
    }

    /// The mark at the front, unless a message stands before it.
    pub(super) fn pop_marker(&mut self) -> Option<PeerEvent> {
        match self.entries.pop_front()? {
            Entry::Peer(marker) => Some(marker),
            message @ Entry::Message(_) => {
                self.entries.push_front(message);
                None
            }
        }
    }

    /// Everything that is queued.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Entry> + '_ {
        self.messages = 0;
        self.entries.drain(..)
    }

    /// Takes out what `sender` has sent, in order.
    pub(super) fn split_off(&mut self, sender: SocketAddr) -> Self {
        let is_theirs =
            |entry: &Entry| matches!(entry, Entry::Message(message) if message.from == sender);
        let (theirs, others): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.entries).into_iter().partition(is_theirs);
        self.messages = others.len();
        self.entries = others;
        Self { messages: theirs.len(), entries: theirs, ..Self::default() }
    }

    /// Lines up for being read; true when it was idle and has something to read.
    pub(super) fn begin_turn(&mut self) -> bool {
        let begins = self.turn == Turn::Idle && self.messages > 0;
        if begins {
            self.turn = Turn::Waiting;
        }
        begins
    }

    pub(super) const fn serve(&mut self) {
        self.turn = Turn::Served;
    }

    pub(super) const fn end_turn(&mut self) {
        self.turn = Turn::Idle;
    }

    /// Steps out of the row if it stands there; whether it did.
    pub(super) fn abandon_turn(&mut self) -> bool {
        let waited = self.turn == Turn::Waiting;
        if waited {
            self.turn = Turn::Idle;
        }
        waited
    }
}
