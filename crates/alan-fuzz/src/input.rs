//! Bytes as decisions. Everything is read from the front, byte by byte, so that an input can be
//! written by hand as well; when the bytes are used up, the input is over.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};

/// The decisions that are left.
#[derive(Debug)]
pub struct Input<'a>(Unstructured<'a>);

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }

    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// A value of its type, made of the next bytes; of zeros once they are used up.
    pub fn any<T: Arbitrary<'a>>(&mut self) -> T {
        self.0.arbitrary().expect("fixed-size values are made of zeros if need be")
    }

    pub fn byte(&mut self) -> u8 {
        self.any()
    }

    /// A number below `end`, from one byte.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    /// One of these, from one byte.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// So many bytes as the first one says, or what is left.
    pub fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        self.0.bytes(len).expect("there are so many")
    }

    pub fn rest(&mut self) -> &'a [u8] {
        self.0.bytes(self.0.len()).expect("there are so many")
    }
}

/// The addresses that inputs know. The first two are those of the pair's nodes; the last can't be
/// sent to.
pub fn address(number: usize) -> SocketAddr {
    const MAPPED: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x7f00, 0x0003);
    match number % ADDRESSES {
        4 => SocketAddr::from((MAPPED, 5000)),
        5 => SocketAddr::from((Ipv6Addr::LOCALHOST, 5000)),
        6 => SocketAddr::from(([127, 0, 0, 2], 5001)),
        7 => SocketAddr::from(([127, 0, 0, 2], 0)),
        last => SocketAddr::from(([127, 0, 0, 1 + u8::try_from(last).expect("small")], 5000)),
    }
}

pub const ADDRESSES: usize = 8;

/// How long a step may take: from nothing to an hour.
pub const PAUSES: [Duration; 12] = [
    Duration::ZERO,
    Duration::from_micros(1),
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(16),
    Duration::from_secs(3_600),
];

/// The lock keys in use. An empty one can come from a peer only.
pub const KEYS: [&str; 4] = ["a", "b", "the third", ""];
