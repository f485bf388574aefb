//! The decoder, against one that is written differently: by offsets into the whole message.

use std::collections::BTreeMap;
use std::net::IpAddr;

use alan_proto::wire::{
    Control, LockMessageKind, Message, PeerPage, ProbeStage, Role, SessionBlock,
};

/// What a message says, in the plainest form: its type and the bytes of each field, in the order
/// of docs/protocol.md. The fields of a session block are in the order of their types, each behind
/// its type.
#[derive(PartialEq, Eq, Debug)]
struct Said {
    kind: u8,
    fields: Vec<Vec<u8>>,
}

pub fn run(bytes: &[u8]) {
    let decoded = Message::decode(bytes);
    assert_eq!(decoded.as_ref().ok().map(said), expected(bytes), "of {bytes:02x?}");
    let Ok(message) = decoded else {
        let _ = decoded.map_err(|error| error.to_string());
        return;
    };
    let mut encoded = vec![0xee; message.encoded_len() + 1];
    let len = message.encode(&mut encoded);
    assert_eq!(len, message.encoded_len());
    assert_eq!(encoded.pop(), Some(0xee), "nothing is written behind the message");
    assert_eq!(Message::decode(&encoded), Ok(message), "encoding undoes decoding");
    let has_block = matches!(
        message,
        Message::Join(control) | Message::Leave(control) | Message::Heartbeat(control)
            if control.block.is_some()
    );
    // Unknown fields of a block are skipped; else the encoding is what was read.
    assert!(has_block || bytes.starts_with(&encoded), "{encoded:02x?} of {bytes:02x?}");
}

fn said(message: &Message<'_>) -> Said {
    match message {
        Message::Join(control) => said_control(0x01, control),
        Message::Leave(control) => said_control(0x02, control),
        Message::Heartbeat(control) => said_control(0x03, control),
        Message::Profile(profile) => {
            let version = profile.version.to_be_bytes();
            says(0x04, &[&version, profile.name.as_bytes(), profile.metadata])
        }
        Message::ProfileAsk => says(0x05, &[]),
        Message::PeersAsk { cursor } => says(0x06, &[&cursor.to_be_bytes()]),
        Message::Peers(page) => said_page(page),
        Message::Probe(probe) => {
            let stage = match probe.stage {
                ProbeStage::Ask => 1,
                ProbeStage::Ping => 2,
                ProbeStage::Pong => 3,
                ProbeStage::Alive => 4,
                other => unreachable!("a stage that this target does not know: {other:?}"),
            };
            says(0x08, &[&[stage], &probe.about.get().to_be_bytes()])
        }
        Message::Data(payload) => says(0x10, &[payload]),
        Message::Request { id, body } => says(0x20, &[&id.0, body]),
        Message::Response { id, body } => says(0x21, &[&id.0, body]),
        Message::Lock(lock) => {
            let kind = match lock.kind {
                LockMessageKind::Request => 0x30,
                LockMessageKind::Grant => 0x31,
                LockMessageKind::Deny => 0x32,
                LockMessageKind::Release => 0x33,
                other => unreachable!("a kind that this target does not know: {other:?}"),
            };
            says(kind, &[&lock.id.0, lock.key])
        }
        Message::SessionData(payload) => says(0x40, &[payload]),
        Message::SessionRequest { id, number, behind, body } => {
            says(0x41, &[&id.0, &number.to_be_bytes(), &behind.to_be_bytes(), body])
        }
        Message::SessionResponse { id, body } => says(0x42, &[&id.0, body]),
        Message::ResponseGone { id } => says(0x43, &[&id.0]),
        other => unreachable!("a message that this target does not know: {other:?}"),
    }
}

fn says(kind: u8, fields: &[&[u8]]) -> Said {
    Said { kind, fields: fields.iter().map(|field| field.to_vec()).collect() }
}

fn said_page(page: &PeerPage<'_>) -> Said {
    let mut fields = vec![page.next.to_be_bytes().to_vec()];
    for entry in page.iter() {
        let ip = match entry.addr.ip() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let (life, port) = (entry.incarnation.get().to_be_bytes(), entry.addr.port().to_be_bytes());
        fields.extend([life.to_vec(), ip, port.to_vec()]);
    }
    Said { kind: 0x07, fields }
}

fn said_control(kind: u8, control: &Control) -> Said {
    let mut fields = vec![control.port.to_be_bytes().to_vec()];
    fields.extend(control.block.iter().flat_map(said_block));
    Said { kind, fields }
}

fn said_block(block: &SessionBlock) -> Vec<Vec<u8>> {
    let mut fields = Vec::new();
    let mut field =
        |kind: u8, parts: &[&[u8]]| fields.push([&[kind], &parts.concat()[..]].concat());
    field(0x01, &[&block.incarnation.get().to_be_bytes()]);
    let times = [block.times.clock, block.times.started].map(|time| time.as_micros().to_be_bytes());
    field(0x02, &[&block.times.sent_at.as_micros().to_be_bytes(), &times[0], &times[1]]);
    if let Some(echo) = block.echo {
        let held = u32::try_from(echo.held.as_micros()).expect("it came in four bytes");
        let sent_at = echo.sent_at.as_micros().to_be_bytes();
        field(0x03, &[&echo.incarnation.get().to_be_bytes(), &sent_at, &held.to_be_bytes()]);
    }
    let role = u8::from(block.view.role == Role::Observer);
    let view = block.view;
    field(0x04, &[&view.members.to_be_bytes(), &[role], &view.profile.to_be_bytes()]);
    let settings = block.settings;
    let settings = [settings.cluster_size, settings.lease_millis, settings.drift_ppm];
    let [size, lease, drift] = settings.map(u32::to_be_bytes);
    field(0x05, &[&size, &lease, &drift]);
    for (kind, tag) in [(0x06, block.challenge), (0x07, block.answer)] {
        if let Some(tag) = tag {
            field(kind, &[&tag.0.to_be_bytes()]);
        }
    }
    if let Some(channel) = block.channel {
        field(0x08, &[&channel.number.to_be_bytes(), &channel.first.to_be_bytes()[2..]]);
    }
    if let Some(number) = block.next_request {
        field(0x09, &[&number.to_be_bytes()]);
    }
    fields
}

/// The reference: docs/protocol.md, by offsets.
fn expected(bytes: &[u8]) -> Option<Said> {
    let kind = *bytes.first()?;
    let field = |start: usize, end: usize| bytes.get(start..end).map(<[u8]>::to_vec);
    let rest = |start: usize| bytes.get(start..).map(<[u8]>::to_vec);
    let fields = match kind {
        0x01..=0x03 => {
            let mut fields = vec![field(1, 3)?];
            if bytes.get(3..5) == Some(&[0xa1, 0x01]) {
                fields.extend(expected_block(&bytes[5..])?);
            }
            fields
        }
        0x04 => {
            let after_name = 6 + usize::from(*bytes.get(5)?);
            let name = field(6, after_name)?;
            let len = number(bytes.get(after_name..after_name + 2)?);
            let metadata = field(after_name + 2, after_name + 2 + len)?;
            if name.len() > 64 || metadata.len() > 512 || std::str::from_utf8(&name).is_err() {
                return None;
            }
            vec![field(1, 5)?, name, metadata]
        }
        0x05 => vec![],
        0x06 => vec![field(1, 5)?],
        0x07 => expected_page(bytes)?,
        0x08 => {
            let (stage, about) = (field(1, 2)?, field(2, 10)?);
            ((1..=4).contains(&stage[0]) && number(&about) != 0).then_some(vec![stage, about])?
        }
        0x10 | 0x40 => vec![rest(1)?],
        0x20 | 0x21 | 0x42 => vec![field(1, 17)?, rest(17)?],
        0x30..=0x33 => {
            let len = number(bytes.get(17..19)?);
            vec![field(1, 17)?, field(19, 19 + len)?]
        }
        0x41 => {
            let (request, behind) = (field(17, 25)?, field(25, 29)?);
            let is_ahead = number(&request) > number(&behind);
            is_ahead.then_some(vec![field(1, 17)?, request, behind, rest(29)?])?
        }
        0x43 => vec![field(1, 17)?],
        _ => return None,
    };
    Some(Said { kind, fields })
}

fn expected_page(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut fields = vec![bytes.get(1..5)?.to_vec()];
    let mut entries = &bytes[5..];
    while !entries.is_empty() {
        let life = entries.get(..8)?;
        let ip = match entries.get(8)? {
            4 => entries.get(9..13)?,
            6 => entries.get(9..25)?,
            _ => return None,
        };
        let port = entries.get(9 + ip.len()..11 + ip.len())?;
        if number(life) == 0 {
            return None;
        }
        fields.extend([life, ip, port].map(<[u8]>::to_vec));
        entries = &entries[11 + ip.len()..];
    }
    Some(fields)
}

/// The fields of a block, behind magic and version, that are known: each at most once, with the
/// length that it must have, and the needed ones among them.
fn expected_block(block: &[u8]) -> Option<Vec<Vec<u8>>> {
    const LENGTHS: [usize; 10] = [0, 8, 24, 20, 13, 12, 8, 8, 8, 8];
    let len = number(block.get(..2)?);
    let mut fields = block.get(2..2 + len)?;
    let mut found = BTreeMap::new();
    while !fields.is_empty() {
        let (kind, len) = (fields[0], usize::from(*fields.get(1)?));
        let mut value = fields.get(2..2 + len)?.to_vec();
        fields = &fields[2 + len..];
        if !(0x01..=0x09).contains(&kind) {
            continue;
        }
        if value.len() != LENGTHS[usize::from(kind)] {
            return None;
        }
        let sound = match kind {
            0x01 | 0x03 => number(&value[..8]) != 0,
            0x08 => (1..=0x7fff).contains(&number(&value[..2])),
            _ => true,
        };
        if kind == 0x04 {
            value[8] &= 1;
        }
        if !sound || found.insert(kind, [&[kind], &value[..]].concat()).is_some() {
            return None;
        }
    }
    let needed = [0x01, 0x02, 0x04, 0x05];
    needed.iter().all(|kind| found.contains_key(kind)).then(|| found.into_values().collect())
}

/// A number of up to eight bytes.
fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}
