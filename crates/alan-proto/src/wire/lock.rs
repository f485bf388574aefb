//! LOCK_REQUEST, LOCK_GRANT, LOCK_DENY and LOCK_RELEASE: an id and a key.

use super::error::DecodeError;
use super::reader::Reader;
use super::writer::Writer;
use crate::event::RequestId;

const LOCK_REQUEST: u8 = 0x30;
const LOCK_GRANT: u8 = 0x31;
const LOCK_DENY: u8 = 0x32;
const LOCK_RELEASE: u8 = 0x33;

/// Which step of the lock protocol a message is.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LockMessageKind {
    /// May I have the key?
    Request,
    /// You may, as far as I know.
    Grant,
    /// You may not.
    Deny,
    /// The key is free.
    Release,
}

impl LockMessageKind {
    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            LOCK_REQUEST => Self::Request,
            LOCK_GRANT => Self::Grant,
            LOCK_DENY => Self::Deny,
            LOCK_RELEASE => Self::Release,
            _ => return None,
        })
    }

    const fn to_byte(self) -> u8 {
        match self {
            Self::Request => LOCK_REQUEST,
            Self::Grant => LOCK_GRANT,
            Self::Deny => LOCK_DENY,
            Self::Release => LOCK_RELEASE,
        }
    }
}

/// A step of the lock protocol.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LockMessage<'a> {
    /// Which step.
    pub kind: LockMessageKind,
    /// Ties a grant or a denial to its request. A release carries [`RequestId::ZERO`] to a classic
    /// peer, which does not look at it, and to a Rust node the id of the request that it ends.
    pub id: RequestId,
    /// The key's bytes, 0 to 65,535 of them and of any value: only a caller's keys are checked.
    pub key: &'a [u8],
}

impl<'a> LockMessage<'a> {
    pub(super) const fn encoded_len(&self) -> usize {
        size_of::<RequestId>() + size_of::<u16>() + self.key.len()
    }

    pub(super) fn decode(
        kind: LockMessageKind,
        reader: &mut Reader<'a>,
    ) -> Result<Self, DecodeError> {
        let id = reader.request_id()?;
        let len = reader.u16("key length")?;
        let key = reader.bytes(usize::from(len), "key")?;
        Ok(Self { kind, id, key })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        let len = u16::try_from(self.key.len()).expect("a lock key has at most 65,535 bytes");
        writer.u8(self.kind.to_byte());
        writer.bytes(&self.id.0);
        writer.u16(len);
        writer.bytes(self.key);
    }
}
