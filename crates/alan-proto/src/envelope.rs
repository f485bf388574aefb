//! What surrounds a message in its datagram: nothing, or a nonce and a tag that seal it.
//!
//! Both kinds work in place, in the caller's buffer: the message is written where it will be
//! sent from, and read where it was received. They differ in the room that they need around it.

mod key;
mod plain;
mod sealed;

pub use key::Key;
pub use plain::Plain;
pub use sealed::Sealed;

use rand_core::CryptoRng;
use thiserror::Error;

/// Seals messages into datagrams, and opens datagrams into messages.
///
/// The only place of the core that holds a secret. Of its two kinds [`Plain`] is [`Clone`], and
/// so is a node over it; [`Sealed`] is not. Implemented here only, so that it can grow with the
/// protocol.
pub trait Envelope: kinds::Kind {
    /// Bytes of a datagram before its message.
    fn prefix(&self) -> usize;

    /// Bytes of a datagram after its message.
    fn suffix(&self) -> usize;

    /// Seals the message that already stands in its place inside `datagram`, which is
    /// [`prefix`](Self::prefix), message and [`suffix`](Self::suffix), nothing else. What stood
    /// in the prefix and the suffix does not matter.
    ///
    /// # Panics
    /// If `datagram` is shorter than prefix and suffix.
    fn seal<R: CryptoRng>(&mut self, rng: &mut R, datagram: &mut [u8]);

    /// Opens `datagram` in place and returns the message. One that does not open is left as it
    /// was.
    fn open<'d>(&mut self, datagram: &'d mut [u8]) -> Result<&'d mut [u8], Unopened>;
}

mod kinds {
    /// Keeps [`Envelope`](super::Envelope) to the kinds that are here.
    #[allow(unnameable_types, reason = "that is its purpose")]
    pub trait Kind {}

    impl Kind for super::Plain {}
    impl Kind for super::Sealed {}
    impl Kind for super::AnyEnvelope {}
}

/// The datagram does not open: it was sealed under another key, or altered, or never sealed.
///
/// It does not say which, and neither does the node: a stranger learns nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error)]
#[error("the datagram does not open")]
pub struct Unopened;

/// [`Plain`] or [`Sealed`], chosen at run time.
#[non_exhaustive]
#[derive(Debug)]
pub enum AnyEnvelope {
    /// In clear text.
    Plain(Plain),
    /// Under a key.
    Sealed(Sealed),
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
}

impl Envelope for AnyEnvelope {
    fn prefix(&self) -> usize {
        match self {
            Self::Plain(plain) => plain.prefix(),
            Self::Sealed(sealed) => sealed.prefix(),
        }
    }

    fn suffix(&self) -> usize {
        match self {
            Self::Plain(plain) => plain.suffix(),
            Self::Sealed(sealed) => sealed.suffix(),
        }
    }

    fn seal<R: CryptoRng>(&mut self, rng: &mut R, datagram: &mut [u8]) {
        match self {
            Self::Plain(plain) => plain.seal(rng, datagram),
            Self::Sealed(sealed) => sealed.seal(rng, datagram),
        }
    }

    fn open<'d>(&mut self, datagram: &'d mut [u8]) -> Result<&'d mut [u8], Unopened> {
        match self {
            Self::Plain(plain) => plain.open(datagram),
            Self::Sealed(sealed) => sealed.open(datagram),
        }
    }
}
