//! No envelope at all: the datagram is the message.

use rand_core::CryptoRng;

use super::{Channel, Effort, Envelope, Opening, Proof, Recipient};
use crate::event::Incarnation;

/// The clear-text twin of [`Sealed`](super::Sealed): whoever reaches the socket is believed.
///
/// For trusted networks, and for simulators and model checkers, which clone the nodes over it. It
/// has no sessions: everything is [`Origin::Clear`](super::Origin::Clear).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Plain;

impl Envelope for Plain {
    fn prefix(&self) -> usize {
        0
    }

    fn suffix(&self) -> usize {
        0
    }

    fn begin<R: CryptoRng>(&mut self, _own: Incarnation, _rng: &mut R) {}

    fn seal<R: CryptoRng>(&mut self, _rng: &mut R, _recipient: Recipient, _datagram: &mut [u8]) {}

    /// Never fails.
    fn open<'d>(&mut self, datagram: &'d mut [u8], _effort: Effort) -> Opening<'d> {
        Opening::of_clear(datagram)
    }

    /// There is no channel to be given.
    fn admit(
        &mut self,
        _member: usize,
        _incarnation: Incarnation,
        _proof: Option<Proof>,
    ) -> Option<Channel> {
        None
    }

    fn announced(&mut self, _member: usize, _channel: Channel) {}

    fn awaits_channel(&self, _member: usize) -> bool {
        false
    }

    fn channel(&self, _member: usize) -> Option<Channel> {
        None
    }

    fn dismiss(&mut self, _member: usize) {}
}
