//! What is known of each key: who has it, who of this node wants it, who was denied it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::net::SocketAddr;

use super::key::{Key, MAX_KEY};
use crate::event::RequestId;
use crate::storage::{Handle, HashKey, Map};
use crate::timer::TimerId;

/// Who has a key, as this node knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) enum Holder {
    #[default]
    Nobody,
    /// A caller of this node.
    Here,
    /// A peer that this node granted it to (or, in the Go algorithm, that denied it).
    Peer(Note),
}

/// The note that a grant leaves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Note {
    pub(super) peer: SocketAddr,
    pub(super) id: RequestId,
}

/// How many places of each vector an entry keeps for its next key.
const KEPT: usize = 128;

/// One key's state.
#[derive(Clone, Hash, Debug, Default)]
pub(super) struct Entry {
    pub(super) holder: Holder,
    /// Ends a grant to a stranger.
    pub(super) lease: Option<TimerId>,
    /// Reminds the noted holder of its grant.
    pub(super) reminder: Option<TimerId>,
    pub(super) reminders: u8,
    /// Callers of this node, in the order of their calls.
    pub(super) callers: VecDeque<Handle>,
    /// Who is to be told when the key is free here, each once. Changed through the table only,
    /// which counts them.
    denied: Vec<SocketAddr>,
    /// Outputs that name this entry and are not encoded yet.
    unsent: u32,
}

impl Entry {
    fn is_idle(&self) -> bool {
        self.holder == Holder::Nobody
            && self.callers.is_empty()
            && self.denied.is_empty()
            && self.unsent == 0
    }

    pub(super) fn denied(&self) -> &[SocketAddr] {
        &self.denied
    }

    /// Ready for another key; the vectors keep their memory, if it is not much.
    fn clear(&mut self) {
        let mut callers = core::mem::take(&mut self.callers);
        let mut denied = core::mem::take(&mut self.denied);
        callers.clear();
        denied.clear();
        callers.shrink_to(KEPT);
        denied.shrink_to(KEPT);
        *self = Self { callers, denied, ..Self::default() };
    }
}

/// Values kept for their memory only: they are no part of the state, nor of its hash.
#[derive(Clone, Debug)]
pub(super) struct Spare<T>(Vec<T>);

impl<T> Spare<T> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn put(&mut self, value: T) {
        self.0.push(value);
    }

    pub(super) fn take(&mut self) -> Option<T> {
        self.0.pop()
    }
}

impl<T> Hash for Spare<T> {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

/// All keys: bounded, and without allocation once warm (long keys excepted).
#[derive(Clone, Hash, Debug)]
pub(super) struct KeyTable {
    entries: Map<Key, Entry>,
    spare: Spare<Entry>,
    long: u32,
    max_long: u32,
    max_len: usize,
    /// Denied peers of all keys together, and the most of them.
    denied: u32,
    max_denied: u32,
}

impl KeyTable {
    pub(super) const fn new(max: u32, max_long: u32, max_len: usize, hash_key: HashKey) -> Self {
        Self {
            entries: Map::new(max, hash_key),
            spare: Spare::new(),
            long: 0,
            max_long,
            max_len,
            denied: 0,
            max_denied: max,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// One more than the highest slot in use so far.
    pub(super) fn slots(&self) -> usize {
        self.entries.slots()
    }

    pub(super) fn handle_at(&self, slot: usize) -> Option<Handle> {
        self.entries.handle_at(slot)
    }

    pub(super) fn find(&self, key: &[u8]) -> Option<Handle> {
        self.entries.find(key)
    }

    /// The key's entry, a new one if need be; `None` if there is no room for it.
    pub(super) fn find_or_insert(&mut self, key: &[u8]) -> Option<Handle> {
        if let Some(found) = self.entries.find(key) {
            return Some(found);
        }
        let long = key.len() > MAX_KEY;
        if long && (self.long >= self.max_long || key.len() > self.max_len) {
            return None;
        }
        if self.entries.is_full() {
            return None;
        }
        let entry = self.spare.take().unwrap_or_default();
        let inserted = self.entries.insert(Key::new(key), entry).ok()?;
        self.long += u32::from(long);
        Some(inserted)
    }

    pub(super) fn key(&self, entry: Handle) -> &[u8] {
        let (key, _) = self.entries.at(entry).expect("an entry lives while something names it");
        key.as_bytes()
    }

    pub(super) fn get(&self, entry: Handle) -> &Entry {
        let (_, value) = self.entries.at(entry).expect("an entry lives while something names it");
        value
    }

    pub(super) fn get_mut(&mut self, entry: Handle) -> &mut Entry {
        self.entries.at_mut(entry).expect("an entry lives while something names it")
    }

    /// Remembers a peer that was denied the key, once; false if there is no room, `limit` being the
    /// most for one key.
    pub(super) fn deny(&mut self, entry: Handle, peer: SocketAddr, limit: usize) -> bool {
        let full = self.denied >= self.max_denied;
        let denied = &mut self.get_mut(entry).denied;
        if denied.contains(&peer) {
            return true;
        }
        if full || denied.len() >= limit {
            return false;
        }
        denied.push(peer);
        self.denied += 1;
        true
    }

    /// Forgets a denied peer, if it is one.
    pub(super) fn forget_denied(&mut self, entry: Handle, peer: SocketAddr) {
        let denied = &mut self.get_mut(entry).denied;
        if let Some(place) = denied.iter().position(|denied| *denied == peer) {
            denied.remove(place);
            self.denied -= 1;
        }
    }

    /// Forgets all peers that were denied the key, and gives how many there were.
    pub(super) fn forget_all_denied(&mut self, entry: Handle) -> u32 {
        let denied = &mut self.get_mut(entry).denied;
        let count = u32::try_from(denied.len()).expect("their total is counted in a u32");
        denied.clear();
        self.denied -= count;
        count
    }

    /// One more output names the entry.
    pub(super) fn retain(&mut self, entry: Handle) {
        self.get_mut(entry).unsent += 1;
    }

    /// One output less names it.
    pub(super) fn release(&mut self, entry: Handle) {
        let unsent = &mut self.get_mut(entry).unsent;
        debug_assert!(*unsent > 0, "each output is sent once");
        *unsent = unsent.saturating_sub(1);
        self.discard_if_idle(entry);
    }

    /// Forgets the key if there is nothing to know of it.
    pub(super) fn discard_if_idle(&mut self, entry: Handle) {
        if self.entries.at(entry).is_none_or(|(_, value)| !value.is_idle()) {
            return;
        }
        if let Some((key, mut value)) = self.entries.remove_at(entry) {
            self.long -= u32::from(matches!(key, Key::Long(_)));
            debug_assert!(value.lease.is_none() && value.reminder.is_none(), "timers are stopped");
            value.clear();
            self.spare.put(value);
        }
    }
}
