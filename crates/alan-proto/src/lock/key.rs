//! A lock's key: up to 255 bytes inline, and boxed the longer ones that only classic peers use.

use alloc::boxed::Box;
use core::borrow::Borrow;
use core::hash::{Hash, Hasher};

/// The longest key that this node's own callers may use, in bytes.
pub(super) const MAX_KEY: usize = 255;

/// A stored key.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "inline is the point: short keys never allocate")]
pub(super) enum Key {
    Short(heapless::Vec<u8, MAX_KEY, u8>),
    Long(Box<[u8]>),
}

impl Key {
    /// Copies the key, of any length.
    pub(super) fn new(bytes: &[u8]) -> Self {
        match heapless::Vec::from_slice(bytes) {
            Ok(short) => Self::Short(short),
            Err(_too_long) => Self::Long(bytes.into()),
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(bytes) => bytes,
            Self::Long(bytes) => bytes,
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Key {}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Hash for Key {
    /// As the bytes do, so that a table can be searched by them.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}
