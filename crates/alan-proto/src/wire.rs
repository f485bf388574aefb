//! The bytes of a message: decoding borrows from the datagram, encoding writes into the caller's
//! buffer, and nothing allocates.
//!
//! `docs/protocol.md` in the repository has every byte. Decoding is a total function: any bytes
//! give a [`Message`] or a [`DecodeError`], never a panic. What is encoded here decodes to the
//! same message again.

mod control;
mod error;
mod lock;
mod reader;
mod writer;

pub use control::{Control, SessionBlock};
pub use error::{BlockError, BlockFault, DecodeError};
pub use lock::{LockMessage, LockMessageKind};

use crate::event::RequestId;
use reader::Reader;
use writer::Writer;

/// Bytes before the payload of a DATA message: the type.
pub const DATA_HEADER: usize = 1;

/// Bytes before the body of a REQUEST or RESPONSE message: the type and the request id.
pub const REQUEST_HEADER: usize = 17;

const JOIN: u8 = 0x01;
const LEAVE: u8 = 0x02;
const HEARTBEAT: u8 = 0x03;
const DATA: u8 = 0x10;
const REQUEST: u8 = 0x20;
const RESPONSE: u8 = 0x21;

/// One message: what a datagram holds once its envelope is open.
#[must_use]
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message<'a> {
    /// The sender is here and would like to be a member.
    Join(Control),
    /// The sender is going.
    Leave(Control),
    /// The sender is still here.
    Heartbeat(Control),
    /// A payload that expects no answer.
    Data(&'a [u8]),
    /// A payload that expects a [`Message::Response`] with the same id.
    Request {
        /// Ties the response to it.
        id: RequestId,
        /// What is asked.
        body: &'a [u8],
    },
    /// The answer to a [`Message::Request`].
    Response {
        /// The request's id.
        id: RequestId,
        /// The answer.
        body: &'a [u8],
    },
    /// A step of the lock protocol.
    Lock(LockMessage<'a>),
}

impl<'a> Message<'a> {
    /// Reads one message, borrowing payloads and keys from `bytes`.
    ///
    /// Bytes after the last field of a control or lock message are ignored, as every node of this
    /// protocol does.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (&kind, payload) = bytes.split_first().ok_or(DecodeError::Empty)?;
        let mut reader = Reader::new(payload);
        Ok(match kind {
            JOIN => Self::Join(Control::decode(&mut reader)?),
            LEAVE => Self::Leave(Control::decode(&mut reader)?),
            HEARTBEAT => Self::Heartbeat(Control::decode(&mut reader)?),
            DATA => Self::Data(payload),
            REQUEST => Self::Request { id: reader.request_id()?, body: reader.rest() },
            RESPONSE => Self::Response { id: reader.request_id()?, body: reader.rest() },
            other => {
                let kind =
                    LockMessageKind::from_byte(other).ok_or(DecodeError::UnknownType(other))?;
                Self::Lock(LockMessage::decode(kind, &mut reader)?)
            }
        })
    }

    /// How many bytes [`encode`](Self::encode) writes.
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        match self {
            Self::Join(control) | Self::Leave(control) | Self::Heartbeat(control) => {
                1 + control.encoded_len()
            }
            Self::Data(payload) => DATA_HEADER + payload.len(),
            Self::Request { body, .. } | Self::Response { body, .. } => REQUEST_HEADER + body.len(),
            Self::Lock(message) => 1 + message.encoded_len(),
        }
    }

    /// Writes the message to the start of `out` and returns its length,
    /// [`encoded_len`](Self::encoded_len).
    ///
    /// # Panics
    /// If `out` is shorter than that, or a lock key is longer than 65,535 bytes: its length has
    /// two bytes on the wire.
    pub fn encode(&self, out: &mut [u8]) -> usize {
        let mut writer = Writer::new(out);
        match self {
            Self::Join(control) => control.encode(JOIN, &mut writer),
            Self::Leave(control) => control.encode(LEAVE, &mut writer),
            Self::Heartbeat(control) => control.encode(HEARTBEAT, &mut writer),
            Self::Data(payload) => {
                writer.u8(DATA);
                writer.bytes(payload);
            }
            Self::Request { id, body } => encode_exchange(REQUEST, *id, body, &mut writer),
            Self::Response { id, body } => encode_exchange(RESPONSE, *id, body, &mut writer),
            Self::Lock(message) => message.encode(&mut writer),
        }
        writer.len()
    }
}

fn encode_exchange(kind: u8, id: RequestId, body: &[u8], writer: &mut Writer<'_>) {
    writer.u8(kind);
    writer.bytes(&id.0);
    writer.bytes(body);
}
