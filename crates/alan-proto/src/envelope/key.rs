//! The secret that the nodes of a sealed cluster share.

use core::fmt;

use zeroize::Zeroizing;

use crate::error::KeyLengthError;

/// A 32-byte key that every node of a sealed cluster has.
///
/// Its bytes are overwritten when it is dropped, and it shows them to nobody: not in `Debug`
/// output either.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; Self::LEN]>);

impl Key {
    /// A key's length in bytes.
    pub const LEN: usize = 32;

    /// The key with these bytes, of which there must be exactly [`Key::LEN`]. The caller's copy
    /// stays the caller's to erase.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyLengthError> {
        let mut key = Zeroizing::new([0; Self::LEN]);
        if bytes.len() != key.len() {
            return Err(KeyLengthError { given: bytes.len() });
        }
        key.copy_from_slice(bytes);
        Ok(Self(key))
    }

    /// Whether it is the same key, in a time that does not tell where two keys differ.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let pairs = self.0.iter().zip(other.0.iter());
        pairs.fold(0, |difference, (ours, theirs)| difference | (ours ^ theirs)) == 0
    }

    pub(super) fn bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(redacted)")
    }
}
