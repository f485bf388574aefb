//! Every example in `docs/protocol.md`, read out of the document: the bytes mean what is said.

use std::collections::BTreeMap;

use alan_proto::envelope::{Envelope, Key, Sealed};
use alan_proto::wire::{Control, LockMessage, LockMessageKind, Message, SessionBlock};
use alan_proto::{Incarnation, RequestId};
use data_encoding::HEXLOWER;

const NONCE: usize = 24;
const TAG: usize = 16;

/// One block: what its first line says, and its bytes.
struct Example {
    claim: String,
    bytes: Vec<u8>,
}

#[test]
fn every_example_means_what_it_says() {
    for Example { claim, bytes } in examples() {
        let (verb, rest) = claim.split_once(' ').expect("a claim has a verb and more");
        match verb {
            "REFUSED" => {
                let error = Message::decode(&bytes).expect_err(&claim);
                assert_eq!(error.to_string(), rest);
            }
            "RECEIVED" => assert_eq!(Message::decode(&bytes), Ok(message(rest)), "{claim}"),
            "SEALED" => assert_sealed(rest, &bytes),
            _ => {
                let said = message(&claim);
                assert_eq!(Message::decode(&bytes), Ok(said), "{claim}");
                assert_eq!(encode(&said), bytes, "{claim}");
            }
        }
    }
}

#[test]
fn every_message_has_an_example_of_its_own() {
    let mut counts = BTreeMap::new();
    for example in examples() {
        let verb = example.claim.split(' ').next().expect("a claim has a verb").to_owned();
        let kind = if example.claim.contains("incarnation=") { "extended" } else { "classic" };
        *counts.entry((verb, kind)).or_insert(0) += 1;
    }
    for verb in ["JOIN", "LEAVE", "HEARTBEAT"] {
        assert!(counts.contains_key(&(verb.to_owned(), "extended")), "{verb} with a session block");
    }
    for verb in [
        "JOIN",
        "LEAVE",
        "HEARTBEAT",
        "DATA",
        "REQUEST",
        "RESPONSE",
        "LOCK_REQUEST",
        "LOCK_GRANT",
        "LOCK_DENY",
        "LOCK_RELEASE",
        "SEALED",
        "REFUSED",
        "RECEIVED",
    ] {
        assert!(counts.contains_key(&(verb.to_owned(), "classic")), "{verb}");
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
        .filter(|&kind| Message::decode(&[&[kind], &[0; 18][..]].concat()).is_ok())
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
    assert_eq!(2 * blocks.len(), document.matches("```").count(), "a block is left open");
    blocks
}

fn example(from_block: &str) -> Example {
    let (block, _) = from_block.split_once("```").expect("the block ends");
    let (claim, lines) = block.split_once('\n').expect("the block has a first line");
    let digits: String = lines
        .lines()
        .map(|line| line.split('#').next().unwrap_or(line))
        .flat_map(str::split_whitespace)
        .collect();
    let bytes = HEXLOWER.decode(digits.as_bytes()).expect(claim);
    Example { claim: claim.to_owned(), bytes }
}

/// The message that a claim such as `JOIN port=15000` describes.
fn message(claim: &str) -> Message<'_> {
    let (verb, fields) = claim.split_once(' ').expect("a message has fields");
    let mut fields: BTreeMap<&str, &str> = fields
        .split(' ')
        .map(|field| field.split_once('=').expect("a field is a name and a value"))
        .collect();
    let message = match verb {
        "JOIN" => Message::Join(control(&mut fields)),
        "LEAVE" => Message::Leave(control(&mut fields)),
        "HEARTBEAT" => Message::Heartbeat(control(&mut fields)),
        "DATA" => Message::Data(text(&mut fields, "payload")),
        "REQUEST" => Message::Request { id: id(&mut fields), body: text(&mut fields, "body") },
        "RESPONSE" => Message::Response { id: id(&mut fields), body: text(&mut fields, "body") },
        "LOCK_REQUEST" => lock(LockMessageKind::Request, &mut fields),
        "LOCK_GRANT" => lock(LockMessageKind::Grant, &mut fields),
        "LOCK_DENY" => lock(LockMessageKind::Deny, &mut fields),
        "LOCK_RELEASE" => lock(LockMessageKind::Release, &mut fields),
        _ => panic!("{claim}: no such message"),
    };
    assert!(fields.is_empty(), "{claim}: {fields:?} is not of this message");
    message
}

fn control(fields: &mut BTreeMap<&str, &str>) -> Control {
    let port = fields.remove("port").expect("a control message has a port");
    let block = fields.remove("incarnation").map(|digits| {
        let number = u64::from_str_radix(digits, 16).expect("an incarnation is a hex number");
        SessionBlock::new(Incarnation::new(number).expect("an incarnation is not zero"))
    });
    Control { port: port.parse().expect("a port is a number"), block }
}

fn lock<'a>(kind: LockMessageKind, fields: &mut BTreeMap<&str, &'a str>) -> Message<'a> {
    Message::Lock(LockMessage { kind, id: id(fields), key: text(fields, "key") })
}

fn id(fields: &mut BTreeMap<&str, &str>) -> RequestId {
    let digits = fields.remove("id").expect("the message has an id");
    let bytes = HEXLOWER.decode(digits.as_bytes()).expect("an id is hex");
    RequestId(bytes.try_into().expect("an id has 16 bytes"))
}

fn text<'a>(fields: &mut BTreeMap<&str, &'a str>, name: &str) -> &'a [u8] {
    fields.remove(name).expect(name).as_bytes()
}

fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = vec![0; message.encoded_len()];
    assert_eq!(message.encode(&mut bytes), bytes.len());
    bytes
}

/// Opens the datagram of a claim such as `key=… DATA payload=hello`. That the cipher seals to
/// these bytes under this nonce is what the recorded vectors prove.
fn assert_sealed(claim: &str, datagram: &[u8]) {
    let (key, said) = claim.split_once(' ').expect("a key, and a message");
    let digits = key.strip_prefix("key=").expect("the key comes first");
    let key = HEXLOWER.decode(digits.as_bytes()).expect("a key is hex");
    let mut envelope = Sealed::new(&Key::from_bytes(&key).expect("a key has 32 bytes"));

    let mut opened = datagram.to_vec();
    let opened = envelope.open(&mut opened).message().expect(claim);
    assert_eq!(Message::decode(opened), Ok(message(said)), "{claim}");
    assert_eq!(datagram.len(), NONCE + opened.len() + TAG);
}
