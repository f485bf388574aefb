//! The session block of JOIN, LEAVE and HEARTBEAT: who has one, who has none, and who lies.

use alan_proto::Incarnation;
use alan_proto::wire::{BlockError, BlockFault, Control, DecodeError, Message, SessionBlock};
use data_encoding::HEXLOWER_PERMISSIVE;

const PORT: u16 = 15_000;

/// The JOIN with this after its port, in hex with blanks.
fn decode_join(after_port: &str) -> Result<Option<SessionBlock>, DecodeError> {
    let digits: String = after_port.split_whitespace().collect();
    let after_port = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).expect("the test's hex is hex");
    let bytes = [&[0x01], &PORT.to_be_bytes()[..], &after_port].concat();
    match Message::decode(&bytes)? {
        Message::Join(Control { port: PORT, block }) => Ok(block),
        other => panic!("a JOIN became {other:?}"),
    }
}

fn block(incarnation: u64) -> SessionBlock {
    SessionBlock::new(Incarnation::new(incarnation).expect("it is not zero"))
}

fn bad(field: &'static str, fault: BlockFault) -> Result<Option<SessionBlock>, DecodeError> {
    Err(DecodeError::BadBlock(BlockError { field, fault }))
}

#[test]
fn a_block_says_who_speaks() {
    let block = decode_join("a101 000a 01 08 0123456789abcdef");
    assert_eq!(block, Ok(Some(self::block(0x0123_4567_89ab_cdef))));
}

#[test]
fn without_the_magic_and_a_known_version_the_sender_is_classic() {
    for after_port in [
        "",                                   // as the Go library sends it
        "5c5c5c5c",                           // something else that a classic decoder ignores
        "a1",                                 // a magic, and no version
        "a102 000a 01 08 0123456789abcdef",   // a version that is not ours to read
        "a100 000a 01 08 0123456789abcdef",   //
        "00a101 000a 01 08 0123456789abcdef", // a block that is not right after the port
    ] {
        assert_eq!(decode_join(after_port), Ok(None), "{after_port}");
    }
}

#[test]
fn unknown_fields_and_padding_are_skipped() {
    for after_port in [
        "a101 0010 fe 04 deadbeef 01 08 00000000000000ff",
        "a101 000c 01 08 00000000000000ff fe 00",
        "a101 0014 00 03 000000 00 03 000000 01 08 00000000000000ff",
        "a101 0010 fe 02 0000 01 08 00000000000000ff fe 00",
    ] {
        assert_eq!(decode_join(after_port), Ok(Some(block(0xff))), "{after_port}");
    }
}

#[test]
fn bytes_after_the_block_are_ignored() {
    let after_port = "a101 000a 01 08 00000000000000ff 01 08 0000000000000000 a101";
    assert_eq!(decode_join(after_port), Ok(Some(block(0xff))));
}

#[test]
fn a_block_that_is_cut_anywhere_is_refused() {
    let whole = "a101000a010800000000000000ff";
    for end in ("a101".len()..whole.len()).step_by(2) {
        let field = if end < "a101000a".len() { "length" } else { "field list" };
        assert_eq!(decode_join(&whole[..end]), bad(field, BlockFault::CutShort), "{end}");
    }
}

#[test]
fn a_field_that_reaches_past_the_block_is_refused() {
    let cut = BlockFault::CutShort;
    assert_eq!(decode_join("a101 0001 01"), bad("field length", cut));
    assert_eq!(decode_join("a101 000a 01 09 0000000000000001"), bad("field value", cut));
    // There are bytes enough in the datagram, but they are not the block's.
    assert_eq!(decode_join("a101 0009 01 08 0000000000000001"), bad("field value", cut));
    assert_eq!(decode_join("a101 000b 01 08 0000000000000001 fe 00"), bad("field length", cut));
}

#[test]
fn a_block_that_does_not_say_once_and_rightly_who_speaks_is_refused() {
    let incarnation = |fault| bad("incarnation", fault);
    for (after_port, expected) in [
        ("a101 0000", incarnation(BlockFault::Missing)),
        ("a101 0002 fe 00", incarnation(BlockFault::Missing)),
        ("a101 000a 01 08 0000000000000000", incarnation(BlockFault::Zero)),
        ("a101 0009 01 07 00000000000001", incarnation(BlockFault::WrongLength)),
        ("a101 000b 01 09 000000000000000001", incarnation(BlockFault::WrongLength)),
        ("a101 0002 01 00", incarnation(BlockFault::WrongLength)),
        (
            "a101 0014 01 08 0000000000000001 01 08 0000000000000001",
            incarnation(BlockFault::Repeated),
        ),
    ] {
        assert_eq!(decode_join(after_port), expected, "{after_port}");
    }
}

#[test]
fn the_largest_block_that_its_length_can_say_is_read() {
    // 65,535 bytes of fields: ten of incarnation, 254 full unknown ones and a shorter one.
    let mut fields = [&[0x01, 8][..], &[0xff; 8]].concat();
    while fields.len() + 257 <= 65_535 {
        fields.extend([0xfe, 255]);
        fields.resize(fields.len() + 255, 0);
    }
    let rest = 65_535 - fields.len() - 2;
    fields.extend([0xfe, u8::try_from(rest).expect("less than a full field is left")]);
    fields.resize(65_535, 0);
    let bytes = [&[0x03, 0, 1, 0xa1, 0x01, 0xff, 0xff], &fields[..]].concat();

    let expected = Control { port: 1, block: Some(block(u64::MAX)) };
    assert_eq!(Message::decode(&bytes), Ok(Message::Heartbeat(expected)));
}

#[test]
fn an_error_says_what_is_wrong_with_which_field() {
    let error = decode_join("a101 0002 fe 00").expect_err("the incarnation is missing");
    assert_eq!(error.to_string(), "the session block's incarnation is missing");
    let error = Message::decode(&[0x01, 0x3a]).expect_err("the port is cut");
    assert_eq!(error.to_string(), "the message ends inside its port");
    let error = Message::decode(&[0x0f]).expect_err("nobody knows this type");
    assert_eq!(error.to_string(), "message type 0x0f is unknown");
}
