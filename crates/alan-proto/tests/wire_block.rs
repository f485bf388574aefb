//! The session block of JOIN, LEAVE and HEARTBEAT: who has one, who has none, and who lies.

use core::time::Duration;

use alan_proto::wire::{
    BlockError, BlockFault, Challenge, Channel, Control, DecodeError, Echo, Message, Role,
    SessionBlock, Settings, Times, View,
};
use alan_proto::{HybridTime, Incarnation, Instant};
use data_encoding::HEXLOWER_PERMISSIVE;

const PORT: u16 = 15_000;

const INCARNATION: &str = "01 08 00000000000000ff";
const TIMES: &str = "02 18 0000000000000001 0000000000000002 0000000000000003";
const ECHO: &str = "03 14 0123456789abcdef 0000000000000004 00000005";
const VIEW: &str = "04 0d 0000000000000006 00 00000007";
const SETTINGS: &str = "05 0c 00000008 00000009 0000000a";
const CHALLENGE: &str = "06 08 000000000000000b";
const ANSWER: &str = "07 08 000000000000000c";
const CHANNEL: &str = "08 08 000d 00000000000e";
const REQUESTS: &str = "09 08 000000000000000f";

/// What no block is without.
const NEEDED: [&str; 4] = [INCARNATION, TIMES, VIEW, SETTINGS];
/// What a block may have, with the name that errors have for it.
const OPTIONAL: [(&str, &str); 5] = [
    (ECHO, "echo"),
    (CHALLENGE, "challenge"),
    (ANSWER, "answer"),
    (CHANNEL, "channel"),
    (REQUESTS, "next request"),
];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).expect("the test's hex is hex")
}

/// The JOIN with this after its port.
fn decode(after_port: &[u8]) -> Result<Option<SessionBlock>, DecodeError> {
    let message = [&[0x01], &PORT.to_be_bytes()[..], after_port].concat();
    match Message::decode(&message)? {
        Message::Join(Control { port: PORT, block }) => Ok(block),
        other => panic!("a JOIN became {other:?}"),
    }
}

/// A block around these fields.
fn framed(fields: &[&str]) -> Vec<u8> {
    let fields = bytes(&fields.concat());
    let len = u16::try_from(fields.len()).expect("the fields of a test are short");
    [&[0xa1, 0x01], &len.to_be_bytes()[..], &fields].concat()
}

fn decode_fields(fields: &[&str]) -> Result<Option<SessionBlock>, DecodeError> {
    decode(&framed(fields))
}

/// [`NEEDED`], and these.
fn needed_and<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&NEEDED[..], more].concat()
}

/// What [`NEEDED`] says.
fn block() -> SessionBlock {
    SessionBlock::new(
        incarnation(0xff),
        Times {
            sent_at: Instant::from_micros(1),
            clock: HybridTime::from_micros(2),
            started: HybridTime::from_micros(3),
        },
        View { members: 6, role: Role::Voter, profile: 7 },
        Settings { cluster_size: 8, lease_millis: 9, drift_ppm: 10 },
    )
}

fn incarnation(number: u64) -> Incarnation {
    Incarnation::new(number).expect("it is not zero")
}

fn bad(field: &'static str, fault: BlockFault) -> Result<Option<SessionBlock>, DecodeError> {
    Err(DecodeError::BadBlock(BlockError { field, fault }))
}

#[test]
fn every_field_says_what_it_is_there_for() {
    let mut expected = block();
    assert_eq!(decode_fields(&NEEDED), Ok(Some(expected)));
    expected.echo =
        Echo::new(incarnation(0x0123_4567_89ab_cdef), Instant::from_micros(4), micros(5));
    assert_eq!(decode_fields(&needed_and(&[ECHO])), Ok(Some(expected)));
    expected.challenge = Some(Challenge(11));
    expected.answer = Some(Challenge(12));
    expected.channel = Channel::new(13, 14);
    expected.next_request = Some(15);
    let fields = needed_and(&[ECHO, CHALLENGE, ANSWER, CHANNEL, REQUESTS]);
    assert_eq!(decode_fields(&fields), Ok(Some(expected)));
}

fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

#[test]
fn the_order_of_the_fields_does_not_matter() {
    let mut fields = needed_and(&OPTIONAL.map(|(field, _)| field));
    let expected = decode_fields(&fields);
    assert!(matches!(expected, Ok(Some(_))));
    for _ in 0..fields.len() {
        fields.rotate_left(1);
        assert_eq!(decode_fields(&fields), expected);
    }
    fields.reverse();
    assert_eq!(decode_fields(&fields), expected);
}

#[test]
fn without_the_magic_and_a_known_version_the_sender_is_classic() {
    let good = framed(&NEEDED);
    let altered = |place: usize, byte| {
        let mut block = good.clone();
        block[place] = byte;
        block
    };
    for after_port in [
        vec![],                     // as the Go library sends it
        bytes("5c5c5c5c"),          // something else that a classic decoder ignores
        vec![0xa1],                 // a magic, and no version
        altered(0, 0xa2),           // no magic
        altered(1, 0x02),           // a version that is not ours to read
        altered(1, 0x00),           //
        [&[0], &good[..]].concat(), // a block that is not right after the port
    ] {
        assert_eq!(decode(&after_port), Ok(None), "{after_port:02x?}");
    }
}

#[test]
fn unknown_fields_and_padding_are_skipped() {
    for skipped in ["fe 04 deadbeef", "fe 00", "00 03 010203 00 00", "0a 02 0000 fe 00 0b 01 aa"] {
        for place in 0..=NEEDED.len() {
            let mut fields = NEEDED.to_vec();
            fields.insert(place, skipped);
            assert_eq!(decode_fields(&fields), Ok(Some(block())), "{skipped} at {place}");
        }
    }
}

#[test]
fn bits_of_the_role_that_are_for_later_are_ignored() {
    for (role, expected) in
        [("00", Role::Voter), ("01", Role::Observer), ("fe", Role::Voter), ("ff", Role::Observer)]
    {
        let view = format!("04 0d 0000000000000006 {role} 00000007");
        let block = decode_fields(&[INCARNATION, TIMES, &view, SETTINGS]);
        assert_eq!(block.map(|block| block.map(|block| block.view.role)), Ok(Some(expected)));
    }
}

#[test]
fn bytes_after_the_block_are_ignored() {
    let after_port = [framed(&NEEDED), bytes("01 08 0000000000000000 a101")].concat();
    assert_eq!(decode(&after_port), Ok(Some(block())));
}

#[test]
fn a_block_that_is_cut_anywhere_is_refused() {
    let whole = framed(&needed_and(&[ECHO, CHALLENGE]));
    for end in 2..whole.len() {
        let field = if end < 4 { "length" } else { "field list" };
        assert_eq!(decode(&whole[..end]), bad(field, BlockFault::CutShort), "{end}");
    }
}

#[test]
fn a_field_that_reaches_past_the_block_is_refused() {
    let cut = BlockFault::CutShort;
    assert_eq!(decode_fields(&["01"]), bad("field length", cut));
    assert_eq!(decode_fields(&["01 09 0000000000000001"]), bad("field value", cut));
    // There are bytes enough in the datagram, but they are not the block's.
    assert_eq!(decode(&bytes("a101 0009 01 08 0000000000000001")), bad("field value", cut));
    assert_eq!(decode(&bytes("a101 000b 01 08 0000000000000001 fe 00")), bad("field length", cut));
}

#[test]
fn a_needed_field_that_is_missing_is_named() {
    for (place, name) in ["incarnation", "time", "view", "configuration"].into_iter().enumerate() {
        let mut fields = NEEDED.to_vec();
        fields[place] = "fe 00";
        assert_eq!(decode_fields(&fields), bad(name, BlockFault::Missing));
    }
    assert_eq!(decode_fields(&[]), bad("incarnation", BlockFault::Missing));
}

#[test]
fn an_optional_field_that_is_missing_is_missed_by_nobody() {
    for (field, name) in OPTIONAL {
        let others = OPTIONAL.iter().map(|(other, _)| *other).filter(|other| *other != field);
        let fields: Vec<_> = NEEDED.into_iter().chain(others).collect();
        let block = decode_fields(&fields).expect("it is sound").expect("it is there");
        let missing = [
            block.echo.is_none(),
            block.challenge.is_none(),
            block.answer.is_none(),
            block.channel.is_none(),
            block.next_request.is_none(),
        ];
        let expected = OPTIONAL.map(|(_, other)| other == name);
        assert_eq!(missing, expected, "{name}");
    }
}

#[test]
fn a_known_field_that_is_there_twice_is_refused() {
    let needed = NEEDED.into_iter().zip(["incarnation", "time", "view", "configuration"]);
    for (field, name) in needed.chain(OPTIONAL) {
        let mut fields = needed_and(&OPTIONAL.map(|(field, _)| field));
        fields.push(field);
        assert_eq!(decode_fields(&fields), bad(name, BlockFault::Repeated));
    }
}

#[test]
fn a_known_field_of_another_length_is_refused() {
    let names = ["incarnation", "time", "echo", "view", "configuration"];
    let names = names.into_iter().chain(["challenge", "answer", "channel", "next request"]);
    for ((kind, right), name) in (1_u8..).zip([8, 24, 20, 13, 12, 8, 8, 8, 8]).zip(names) {
        for len in (0..=u8::MAX).filter(|len| *len != right) {
            let field = [&[kind, len], &vec![1; usize::from(len)][..]].concat();
            let fields = [data_encoding::HEXLOWER.encode(&field)];
            let fields: Vec<_> = fields.iter().map(String::as_str).chain(NEEDED).collect();
            assert_eq!(decode_fields(&fields), bad(name, BlockFault::WrongLength), "{len}");
        }
    }
}

#[test]
fn a_value_that_a_field_cannot_have_is_refused() {
    let nobody = "01 08 0000000000000000";
    let fields = [nobody, TIMES, VIEW, SETTINGS];
    assert_eq!(decode_fields(&fields), bad("incarnation", BlockFault::Zero));

    let of_nobody = "03 14 0000000000000000 0000000000000004 00000005";
    assert_eq!(decode_fields(&needed_and(&[of_nobody])), bad("echo", BlockFault::Zero));

    for channel in ["08 08 0000 00000000000e", "08 08 8000 00000000000e", "08 08 ffffffffffffffff"]
    {
        let decoded = decode_fields(&needed_and(&[channel]));
        assert_eq!(decoded, bad("channel", BlockFault::OutOfRange), "{channel}");
    }
    for (channel, number, first) in
        [("08 08 0001 000000000000", 1, 0), ("08 08 7fff ffffffffffff", 32_767, (1 << 48) - 1)]
    {
        let decoded = decode_fields(&needed_and(&[channel])).expect("it is sound");
        assert_eq!(decoded.and_then(|block| block.channel), Channel::new(number, first));
    }
}

#[test]
fn an_echo_that_was_held_for_longer_than_can_be_said_is_not_made() {
    let echo = |held| Echo::new(incarnation(1), Instant::EPOCH, held);
    let longest = micros(u32::MAX.into());
    assert_eq!(echo(longest).map(|echo| echo.held), Some(longest));
    assert_eq!(echo(longest + micros(1)), None);
    assert_eq!(echo(Duration::MAX), None);
}

#[test]
fn the_largest_block_that_its_length_can_say_is_read() {
    // 65,535 bytes of fields: the needed ones, full unknown ones and a shorter one.
    let mut fields = bytes(&NEEDED.concat());
    while fields.len() + 257 <= 65_535 {
        fields.extend([0xfe, 255]);
        fields.resize(fields.len() + 255, 0);
    }
    let rest = 65_535 - fields.len() - 2;
    fields.extend([0xfe, u8::try_from(rest).expect("less than a full field is left")]);
    fields.resize(65_535, 0);
    let bytes = [&[0x03, 0, 1, 0xa1, 0x01, 0xff, 0xff], &fields[..]].concat();

    let expected = Control { port: 1, block: Some(block()) };
    assert_eq!(Message::decode(&bytes), Ok(Message::Heartbeat(expected)));
}

#[test]
fn an_error_says_what_is_wrong_with_which_field() {
    let error = decode_fields(&["fe 00"]).expect_err("the incarnation is missing");
    assert_eq!(error.to_string(), "the session block's incarnation is missing");
    let error = Message::decode(&[0x01, 0x3a]).expect_err("the port is cut");
    assert_eq!(error.to_string(), "the message ends inside its port");
    let error = Message::decode(&[0x0f]).expect_err("nobody knows this type");
    assert_eq!(error.to_string(), "message type 0x0f is unknown");
}
