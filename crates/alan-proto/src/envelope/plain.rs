//! No envelope at all: the datagram is the message.

use rand_core::CryptoRng;

use super::{Envelope, Unopened};

/// The clear-text twin of [`Sealed`](super::Sealed): whoever reaches the socket is believed.
///
/// For trusted networks, and for simulators and model checkers, which clone the nodes over it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Plain;

impl Envelope for Plain {
    fn prefix(&self) -> usize {
        0
    }

    fn suffix(&self) -> usize {
        0
    }

    fn seal<R: CryptoRng>(&mut self, _rng: &mut R, _datagram: &mut [u8]) {}

    /// Never fails.
    fn open<'d>(&mut self, datagram: &'d mut [u8]) -> Result<&'d mut [u8], Unopened> {
        Ok(datagram)
    }
}
