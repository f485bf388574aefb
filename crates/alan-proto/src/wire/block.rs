//! The session block: what an extended peer says about itself in JOIN, LEAVE and HEARTBEAT.
//!
//! It opens with a magic byte and a version. What does not open like that is not ours to judge: it
//! comes from a classic peer. What does, must keep its own framing. Fields of a later version are
//! skipped.

use core::time::Duration;

use super::error::{BlockError, BlockFault};
use super::reader::Reader;
use super::writer::Writer;
use crate::envelope::Channel;
use crate::event::Incarnation;
use crate::hybrid::HybridTime;
use crate::mutant::{Mutant, planted};
use crate::time::Instant;

const MAGIC: u8 = 0xa1;
const VERSION: u8 = 0x01;

/// Bytes of magic, version and the length of the fields.
const BLOCK_HEADER: usize = 4;

/// Bytes of a field's type and length.
const FIELD_HEADER: usize = 2;

/// The longest value of a field.
const MAX_VALUE: usize = 255;

/// A kind of field: its type, its name in errors, and the length of its value.
#[derive(Clone, Copy)]
struct Field {
    kind: u8,
    name: &'static str,
    len: u8,
}

impl Field {
    const fn new(kind: u8, name: &'static str, len: u8) -> Self {
        Self { kind, name, len }
    }

    const fn size(self) -> usize {
        FIELD_HEADER + self.len as usize
    }

    const fn fault(self, fault: BlockFault) -> BlockError {
        BlockError { field: self.name, fault }
    }
}

const PADDING: u8 = 0x00;
const INCARNATION: Field = Field::new(0x01, "incarnation", 8);
const TIMES: Field = Field::new(0x02, "time", 24);
const ECHO: Field = Field::new(0x03, "echo", 20);
const VIEW: Field = Field::new(0x04, "view", 13);
const SETTINGS: Field = Field::new(0x05, "configuration", 12);
const CHALLENGE: Field = Field::new(0x06, "challenge", 8);
const ANSWER: Field = Field::new(0x07, "answer", 8);
const CHANNEL: Field = Field::new(0x08, "channel", 8);
const REQUESTS: Field = Field::new(0x09, "next request", 8);

const FIELDS: [Field; 9] =
    [INCARNATION, TIMES, ECHO, VIEW, SETTINGS, CHALLENGE, ANSWER, CHANNEL, REQUESTS];

/// What an extended peer says about itself in each JOIN, LEAVE and HEARTBEAT.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SessionBlock {
    /// Which life of the sender speaks.
    pub incarnation: Incarnation,
    /// What its clocks say.
    pub times: Times,
    /// What it has heard of the receiver.
    pub echo: Option<Echo>,
    /// What it knows and what it is.
    pub view: View,
    /// What all voters must agree on.
    pub settings: Settings,
    /// A tag to be returned with the echo of this message.
    pub challenge: Option<Challenge>,
    /// The tag that the echoed message carried.
    pub answer: Option<Challenge>,
    /// On which channel it sends to the receiver from now on.
    pub channel: Option<Channel>,
    /// The number of its next request to the receiver: those before it are over.
    pub next_request: Option<u64>,
}

/// What a sender's clocks say.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Times {
    /// When the message was made, on the sender's own monotonic clock.
    pub sent_at: Instant,
    /// What its hybrid logical clock said then.
    pub clock: HybridTime,
    /// What that clock said when the sender started.
    pub started: HybridTime,
}

/// The newest message of the receiver that the sender has heard.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Echo {
    /// The receiver's incarnation, as the sender knows it.
    pub incarnation: Incarnation,
    /// That message's `sent_at`.
    pub sent_at: Instant,
    /// How long ago the sender heard it: at most some 71 minutes.
    pub held: Duration,
}

impl Echo {
    /// The echo, or `None` if it was held for longer than can be said.
    #[must_use]
    pub fn new(incarnation: Incarnation, sent_at: Instant, held: Duration) -> Option<Self> {
        let micros = u32::try_from(held.as_micros()).ok()?;
        Some(Self { incarnation, sent_at, held: Duration::from_micros(micros.into()) })
    }

    fn held_micros(self) -> u32 {
        u32::try_from(self.held.as_micros()).unwrap_or(u32::MAX)
    }
}

/// What a sender knows and is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct View {
    /// A number that stands for the set of extended members, the sender among them.
    pub members: u64,
    /// Whether it votes.
    pub role: Role,
    /// The version of its name and metadata; 0 if it has neither.
    pub profile: u32,
}

/// Whether a node votes for locks and counts for a quorum.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Role {
    /// It does.
    #[default]
    Voter,
    /// It does not.
    Observer,
}

/// The bit that says observer; the others are for later.
const OBSERVER: u8 = 0x01;

/// What all voters of a cluster must agree on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Settings {
    /// The most nodes that are ever alive at once; 0 if that is not configured.
    pub cluster_size: u32,
    /// How long a vote binds, in milliseconds.
    pub lease_millis: u32,
    /// By how much the rate of a clock may be off, in parts per million.
    pub drift_ppm: u32,
}

/// A tag that proves, when it is returned, that it was received.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Challenge(pub u64);

impl SessionBlock {
    /// A block with what every block has.
    #[must_use]
    pub const fn new(
        incarnation: Incarnation,
        times: Times,
        view: View,
        settings: Settings,
    ) -> Self {
        Self {
            incarnation,
            times,
            echo: None,
            view,
            settings,
            challenge: None,
            answer: None,
            channel: None,
            next_request: None,
        }
    }

    /// Reads the block with which `bytes` begin, if they begin with one. What follows it is
    /// ignored.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, BlockError> {
        match bytes {
            [MAGIC, VERSION, framed @ ..] => Self::decode(framed).map(Some),
            _ => Ok(None),
        }
    }

    fn decode(framed: &[u8]) -> Result<Self, BlockError> {
        let mut reader = Reader::new(framed);
        let len = reader.u16("length")?;
        let mut fields = Reader::new(reader.bytes(usize::from(len), "field list")?);
        let mut values: [Option<&[u8]>; FIELDS.len()] = [None; FIELDS.len()];
        while !fields.is_empty() {
            let kind = fields.u8("field type")?;
            let len = fields.u8("field length")?;
            let value = fields.bytes(usize::from(len), "field value")?;
            let Some(place) = FIELDS.iter().position(|field| field.kind == kind) else {
                // It belongs to a later version, or is padding.
                if planted(Mutant::UnknownField) {
                    return Err(BlockError { field: "field type", fault: BlockFault::WrongLength });
                }
                continue;
            };
            if value.len() != usize::from(FIELDS[place].len) {
                return Err(FIELDS[place].fault(BlockFault::WrongLength));
            }
            if values[place].replace(value).is_some() {
                return Err(FIELDS[place].fault(BlockFault::Repeated));
            }
        }
        Self::from_values(values)
    }

    fn from_values(values: [Option<&[u8]>; FIELDS.len()]) -> Result<Self, BlockError> {
        let [incarnation, times, echo, view, settings, challenge, answer, channel, requests] =
            values;
        let needed = |value: Option<_>, field: Field| {
            value.map(Reader::new).ok_or_else(|| field.fault(BlockFault::Missing))
        };
        let tag = |value: &[u8]| Reader::new(value).u64("tag").map(Challenge);
        Ok(Self {
            incarnation: read_incarnation(&mut needed(incarnation, INCARNATION)?, INCARNATION)?,
            times: read_times(needed(times, TIMES)?)?,
            echo: echo.map(|value| read_echo(Reader::new(value))).transpose()?,
            view: read_view(needed(view, VIEW)?)?,
            settings: read_settings(needed(settings, SETTINGS)?)?,
            challenge: challenge.map(tag).transpose()?,
            answer: answer.map(tag).transpose()?,
            channel: channel.map(|value| read_channel(Reader::new(value))).transpose()?,
            next_request: requests.map(|value| Reader::new(value).u64("number")).transpose()?,
        })
    }

    /// The bytes of the block without padding.
    pub(super) fn encoded_len(&self) -> usize {
        BLOCK_HEADER + self.fields_len()
    }

    fn fields_len(&self) -> usize {
        let optional = [
            (self.echo.is_some(), ECHO),
            (self.challenge.is_some(), CHALLENGE),
            (self.answer.is_some(), ANSWER),
            (self.channel.is_some(), CHANNEL),
            (self.next_request.is_some(), REQUESTS),
        ];
        let present = optional.iter().filter(|(present, _)| *present);
        let optional: usize = present.map(|(_, field)| field.size()).sum();
        INCARNATION.size() + TIMES.size() + VIEW.size() + SETTINGS.size() + optional
    }

    /// Writes the block with `padding` more bytes, which are 0 or at least a field's header.
    pub(super) fn encode(&self, padding: usize, writer: &mut Writer<'_>) {
        let len = self.fields_len() + padding;
        writer.u8(MAGIC);
        writer.u8(VERSION);
        writer.u16(u16::try_from(len).expect("a block has a few hundred bytes"));
        begin(writer, INCARNATION);
        writer.u64(self.incarnation.get());
        begin(writer, TIMES);
        writer.u64(self.times.sent_at.as_micros());
        writer.u64(self.times.clock.as_micros());
        writer.u64(self.times.started.as_micros());
        if let Some(echo) = self.echo {
            begin(writer, ECHO);
            writer.u64(echo.incarnation.get());
            writer.u64(echo.sent_at.as_micros());
            writer.u32(echo.held_micros());
        }
        begin(writer, VIEW);
        writer.u64(self.view.members);
        writer.u8(if self.view.role == Role::Observer { OBSERVER } else { 0 });
        writer.u32(self.view.profile);
        begin(writer, SETTINGS);
        writer.u32(self.settings.cluster_size);
        writer.u32(self.settings.lease_millis);
        writer.u32(self.settings.drift_ppm);
        self.encode_rest(writer);
        write_padding(padding, writer);
    }

    fn encode_rest(&self, writer: &mut Writer<'_>) {
        for (tag, field) in [(self.challenge, CHALLENGE), (self.answer, ANSWER)] {
            if let Some(Challenge(tag)) = tag {
                begin(writer, field);
                writer.u64(tag);
            }
        }
        if let Some(channel) = self.channel {
            begin(writer, CHANNEL);
            writer.u16(channel.number);
            writer.bytes(&channel.first.to_be_bytes()[2..]);
        }
        if let Some(number) = self.next_request {
            begin(writer, REQUESTS);
            writer.u64(number);
        }
    }
}

fn begin(writer: &mut Writer<'_>, field: Field) {
    writer.u8(field.kind);
    writer.u8(field.len);
}

fn write_padding(mut padding: usize, writer: &mut Writer<'_>) {
    while padding >= FIELD_HEADER {
        let mut len = (padding - FIELD_HEADER).min(MAX_VALUE);
        // A single byte would be left, which is no field.
        if padding - FIELD_HEADER - len == 1 {
            len -= 1;
        }
        writer.u8(PADDING);
        writer.u8(u8::try_from(len).expect("it was limited to what a byte can say"));
        writer.zeros(len);
        padding -= FIELD_HEADER + len;
    }
}

fn read_incarnation(reader: &mut Reader<'_>, field: Field) -> Result<Incarnation, BlockError> {
    Incarnation::new(reader.u64(field.name)?).ok_or_else(|| field.fault(BlockFault::Zero))
}

fn read_times(mut reader: Reader<'_>) -> Result<Times, BlockError> {
    Ok(Times {
        sent_at: Instant::from_micros(reader.u64(TIMES.name)?),
        clock: HybridTime::from_micros(reader.u64(TIMES.name)?),
        started: HybridTime::from_micros(reader.u64(TIMES.name)?),
    })
}

fn read_echo(mut reader: Reader<'_>) -> Result<Echo, BlockError> {
    Ok(Echo {
        incarnation: read_incarnation(&mut reader, ECHO)?,
        sent_at: Instant::from_micros(reader.u64(ECHO.name)?),
        held: Duration::from_micros(reader.u32(ECHO.name)?.into()),
    })
}

fn read_view(mut reader: Reader<'_>) -> Result<View, BlockError> {
    let members = reader.u64(VIEW.name)?;
    let observer = reader.u8(VIEW.name)? & OBSERVER != 0;
    let role = if observer { Role::Observer } else { Role::Voter };
    Ok(View { members, role, profile: reader.u32(VIEW.name)? })
}

fn read_settings(mut reader: Reader<'_>) -> Result<Settings, BlockError> {
    Ok(Settings {
        cluster_size: reader.u32(SETTINGS.name)?,
        lease_millis: reader.u32(SETTINGS.name)?,
        drift_ppm: reader.u32(SETTINGS.name)?,
    })
}

fn read_channel(mut reader: Reader<'_>) -> Result<Channel, BlockError> {
    let number = reader.u16(CHANNEL.name)?;
    let mut first = [0; 8];
    first[2..].copy_from_slice(&reader.array::<6>(CHANNEL.name)?);
    let first = u64::from_be_bytes(first);
    Channel::new(number, first).ok_or_else(|| CHANNEL.fault(BlockFault::OutOfRange))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_made_of_whole_fields_and_has_the_length_that_is_wanted() {
        for wanted in (0..1_000).filter(|&wanted| wanted != 1) {
            let mut out = [0xee; 1_000];
            let mut writer = Writer::new(&mut out);
            write_padding(wanted, &mut writer);
            assert_eq!(writer.len(), wanted);

            let mut fields = Reader::new(&out[..wanted]);
            while !fields.is_empty() {
                assert_eq!(fields.u8("type").ok(), Some(PADDING), "{wanted}");
                let len = fields.u8("length").expect("a field has a length");
                let value = fields.bytes(usize::from(len), "value").expect("a field is whole");
                assert!(value.iter().all(|&byte| byte == 0));
            }
        }
    }

    #[test]
    fn every_kind_of_field_is_another() {
        for (place, field) in FIELDS.iter().enumerate() {
            assert_eq!(FIELDS.iter().position(|other| other.kind == field.kind), Some(place));
            assert_ne!(field.kind, PADDING);
        }
    }
}
