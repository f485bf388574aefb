//! What extended members tell each other about themselves and others: PROFILE, PEERS, PROBE.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;

use super::error::DecodeError;
use super::reader::Reader;
use super::writer::Writer;
use crate::event::Incarnation;
use crate::profile::{MAX_METADATA, MAX_NAME};

/// A member's name and metadata.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Profile<'a> {
    /// Rises with each change.
    pub version: u32,
    /// At most [`MAX_NAME`] bytes.
    pub name: &'a str,
    /// At most [`MAX_METADATA`] bytes.
    pub metadata: &'a [u8],
}

impl<'a> Profile<'a> {
    pub(super) const fn encoded_len(&self) -> usize {
        4 + 1 + self.name.len() + 2 + self.metadata.len()
    }

    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let version = reader.u32("profile version")?;
        let len = usize::from(reader.u8("name length")?);
        let name = core::str::from_utf8(reader.bytes(len, "name")?);
        let name = name.map_err(|_not_utf8| DecodeError::Invalid { field: "name" })?;
        let len = usize::from(reader.u16("metadata length")?);
        let metadata = reader.bytes(len, "metadata")?;
        if name.len() > MAX_NAME {
            return Err(DecodeError::Invalid { field: "name" });
        }
        if metadata.len() > MAX_METADATA {
            return Err(DecodeError::Invalid { field: "metadata" });
        }
        Ok(Self { version, name, metadata })
    }

    pub(super) fn encode(&self, kind: u8, writer: &mut Writer<'_>) {
        writer.u8(kind);
        writer.u32(self.version);
        writer.u8(u8::try_from(self.name.len()).expect("a name has at most 64 bytes"));
        writer.bytes(self.name.as_bytes());
        writer.u16(u16::try_from(self.metadata.len()).expect("metadata has at most 512 bytes"));
        writer.bytes(self.metadata);
    }
}

/// A member of whoever sends it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PeerEntry {
    /// Which life.
    pub incarnation: Incarnation,
    /// Where it is reached.
    pub addr: SocketAddr,
}

const IPV4: u8 = 4;
const IPV6: u8 = 6;

impl PeerEntry {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let incarnation = Incarnation::new(reader.u64("incarnation")?)
            .ok_or(DecodeError::Invalid { field: "incarnation" })?;
        let ip: IpAddr = match reader.u8("address family")? {
            IPV4 => Ipv4Addr::from(reader.array::<4>("address")?).into(),
            IPV6 => Ipv6Addr::from(reader.array::<16>("address")?).into(),
            _ => return Err(DecodeError::Invalid { field: "address family" }),
        };
        Ok(Self { incarnation, addr: SocketAddr::new(ip, reader.u16("port")?) })
    }

    fn encode(&self, writer: &mut Writer<'_>) {
        writer.u64(self.incarnation.get());
        match self.addr.ip() {
            IpAddr::V4(ip) => {
                writer.u8(IPV4);
                writer.bytes(&ip.octets());
            }
            IpAddr::V6(ip) => {
                writer.u8(IPV6);
                writer.bytes(&ip.octets());
            }
        }
        writer.u16(self.addr.port());
    }

    const fn encoded_len(&self) -> usize {
        let ip = if self.addr.is_ipv4() { 4 } else { 16 };
        8 + 1 + ip + 2
    }
}

/// A page of a member's list of members. Its entries are known to be sound.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PeerPage<'a> {
    /// Where the next page begins; 0 after the last one.
    pub next: u32,
    entries: &'a [u8],
}

impl<'a> PeerPage<'a> {
    pub(super) const fn encoded_len(&self) -> usize {
        4 + self.entries.len()
    }

    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let next = reader.u32("next page")?;
        let entries = reader.rest();
        let mut checked = Reader::new(entries);
        while !checked.is_empty() {
            PeerEntry::decode(&mut checked)?;
        }
        Ok(Self { next, entries })
    }

    pub(super) fn encode(&self, kind: u8, writer: &mut Writer<'_>) {
        writer.u8(kind);
        writer.u32(self.next);
        writer.bytes(self.entries);
    }

    /// The members in it.
    pub fn iter(&self) -> impl Iterator<Item = PeerEntry> + 'a {
        let mut reader = Reader::new(self.entries);
        core::iter::from_fn(move || PeerEntry::decode(&mut reader).ok())
    }
}

/// The entries' bytes of a page, such that its sealed datagram has at most 1,200 bytes.
const PAGE_BYTES: usize = 1_200 - 40 - 5;

/// A page in the making.
#[derive(Clone, Debug, Default)]
pub struct PeerPageBuffer(heapless::Vec<u8, PAGE_BYTES>);

/// A page has no room for another entry: it is as it was, and the entry begins the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the page has no room for another entry")]
pub struct PageFull;

impl PeerPageBuffer {
    /// A page without entries.
    #[must_use]
    pub const fn new() -> Self {
        Self(heapless::Vec::new())
    }

    /// Adds an entry, or leaves the page as it was.
    pub fn push(&mut self, entry: &PeerEntry) -> Result<(), PageFull> {
        let start = self.0.len();
        let end = start + entry.encoded_len();
        self.0.resize(end, 0).map_err(|_full| PageFull)?;
        entry.encode(&mut Writer::new(&mut self.0[start..]));
        Ok(())
    }

    /// The page, after which there comes `next`.
    #[must_use]
    pub fn page(&self, next: u32) -> PeerPage<'_> {
        PeerPage { next, entries: &self.0 }
    }
}

/// A step of an indirect probe.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Probe {
    /// Which step.
    pub stage: ProbeStage,
    /// Whom it is about.
    pub about: Incarnation,
}

/// Which step of an indirect probe.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ProbeStage {
    /// Do you reach this member?
    Ask,
    /// Are you there? This member asks.
    Ping,
    /// I am: tell this member.
    Pong,
    /// This member is there.
    Alive,
}

impl Probe {
    pub(super) const LEN: usize = 9;

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let stage = match reader.u8("probe stage")? {
            1 => ProbeStage::Ask,
            2 => ProbeStage::Ping,
            3 => ProbeStage::Pong,
            4 => ProbeStage::Alive,
            _ => return Err(DecodeError::Invalid { field: "probe stage" }),
        };
        let about = Incarnation::new(reader.u64("incarnation")?)
            .ok_or(DecodeError::Invalid { field: "incarnation" })?;
        Ok(Self { stage, about })
    }

    pub(super) fn encode(self, kind: u8, writer: &mut Writer<'_>) {
        writer.u8(kind);
        writer.u8(match self.stage {
            ProbeStage::Ask => 1,
            ProbeStage::Ping => 2,
            ProbeStage::Pong => 3,
            ProbeStage::Alive => 4,
        });
        writer.u64(self.about.get());
    }
}
