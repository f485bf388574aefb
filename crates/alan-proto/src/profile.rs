//! Names and metadata: what a node tells its peers about itself for people and programs to read.

use crate::wire;

/// The longest name, in bytes of UTF-8.
pub const MAX_NAME: usize = 64;

/// The longest metadata, in bytes.
pub const MAX_METADATA: usize = 512;

/// A node's name and metadata, with the number of its version.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub(crate) struct Profile {
    /// 0 while there is nothing to tell.
    pub(crate) version: u32,
    pub(crate) name: heapless::String<MAX_NAME>,
    pub(crate) metadata: heapless::Vec<u8, MAX_METADATA>,
}

impl Profile {
    /// What this node says of itself at the start, or `None` where it is too long.
    pub(crate) fn new(name: &str, metadata: &[u8]) -> Option<Self> {
        let version = u32::from(!name.is_empty() || !metadata.is_empty());
        Some(Self { version, name: name.try_into().ok()?, metadata: metadata.try_into().ok()? })
    }

    /// Replaces the metadata, or gives `false` where it is too long.
    pub(crate) fn set_metadata(&mut self, metadata: &[u8]) -> bool {
        let Ok(metadata) = metadata.try_into() else { return false };
        self.metadata = metadata;
        self.version = self.version.saturating_add(1);
        true
    }

    pub(crate) fn message(&self) -> wire::Profile<'_> {
        wire::Profile { version: self.version, name: &self.name, metadata: &self.metadata }
    }

    /// Takes over what a peer says, unless it is no news.
    pub(crate) fn learn(&mut self, told: &wire::Profile<'_>) -> bool {
        if told.version <= self.version {
            return false;
        }
        let (Ok(name), Ok(metadata)) = (told.name.try_into(), told.metadata.try_into()) else {
            return false;
        };
        *self = Self { version: told.version, name, metadata };
        true
    }
}
