//! The keys of a cluster that changes its key while it runs.

use alloc::vec::Vec;
use core::fmt;

use super::Key;
use crate::error::KeyringFull;

/// One key to seal with, and up to four more to open with.
///
/// To change a cluster's key without losing a datagram, go through all nodes three times:
/// 1. give each the new key to open with,
/// 2. make the new one the key to seal with, and keep the old one to open with,
/// 3. take the old one away.
///
/// The keys' bytes are overwritten when the ring is dropped, and shown to nobody.
#[derive(Clone)]
pub struct Keyring {
    /// The sealing key first. Allocated once at its full size, since to grow would leave a copy
    /// of the keys behind.
    keys: Vec<Key>,
}

impl Keyring {
    /// As many keys as open, the sealing key included.
    pub const MAX_KEYS: usize = 5;

    /// A ring with one key, which seals and opens.
    #[must_use]
    pub fn new(sealing: Key) -> Self {
        let mut keys = Vec::with_capacity(Self::MAX_KEYS);
        keys.push(sealing);
        Self { keys }
    }

    /// The ring with one more key that opens. A key that it has already changes nothing.
    ///
    /// Fails if there are [`MAX_KEYS`](Self::MAX_KEYS) others already.
    pub fn with_opening(mut self, key: Key) -> Result<Self, KeyringFull> {
        if self.position(&key).is_some() {
            return Ok(self);
        }
        if self.keys.len() == Self::MAX_KEYS {
            return Err(KeyringFull { limit: Self::MAX_KEYS });
        }
        self.keys.push(key);
        Ok(self)
    }

    /// How many different keys open: 1 to [`MAX_KEYS`](Self::MAX_KEYS).
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn sealing(&self) -> &Key {
        self.keys.first().expect("a ring has its sealing key at least")
    }

    pub(super) fn get(&self, index: usize) -> Option<&Key> {
        self.keys.get(index)
    }

    pub(super) fn position(&self, key: &Key) -> Option<usize> {
        self.keys.iter().position(|other| other.is_same(key))
    }

    /// Every key with its place, the one at `first` first.
    pub(super) fn starting_with(&self, first: usize) -> impl Iterator<Item = (usize, &Key)> {
        let others = self.keys.iter().enumerate().filter(move |(index, _)| *index != first);
        self.keys.get(first).map(|key| (first, key)).into_iter().chain(others)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} keys, redacted)", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::from_bytes(&[byte; Key::LEN]).expect("32 bytes")
    }

    fn full() -> Keyring {
        (2..=5).fold(Keyring::new(key(1)), |ring, byte| {
            ring.with_opening(key(byte)).expect("there is room")
        })
    }

    #[test]
    fn it_takes_four_keys_beside_the_sealing_key_and_no_more() {
        assert_eq!(full().len(), 5);
        let error = full().with_opening(key(6)).expect_err("it is full");
        assert_eq!(error, KeyringFull { limit: 5 });
    }

    #[test]
    fn a_key_that_it_has_takes_no_room() {
        let ring = full().with_opening(key(1)).expect("it is the sealing key");
        assert_eq!(ring.with_opening(key(5)).expect("it is there").len(), 5);
    }

    #[test]
    fn it_is_gone_through_from_any_key_and_each_comes_once() {
        let ring = full();
        for first in 0..5 {
            let mut order: Vec<_> = ring.starting_with(first).map(|(i, _)| i).collect();
            assert_eq!(order.first(), Some(&first));
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2, 3, 4]);
        }
    }

    #[test]
    fn its_keys_are_not_shown() {
        assert_eq!(std::format!("{:?}", full()), "Keyring(5 keys, redacted)");
    }
}
