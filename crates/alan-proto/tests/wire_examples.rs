//! Every example in `docs/protocol.md`, read out of the document: the bytes mean what is said.

use core::net::SocketAddr;
use core::str::FromStr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use alan_proto::envelope::{Effort, Envelope, Key, Opened, Origin, Sealed};
use alan_proto::wire::{
    Challenge, Channel, Control, DecodeError, Echo, LockMessage, LockMessageKind, Message,
    PeerEntry, PeerPageBuffer, Probe, ProbeStage, Profile, Role, SessionBlock, Settings, Times,
    View,
};
use alan_proto::{HybridTime, Incarnation, Instant, RequestId};
use data_encoding::HEXLOWER;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const NONCE: usize = 24;
const TAG: usize = 16;

/// Every message, by the name that the document has for it, and the verbs of its other examples.
const VERBS: [&str; 22] = [
    "JOIN",
    "LEAVE",
    "HEARTBEAT",
    "PROFILE",
    "PROFILE_ASK",
    "PEERS_ASK",
    "PEERS",
    "PROBE",
    "DATA",
    "REQUEST",
    "RESPONSE",
    "LOCK_REQUEST",
    "LOCK_GRANT",
    "LOCK_DENY",
    "LOCK_RELEASE",
    "SESSION_DATA",
    "SESSION_REQUEST",
    "SESSION_RESPONSE",
    "RESPONSE_GONE",
    "SEALED",
    "REFUSED",
    "RECEIVED",
];

/// One block: what its first line says, and its bytes.
struct Example {
    claim: String,
    bytes: Vec<u8>,
}

#[test]
fn every_example_means_what_it_says() {
    for Example { claim, bytes } in examples() {
        let mut page = PeerPageBuffer::new();
        let (verb, rest) = claim.split_once(' ').unwrap_or((&claim, ""));
        match verb {
            "REFUSED" => {
                let error = Message::decode(&bytes).expect_err(&claim);
                assert_eq!(error.to_string(), rest);
            }
            "RECEIVED" => {
                assert_eq!(Message::decode(&bytes), Ok(message(rest, &mut page)), "{claim}");
            }
            "SEALED" => assert_sealed(rest, &bytes),
            _ => {
                let said = message(&claim, &mut page);
                assert_eq!(Message::decode(&bytes), Ok(said), "{claim}");
                assert_eq!(encode(&said), bytes, "{claim}");
            }
        }
    }
}

#[test]
fn every_message_has_an_example_of_its_own() {
    let examples = examples();
    let verbs: BTreeSet<&str> =
        examples.iter().filter_map(|it| it.claim.split(' ').next()).collect();
    assert_eq!(verbs, BTreeSet::from(VERBS));
    for verb in ["JOIN", "LEAVE", "HEARTBEAT"] {
        let with_block = |with| {
            examples.iter().any(|Example { claim, .. }| {
                claim.split(' ').next() == Some(verb) && claim.contains(" incarnation=") == with
            })
        };
        assert!(with_block(true), "{verb} with a session block");
        assert!(with_block(false), "{verb} of a classic node");
    }
}

#[test]
fn every_field_of_the_block_has_an_example() {
    let examples = examples();
    for field in ["echo", "challenge", "answer", "channel", "next_request"] {
        let said = format!(" {field}=");
        assert!(examples.iter().any(|example| example.claim.contains(&said)), "{field}");
    }
}

#[test]
fn every_message_type_of_the_table_is_known_and_no_other() {
    let table: Vec<u8> = document()
        .lines()
        .filter_map(|line| line.strip_prefix("| 0x")?.split_once(" | ["))
        .map(|(digits, _)| u8::from_str_radix(digits, 16).expect("a type is a hex byte"))
        .collect();
    let known: Vec<u8> = (0..=u8::MAX)
        .filter(|&kind| Message::decode(&[kind]) != Err(DecodeError::UnknownType(kind)))
        .collect();
    assert_eq!(table, known);
}

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md");
    std::fs::read_to_string(path).expect("the document is in the repository")
}

fn examples() -> Vec<Example> {
    let document = document();
    let blocks: Vec<_> = document.split("```example\n").skip(1).map(example).collect();
    assert_eq!(blocks.len(), document.matches("```example").count(), "a block was overlooked");
    let fences = 2 * (blocks.len() + document.matches("```text\n").count());
    assert_eq!(fences, document.matches("```").count(), "a block is left open");
    blocks
}

fn example(from_block: &str) -> Example {
    let (block, _) = from_block.split_once("```").expect("the block ends");
    // A claim may be continued on the next line.
    let block = block.replace("\\\n", "");
    let (claim, lines) = block.split_once('\n').expect("the block has a first line");
    let digits: String = lines
        .lines()
        .map(|line| line.split('#').next().unwrap_or(line))
        .flat_map(str::split_whitespace)
        .collect();
    let bytes = HEXLOWER.decode(digits.as_bytes()).expect(claim);
    Example { claim: claim.to_owned(), bytes }
}

/// The fields of a claim such as `port=15000 incarnation=0123456789abcdef`, each taken once.
struct Fields<'a> {
    claim: &'a str,
    values: BTreeMap<&'a str, &'a str>,
}

impl<'a> Fields<'a> {
    fn of(claim: &'a str) -> Self {
        let values = claim.split(' ').skip(1);
        let values = values.map(|field| field.split_once('=').expect(claim)).collect();
        Self { claim, values }
    }

    fn optional(&mut self, name: &str) -> Option<&'a str> {
        self.values.remove(name)
    }

    fn text(&mut self, name: &str) -> &'a str {
        self.optional(name).unwrap_or_else(|| panic!("{}: {name} is missing", self.claim))
    }

    fn payload(&mut self, name: &str) -> &'a [u8] {
        self.text(name).as_bytes()
    }

    fn number<T: FromStr>(&mut self, name: &str) -> T {
        number(self.text(name))
    }

    fn id(&mut self) -> RequestId {
        let bytes = HEXLOWER.decode(self.payload("id")).expect("an id is hex");
        RequestId(bytes.try_into().expect("an id has 16 bytes"))
    }
}

fn number<T: FromStr>(digits: &str) -> T {
    digits.parse().unwrap_or_else(|_| panic!("{digits} is no number of its size"))
}

fn hex(digits: &str) -> u64 {
    u64::from_str_radix(digits, 16).expect("it is a hex number")
}

fn incarnation(digits: &str) -> Incarnation {
    Incarnation::new(hex(digits)).expect("an incarnation is not zero")
}

/// The message that a claim such as `JOIN port=15000` describes.
fn message<'a>(claim: &'a str, page: &'a mut PeerPageBuffer) -> Message<'a> {
    let verb = claim.split(' ').next().unwrap_or(claim);
    let mut fields = Fields::of(claim);
    let message = match verb {
        "JOIN" => Message::Join(control(&mut fields)),
        "LEAVE" => Message::Leave(control(&mut fields)),
        "HEARTBEAT" => Message::Heartbeat(control(&mut fields)),
        "DATA" => Message::Data(fields.payload("payload")),
        "REQUEST" => Message::Request { id: fields.id(), body: fields.payload("body") },
        "RESPONSE" => Message::Response { id: fields.id(), body: fields.payload("body") },
        "LOCK_REQUEST" => lock(LockMessageKind::Request, &mut fields),
        "LOCK_GRANT" => lock(LockMessageKind::Grant, &mut fields),
        "LOCK_DENY" => lock(LockMessageKind::Deny, &mut fields),
        "LOCK_RELEASE" => lock(LockMessageKind::Release, &mut fields),
        _ => extended_message(verb, &mut fields, page),
    };
    assert!(fields.values.is_empty(), "{claim}: {:?} is not of this message", fields.values);
    message
}

fn extended_message<'a>(
    verb: &str,
    fields: &mut Fields<'a>,
    page: &'a mut PeerPageBuffer,
) -> Message<'a> {
    match verb {
        "PROFILE" => Message::Profile(Profile {
            version: fields.number("version"),
            name: fields.text("name"),
            metadata: fields.payload("metadata"),
        }),
        "PROFILE_ASK" => Message::ProfileAsk,
        "PEERS_ASK" => Message::PeersAsk { cursor: fields.number("cursor") },
        "PEERS" => {
            for entry in fields.text("peers").split(',') {
                page.push(&peer_entry(entry)).expect("an example is short");
            }
            Message::Peers(page.page(fields.number("next")))
        }
        "PROBE" => {
            let stage = stage(fields.text("stage"));
            Message::Probe(Probe { stage, about: incarnation(fields.text("about")) })
        }
        "SESSION_DATA" => Message::SessionData(fields.payload("payload")),
        "SESSION_REQUEST" => Message::SessionRequest {
            id: fields.id(),
            number: fields.number("number"),
            behind: fields.number("behind"),
            body: fields.payload("body"),
        },
        "SESSION_RESPONSE" => {
            Message::SessionResponse { id: fields.id(), body: fields.payload("body") }
        }
        "RESPONSE_GONE" => Message::ResponseGone { id: fields.id() },
        _ => panic!("there is no message {verb}"),
    }
}

fn peer_entry(said: &str) -> PeerEntry {
    let (life, addr) = said.split_once('@').expect("a peer is an incarnation and an address");
    let addr: SocketAddr = addr.parse().expect("an address");
    PeerEntry { incarnation: incarnation(life), addr }
}

fn stage(name: &str) -> ProbeStage {
    match name {
        "ask" => ProbeStage::Ask,
        "ping" => ProbeStage::Ping,
        "pong" => ProbeStage::Pong,
        "alive" => ProbeStage::Alive,
        _ => panic!("there is no stage {name}"),
    }
}

fn control(fields: &mut Fields<'_>) -> Control {
    let port = fields.number("port");
    let life = fields.optional("incarnation").map(incarnation);
    Control { port, block: life.map(|life| block(life, fields)) }
}

fn block(incarnation: Incarnation, fields: &mut Fields<'_>) -> SessionBlock {
    let times = Times {
        sent_at: Instant::from_micros(fields.number("sent_at")),
        clock: HybridTime::from_micros(fields.number("clock")),
        started: HybridTime::from_micros(fields.number("started")),
    };
    let role = match fields.text("role") {
        "voter" => Role::Voter,
        "observer" => Role::Observer,
        role => panic!("there is no role {role}"),
    };
    let view =
        View { members: hex(fields.text("members")), role, profile: fields.number("profile") };
    let settings = Settings {
        cluster_size: fields.number("cluster_size"),
        lease_millis: fields.number("lease"),
        drift_ppm: fields.number("drift"),
    };
    let mut block = SessionBlock::new(incarnation, times, view, settings);
    block.echo = fields.optional("echo").map(echo);
    block.challenge = fields.optional("challenge").map(|tag| Challenge(hex(tag)));
    block.answer = fields.optional("answer").map(|tag| Challenge(hex(tag)));
    block.channel = fields.optional("channel").map(channel);
    block.next_request = fields.optional("next_request").map(number);
    block
}

fn echo(said: &str) -> Echo {
    let parts: Vec<_> = said.split('/').collect();
    let [life, sent_at, held] = parts[..] else { panic!("{said} is no echo") };
    let held = Duration::from_micros(number(held));
    Echo::new(incarnation(life), Instant::from_micros(number(sent_at)), held).expect(said)
}

fn channel(said: &str) -> Channel {
    let (number_of, first) = said.split_once('/').expect("a channel is a number and a sequence");
    Channel::new(number(number_of), number(first)).expect(said)
}

fn lock<'a>(kind: LockMessageKind, fields: &mut Fields<'a>) -> Message<'a> {
    Message::Lock(LockMessage { kind, id: fields.id(), key: fields.payload("key") })
}

fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = vec![0; message.encoded_len()];
    assert_eq!(message.encode(&mut bytes), bytes.len());
    bytes
}

/// Opens the datagram of a claim such as `key=… DATA payload=hello`, as a node that does not know
/// its sender. `from=…` is the life that the nonce names, `for=…` the only one that can open it.
/// That the cipher seals to these bytes under this nonce is what the recorded vectors prove.
fn assert_sealed(claim: &str, datagram: &[u8]) {
    let said = claim.find(|letter: char| letter.is_ascii_uppercase()).expect("a message");
    let (about, said) = claim.split_at(said);
    let about = format!("SEALED {}", about.trim_end());
    let mut about = Fields::of(&about);
    let key = HEXLOWER.decode(about.payload("key")).expect("a key is hex");
    let key = Key::from_bytes(&key).expect("a key has 32 bytes");
    let receiver = about.optional("for").map(incarnation);

    let mut opened = datagram.to_vec();
    let mut envelope = envelope_of(&key, receiver);
    let opened = envelope.open(&mut opened, Effort::Full).outcome.expect(claim);
    let Opened { message: opened, origin } = opened;
    let mut page = PeerPageBuffer::new();
    assert_eq!(Message::decode(opened), Ok(message(said, &mut page)), "{claim}");
    assert_eq!(datagram.len(), NONCE + opened.len() + TAG);

    let Origin::Stranger { bound, proof } = origin else { panic!("{claim}: from {origin:?}") };
    assert_eq!(bound, receiver.is_some(), "{claim}");
    if let Some(from) = about.optional("from") {
        let names = HEXLOWER.encode(&datagram[..8]);
        assert_eq!(names, from, "{claim}");
        let proven = proof.map(|proof| proof.incarnation());
        assert_eq!(proven, (!bound).then(|| incarnation(from)), "{claim}");
    }
    if bound {
        let mut other = envelope_of(&key, Some(incarnation("1")));
        assert!(other.open(&mut datagram.to_vec(), Effort::Full).outcome.is_err(), "{claim}");
    }
}

fn envelope_of(key: &Key, life: Option<Incarnation>) -> Sealed {
    let mut envelope = Sealed::new(key);
    if let Some(life) = life {
        envelope.begin(life, &mut ChaCha20Rng::seed_from_u64(1));
    }
    envelope
}
