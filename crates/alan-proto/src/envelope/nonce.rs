//! The structure of a nonce between nodes that have sessions: the life that sealed it, whom for,
//! and how many it sealed before.

use rand_core::CryptoRng;

use super::cipher::NONCE;
use crate::event::Incarnation;

/// The channel of what is sealed once for all.
pub(super) const EVERYONE: u16 = 0;
/// One more than the highest channel.
pub(super) const CHANNELS: u16 = 1 << 15;
/// One more than the highest sequence.
pub(super) const SEQUENCES: u64 = 1 << SEQUENCE_BITS;

const SEQUENCE_BITS: u32 = 48;
const BOUND: u64 = 1 << 63;

/// The first 16 bytes of each nonce of one life of a node: `incarnation:8 ‖ random:8`. Public: it
/// is sent in clear.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct SessionId(pub(super) [u8; 16]);

impl SessionId {
    /// A new life's. The random half makes it differ from that of any other life, even of one
    /// that happened to draw the same incarnation.
    pub(super) fn draw<R: CryptoRng>(own: Incarnation, rng: &mut R) -> Self {
        let mut bytes = [0; 16];
        let (incarnation, random) = bytes.split_at_mut(8);
        incarnation.copy_from_slice(&own.get().to_be_bytes());
        rng.fill_bytes(random);
        Self(bytes)
    }

    /// Who the session says that it belongs to, unless this is no session at all.
    pub(super) fn incarnation(self) -> Option<Incarnation> {
        let number = self.0.first_chunk().expect("a session has 16 bytes");
        Incarnation::new(u64::from_be_bytes(*number))
    }

    /// A nonce of this session.
    pub(super) fn nonce(self, counter: Counter) -> [u8; NONCE] {
        let mut nonce = [0; NONCE];
        let (session, bits) = nonce.split_at_mut(self.0.len());
        session.copy_from_slice(&self.0);
        bits.copy_from_slice(&counter.to_be_bytes());
        nonce
    }
}

/// The last 8 bytes of a nonce: `bound:1 ‖ channel:15 ‖ sequence:48`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Counter {
    /// Whether the receiver's incarnation is associated data.
    pub(super) bound: bool,
    pub(super) channel: u16,
    pub(super) sequence: u64,
}

impl Counter {
    /// # Panics
    /// In debug builds, if a part does not fit into its bits.
    pub(super) fn to_be_bytes(self) -> [u8; 8] {
        debug_assert!(self.channel < CHANNELS && self.sequence < SEQUENCES);
        let bound = if self.bound { BOUND } else { 0 };
        (bound | u64::from(self.channel) << SEQUENCE_BITS | self.sequence).to_be_bytes()
    }

    pub(super) fn from_be_bytes(bytes: [u8; 8]) -> Self {
        let bits = u64::from_be_bytes(bytes);
        let [high, low, ..] = bytes;
        Self {
            bound: bits & BOUND != 0,
            channel: u16::from_be_bytes([high, low]) & (CHANNELS - 1),
            sequence: bits & (SEQUENCES - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_counter_comes_back_from_its_bytes_and_bytes_from_their_counter(bytes: [u8; 8]) {
            prop_assert_eq!(Counter::from_be_bytes(bytes).to_be_bytes(), bytes);
        }
    }

    #[test]
    fn the_parts_of_a_counter_stand_in_their_places() {
        let counter = Counter { bound: true, channel: 0x1234, sequence: 0x5678_9abc_def0 };
        assert_eq!(counter.to_be_bytes(), 0x9234_5678_9abc_def0_u64.to_be_bytes());
        assert_eq!(Counter::from_be_bytes(counter.to_be_bytes()), counter);
    }
}
