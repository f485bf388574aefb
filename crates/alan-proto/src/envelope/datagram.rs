//! A sealed datagram, taken apart: `nonce ‖ ciphertext ‖ tag`.

use super::cipher::{NONCE, Subkey, TAG};
use super::nonce::{Counter, SessionId};
use crate::event::Incarnation;

/// A datagram's parts, in the order in which they stand.
pub(super) struct Parts<'d> {
    pub(super) nonce: &'d mut [u8; NONCE],
    pub(super) message: &'d mut [u8],
    pub(super) tag: &'d mut [u8; TAG],
}

impl<'d> Parts<'d> {
    /// The parts, or `None` for a datagram that is too short to have them.
    pub(super) fn of(datagram: &'d mut [u8]) -> Option<Self> {
        let (nonce, rest) = datagram.split_first_chunk_mut()?;
        let (message, tag) = rest.split_last_chunk_mut()?;
        Some(Self { nonce, message, tag })
    }
}

/// A datagram that is being opened.
pub(super) struct Attempt<'d> {
    pub(super) session: SessionId,
    pub(super) counter: Counter,
    pub(super) message: &'d mut [u8],
    tag: [u8; TAG],
    /// How often a key was tried.
    pub(super) trials: u8,
}

impl<'d> Attempt<'d> {
    /// `None` for a datagram that is too short to be sealed.
    pub(super) fn new(datagram: &'d mut [u8]) -> Option<Self> {
        let Parts { nonce, message, tag } = Parts::of(datagram)?;
        let (session, counter) = nonce.split_first_chunk()?;
        let counter = Counter::from_be_bytes(*counter.first_chunk()?);
        Some(Self { session: SessionId(*session), counter, message, tag: *tag, trials: 0 })
    }

    /// Opens the message in place, if it was sealed under this subkey and for this receiver.
    pub(super) fn opens(&mut self, subkey: &Subkey, receiver: Option<Incarnation>) -> bool {
        // Two for each key of a ring at most.
        self.trials += 1;
        subkey.open(self.counter.to_be_bytes(), receiver, self.message, self.tag)
    }

    /// Makes an opened message again what it was.
    pub(super) fn close(&mut self, subkey: &Subkey, receiver: Option<Incarnation>) {
        let tag = subkey.seal(self.counter.to_be_bytes(), receiver, self.message);
        debug_assert_eq!(tag, self.tag, "the same message under the same nonce");
    }
}
