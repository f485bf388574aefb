//! What a node says of itself, and what it seals with, changed while it runs.

use alan_proto::MetadataTooLong;
use alan_proto::envelope::Keyring;

use super::Engine;
use crate::error::{Closed, MetadataError, RotateKeysError};

impl Engine {
    pub(crate) fn set_metadata(&self, metadata: &[u8]) -> Result<(), MetadataError> {
        self.command(|core, now, _| {
            if core.leaving {
                return Err(Closed.into());
            }
            let set = core.node.set_metadata(now, metadata);
            set.map_err(|MetadataTooLong { len, max }| MetadataError::TooLong { len, max })
        })
    }

    pub(crate) fn rotate_keys(&self, keyring: Keyring) -> Result<(), RotateKeysError> {
        self.command(|core, _, _| {
            if core.leaving {
                return Err(Closed.into());
            }
            if fault!(IgnoreNewKeys) {
                return Ok(());
            }
            let changed = core.node.set_keyring(keyring);
            changed.map_err(|alan_proto::NotSealed| RotateKeysError::NotSealed)
        })
    }
}
