//! The decoder, against one that is written differently: by offsets into the whole message.

use alan_proto::RequestId;
use alan_proto::wire::{LockMessageKind, Message};

/// What a message says, in the plainest form.
#[derive(PartialEq, Eq, Debug)]
enum Said {
    Control { kind: u8, port: u16, incarnation: Option<u64> },
    Data(Vec<u8>),
    Exchange { kind: u8, id: [u8; 16], body: Vec<u8> },
    Lock { kind: u8, id: [u8; 16], key: Vec<u8> },
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
    match *message {
        Message::Join(control) => said_control(0x01, control),
        Message::Leave(control) => said_control(0x02, control),
        Message::Heartbeat(control) => said_control(0x03, control),
        Message::Data(payload) => Said::Data(payload.to_vec()),
        Message::Request { id, body } => said_exchange(0x20, id, body),
        Message::Response { id, body } => said_exchange(0x21, id, body),
        Message::Lock(lock) => {
            let kind = match lock.kind {
                LockMessageKind::Request => 0x30,
                LockMessageKind::Grant => 0x31,
                LockMessageKind::Deny => 0x32,
                LockMessageKind::Release => 0x33,
                other => unreachable!("a kind that this target does not know: {other:?}"),
            };
            Said::Lock { kind, id: lock.id.0, key: lock.key.to_vec() }
        }
        other => unreachable!("a message that this target does not know: {other:?}"),
    }
}

fn said_control(kind: u8, control: alan_proto::wire::Control) -> Said {
    let incarnation = control.block.map(|block| block.incarnation.get());
    Said::Control { kind, port: control.port, incarnation }
}

fn said_exchange(kind: u8, id: RequestId, body: &[u8]) -> Said {
    Said::Exchange { kind, id: id.0, body: body.to_vec() }
}

/// The reference: docs/protocol.md, by offsets.
fn expected(bytes: &[u8]) -> Option<Said> {
    let kind = *bytes.first()?;
    match kind {
        0x01..=0x03 => {
            let port = number(bytes.get(1..3)?);
            let incarnation = match bytes.get(3..5) {
                Some([0xa1, 0x01]) => Some(expected_incarnation(&bytes[5..])?),
                _ => None,
            };
            Some(Said::Control { kind, port, incarnation })
        }
        0x10 => Some(Said::Data(bytes[1..].to_vec())),
        0x20 | 0x21 => {
            let id = bytes.get(1..17)?.try_into().expect("16 bytes");
            Some(Said::Exchange { kind, id, body: bytes[17..].to_vec() })
        }
        0x30..=0x33 => {
            let id = bytes.get(1..17)?.try_into().expect("16 bytes");
            let len = usize::from(number(bytes.get(17..19)?));
            Some(Said::Lock { kind, id, key: bytes.get(19..19 + len)?.to_vec() })
        }
        _ => None,
    }
}

/// The fields of a block, behind magic and version: exactly one of them is a valid incarnation.
fn expected_incarnation(block: &[u8]) -> Option<u64> {
    let len = usize::from(number(block.get(..2)?));
    let mut fields = block.get(2..2 + len)?;
    let mut found = Vec::new();
    while !fields.is_empty() {
        let (kind, len) = (fields[0], usize::from(*fields.get(1)?));
        let value = fields.get(2..2 + len)?;
        if kind == 0x01 {
            found.push(u64::from_be_bytes(value.try_into().ok()?));
        }
        fields = &fields[2 + len..];
    }
    match found[..] {
        [incarnation] if incarnation != 0 => Some(incarnation),
        _ => None,
    }
}

fn number(two: &[u8]) -> u16 {
    u16::from_be_bytes([two[0], two[1]])
}
