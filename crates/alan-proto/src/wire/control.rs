//! JOIN, LEAVE and HEARTBEAT: the sender's port, and from an extended peer a session block.
//!
//! The block stands where a classic decoder has stopped reading, so nobody needs to know whom he
//! talks to. It opens with a magic byte and a version. What does not open like that is not ours
//! to judge: it comes from a classic peer. What does, must keep its own framing.

use super::error::{BlockError, BlockFault, DecodeError};
use super::reader::Reader;
use super::writer::Writer;
use crate::event::Incarnation;
use crate::mutant::{Mutant, planted};

const MAGIC: u8 = 0xa1;
const VERSION: u8 = 0x01;

/// Bytes of magic, version and the length of the fields.
const BLOCK_HEADER: usize = 4;
/// Bytes of the fields that we send: type, length and value of the incarnation.
const FIELDS_LEN: u16 = 2 + INCARNATION_LEN as u16;

/// The field that every block has: who speaks.
const INCARNATION: u8 = 0x01;
const INCARNATION_NAME: &str = "incarnation";
const INCARNATION_LEN: u8 = 8;
const _: () = assert!(size_of::<Incarnation>() == INCARNATION_LEN as usize);

/// The payload of JOIN, LEAVE and HEARTBEAT.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Control {
    /// The UDP port at which the sender listens. With the source IP it is the sender's address.
    pub port: u16,
    /// What an extended peer says about itself; `None` from a classic peer.
    pub block: Option<SessionBlock>,
}

impl Control {
    pub(super) const fn encoded_len(&self) -> usize {
        let port = size_of::<u16>();
        match self.block {
            Some(_) => port + BLOCK_HEADER + FIELDS_LEN as usize,
            None => port,
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let port = reader.u16("port")?;
        let block = match reader.rest() {
            [MAGIC, VERSION, framed @ ..] => Some(SessionBlock::decode(framed)?),
            _ => None,
        };
        Ok(Self { port, block })
    }

    pub(super) fn encode(&self, kind: u8, writer: &mut Writer<'_>) {
        writer.u8(kind);
        writer.u16(self.port);
        if let Some(block) = self.block {
            block.encode(writer);
        }
    }
}

/// What an extended peer says about itself in each JOIN, LEAVE and HEARTBEAT.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SessionBlock {
    /// Which life of the sender speaks.
    pub incarnation: Incarnation,
}

impl SessionBlock {
    /// The block of a node that lives under `incarnation`.
    #[must_use]
    pub const fn new(incarnation: Incarnation) -> Self {
        Self { incarnation }
    }

    /// Reads what follows magic and version. Bytes after the block are ignored.
    fn decode(framed: &[u8]) -> Result<Self, BlockError> {
        let mut reader = Reader::new(framed);
        let len = reader.u16("length")?;
        let mut fields = Reader::new(reader.bytes(usize::from(len), "field list")?);

        let mut incarnation = None;
        while !fields.is_empty() {
            let kind = fields.u8("field type")?;
            let len = fields.u8("field length")?;
            let value = fields.bytes(usize::from(len), "field value")?;
            // A type that is unknown here belongs to a later version, or is padding (0x00).
            if planted(Mutant::UnknownField) && kind != INCARNATION {
                return Err(BlockError { field: "field type", fault: BlockFault::WrongLength });
            }
            if kind == INCARNATION && incarnation.replace(decode_incarnation(value)?).is_some() {
                return Err(BlockError { field: INCARNATION_NAME, fault: BlockFault::Repeated });
            }
        }

        let missing = BlockError { field: INCARNATION_NAME, fault: BlockFault::Missing };
        incarnation.map(Self::new).ok_or(missing)
    }

    fn encode(self, writer: &mut Writer<'_>) {
        writer.u8(MAGIC);
        writer.u8(VERSION);
        writer.u16(FIELDS_LEN);
        writer.u8(INCARNATION);
        writer.u8(INCARNATION_LEN);
        writer.u64(self.incarnation.get());
    }
}

fn decode_incarnation(value: &[u8]) -> Result<Incarnation, BlockError> {
    let fault = |fault| BlockError { field: INCARNATION_NAME, fault };
    let number: [u8; INCARNATION_LEN as usize] =
        value.try_into().map_err(|_wrong_length| fault(BlockFault::WrongLength))?;
    Incarnation::new(u64::from_be_bytes(number)).ok_or_else(|| fault(BlockFault::Zero))
}
