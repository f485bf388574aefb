//! What simulated users send: a mark that tells which message of whose it is.

use std::fmt;

use crate::place::Place;

/// The mark in a payload: no two messages of a run have the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tag {
    /// Whose user made it.
    pub node: Place,
    /// In which life of the node at that place, from 0.
    pub life: u16,
    /// The how-manieth of that life it is, from 0.
    pub number: u32,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.node, self.life, self.number)
    }
}

const MAGIC: [u8; 4] = *b"tag:";

impl Tag {
    /// Bytes of a payload.
    pub(crate) const LEN: usize = 12;

    pub(crate) fn write(self) -> [u8; Self::LEN] {
        let mut payload = [0; Self::LEN];
        payload[..4].copy_from_slice(&MAGIC);
        payload[4..6].copy_from_slice(&self.node.0.to_be_bytes());
        payload[6..8].copy_from_slice(&self.life.to_be_bytes());
        payload[8..].copy_from_slice(&self.number.to_be_bytes());
        payload
    }

    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let payload: &[u8; Self::LEN] = payload.try_into().ok()?;
        let [m0, m1, m2, m3, n0, n1, l0, l1, a, b, c, d] = *payload;
        ([m0, m1, m2, m3] == MAGIC).then_some(Self {
            node: Place(u16::from_be_bytes([n0, n1])),
            life: u16::from_be_bytes([l0, l1]),
            number: u32::from_be_bytes([a, b, c, d]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_as_it_was_written() {
        let tag = Tag { node: Place(513), life: 7, number: 70_000 };
        assert_eq!(Tag::read(&tag.write()), Some(tag));
        assert_eq!(Tag::read(b"something else"), None);
    }
}
