//! The kind of envelope that a configuration asks for.

use rand_core::CryptoRng;

use super::{Channel, Effort, Envelope, Key, Keyring, Opening, Plain, Proof, Recipient, Sealed};
use crate::error::NotSealed;
use crate::event::Incarnation;

/// [`Plain`] or [`Sealed`], chosen at run time.
#[non_exhaustive]
#[derive(Debug)]
pub enum AnyEnvelope {
    /// In clear text.
    Plain(Plain),
    /// Under a key.
    Sealed(Sealed),
}

/// Calls the method of whichever kind it is.
macro_rules! either {
    ($envelope:expr, $kind:ident => $call:expr) => {
        match $envelope {
            Self::Plain($kind) => $call,
            Self::Sealed($kind) => $call,
        }
    };
}

impl AnyEnvelope {
    /// Sealed where there is a key, plain where there is none.
    #[must_use]
    pub fn new(key: Option<&Key>) -> Self {
        match key {
            Some(key) => Self::Sealed(Sealed::new(key)),
            None => Self::Plain(Plain),
        }
    }

    /// Changes the keys, see [`Sealed::set_keyring`].
    ///
    /// Fails if this is plain, and changes nothing: a node that went on in clear text must not be
    /// taken for one that seals.
    pub fn set_keyring(&mut self, keyring: Keyring) -> Result<(), NotSealed> {
        match self {
            Self::Plain(_) => Err(NotSealed),
            Self::Sealed(sealed) => {
                sealed.set_keyring(keyring);
                Ok(())
            }
        }
    }
}

impl Envelope for AnyEnvelope {
    fn prefix(&self) -> usize {
        either!(self, kind => kind.prefix())
    }

    fn suffix(&self) -> usize {
        either!(self, kind => kind.suffix())
    }

    fn begin<R: CryptoRng>(&mut self, own: Incarnation, rng: &mut R) {
        either!(self, kind => kind.begin(own, rng));
    }

    fn seal<R: CryptoRng>(&mut self, rng: &mut R, recipient: Recipient, datagram: &mut [u8]) {
        either!(self, kind => kind.seal(rng, recipient, datagram));
    }

    fn open<'d>(&mut self, datagram: &'d mut [u8], effort: Effort) -> Opening<'d> {
        either!(self, kind => kind.open(datagram, effort))
    }

    fn admit(
        &mut self,
        member: usize,
        incarnation: Incarnation,
        proof: Option<Proof>,
    ) -> Option<Channel> {
        either!(self, kind => kind.admit(member, incarnation, proof))
    }

    fn announced(&mut self, member: usize, channel: Channel) {
        either!(self, kind => kind.announced(member, channel));
    }

    fn awaits_channel(&self, member: usize) -> bool {
        either!(self, kind => kind.awaits_channel(member))
    }

    fn channel(&self, member: usize) -> Option<Channel> {
        either!(self, kind => kind.channel(member))
    }

    fn dismiss(&mut self, member: usize) {
        either!(self, kind => kind.dismiss(member));
    }
}
