//! Every vector of `tests/vectors/classic-wire.json`: decoded, encoded, sealed and opened.

mod classic_wire;

use std::convert::Infallible;

use alan_proto::envelope::{self, AnyEnvelope, Effort, Envelope, Key, Plain, Recipient, Sealed};
use alan_proto::wire::{Control, DecodeError, LockMessage, LockMessageKind, Message};
use classic_wire::{ClassicWire, Decoded, Hex, Origin, Vector};
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

/// The Go library's encoder cuts the length of a key of 65,536 bytes to 0, but sends the key.
/// Ours never makes this message, so it does not give it back byte for byte.
const NEVER_ENCODED: &str = "lock-request-key-65536-length-wraps-to-0";

/// The types that are ours: the Go library drops such a message, whatever is in it.
const EXTENDED: [u8; 9] = [0x04, 0x05, 0x06, 0x07, 0x08, 0x40, 0x41, 0x42, 0x43];

#[test]
fn the_file_holds_what_its_readme_promises() {
    let wire = ClassicWire::read();
    assert_eq!(wire.vectors.len(), 156);
    assert_eq!(wire.crypto_cases.len(), 21);
    assert_eq!(wire.key_sizes.len(), 7);
    assert_ne!(wire.keys.key1, wire.keys.key2);
}

#[test]
fn every_message_is_decoded_or_refused_as_the_go_library_does() {
    let wire = ClassicWire::read();
    let (mut taken, mut refused, mut unknown, mut extended) = (0, 0, 0, 0);
    for vector in &wire.vectors {
        let plain = vector.plain();
        let name = &vector.name;
        match (Message::decode(&plain), vector.accepted, &vector.decoded) {
            (Ok(message), true, Some(recorded)) => {
                assert_same(&message, &plain, recorded, name);
                taken += 1;
            }
            (Err(DecodeError::UnknownType(kind)), false, Some(recorded)) => {
                assert_eq!(kind, recorded.kind, "{name}");
                unknown += 1;
            }
            (_, false, Some(recorded)) if EXTENDED.contains(&recorded.kind) => extended += 1,
            (Err(error), false, None) => {
                let recorded = vector.reject.as_deref().expect("a refusal has its reason");
                assert_eq!(refusal(recorded, plain.len()), error, "{name}");
                refused += 1;
            }
            (ours, ..) => panic!("{name}: we say {ours:?}"),
        }
    }
    assert_eq!(taken + refused + unknown + extended, wire.vectors.len());
    assert!(unknown > 0 && extended > 0);
    assert_eq!(taken, wire.vectors.iter().filter(|vector| vector.accepted).count());
}

#[test]
fn every_decoded_message_is_encoded_to_the_same_bytes_again() {
    let wire = ClassicWire::read();
    for vector in wire.vectors.iter().filter(|vector| vector.accepted) {
        let name = &vector.name;
        let plain = vector.plain();
        let recorded = vector.decoded.as_ref().expect("an accepted message was decoded");
        let ignored = recorded.ignored_trailing_len.unwrap_or(0);
        if vector.origin == Origin::Encoder && name != NEVER_ENCODED {
            assert_eq!(ignored, 0, "{name}: an encoder leaves nothing to be ignored");
        }

        let message = Message::decode(&plain).expect("it was accepted");
        let mut encoded = vec![0; message.encoded_len()];
        assert_eq!(message.encode(&mut encoded), encoded.len(), "{name}");
        assert_eq!(encoded, plain[..plain.len() - ignored], "{name}");
    }
}

#[test]
#[should_panic(expected = "at most 65,535 bytes")]
fn a_lock_key_whose_length_would_wrap_is_never_encoded() {
    let wire = ClassicWire::read();
    let vector = wire.vectors.iter().find(|vector| vector.name == NEVER_ENCODED);
    let plain = vector.expect("the vector is there").plain();
    let Ok(Message::Lock(lock)) = Message::decode(&plain) else {
        panic!("it is a lock message");
    };
    let key = &plain[plain.len() - 65_536..];
    let _ = Message::Lock(LockMessage { key, ..lock }).encode(&mut vec![0; 70_000]);
}

#[test]
fn every_message_is_sealed_to_the_recorded_bytes_and_opens_again() {
    for vector in &ClassicWire::read().vectors {
        let name = &vector.name;
        let plain = vector.plain();
        if let Some(hash) = &vector.plain_hash {
            assert_eq!(sha256(&plain), *hash, "{name}");
        }

        let mut envelope = Sealed::new(&key(&vector.key));
        let mut datagram = seal(&mut envelope, &plain, &vector.nonce);
        assert_sealed(&datagram, vector);
        assert_eq!(
            envelope.open(&mut datagram, Effort::Full).message(),
            Ok(&mut plain.clone()[..]),
            "{name}"
        );
    }
}

#[test]
fn every_message_travels_in_plain_as_it_is() {
    for vector in &ClassicWire::read().vectors {
        let mut plain = vector.plain();
        let mut datagram = seal(&mut Plain, &plain, &vector.nonce);
        assert_eq!(datagram, plain, "{}", vector.name);
        let opened = Plain.open(&mut datagram, Effort::Full).outcome.expect("clear text opens");
        assert_eq!(opened.message, &mut plain[..], "{}", vector.name);
        assert_eq!(opened.origin, envelope::Origin::Clear);
    }
}

#[test]
fn every_recorded_datagram_opens_or_does_not_open_as_in_the_go_library() {
    let wire = ClassicWire::read();
    let (mut opened, mut unopened) = (0, 0);
    for case in &wire.crypto_cases {
        let name = &case.name;
        let received = case.datagram.0.clone();
        assert_eq!(received.len(), case.datagram_len, "{name}");
        let mut envelope =
            AnyEnvelope::new((!case.key.0.is_empty()).then(|| key(&case.key)).as_ref());

        let mut datagram = received.clone();
        let Ok(message) = envelope.open(&mut datagram, Effort::Full).message() else {
            assert_eq!(case.opened, Some(false), "{name}");
            assert!(!case.accepted && case.plain.is_none(), "{name}");
            assert_eq!(datagram, received, "{name}: what does not open is left as it was");
            unopened += 1;
            continue;
        };
        opened += 1;
        assert_ne!(case.opened, Some(false), "{name}");
        assert_eq!(Some(&Hex(message.to_vec())), case.plain.as_ref(), "{name}");
        match (Message::decode(message), &case.decoded) {
            (Ok(decoded), Some(recorded)) if case.accepted => {
                assert_same(&decoded, message, recorded, name);
            }
            (Err(DecodeError::UnknownType(kind)), Some(recorded)) if !case.accepted => {
                assert_eq!(kind, recorded.kind, "{name}");
            }
            (Err(DecodeError::Empty), None) if !case.accepted => {}
            (ours, recorded) => panic!("{name}: we say {ours:?}, recorded is {recorded:?}"),
        }
    }
    assert_eq!(opened + unopened, wire.crypto_cases.len());
    assert!(opened > 0 && unopened > 0);
}

#[test]
fn only_a_key_of_32_bytes_is_taken() {
    for size in &ClassicWire::read().key_sizes {
        match Key::from_bytes(&vec![7; size.key_len]) {
            Ok(_) => assert!(size.accepted && size.error.is_none(), "{} bytes", size.key_len),
            Err(error) => {
                assert!(!size.accepted && size.error.is_some(), "{} bytes", size.key_len);
                assert_eq!(error.given, size.key_len);
            }
        }
    }
}

/// Compares a message with what the Go library made of the same bytes.
fn assert_same(message: &Message<'_>, plain: &[u8], recorded: &Decoded, name: &str) {
    let empty = || Decoded::empty(plain[0]);
    let ignored = Some(plain.len() - message.encoded_len());
    let data = |data: &[u8], id| Decoded {
        request_id: id,
        // The file leaves out data that would fill pages; the length is there, and encoding the
        // message again compares every byte.
        data: recorded.data.is_some().then(|| Hex(data.to_vec())),
        data_len: Some(data.len()),
        ..empty()
    };
    let ours = match *message {
        Message::Join(Control { port, block })
        | Message::Leave(Control { port, block })
        | Message::Heartbeat(Control { port, block }) => {
            assert_eq!(block, None, "{name}: a classic node sends no block");
            Decoded { port: Some(port), ignored_trailing_len: ignored, ..empty() }
        }
        Message::Data(payload) => data(payload, None),
        Message::Request { id, body } | Message::Response { id, body } => {
            data(body, Some(Hex(id.0.to_vec())))
        }
        Message::Lock(LockMessage { id, key, .. }) => Decoded {
            request_id: Some(Hex(id.0.to_vec())),
            lock_key: recorded.lock_key.is_some().then(|| Hex(key.to_vec())),
            lock_key_len: Some(key.len()),
            ignored_trailing_len: ignored,
            ..empty()
        },
        _ => panic!("{name}: the Go library has no such message"),
    };
    assert_eq!(ours, *recorded, "{name}");
    assert_eq!(type_byte(message), recorded.kind, "{name}");
}

/// The type byte of each kind, said once more, apart from the code that it tests.
fn type_byte(message: &Message<'_>) -> u8 {
    match message {
        Message::Join(_) => 0x01,
        Message::Leave(_) => 0x02,
        Message::Heartbeat(_) => 0x03,
        Message::Data(_) => 0x10,
        Message::Request { .. } => 0x20,
        Message::Response { .. } => 0x21,
        Message::Lock(lock) => match lock.kind {
            LockMessageKind::Request => 0x30,
            LockMessageKind::Grant => 0x31,
            LockMessageKind::Deny => 0x32,
            LockMessageKind::Release => 0x33,
            _ => panic!("the Go library has no such lock message"),
        },
        _ => panic!("the Go library has no such message"),
    }
}

/// Our error for the reason that the Go library gives for refusing a message of `len` bytes.
fn refusal(recorded: &str, len: usize) -> DecodeError {
    let after_type_and_id = 17;
    let field = match recorded {
        "message too short" => return DecodeError::Empty,
        "control payload too short" => "port",
        "request payload too short: need at least 16 bytes" => "request id",
        "lock payload too short: need at least 18 bytes" if len < after_type_and_id => "request id",
        "lock payload too short: need at least 18 bytes" => "key length",
        key if key.starts_with("lock payload too short for key length") => "key",
        other => panic!("a reason that is new here: {other}"),
    };
    DecodeError::Truncated { field }
}

fn key(bytes: &Hex) -> Key {
    Key::from_bytes(&bytes.0).expect("the recorded keys have 32 bytes")
}

fn seal<E: Envelope>(envelope: &mut E, message: &[u8], nonce: &Hex) -> Vec<u8> {
    // The room around the message holds rubbish, as a buffer that is used again does.
    let mut datagram = vec![0xee; envelope.prefix() + message.len() + envelope.suffix()];
    datagram[envelope.prefix()..][..message.len()].copy_from_slice(message);
    envelope.seal(&mut RecordedNonce(nonce.0.clone()), Recipient::Anyone, &mut datagram);
    datagram
}

fn assert_sealed(datagram: &[u8], vector: &Vector) {
    let name = &vector.name;
    assert_eq!(datagram.len(), vector.sealed_len, "{name}");
    match (&vector.sealed, &vector.sealed_hash, &vector.tag) {
        (Some(sealed), None, None) => assert_eq!(datagram, sealed.0, "{name}"),
        (None, Some(hash), Some(tag)) => {
            assert_eq!(sha256(datagram), *hash, "{name}");
            assert!(datagram.ends_with(&tag.0), "{name}");
        }
        _ => panic!("{name}: neither the sealed bytes nor their hash is recorded"),
    }
}

fn sha256(bytes: &[u8]) -> Hex {
    Hex(Sha256::digest(bytes).to_vec())
}

/// A generator that gives out one recorded nonce, whole.
struct RecordedNonce(Vec<u8>);

impl TryRng for RecordedNonce {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("a nonce is drawn in one piece")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("a nonce is drawn in one piece")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.copy_from_slice(&core::mem::take(&mut self.0));
        Ok(())
    }
}

impl TryCryptoRng for RecordedNonce {}
