//! XChaCha20-Poly1305 under the cluster's key.

use alloc::boxed::Box;
use core::fmt;

use rand_core::CryptoRng;

use super::cipher::{NONCE, Subkey, TAG};
use super::datagram::{Attempt, Parts};
use super::life::Life;
use super::nonce::EVERYONE;
use super::{
    Channel, Effort, Envelope, Key, Keyring, Opened, Opening, Origin, Proof, Recipient, Unopened,
};
use crate::event::Incarnation;
use crate::mutant::{Mutant, planted};

/// Seals and opens with XChaCha20-Poly1305: `nonce ‖ ciphertext ‖ tag`, 40 bytes more than the
/// message.
///
/// **No two datagrams ever share a nonce under a key**, whichever nodes they come from:
/// - A nonce for [`Recipient::Anyone`] is 24 random bytes.
/// - Any other begins with the session of this life of this node: its incarnation and 8 more
///   random bytes, drawn by [`begin`](Envelope::begin). What follows is a channel and a sequence,
///   and the sequences of a channel only rise: for another member, and under another key, they go
///   on. A channel whose 2⁴⁸ sequences are used up has random nonces from then on.
///
/// Hence not `Clone`: two copies would go on from the same sequences, and give away the messages
/// that they seal. So this does not compile:
///
/// ```compile_fail,E0277
/// fn copies<T: Clone>() {}
/// copies::<alan_proto::envelope::Sealed>();
/// ```
///
/// A member costs up to 512 bytes and a table entry from [`admit`](Envelope::admit) to
/// [`dismiss`](Envelope::dismiss); a datagram costs no allocation. Keys and everything derived
/// from them are overwritten on drop.
pub struct Sealed {
    keyring: Keyring,
    /// Place of the key that last opened a datagram without a known session.
    opened_with: usize,
    /// Before it begins, all nonces are random.
    life: Option<Box<Life>>,
}

impl Sealed {
    /// The envelope of the cluster that shares `key`.
    #[must_use]
    pub fn new(key: &Key) -> Self {
        Self::with_keyring(Keyring::new(key.clone()))
    }

    /// The envelope of a cluster that may have several keys.
    #[must_use]
    pub const fn with_keyring(keyring: Keyring) -> Self {
        Self { keyring, opened_with: 0, life: None }
    }

    /// Seals under another key from now on, opens with other keys, or both. Sessions, sequences
    /// and what was seen of each stay, so nothing is lost that one of the keys opens, and nothing
    /// becomes new again.
    pub fn set_keyring(&mut self, keyring: Keyring) {
        let old = core::mem::replace(&mut self.keyring, keyring);
        let new_place = |place| self.keyring.position(old.get(place)?);
        self.opened_with = new_place(self.opened_with).unwrap_or(0);
        if let Some(life) = &mut self.life {
            life.change_keys(&self.keyring, new_place);
        }
    }

    /// Opens a datagram and says where it is from.
    fn origin(&mut self, attempt: &mut Attempt<'_>, effort: Effort) -> Result<Origin, Unopened> {
        if let Some(life) = &mut self.life {
            let own = life.incarnation;
            if let Some((member, session)) = life.find(attempt.session) {
                session.open(member, &self.keyring, own, attempt)?;
                return Ok(Origin::Member(member));
            }
        }
        match effort {
            Effort::Full => self.stranger(attempt),
            Effort::SessionsOnly => Err(Unopened::OverBudget),
        }
    }

    /// Half of all random nonces look as if they were bound to somebody.
    fn stranger(&mut self, attempt: &mut Attempt<'_>) -> Result<Origin, Unopened> {
        let counter = attempt.counter;
        let own = self.life.as_ref().map(|life| life.incarnation).filter(|_| counter.bound);
        for (place, key) in self.keyring.starting_with(self.opened_with) {
            let subkey = Subkey::derive(key, &attempt.session.0);
            let bound = own.is_some() && attempt.opens(&subkey, own);
            if !bound && !attempt.opens(&subkey, None) {
                continue;
            }
            self.opened_with = place;
            let says_where = !counter.bound && counter.channel == EVERYONE;
            let proof = attempt.session.incarnation().filter(|_| says_where).map(|incarnation| {
                Proof { session: attempt.session, incarnation, sequence: counter.sequence }
            });
            return Ok(Origin::Stranger { bound, proof });
        }
        Err(Unopened::Unsealed { bound: counter.bound })
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(redacted)")
    }
}

impl Envelope for Sealed {
    fn prefix(&self) -> usize {
        NONCE
    }

    fn suffix(&self) -> usize {
        TAG
    }

    fn begin<R: CryptoRng>(&mut self, own: Incarnation, rng: &mut R) {
        self.life = Some(Box::new(Life::begin(own, self.keyring.sealing(), rng)));
    }

    fn seal<R: CryptoRng>(&mut self, rng: &mut R, recipient: Recipient, datagram: &mut [u8]) {
        let Parts { nonce, message, tag } =
            Parts::of(datagram).expect("the datagram has room for nonce and tag");
        let structured = self.life.as_mut().and_then(|life| life.seal(recipient, message));
        if let Some(sealed) = structured {
            (*nonce, *tag) = sealed;
            return;
        }
        if !planted(Mutant::NonceKept) || nonce.iter().all(|&byte| byte == 0) {
            rng.fill_bytes(nonce);
        }
        let (first, last) = nonce.split_first_chunk().expect("a nonce has 24 bytes");
        let last = *last.first_chunk().expect("8 of them are left");
        *tag = Subkey::derive(self.keyring.sealing(), first).seal(last, None, message);
    }

    fn open<'d>(&mut self, datagram: &'d mut [u8], effort: Effort) -> Opening<'d> {
        if planted(Mutant::ShortIsPlain) && datagram.len() < NONCE + TAG {
            return Opening::of_clear(datagram);
        }
        let Some(mut attempt) = Attempt::new(datagram) else {
            return Opening { outcome: Err(Unopened::Unsealed { bound: false }), trials: 0 };
        };
        let origin = self.origin(&mut attempt, effort);
        let Attempt { message, trials, .. } = attempt;
        Opening { outcome: origin.map(|origin| Opened { message, origin }), trials }
    }

    fn admit(
        &mut self,
        member: usize,
        incarnation: Incarnation,
        proof: Option<Proof>,
    ) -> Option<Channel> {
        let life = self.life.as_mut()?;
        life.dismiss(member);
        life.admit(member, incarnation, proof?)
    }

    fn announced(&mut self, member: usize, channel: Channel) {
        if let Some(life) = &mut self.life {
            life.announced(member, channel);
        }
    }

    fn awaits_channel(&self, member: usize) -> bool {
        self.life.as_ref().is_some_and(|life| life.awaits_channel(member))
    }

    fn channel(&self, member: usize) -> Option<Channel> {
        self.life.as_ref()?.channel(member)
    }

    fn dismiss(&mut self, member: usize) {
        if let Some(life) = &mut self.life {
            life.dismiss(member);
        }
    }
}
