//! Bounded tables that do not allocate once they are warm: a slab with stable handles, a map over
//! it, and a set of slots.
//!
//! Iteration is in slot order, so it depends on the history of inserts and removals and on nothing
//! else. The map's hash is keyed from the injected generator: a stranger who picks the keys can't
//! pick collisions.

use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;
use core::hash::{Hash, Hasher};

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

/// Names one value in a [`Slab`]; a value stored later in the same slot has another handle.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Handle {
    index: u32,
    generation: u32,
}

impl Handle {
    /// The slot, smaller than the slab's limit.
    pub(crate) const fn index(self) -> usize {
        self.index as usize
    }

    /// Both halves in one number, for ids that leave the core.
    pub(crate) const fn to_bits(self) -> u64 {
        ((self.generation as u64) << 32) | self.index as u64
    }

    /// The inverse of [`Self::to_bits`].
    #[allow(clippy::cast_possible_truncation, reason = "splits a number into its halves")]
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

#[derive(Clone, Debug, Hash)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

/// A bounded table of values with stable handles.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    limit: u32,
}

impl<T> Slab<T> {
    pub(crate) const fn new(limit: u32) -> Self {
        Self { slots: Vec::new(), free: Vec::new(), limit }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.limit as usize
    }

    /// Stores `value`, or gives it back if the slab is full.
    pub(crate) fn insert(&mut self, value: T) -> Result<Handle, T> {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.value = Some(value);
            return Ok(Handle { index, generation: slot.generation });
        }
        let Ok(index) = u32::try_from(self.slots.len()) else {
            return Err(value);
        };
        if index >= self.limit {
            return Err(value);
        }
        self.slots.push(Slot { generation: 0, value: Some(value) });
        // Room for every slot to be free at once, so that removing never allocates.
        self.free.reserve(self.slots.capacity());
        Ok(Handle { index, generation: 0 })
    }

    pub(crate) fn get(&self, handle: Handle) -> Option<&T> {
        let slot = self.slots.get(handle.index())?;
        if slot.generation == handle.generation { slot.value.as_ref() } else { None }
    }

    pub(crate) fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        let slot = self.slots.get_mut(handle.index())?;
        if slot.generation == handle.generation { slot.value.as_mut() } else { None }
    }

    /// The handle of what is stored in slot `index` now.
    pub(crate) fn handle_at(&self, index: usize) -> Option<Handle> {
        let slot = self.slots.get(index)?;
        slot.value.as_ref()?;
        Some(Handle { index: u32::try_from(index).ok()?, generation: slot.generation })
    }

    pub(crate) fn remove(&mut self, handle: Handle) -> Option<T> {
        let slot = self.slots.get_mut(handle.index())?;
        if slot.generation != handle.generation {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(handle.index);
        Some(value)
    }

    /// In slot order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Handle, &T)> {
        self.slots.iter().zip(0u32..).filter_map(|(slot, index)| {
            let value = slot.value.as_ref()?;
            Some((Handle { index, generation: slot.generation }, value))
        })
    }

    /// One more than the highest slot in use so far: with [`Self::handle_at`], a loop over all
    /// slots that may change the slab on the way.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }
}

impl<T: Hash> Hash for Slab<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.slots.hash(state);
        self.free.hash(state);
    }
}

/// The secret of a [`Map`]'s hash.
#[derive(Clone, Copy)]
pub(crate) struct HashKey(pub(crate) u64, pub(crate) u64);

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(redacted)")
    }
}

impl HashKey {
    fn hash<Q: Hash + ?Sized>(self, key: &Q) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.1);
        key.hash(&mut hasher);
        hasher.finish()
    }
}

/// A bounded map: a [`Slab`] of entries and a keyed hash index over it.
#[derive(Clone, Debug)]
pub(crate) struct Map<K, V> {
    entries: Slab<(K, V)>,
    index: HashTable<Handle>,
    hash_key: HashKey,
}

impl<K: Hash + Eq, V> Map<K, V> {
    pub(crate) const fn new(limit: u32, hash_key: HashKey) -> Self {
        Self { entries: Slab::new(limit), index: HashTable::new(), hash_key }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.entries.is_full()
    }

    pub(crate) fn find<Q>(&self, key: &Q) -> Option<Handle>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let entries = &self.entries;
        self.index
            .find(self.hash_key.hash(key), |&handle| {
                entries.get(handle).is_some_and(|(stored, _)| stored.borrow() == key)
            })
            .copied()
    }

    pub(crate) fn contains<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.find(key).is_some()
    }

    pub(crate) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.at(self.find(key)?).map(|(_, value)| value)
    }

    pub(crate) fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let handle = self.find(key)?;
        self.at_mut(handle)
    }

    pub(crate) fn at(&self, handle: Handle) -> Option<(&K, &V)> {
        self.entries.get(handle).map(|(key, value)| (key, value))
    }

    pub(crate) fn at_mut(&mut self, handle: Handle) -> Option<&mut V> {
        self.entries.get_mut(handle).map(|(_, value)| value)
    }

    pub(crate) fn handle_at(&self, index: usize) -> Option<Handle> {
        self.entries.handle_at(index)
    }

    /// See [`Slab::slots`].
    pub(crate) fn slots(&self) -> usize {
        self.entries.slots()
    }

    /// Stores a value under a key that must not be present, or gives the value back if the map is
    /// full.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Result<Handle, V> {
        debug_assert!(!self.contains(&key), "a key is inserted once");
        let hash = self.hash_key.hash(&key);
        let handle = self.entries.insert((key, value)).map_err(|(_, value)| value)?;
        let Self { entries, index, hash_key } = self;
        index.insert_unique(hash, handle, |&other| {
            let (key, _) = entries.get(other).expect("the index names stored entries only");
            hash_key.hash(key)
        });
        Ok(handle)
    }

    pub(crate) fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let handle = self.find(key)?;
        self.remove_at(handle).map(|(_, value)| value)
    }

    pub(crate) fn remove_at(&mut self, handle: Handle) -> Option<(K, V)> {
        let (key, value) = self.entries.remove(handle)?;
        if let Ok(found) = self.index.find_entry(self.hash_key.hash(&key), |&h| h == handle) {
            found.remove();
        }
        Some((key, value))
    }

    /// In slot order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Handle, &K, &V)> {
        self.entries.iter().map(|(handle, (key, value))| (handle, key, value))
    }
}

impl<K: Hash, V: Hash> Hash for Map<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.entries.hash(state);
    }
}

/// A set of slot numbers; keeps its memory when cleared.
#[derive(Clone, Debug, Default, Hash, PartialEq, Eq)]
pub(crate) struct SlotSet {
    words: Vec<u64>,
    len: u32,
}

impl SlotSet {
    pub(crate) const fn new() -> Self {
        Self { words: Vec::new(), len: 0 }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn contains(&self, slot: usize) -> bool {
        self.words.get(slot / 64).is_some_and(|word| word & (1 << (slot % 64)) != 0)
    }

    /// Whether the slot was absent before.
    pub(crate) fn insert(&mut self, slot: usize) -> bool {
        let word = slot / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let absent = !self.contains(slot);
        self.words[word] |= 1 << (slot % 64);
        self.len += u32::from(absent);
        absent
    }

    /// Whether the slot was present before.
    pub(crate) fn remove(&mut self, slot: usize) -> bool {
        let present = self.contains(slot);
        if present {
            self.words[slot / 64] &= !(1 << (slot % 64));
            self.len -= 1;
        }
        present
    }

    pub(crate) fn clear(&mut self) {
        self.words.fill(0);
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_handle_finds_nothing() {
        let mut slab = Slab::new(2);
        let first = slab.insert('a').expect("room");
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('b').expect("room");
        assert_eq!(first.index(), second.index());
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&'b'));
        assert_eq!(Handle::from_bits(second.to_bits()), second);
    }

    #[test]
    fn a_full_slab_gives_the_value_back() {
        let mut slab = Slab::new(1);
        let handle = slab.insert(1).expect("room");
        assert_eq!(slab.insert(2), Err(2));
        slab.remove(handle);
        assert!(slab.insert(3).is_ok());
    }

    #[test]
    fn a_map_finds_what_was_inserted_until_it_is_removed() {
        let mut map = Map::new(1_000, HashKey(1, 2));
        for key in 0u32..1_000 {
            map.insert(key, key * 2).expect("room");
        }
        assert!(map.is_full());
        assert_eq!(map.insert(1_000, 0), Err(0));
        for key in (0u32..1_000).step_by(2) {
            assert_eq!(map.remove(&key), Some(key * 2));
        }
        assert_eq!(map.len(), 500);
        for key in 0u32..1_000 {
            assert_eq!(map.get(&key).copied(), (key % 2 == 1).then_some(key * 2));
        }
    }

    #[test]
    fn the_secret_of_the_hash_is_not_shown() {
        let map = Map::<u32, u32>::new(1, HashKey(0xdead_beef, 0xfeed_f00d));
        let shown = std::format!("{map:?}");
        assert!(shown.contains("HashKey(redacted)"), "{shown}");
        assert!(!shown.contains("3735928559") && !shown.contains("4277006349"), "{shown}");
    }

    #[test]
    fn a_slot_set_counts_each_slot_once() {
        let mut set = SlotSet::new();
        assert!(set.insert(3) && set.insert(200) && !set.insert(3));
        assert!(set.remove(3) && !set.remove(3) && !set.remove(10_000));
        set.clear();
        assert!(set.is_empty() && !set.contains(200));
    }
}
