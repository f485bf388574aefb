//! What holds for all bytes, messages, keys and nonces, not only for the recorded ones.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use alan_proto::envelope::{AnyEnvelope, Effort, Envelope, Key, Recipient, Sealed, Unopened};
use alan_proto::wire::{
    Challenge, Channel, Control, Echo, LockMessage, LockMessageKind, Message, PeerEntry,
    PeerPageBuffer, Probe, ProbeStage, Profile, Role, SessionBlock, Settings, Times, View,
};
use alan_proto::{HybridTime, Incarnation, Instant, RequestId};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const SEALED_OVERHEAD: usize = 40;
const TYPES: [u8; 19] = [
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x10, 0x20, 0x21, 0x30, 0x31, 0x32, 0x33, 0x40,
    0x41, 0x42, 0x43,
];

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
    Profile(u32, String, Vec<u8>),
    ProfileAsk,
    PeersAsk(u32),
    Peers(u32, Box<PeerPageBuffer>),
    Probe(Probe),
    SessionData(Vec<u8>),
    SessionRequest(RequestId, u64, u32, Vec<u8>),
    SessionResponse(RequestId, Vec<u8>),
    ResponseGone(RequestId),
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
            Self::Profile(version, name, metadata) => {
                Message::Profile(Profile { version: *version, name, metadata })
            }
            Self::ProfileAsk => Message::ProfileAsk,
            Self::PeersAsk(cursor) => Message::PeersAsk { cursor: *cursor },
            Self::Peers(next, page) => Message::Peers(page.page(*next)),
            Self::Probe(probe) => Message::Probe(*probe),
            Self::SessionData(payload) => Message::SessionData(payload),
            Self::SessionRequest(id, number, behind, body) => {
                Message::SessionRequest { id: *id, number: *number, behind: *behind, body }
            }
            Self::SessionResponse(id, body) => Message::SessionResponse { id: *id, body },
            Self::ResponseGone(id) => Message::ResponseGone { id: *id },
        }
    }

    /// Whether each of its bytes after some header is payload, so that it can be cut unnoticed.
    fn ends_in_payload(&self) -> bool {
        matches!(
            self,
            Self::Data(_)
                | Self::Request(..)
                | Self::Response(..)
                | Self::SessionData(_)
                | Self::SessionRequest(..)
                | Self::SessionResponse(..)
        )
    }
}

fn incarnations() -> impl Strategy<Value = Incarnation> {
    (1..=u64::MAX).prop_map(|number| Incarnation::new(number).expect("the range begins at one"))
}

prop_compose! {
    fn times()(micros: [u64; 3]) -> Times {
        let [sent_at, clock, started] = micros;
        Times {
            sent_at: Instant::from_micros(sent_at),
            clock: HybridTime::from_micros(clock),
            started: HybridTime::from_micros(started),
        }
    }
}

prop_compose! {
    fn echoes()(incarnation in incarnations(), sent_at: u64, held: u32) -> Echo {
        let held = Duration::from_micros(held.into());
        let echo = Echo::new(incarnation, Instant::from_micros(sent_at), held);
        echo.expect("it was held for less than 71 minutes")
    }
}

prop_compose! {
    fn views()(
        members: u64,
        role in select(&[Role::Voter, Role::Observer][..]),
        profile: u32,
    ) -> View {
        View { members, role, profile }
    }
}

prop_compose! {
    fn settings()(numbers: [u32; 3]) -> Settings {
        let [cluster_size, lease_millis, drift_ppm] = numbers;
        Settings { cluster_size, lease_millis, drift_ppm }
    }
}

prop_compose! {
    fn blocks()(
        needed in (incarnations(), times(), views(), settings()),
        echo in option::of(echoes()),
        challenge: Option<u64>,
        answer: Option<u64>,
        channel in option::of((1_u16..1 << 15, 0_u64..1 << 48)),
        next_request: Option<u64>,
    ) -> SessionBlock {
        let (incarnation, times, view, settings) = needed;
        let mut block = SessionBlock::new(incarnation, times, view, settings);
        block.echo = echo;
        block.challenge = challenge.map(Challenge);
        block.answer = answer.map(Challenge);
        block.channel = channel.and_then(|(number, first)| Channel::new(number, first));
        block.next_request = next_request;
        block
    }
}

fn pages() -> impl Strategy<Value = PeerPageBuffer> {
    vec((incarnations(), any::<IpAddr>(), any::<u16>()), 0..40).prop_map(|entries| {
        let mut page = PeerPageBuffer::new();
        for (incarnation, ip, port) in entries {
            let entry = PeerEntry { incarnation, addr: SocketAddr::new(ip, port) };
            page.push(&entry).expect("a page has room for 42 entries at least");
        }
        page
    })
}

fn probes() -> impl Strategy<Value = Probe> {
    let stages = [ProbeStage::Ask, ProbeStage::Ping, ProbeStage::Pong, ProbeStage::Alive];
    (select(stages.to_vec()), incarnations()).prop_map(|(stage, about)| Probe { stage, about })
}

fn controls() -> impl Strategy<Value = Control> {
    (any::<u16>(), option::of(blocks())).prop_map(|(port, block)| Control { port, block })
}

fn ids() -> impl Strategy<Value = RequestId> {
    any::<[u8; 16]>().prop_map(RequestId)
}

/// The messages that a classic node knows.
fn classic_messages() -> impl Strategy<Value = Owned> {
    let bytes = vec(any::<u8>(), 0..2_000);
    let kinds = [
        LockMessageKind::Request,
        LockMessageKind::Grant,
        LockMessageKind::Deny,
        LockMessageKind::Release,
    ];
    prop_oneof![
        controls().prop_map(Owned::Join),
        controls().prop_map(Owned::Leave),
        controls().prop_map(Owned::Heartbeat),
        bytes.clone().prop_map(Owned::Data),
        (ids(), bytes.clone()).prop_map(|(id, body)| Owned::Request(id, body)),
        (ids(), bytes.clone()).prop_map(|(id, body)| Owned::Response(id, body)),
        (select(kinds.to_vec()), ids(), bytes)
            .prop_map(|(kind, id, key)| Owned::Lock(kind, id, key)),
    ]
}

/// The messages that only extended members send each other.
fn extended_messages() -> impl Strategy<Value = Owned> {
    let bytes = vec(any::<u8>(), 0..2_000);
    let numbers = (1_u64.., any::<u32>()).prop_map(|(number, behind)| {
        let most = u32::try_from(number - 1).unwrap_or(u32::MAX);
        (number, behind.min(most))
    });
    prop_oneof![
        (any::<u32>(), "[a-zé]{0,32}", vec(any::<u8>(), 0..=512))
            .prop_map(|(version, name, metadata)| Owned::Profile(version, name, metadata)),
        Just(Owned::ProfileAsk),
        any::<u32>().prop_map(Owned::PeersAsk),
        (any::<u32>(), pages()).prop_map(|(next, page)| Owned::Peers(next, Box::new(page))),
        probes().prop_map(Owned::Probe),
        bytes.clone().prop_map(Owned::SessionData),
        (ids(), numbers, bytes.clone()).prop_map(|(id, (number, behind), body)| {
            Owned::SessionRequest(id, number, behind, body)
        }),
        (ids(), bytes).prop_map(|(id, body)| Owned::SessionResponse(id, body)),
        ids().prop_map(Owned::ResponseGone),
    ]
}

fn messages() -> impl Strategy<Value = Owned> {
    prop_oneof![classic_messages(), extended_messages()]
}

/// Bytes that come further than the type byte more often than pure noise would.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let typed = (select(&TYPES[..]), vec(any::<u8>(), 0..100))
        .prop_map(|(kind, rest)| [&[kind], &rest[..]].concat());
    let blocks = (1_u8..=3, vec(0_u8..12, 0..60))
        .prop_map(|(kind, rest)| [&[kind, 0x3a, 0x98, 0xa1, 0x01], &rest[..]].concat());
    // A message with one byte altered.
    let altered =
        (messages(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(owned, place, byte)| {
            let mut bytes = encode(&owned.message());
            let place = place.index(bytes.len());
            bytes[place] = byte;
            bytes
        });
    prop_oneof![vec(any::<u8>(), 0..100), typed, blocks, altered]
}

fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = vec![0; message.encoded_len()];
    assert_eq!(message.encode(&mut bytes), bytes.len());
    bytes
}

fn is_unsealed(envelope: &mut Sealed, datagram: &mut [u8]) -> bool {
    matches!(envelope.open(datagram, Effort::Full).outcome, Err(Unopened::Unsealed { .. }))
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
            // A JOIN with a block is padded, however short it came.
            let is_padded = matches!(message, Message::Join(join) if join.block.is_some());
            prop_assert!(is_padded || message.encoded_len() <= bytes.len());
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
    fn what_was_decoded_is_encoded_to_the_same_bytes_again(owned in messages()) {
        let bytes = encode(&owned.message());
        let message = Message::decode(&bytes).expect("it was encoded here");
        prop_assert_eq!(encode(&message), bytes);
    }

    #[test]
    fn a_page_gives_back_the_peers_that_were_put_into_it(
        peers in vec((incarnations(), any::<IpAddr>(), any::<u16>()), 0..40),
        next: u32,
    ) {
        let peers = peers.into_iter().map(|(incarnation, ip, port)| PeerEntry {
            incarnation,
            addr: SocketAddr::new(ip, port),
        });
        let peers: Vec<_> = peers.collect();
        let mut page = PeerPageBuffer::new();
        for peer in &peers {
            prop_assert_eq!(page.push(peer), Ok(()));
        }
        let bytes = encode(&Message::Peers(page.page(next)));
        let Ok(Message::Peers(read)) = Message::decode(&bytes) else {
            return Err(TestCaseError::fail("a page became something else"));
        };
        prop_assert_eq!(read.next, next);
        prop_assert_eq!(read.iter().collect::<Vec<_>>(), peers);
    }

    #[test]
    fn a_request_is_never_further_ahead_than_its_number(id: [u8; 16], number: u64, behind: u32) {
        let body = &b"body"[..];
        let message = Message::SessionRequest { id: RequestId(id), number, behind, body };
        let bytes = encode(&message);
        let decoded = Message::decode(&bytes);
        if u64::from(behind) < number {
            prop_assert_eq!(decoded, Ok(message));
        } else {
            prop_assert!(decoded.is_err());
        }
    }

    #[test]
    fn encoding_leaves_the_bytes_after_the_message_alone(owned in messages()) {
        let message = owned.message();
        let mut out = vec![0xee; message.encoded_len() + 3];
        let len = message.encode(&mut out);
        prop_assert_eq!(&out[len..], &[0xee; 3]);
    }

    #[test]
    fn a_message_without_payload_that_is_cut_never_becomes_another(owned in messages()) {
        prop_assume!(!owned.ends_in_payload());
        let bytes = encode(&owned.message());
        for end in 0..bytes.len() {
            match Message::decode(&bytes[..end]) {
                // Cut before the block's version byte, it is a classic peer's message.
                Ok(Message::Join(cut) | Message::Leave(cut) | Message::Heartbeat(cut)) => {
                    prop_assert_eq!(cut.block, None);
                    prop_assert!((3..=4).contains(&end));
                }
                // A page that is cut between two entries is a shorter page.
                Ok(Message::Peers(shorter)) => {
                    let Message::Peers(whole) = owned.message() else {
                        return Err(TestCaseError::fail("something else became a page"));
                    };
                    let count = shorter.iter().count();
                    prop_assert!(shorter.iter().eq(whole.iter().take(count)));
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
        prop_assert_eq!(envelope.open(&mut datagram, Effort::Full).message(), Ok(&mut message.clone()[..]));
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
