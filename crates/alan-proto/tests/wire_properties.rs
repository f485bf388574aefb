//! What holds for all bytes, messages, keys and nonces, not only for the recorded ones.

use alan_proto::envelope::{AnyEnvelope, Envelope, Key, Recipient, Sealed, Unopened};
use alan_proto::wire::{Control, LockMessage, LockMessageKind, Message, SessionBlock};
use alan_proto::{Incarnation, RequestId};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const SEALED_OVERHEAD: usize = 40;
const TYPES: [u8; 10] = [0x01, 0x02, 0x03, 0x10, 0x20, 0x21, 0x30, 0x31, 0x32, 0x33];

/// A message that owns its bytes, since the tool that shrinks it can't lend them.
#[derive(Clone, Debug)]
enum Owned {
    Join(Control),
    Leave(Control),
    Heartbeat(Control),
    Data(Vec<u8>),
    Request(RequestId, Vec<u8>),
    Response(RequestId, Vec<u8>),
    Lock(LockMessageKind, RequestId, Vec<u8>),
}

impl Owned {
    fn message(&self) -> Message<'_> {
        match self {
            Self::Join(control) => Message::Join(*control),
            Self::Leave(control) => Message::Leave(*control),
            Self::Heartbeat(control) => Message::Heartbeat(*control),
            Self::Data(payload) => Message::Data(payload),
            Self::Request(id, body) => Message::Request { id: *id, body },
            Self::Response(id, body) => Message::Response { id: *id, body },
            Self::Lock(kind, id, key) => Message::Lock(LockMessage { kind: *kind, id: *id, key }),
        }
    }
}

fn messages() -> impl Strategy<Value = Owned> {
    let block = (1..=u64::MAX).prop_map(|number| {
        SessionBlock::new(Incarnation::new(number).expect("the range begins at one"))
    });
    let control =
        (any::<u16>(), option::of(block)).prop_map(|(port, block)| Control { port, block });
    let id = any::<[u8; 16]>().prop_map(RequestId);
    let bytes = vec(any::<u8>(), 0..2_000);
    let kind = prop_oneof![
        Just(LockMessageKind::Request),
        Just(LockMessageKind::Grant),
        Just(LockMessageKind::Deny),
        Just(LockMessageKind::Release),
    ];
    prop_oneof![
        control.clone().prop_map(Owned::Join),
        control.clone().prop_map(Owned::Leave),
        control.prop_map(Owned::Heartbeat),
        bytes.clone().prop_map(Owned::Data),
        (id.clone(), bytes.clone()).prop_map(|(id, body)| Owned::Request(id, body)),
        (id.clone(), bytes.clone()).prop_map(|(id, body)| Owned::Response(id, body)),
        (kind, id, bytes).prop_map(|(kind, id, key)| Owned::Lock(kind, id, key)),
    ]
}

/// Bytes that come further than the type byte more often than pure noise would.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let typed = (select(&TYPES[..]), vec(any::<u8>(), 0..100))
        .prop_map(|(kind, rest)| [&[kind], &rest[..]].concat());
    let blocks = (1_u8..=3, vec(0_u8..12, 0..60))
        .prop_map(|(kind, rest)| [&[kind, 0x3a, 0x98, 0xa1, 0x01], &rest[..]].concat());
    prop_oneof![vec(any::<u8>(), 0..100), typed, blocks]
}

fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = vec![0; message.encoded_len()];
    assert_eq!(message.encode(&mut bytes), bytes.len());
    bytes
}

fn is_unsealed(envelope: &mut Sealed, datagram: &mut [u8]) -> bool {
    matches!(envelope.open(datagram).outcome, Err(Unopened::Unsealed { .. }))
}

fn sealed(key: [u8; 32]) -> Sealed {
    Sealed::new(&Key::from_bytes(&key).expect("the key has 32 bytes"))
}

/// The message in its place, with room around it.
fn place<E: Envelope>(envelope: &E, message: &[u8]) -> Vec<u8> {
    [&vec![0; envelope.prefix()], message, &vec![0; envelope.suffix()]].concat()
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in noise()) {
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert!(message.encoded_len() <= bytes.len());
            // What was understood is said again in bytes that mean the same.
            let encoded = encode(&message);
prop_assert_eq!(Message::decode(&encoded), Ok(message));
        }
    }

    #[test]
    fn what_is_encoded_decodes_to_the_same_message(owned in messages()) {
        let message = owned.message();
        let encoded = encode(&message);
prop_assert_eq!(Message::decode(&encoded), Ok(message));
    }

    #[test]
    fn encoding_leaves_the_bytes_after_the_message_alone(owned in messages()) {
        let message = owned.message();
        let mut out = vec![0xee; message.encoded_len() + 3];
        let len = message.encode(&mut out);
        prop_assert_eq!(&out[len..], &[0xee; 3]);
    }

    #[test]
    fn a_control_or_lock_message_that_is_cut_never_becomes_another(owned in messages()) {
        let message = owned.message();
        let payload = matches!(
            message,
            Message::Data(_) | Message::Request { .. } | Message::Response { .. }
        );
        prop_assume!(!payload);
        let bytes = encode(&message);
        for end in 0..bytes.len() {
            match Message::decode(&bytes[..end]) {
                // Cut before the block's version byte, it is a classic peer's message.
                Ok(Message::Join(cut) | Message::Leave(cut) | Message::Heartbeat(cut)) => {
                    prop_assert_eq!(cut.block, None);
                    prop_assert!((3..=4).contains(&end));
                }
                Ok(other) => prop_assert!(false, "cut to {} it became {:?}", end, other),
                Err(_) => {}
            }
        }
    }

    #[test]
    fn a_sealed_message_opens_under_its_key_only(
        key: [u8; 32],
        other: [u8; 32],
        seed: u64,
        message in vec(any::<u8>(), 0..2_000),
    ) {
        prop_assume!(key != other);
        let mut envelope = sealed(key);
        let mut datagram = place(&envelope, &message);
        envelope.seal(&mut ChaCha20Rng::seed_from_u64(seed), Recipient::Anyone, &mut datagram);
        prop_assert_eq!(datagram.len(), message.len() + SEALED_OVERHEAD);

        let sent = datagram.clone();
        prop_assert!(is_unsealed(&mut sealed(other), &mut datagram));
        prop_assert_eq!(&datagram, &sent);
        prop_assert_eq!(envelope.open(&mut datagram).message(), Ok(&mut message.clone()[..]));
    }
}

proptest! {
    // Each case opens hundreds of datagrams.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_datagram_with_any_bit_flipped_or_any_end_cut_does_not_open(
        key: [u8; 32],
        seed: u64,
        message in vec(any::<u8>(), 0..60),
    ) {
        let mut envelope = sealed(key);
        let mut datagram = place(&envelope, &message);
        envelope.seal(&mut ChaCha20Rng::seed_from_u64(seed), Recipient::Anyone, &mut datagram);
        for bit in 0..datagram.len() * 8 {
            let mut altered = datagram.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(is_unsealed(&mut envelope, &mut altered));
        }
        for end in 0..datagram.len() {
            prop_assert!(is_unsealed(&mut envelope, &mut datagram[..end]));
        }
    }
}

#[test]
fn no_two_datagrams_of_the_same_message_are_alike() {
    let mut envelope = sealed([7; 32]);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut sent = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let mut datagram = place(&envelope, b"the same");
        envelope.seal(&mut rng, Recipient::Anyone, &mut datagram);
        assert!(sent.insert(datagram));
    }
}

#[test]
fn an_envelope_chosen_at_run_time_is_the_one_that_was_chosen() {
    let key = Key::from_bytes(&[7; 32]).expect("the key has 32 bytes");
    let plain = AnyEnvelope::new(None);
    let sealed = AnyEnvelope::new(Some(&key));
    assert!(matches!(plain, AnyEnvelope::Plain(_)));
    assert!(matches!(sealed, AnyEnvelope::Sealed(_)));
    assert_eq!((plain.prefix(), plain.suffix()), (0, 0));
    assert_eq!((sealed.prefix(), sealed.suffix()), (24, 16));
}

#[test]
fn no_secret_is_shown_in_debug_output() {
    let key = Key::from_bytes(&[0xab; 32]).expect("the key has 32 bytes");
    assert_eq!(format!("{key:?}"), "Key(redacted)");
    assert_eq!(format!("{:?}", AnyEnvelope::new(Some(&key))), "Sealed(Sealed(redacted))");
}
