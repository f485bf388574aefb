//! What can happen to a node, and the bytes that say so.

use std::time::Duration;

use super::lives::{LIVES, manner};
use crate::input::{ADDRESSES, Input, KEYS, PAUSES};

/// One thing that happens to the node. Numbers name addresses, keys and what came up before, the
/// latest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step<'a> {
    /// A datagram arrives.
    Datagram {
        from: usize,
        words: Words<'a>,
    },
    /// Time passes, and what is due is done.
    Pass(Duration),
    /// Time passes, and nobody looks.
    Stall(Duration),
    /// What is due next is done when it is due.
    Wake,
    /// A call comes with an earlier time.
    Back(Duration),
    /// Nothing is fetched during so many steps.
    Leave(u8),
    /// Discovery names the addresses of this set.
    Discover(u8),
    Send {
        to: usize,
        len: u16,
    },
    Broadcast {
        len: u16,
    },
    Request {
        to: usize,
        within: Option<Duration>,
    },
    RequestAll {
        within: Option<Duration>,
    },
    Cancel(usize),
    Reply {
        to: usize,
        request: usize,
    },
    Lock {
        key: usize,
        tries: bool,
        within: Option<Duration>,
    },
    Release(usize),
    Unlock(usize),
    Goodbye,
    /// The end of time.
    End,
}

/// What a datagram says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Words<'a> {
    /// The datagram as it is.
    Datagram(&'a [u8]),
    /// A message as it is, sealed if the node seals.
    Message(&'a [u8]),
    /// JOIN, LEAVE or HEARTBEAT, of a life: 0 is a classic peer, 1 the node itself. How it is
    /// made, see [`super::lives::manner`].
    Control {
        kind: u8,
        port: u16,
        life: u8,
        how: u8,
    },
    /// What only extended members send, of a life from 2 on, sealed for the node or for everyone.
    Extended {
        life: u8,
        for_node: bool,
        kind: u8,
        id: usize,
        small: u8,
    },
    /// REQUEST or RESPONSE, its id one that came up, if there are so many.
    Exchange {
        kind: u8,
        id: usize,
    },
    /// DATA of this length.
    Long(u16),
    Lock {
        kind: u8,
        id: usize,
        key: usize,
    },
}

impl<'a> Step<'a> {
    pub(super) fn read(input: &mut Input<'a>) -> Self {
        match input.byte() {
            0..=139 => Self::Datagram { from: input.below(ADDRESSES), words: Words::read(input) },
            140..=159 => Self::Pass(input.pick(&PAUSES)),
            160..=164 => Self::Stall(input.pick(&PAUSES)),
            165..=179 => Self::Wake,
            180..=182 => Self::Back(input.pick(&PAUSES)),
            183 => Self::Leave(input.byte()),
            184..=189 => Self::Discover(input.byte()),
            190..=193 => Self::Send { to: input.below(ADDRESSES), len: input.any() },
            194..=195 => Self::Broadcast { len: input.any() },
            196..=207 => Self::Request { to: input.below(ADDRESSES), within: within(input) },
            208..=213 => Self::RequestAll { within: within(input) },
            214..=216 => Self::Cancel(input.below(8)),
            217..=219 => Self::Reply { to: input.below(ADDRESSES), request: input.below(8) },
            220..=239 => Self::Lock {
                key: input.below(KEYS.len()),
                tries: input.any(),
                within: within(input),
            },
            240..=249 => Self::Release(input.below(8)),
            250..=254 => Self::Unlock(input.below(KEYS.len())),
            255 if input.byte() == 0 => Self::End,
            255 => Self::Goodbye,
        }
    }
}

impl<'a> Words<'a> {
    fn read(input: &mut Input<'a>) -> Self {
        match input.byte() {
            0..=15 => Self::Datagram(input.bytes()),
            16..=47 => Self::Message(input.bytes()),
            48..=51 => Self::Long(input.any()),
            52..=119 => Self::Control {
                kind: input.pick(&[0x01, 0x01, 0x03, 0x03, 0x02]),
                port: input.pick(&[5000, 5000, 5000, 5000, 5001, 0]),
                life: input.byte() % (2 + LIVES),
                how: input.byte(),
            },
            120..=149 => Self::Exchange { kind: input.pick(&[0x20, 0x21]), id: input.below(9) },
            150..=199 => Self::Extended {
                life: 2 + input.byte() % LIVES,
                for_node: !input.byte().is_multiple_of(4),
                kind: input.byte() % 12,
                id: input.below(9),
                small: input.byte(),
            },
            200..=255 => Self::Lock {
                kind: input.pick(&[0x30, 0x31, 0x32, 0x33]),
                id: input.below(9),
                key: input.below(KEYS.len()),
            },
        }
    }
}

fn within(input: &mut Input<'_>) -> Option<Duration> {
    let pause = input.byte();
    (pause != 0).then(|| PAUSES[usize::from(pause) % PAUSES.len()])
}

/// A datagram or a message as a step, for inputs that are written rather than found.
pub(crate) fn write_datagram(out: &mut Vec<u8>, from: u8, bytes: &[u8], as_message: bool) {
    let len = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    out.extend([0, from, if as_message { 16 } else { 0 }, len]);
    out.extend_from_slice(&bytes[..usize::from(len)]);
}

/// The steps by which a life becomes a member, from the address of this number: it asks, returns
/// what it is asked in turn, and tells its channel.
pub(crate) fn write_introduction(out: &mut Vec<u8>, from: u8, life: u8) {
    let asks = manner::CHALLENGE | manner::REQUESTS;
    for how in [asks, asks | manner::ANSWER, asks | manner::ANSWER | manner::CHANNEL] {
        out.extend([0, from, 52, 0, 0, life, how]);
    }
}

/// A message of an extended member, from this address: its kind and what there is to be chosen.
pub(crate) fn write_extended(out: &mut Vec<u8>, from: u8, life: u8, kind: u8, small: u8) {
    out.extend([0, from, 150, life - 2, 1, kind, 0, small]);
}
