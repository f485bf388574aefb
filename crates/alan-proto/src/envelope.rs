//! What surrounds a message in its datagram: nothing, or a nonce and a tag that seal it.
//!
//! Both kinds work in place, in the caller's buffer: the message is written where it will be
//! sent from, and read where it was received. They differ in the room that they need around it.
//!
//! The sealed kind also tells members from others. Whoever has a key can seal, at any time, and
//! whoever listens can send a recording; but a member's datagrams carry its session and a sequence
//! that rises, so that each is opened once. It goes like this:
//!
//! | | how |
//! | --- | --- |
//! | [`begin`](Envelope::begin) | the node draws its session |
//! | [`open`](Envelope::open) | a [`Stranger`](Origin::Stranger)'s datagram opens and has a [`Proof`] of whose session it is |
//! | | the node finds an answer in it to something that it has just sent: no recording has that |
//! | [`admit`](Envelope::admit) | the stranger is a member, and has a [`Channel`] of ours, which the node tells it |
//! | [`announced`](Envelope::announced) | the member has told its own channel for us |
//! | [`Recipient::Member`] | what is sealed for it opens in this life of it, at no other node |
//! | [`dismiss`](Envelope::dismiss) | it is a stranger again |

mod any;
mod cipher;
mod datagram;
mod key;
mod keyring;
mod life;
mod nonce;
mod opened;
mod plain;
mod replay;
mod sealed;
mod sequences;
mod session;

pub use any::AnyEnvelope;
pub use key::Key;
pub use keyring::Keyring;
pub use opened::{Opened, Opening, Origin, Proof, Unopened};
pub use plain::Plain;
pub use sealed::Sealed;

use rand_core::CryptoRng;

use crate::event::Incarnation;

/// One more than the highest slot that a member can have.
pub const MAX_MEMBERS: usize = 65_536;

/// Seals messages into datagrams, and opens datagrams into messages.
///
/// The only place of the core that holds a secret. Of its kinds [`Plain`] is [`Clone`], and so is
/// a node over it; [`Sealed`] is not. Implemented here only, so that it can grow with the
/// protocol.
///
/// Members are known by their slot: a small number of the node's choice, below [`MAX_MEMBERS`],
/// that no two have at once.
pub trait Envelope: kinds::Kind {
    /// Bytes of a datagram before its message.
    fn prefix(&self) -> usize;

    /// Bytes of a datagram after its message.
    fn suffix(&self) -> usize;

    /// The node begins its life. Called once, when it is made; again, it would forget all members
    /// and begin another session.
    fn begin<R: CryptoRng>(&mut self, own: Incarnation, rng: &mut R);

    /// Seals the message that already stands in its place inside `datagram`, which is
    /// [`prefix`](Self::prefix), message and [`suffix`](Self::suffix), nothing else. What stood
    /// in the prefix and the suffix does not matter.
    ///
    /// # Panics
    /// If `datagram` is shorter than prefix and suffix.
    fn seal<R: CryptoRng>(&mut self, rng: &mut R, recipient: Recipient, datagram: &mut [u8]);

    /// Opens `datagram` in place, or leaves it as it was. What a member sealed is opened once.
    fn open<'d>(&mut self, datagram: &'d mut [u8], effort: Effort) -> Opening<'d>;

    /// The node in slot `member` is a member from now on, instead of who was there before. Gives
    /// the channel to tell it.
    ///
    /// `proof` comes with the very datagram in which the node found an answer to something it had
    /// sent since it last dismissed this life of the member: nothing that was sealed before that
    /// datagram is opened again. `None` if there is no session, which is so for every member over
    /// [`Plain`], for a member without `proof` (a classic one), and if the proof is not of this
    /// `incarnation`; such a member goes on as a stranger here.
    fn admit(
        &mut self,
        member: usize,
        incarnation: Incarnation,
        proof: Option<Proof>,
    ) -> Option<Channel>;

    /// The member says that it uses this channel for us. Its latest word counts, and repeating it
    /// changes nothing.
    fn announced(&mut self, member: usize, channel: Channel);

    /// Whether this member has a session, but has not told its channel yet: what it seals for us
    /// alone does not open before.
    fn awaits_channel(&self, member: usize) -> bool;

    /// The channel to tell this member, if it has one. To be asked again each time that it is
    /// told: the first sequence that is still to come rises with each datagram, so that a member
    /// which had forgotten us does not take old datagrams for new ones.
    fn channel(&self, member: usize) -> Option<Channel>;

    /// The member is gone. Its session is unknown from now on.
    fn dismiss(&mut self, member: usize);
}

mod kinds {
    /// Keeps [`Envelope`](super::Envelope) to the kinds that are here.
    #[allow(unnameable_types, reason = "that is its purpose")]
    pub trait Kind {}

    impl Kind for super::Plain {}
    impl Kind for super::Sealed {}
    impl Kind for super::AnyEnvelope {}
}

/// Whom a datagram is sealed for.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Recipient {
    /// Anyone who has the key, classic nodes and strangers too. Says nothing about who sealed it.
    Anyone,
    /// Anyone who has the key; members can tell that it is ours and new. For broadcasts, and for
    /// what makes a stranger a member.
    Everyone,
    /// The member in this slot, in its present life. If it has no session, as
    /// [`Anyone`](Self::Anyone).
    Member(usize),
}

/// How much work an unknown datagram may cost.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Effort {
    /// Every key is tried that may open it.
    Full,
    /// Only what claims to be of a member's session is tried.
    SessionsOnly,
}

/// Where a node puts the datagrams that it seals for one member alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Channel {
    /// 1 to 32,767. The channel 0 is the one of what is sealed for everyone.
    pub number: u16,
    /// The first sequence that is to be accepted, below 2⁴⁸.
    pub first: u64,
}

impl Channel {
    /// The channel, or `None` if there is none with this number or no such sequence.
    #[must_use]
    pub const fn new(number: u16, first: u64) -> Option<Self> {
        if number == nonce::EVERYONE || number >= nonce::CHANNELS || first >= nonce::SEQUENCES {
            return None;
        }
        Some(Self { number, first })
    }
}
