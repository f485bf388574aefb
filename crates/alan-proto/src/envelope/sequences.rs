//! What of the nonces of one life is used up: the next sequence of each channel.

use alloc::vec::Vec;

use super::nonce::{CHANNELS, SEQUENCES};

/// The next sequence of each channel of ours. They rise and are never reset: not when a channel
/// is given to another member, and not when the key changes. 8 bytes a channel, as many channels
/// as there were members at once (256 KiB at most).
pub(super) struct Sequences {
    next: Vec<u64>,
    /// The highest of them: no channel has used this or anything above.
    horizon: u64,
}

impl Sequences {
    pub(super) const fn new() -> Self {
        Self { next: Vec::new(), horizon: 0 }
    }

    /// The next sequence of `channel`.
    pub(super) fn next(&self, channel: u16) -> u64 {
        self.next.get(usize::from(channel)).copied().unwrap_or(0)
    }

    /// Makes `channel` ready for a new member. Its sequences go on above every one that any
    /// channel has used or announced, so what is announced later is also higher, whichever
    /// channel it is. Allocates if no channel was that high before.
    pub(super) fn give(&mut self, channel: u16) {
        debug_assert!(channel < CHANNELS);
        let place = usize::from(channel);
        if place >= self.next.len() {
            self.next.resize(place + 1, 0);
        }
        self.horizon = (self.horizon + 1).min(SEQUENCES);
        self.next[place] = self.horizon;
    }

    /// Uses the next sequence of `channel`, unless all are used: a channel has 2⁴⁸.
    pub(super) fn take(&mut self, channel: u16) -> Option<u64> {
        let next = self.next.get_mut(usize::from(channel)).filter(|next| **next < SEQUENCES)?;
        let sequence = *next;
        *next += 1;
        self.horizon = self.horizon.max(*next);
        Some(sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_channel_starts_above_all_that_was_used_or_announced() {
        let mut sequences = Sequences::new();
        sequences.give(0);
        let busy = (0..100).map(|_| sequences.take(0).expect("there are more")).last();
        let announced = sequences.next(0);
        sequences.give(3);
        assert!(sequences.next(3) > announced && Some(announced) > busy);
        let first = sequences.next(3);
        sequences.give(3);
        assert!(sequences.next(3) > first, "also if the channel was never used");
    }

    #[test]
    fn a_channel_that_is_used_up_gives_nothing_and_neither_does_one_that_was_not_given() {
        let mut sequences = Sequences { next: std::vec![SEQUENCES - 1], horizon: SEQUENCES - 1 };
        assert_eq!(sequences.take(1), None);
        assert_eq!(sequences.take(0), Some(SEQUENCES - 1));
        assert_eq!(sequences.take(0), None);
        sequences.give(1);
        assert_eq!((sequences.next(1), sequences.take(1)), (SEQUENCES, None));
    }
}
