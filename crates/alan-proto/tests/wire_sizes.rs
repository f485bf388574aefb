//! How long messages are: what a stranger can get for what it sends, and what a cluster sends all
//! the time.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use alan_proto::wire::{
    Challenge, Channel, Control, DecodeError, Echo, JOIN_LEN, Message, PeerEntry, PeerPageBuffer,
    Profile, SessionBlock, Settings, Times, View,
};
use alan_proto::{Incarnation, Instant, MAX_METADATA, MAX_NAME};

const SEALED_OVERHEAD: usize = 40;
/// What leaves in one packet on every path of the Internet.
const LONGEST_CONTROL_DATAGRAM: usize = 1_200;

fn life(number: u64) -> Incarnation {
    Incarnation::new(number).expect("it is not zero")
}

/// Blocks with every choice of the fields that a block may have.
fn blocks() -> impl Iterator<Item = SessionBlock> {
    (0..1_u8 << 5).map(|chosen| {
        let has = |field: u8| chosen & (1 << field) != 0;
        let needed = SessionBlock::new(
            life(u64::MAX),
            Times::default(),
            View::default(),
            Settings::default(),
        );
        let mut block = needed;
        block.echo = Echo::new(life(1), Instant::EPOCH, Duration::ZERO).filter(|_| has(0));
        block.challenge = has(1).then_some(Challenge(u64::MAX));
        block.answer = has(2).then_some(Challenge(u64::MAX));
        block.channel = Channel::new(1, 0).filter(|_| has(3));
        block.next_request = has(4).then_some(u64::MAX);
        block
    })
}

fn control(block: SessionBlock) -> Control {
    Control { port: 1, block: Some(block) }
}

fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = vec![0xee; message.encoded_len()];
    assert_eq!(message.encode(&mut bytes), bytes.len());
    bytes
}

#[test]
fn a_join_with_a_block_has_one_length_whatever_is_in_it() {
    for block in blocks() {
        let join = Message::Join(control(block));
        let bytes = encode(&join);
        assert_eq!(bytes.len(), JOIN_LEN, "{block:?}");
        assert_eq!(Message::decode(&bytes), Ok(join));
    }
    assert_eq!(JOIN_LEN, 192);
}

#[test]
fn what_answers_a_join_is_not_longer_than_it() {
    for block in blocks() {
        assert!(encode(&Message::Heartbeat(control(block))).len() <= JOIN_LEN);
        assert!(encode(&Message::Leave(control(block))).len() <= JOIN_LEN);
    }
}

#[test]
fn a_classic_control_message_has_three_bytes() {
    let classic = Control { port: 1, block: None };
    for message in [Message::Join(classic), Message::Leave(classic), Message::Heartbeat(classic)] {
        assert_eq!(encode(&message).len(), 3);
    }
}

/// Each member gets one each interval, so this is what a cluster at rest costs. Locks will want
/// room for more: 160 bytes sealed are the budget.
#[test]
fn a_steady_heartbeat_has_94_bytes_and_134_sealed() {
    let mut block = blocks().next().expect("the first has no optional field");
    block.echo = Echo::new(life(1), Instant::EPOCH, Duration::ZERO);
    let len = encode(&Message::Heartbeat(control(block))).len();
    assert_eq!((len, len + SEALED_OVERHEAD), (94, 134));
}

#[test]
fn a_page_of_peers_fits_into_a_packet_and_is_used_up() {
    let ipv4 = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), 5_000));
    let ipv6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 5_000));
    for (addr, entry_len) in [(ipv4, 15), (ipv6, 27)] {
        let mut page = PeerPageBuffer::new();
        let pushed = (1..).take_while(|&number| {
            page.push(&PeerEntry { incarnation: life(number), addr }).is_ok()
        });
        let count = pushed.count();
        let bytes = encode(&Message::Peers(page.page(1)));
        let room = LONGEST_CONTROL_DATAGRAM - SEALED_OVERHEAD - bytes.len();
        assert!(room < entry_len, "{room} bytes are left");
        assert_eq!(bytes.len(), 5 + count * entry_len);
        let Ok(Message::Peers(read)) = Message::decode(&bytes) else { panic!("it is a page") };
        assert_eq!(read.iter().count(), count, "what did not fit left nothing behind");
    }
}

#[test]
fn the_longest_profile_is_read_and_fits_into_a_packet_and_a_longer_one_is_refused() {
    let name = "n".repeat(MAX_NAME + 1);
    let metadata = vec![0x5a; MAX_METADATA + 1];
    let profile = |name_len: usize, metadata_len: usize| {
        let (name, metadata) = (&name[..name_len], &metadata[..metadata_len]);
        encode(&Message::Profile(Profile { version: 1, name, metadata }))
    };
    let longest = profile(MAX_NAME, MAX_METADATA);
    assert!(Message::decode(&longest).is_ok());
    assert_eq!((MAX_NAME, MAX_METADATA), (64, 512));
    assert_eq!(longest.len(), 584);
    assert!(longest.len() + SEALED_OVERHEAD <= LONGEST_CONTROL_DATAGRAM);

    let refused = |field| Err(DecodeError::Invalid { field });
    assert_eq!(Message::decode(&profile(MAX_NAME + 1, 0)), refused("name"));
    assert_eq!(Message::decode(&profile(0, MAX_METADATA + 1)), refused("metadata"));
}
