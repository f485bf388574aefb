//! The bytes of a message: decoding borrows from the datagram, encoding writes into the caller's
//! buffer, and nothing allocates.
//!
//! `docs/protocol.md` in the repository has every byte. Decoding is a total function: any bytes
//! give a [`Message`] or a [`DecodeError`], never a panic. What is encoded here decodes to the
//! same message again.

mod block;
mod control;
mod error;
mod lock;
mod neighbours;
mod reader;
mod writer;

pub use crate::envelope::Channel;
pub use block::{Challenge, Echo, Role, SessionBlock, Settings, Times, View};
pub use control::{Control, JOIN_LEN};
pub use error::{BlockError, BlockFault, DecodeError};
pub use lock::{LockMessage, LockMessageKind};
pub use neighbours::{PageFull, PeerEntry, PeerPage, PeerPageBuffer, Probe, ProbeStage, Profile};

use crate::event::RequestId;
use reader::Reader;
use writer::Writer;

/// Bytes before the payload of a DATA message: the type.
pub const DATA_HEADER: usize = 1;

/// Bytes before the body of a REQUEST or RESPONSE message: the type and the request id.
pub const REQUEST_HEADER: usize = 17;

/// Bytes before the body of a SESSION_REQUEST message: the type, the request id, the number and how
/// far it is ahead of the lowest that is waited for.
pub const SESSION_REQUEST_HEADER: usize = 29;

const JOIN: u8 = 0x01;
const LEAVE: u8 = 0x02;
const HEARTBEAT: u8 = 0x03;
const PROFILE: u8 = 0x04;
const PROFILE_ASK: u8 = 0x05;
const PEERS_ASK: u8 = 0x06;
const PEERS: u8 = 0x07;
const PROBE: u8 = 0x08;
const DATA: u8 = 0x10;
const REQUEST: u8 = 0x20;
const RESPONSE: u8 = 0x21;
const SESSION_DATA: u8 = 0x40;
const SESSION_REQUEST: u8 = 0x41;
const SESSION_RESPONSE: u8 = 0x42;
const RESPONSE_GONE: u8 = 0x43;

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
    /// What the sender is called, and its metadata.
    Profile(Profile<'a>),
    /// The sender would like to have the receiver's [`Message::Profile`].
    ProfileAsk,
    /// The sender would like to have a page of the receiver's members.
    PeersAsk {
        /// Where the page begins: 0, or what the page before says.
        cursor: u32,
    },
    /// A page of the sender's members.
    Peers(PeerPage<'a>),
    /// A step of an indirect probe.
    Probe(Probe),
    /// As [`Message::Data`], between extended members.
    SessionData(&'a [u8]),
    /// As [`Message::Request`], between extended members: transmitted until it is answered, and
    /// executed once.
    SessionRequest {
        /// Ties the response to it.
        id: RequestId,
        /// Its number among the sender's requests to the receiver, not zero.
        number: u64,
        /// How far it is ahead of the lowest that the sender waits for; less than `number`.
        behind: u32,
        /// What is asked.
        body: &'a [u8],
    },
    /// The answer to a [`Message::SessionRequest`].
    SessionResponse {
        /// The request's id.
        id: RequestId,
        /// The answer.
        body: &'a [u8],
    },
    /// The answer to this request is kept no longer, and will not be made again.
    ResponseGone {
        /// The request's id.
        id: RequestId,
    },
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
            PROFILE => Self::Profile(Profile::decode(&mut reader)?),
            PROFILE_ASK => Self::ProfileAsk,
            PEERS_ASK => Self::PeersAsk { cursor: reader.u32("cursor")? },
            PEERS => Self::Peers(PeerPage::decode(&mut reader)?),
            PROBE => Self::Probe(Probe::decode(&mut reader)?),
            SESSION_DATA => Self::SessionData(payload),
            SESSION_REQUEST => Self::decode_session_request(&mut reader)?,
            SESSION_RESPONSE => {
                Self::SessionResponse { id: reader.request_id()?, body: reader.rest() }
            }
            RESPONSE_GONE => Self::ResponseGone { id: reader.request_id()? },
            other => {
                let kind =
                    LockMessageKind::from_byte(other).ok_or(DecodeError::UnknownType(other))?;
                Self::Lock(LockMessage::decode(kind, &mut reader)?)
            }
        })
    }

    /// Whether the bytes are a whole control message with a session block, which noise never is.
    pub(crate) fn is_control(bytes: &[u8]) -> bool {
        matches!(
            Message::decode(bytes),
            Ok(Message::Join(control) | Message::Leave(control) | Message::Heartbeat(control))
                if control.block.is_some()
        )
    }

    fn decode_session_request(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let id = reader.request_id()?;
        let number = reader.u64("request number")?;
        let behind = reader.u32("request distance")?;
        if u64::from(behind) >= number {
            return Err(DecodeError::Invalid { field: "request distance" });
        }
        Ok(Self::SessionRequest { id, number, behind, body: reader.rest() })
    }

    /// How many bytes [`encode`](Self::encode) writes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        match self {
            Self::Join(control) => control.message_len(true),
            Self::Leave(control) | Self::Heartbeat(control) => control.message_len(false),
            Self::Data(payload) | Self::SessionData(payload) => DATA_HEADER + payload.len(),
            Self::Request { body, .. }
            | Self::Response { body, .. }
            | Self::SessionResponse { body, .. } => REQUEST_HEADER + body.len(),
            Self::SessionRequest { body, .. } => SESSION_REQUEST_HEADER + body.len(),
            Self::ResponseGone { .. } => REQUEST_HEADER,
            Self::Lock(message) => 1 + message.encoded_len(),
            Self::Profile(profile) => 1 + profile.encoded_len(),
            Self::ProfileAsk => 1,
            Self::PeersAsk { .. } => 1 + size_of::<u32>(),
            Self::Peers(page) => 1 + page.encoded_len(),
            Self::Probe(_) => 1 + Probe::LEN,
        }
    }

    /// Writes the message to the start of `out` and returns its length,
    /// [`encoded_len`](Self::encoded_len).
    ///
    /// # Panics
    /// If `out` is shorter than that; or a lock key is longer than 65,535 bytes, a name than 255,
    /// metadata than 65,535: more than their lengths can say on the wire.
    pub fn encode(&self, out: &mut [u8]) -> usize {
        let mut writer = Writer::new(out);
        match self {
            Self::Join(control) => control.encode(JOIN, true, &mut writer),
            Self::Leave(control) => control.encode(LEAVE, false, &mut writer),
            Self::Heartbeat(control) => control.encode(HEARTBEAT, false, &mut writer),
            Self::Data(payload) => encode_payload(DATA, payload, &mut writer),
            Self::SessionData(payload) => encode_payload(SESSION_DATA, payload, &mut writer),
            Self::Request { id, body } => encode_exchange(REQUEST, *id, body, &mut writer),
            Self::Response { id, body } => encode_exchange(RESPONSE, *id, body, &mut writer),
            Self::SessionRequest { id, number, behind, body } => {
                writer.u8(SESSION_REQUEST);
                writer.bytes(&id.0);
                writer.u64(*number);
                writer.u32(*behind);
                writer.bytes(body);
            }
            Self::SessionResponse { id, body } => {
                encode_exchange(SESSION_RESPONSE, *id, body, &mut writer);
            }
            Self::ResponseGone { id } => encode_exchange(RESPONSE_GONE, *id, &[], &mut writer),
            Self::Lock(message) => message.encode(&mut writer),
            Self::Profile(profile) => profile.encode(PROFILE, &mut writer),
            Self::ProfileAsk => writer.u8(PROFILE_ASK),
            Self::PeersAsk { cursor } => {
                writer.u8(PEERS_ASK);
                writer.u32(*cursor);
            }
            Self::Peers(page) => page.encode(PEERS, &mut writer),
            Self::Probe(probe) => probe.encode(PROBE, &mut writer),
        }
        writer.len()
    }
}

fn encode_payload(kind: u8, payload: &[u8], writer: &mut Writer<'_>) {
    writer.u8(kind);
    writer.bytes(payload);
}

fn encode_exchange(kind: u8, id: RequestId, body: &[u8], writer: &mut Writer<'_>) {
    writer.u8(kind);
    writer.bytes(&id.0);
    writer.bytes(body);
}
