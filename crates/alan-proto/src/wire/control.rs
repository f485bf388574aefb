//! JOIN, LEAVE and HEARTBEAT: the sender's port, and from an extended peer a session block.
//!
//! The block stands where a classic decoder has stopped reading, so nobody needs to know whom he
//! talks to.

use super::block::SessionBlock;
use super::error::DecodeError;
use super::reader::Reader;
use super::writer::Writer;

/// The length of a JOIN with a block, in bytes: it is padded to that, so that the HEARTBEAT which
/// answers it is never longer.
pub const JOIN_LEN: usize = 192;

/// The payload of JOIN, LEAVE and HEARTBEAT.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Control {
    /// The UDP port at which the sender listens. With the source IP it is the sender's address.
    pub port: u16,
    /// What an extended peer says about itself; `None` from a classic peer.
    pub block: Option<SessionBlock>,
}

/// Bytes before the block: the type and the port.
const HEADER: usize = 3;

impl Control {
    /// The length of the whole message, with padding if it is `padded`.
    pub(super) fn message_len(&self, padded: bool) -> usize {
        let len = self.block.map_or(HEADER, |block| HEADER + block.encoded_len());
        len + self.padding(padded, len)
    }

    /// Bytes of padding fields behind the others, headers included.
    fn padding(&self, padded: bool, len: usize) -> usize {
        if padded && self.block.is_some() { JOIN_LEN.saturating_sub(len) } else { 0 }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let port = reader.u16("port")?;
        Ok(Self { port, block: SessionBlock::read(reader.rest())? })
    }

    pub(super) fn encode(&self, kind: u8, padded: bool, writer: &mut Writer<'_>) {
        writer.u8(kind);
        writer.u16(self.port);
        if let Some(block) = self.block {
            block.encode(self.padding(padded, HEADER + block.encoded_len()), writer);
        }
    }
}
