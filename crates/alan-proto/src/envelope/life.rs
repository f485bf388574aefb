//! One life of a sealed node: its session, and those of its members.

use alloc::boxed::Box;
use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::cipher::{NONCE, Subkey, TAG};
use super::nonce::{CHANNELS, Counter, EVERYONE, SessionId};
use super::sequences::Sequences;
use super::session::Session;
use super::{Channel, Key, Keyring, MAX_MEMBERS, Proof, Recipient};
use crate::event::Incarnation;
use crate::storage::{HashKey, Map};

/// Everything that is drawn or learnt after the start.
pub(super) struct Life {
    pub(super) incarnation: Incarnation,
    session: SessionId,
    /// Of our session, under the sealing key.
    subkey: Subkey,
    sequences: Sequences,
    /// By the member's slot. Boxed, so that a cached subkey never moves and leaves no copy behind.
    sessions: Vec<Option<Box<Session>>>,
    slots: Map<SessionId, usize>,
}

impl Life {
    pub(super) fn begin<R: CryptoRng>(own: Incarnation, sealing: &Key, rng: &mut R) -> Self {
        let session = SessionId::draw(own, rng);
        let mut sequences = Sequences::new();
        sequences.give(EVERYONE);
        let limit = u32::try_from(MAX_MEMBERS).expect("65,536 fits");
        Self {
            incarnation: own,
            session,
            subkey: Subkey::derive(sealing, &session.0),
            sequences,
            sessions: Vec::new(),
            slots: Map::new(limit, HashKey(rng.next_u64(), rng.next_u64())),
        }
    }

    /// Seals under the next nonce of the recipient's channel, if it has one.
    pub(super) fn seal(
        &mut self,
        recipient: Recipient,
        message: &mut [u8],
    ) -> Option<([u8; NONCE], [u8; TAG])> {
        let (channel, receiver) = match recipient {
            Recipient::Anyone => return None,
            Recipient::Everyone => (EVERYONE, None),
            Recipient::Member(member) => {
                let session = self.session_of(member)?;
                (session.channel, Some(session.incarnation))
            }
        };
        let sequence = self.sequences.take(channel)?;
        let counter = Counter { bound: receiver.is_some(), channel, sequence };
        let tag = self.subkey.seal(counter.to_be_bytes(), receiver, message);
        Some((self.session.nonce(counter), tag))
    }

    /// The session of this id and the member whose it is.
    pub(super) fn find(&mut self, id: SessionId) -> Option<(usize, &mut Session)> {
        let member = *self.slots.get(&id)?;
        let session = self.sessions.get_mut(member)?.as_deref_mut()?;
        Some((member, session))
    }

    pub(super) fn admit(
        &mut self,
        member: usize,
        incarnation: Incarnation,
        proof: Proof,
    ) -> Option<Channel> {
        if member >= MAX_MEMBERS || proof.incarnation() != incarnation {
            return None;
        }
        if let Some(&former) = self.slots.get(&proof.session) {
            self.dismiss(former);
        }
        let number = channel_of(member);
        let session = Session::new(proof.session, incarnation, number, proof.sequence);
        if member >= self.sessions.len() {
            self.sessions.resize_with(member + 1, || None);
        }
        self.slots.insert(proof.session, member).ok()?;
        self.sessions[member] = Some(Box::new(session));
        self.sequences.give(number);
        self.channel(member)
    }

    pub(super) fn announced(&mut self, member: usize, channel: Channel) {
        if let Some(Some(session)) = self.sessions.get_mut(member) {
            session.announced(channel);
        }
    }

    pub(super) fn awaits_channel(&self, member: usize) -> bool {
        self.session_of(member).is_some_and(Session::awaits_channel)
    }

    pub(super) fn channel(&self, member: usize) -> Option<Channel> {
        let number = self.session_of(member)?.channel;
        Some(Channel { number, first: self.sequences.next(number) })
    }

    pub(super) fn dismiss(&mut self, member: usize) {
        if let Some(session) = self.sessions.get_mut(member).and_then(Option::take) {
            self.slots.remove(&session.id);
        }
    }

    /// Seals under the new ring's key from now on; what was derived from keys that stay is kept.
    pub(super) fn change_keys(
        &mut self,
        keyring: &Keyring,
        new_place: impl Fn(usize) -> Option<usize>,
    ) {
        self.subkey = Subkey::derive(keyring.sealing(), &self.session.0);
        for session in self.sessions.iter_mut().flatten() {
            session.move_keys(&new_place);
        }
    }

    fn session_of(&self, member: usize) -> Option<&Session> {
        self.sessions.get(member)?.as_deref()
    }
}

/// Our channel for the member in this slot. There are more slots than channels: members that share
/// one also share its sequences, so that no nonce comes twice.
fn channel_of(member: usize) -> u16 {
    let place = member % usize::from(CHANNELS - 1);
    1 + u16::try_from(place).expect("the remainder is below 32,767")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_a_channel_that_is_not_the_one_for_everyone() {
        for member in 0..MAX_MEMBERS {
            assert!((1..CHANNELS).contains(&channel_of(member)));
        }
        assert_eq!((channel_of(0), channel_of(32_766), channel_of(32_767)), (1, 32_767, 1));
    }
}
