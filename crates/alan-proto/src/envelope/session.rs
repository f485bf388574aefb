//! What the envelope keeps of one member: the session that it seals under, what of that was seen,
//! and our channel for it.

use super::cipher::Subkey;
use super::datagram::Attempt;
use super::nonce::{Counter, EVERYONE, SessionId};
use super::replay::Window;
use super::{Channel, Keyring, Unopened};
use crate::event::Incarnation;
use crate::mutant::{Mutant, planted};

/// A proven member's session. Allocated when the member is admitted.
pub(super) struct Session {
    pub(super) id: SessionId,
    /// The member's life: what is sealed for it alone is bound to this.
    pub(super) incarnation: Incarnation,
    /// Our channel for it.
    pub(super) channel: u16,
    /// What it sealed for everyone.
    broadcasts: Window,
    /// What it sealed for us, since it said on which channel.
    bound: Option<Bound>,
    /// The subkey of the key that opened last.
    opened_with: Option<KnownSubkey>,
}

const _: () = assert!(size_of::<Session>() <= 512);

/// The member's channel for us.
struct Bound {
    channel: Channel,
    window: Window,
}

struct KnownSubkey {
    /// The key's place in the ring.
    key: usize,
    subkey: Subkey,
}

impl Session {
    /// The session of a member whose proof came with the sequence `proven_at` of the channel for
    /// everyone: neither that nor anything older on it is ever opened.
    pub(super) fn new(
        id: SessionId,
        incarnation: Incarnation,
        channel: u16,
        proven_at: u64,
    ) -> Self {
        let first = if planted(Mutant::WindowFromStart) { 0 } else { proven_at + 1 };
        Self {
            id,
            incarnation,
            channel,
            broadcasts: Window::opening_at(first),
            bound: None,
            opened_with: None,
        }
    }

    /// The member seals for us on this channel, from this sequence on.
    ///
    /// A channel that is in use stays as it is, whatever is said about its sequences: they have
    /// only gone on. Another one takes its place if it starts higher; each that a node gives
    /// does, so what starts lower is an older word that was overtaken on the way.
    pub(super) fn announced(&mut self, channel: Channel) {
        let is_news = self.bound.as_ref().is_none_or(|known| {
            known.channel.number != channel.number && known.channel.first < channel.first
        });
        if is_news && channel.number != EVERYONE {
            self.bound = Some(Bound { channel, window: Window::opening_at(channel.first) });
        }
    }

    /// Whether the member has not said yet on which channel it seals for us.
    pub(super) const fn awaits_channel(&self) -> bool {
        self.bound.is_none()
    }

    /// Opens a datagram under this session, once.
    pub(super) fn open(
        &mut self,
        member: usize,
        keyring: &Keyring,
        own: Incarnation,
        attempt: &mut Attempt<'_>,
    ) -> Result<(), Unopened> {
        let counter = attempt.counter;
        // Before anything is computed: a replay costs its sender more than it costs us.
        if self.window(counter).is_some_and(|window| !window.is_fresh(counter.sequence)) {
            return Err(Unopened::Replayed { member });
        }
        let receiver = counter.bound.then_some(own);
        if !self.opens(keyring, receiver, attempt) {
            return Err(Unopened::Unsealed { bound: counter.bound });
        }
        let Some(window) = self.window(counter) else {
            let known = self.opened_with.as_ref().expect("a key has just opened it");
            attempt.close(&known.subkey, receiver);
            return Err(Unopened::UnknownChannel { member });
        };
        window.record(counter.sequence);
        Ok(())
    }

    /// The window of the channel on which the datagram came, if the member uses that channel.
    fn window(&mut self, counter: Counter) -> Option<&mut Window> {
        match &mut self.bound {
            _ if !counter.bound => (counter.channel == EVERYONE).then_some(&mut self.broadcasts),
            Some(bound) if bound.channel.number == counter.channel => Some(&mut bound.window),
            _ => None,
        }
    }

    /// Opens with the key that opened last, else with any other, which is then remembered.
    fn opens(
        &mut self,
        keyring: &Keyring,
        receiver: Option<Incarnation>,
        attempt: &mut Attempt<'_>,
    ) -> bool {
        let known = self.opened_with.as_ref();
        if known.is_some_and(|known| attempt.opens(&known.subkey, receiver)) {
            return true;
        }
        let tried = known.map(|known| known.key);
        let mut others = keyring
            .starting_with(0)
            .filter(|(key, _)| Some(*key) != tried)
            .map(|(key, secret)| KnownSubkey { key, subkey: Subkey::derive(secret, &self.id.0) });
        let Some(found) = others.find(|other| attempt.opens(&other.subkey, receiver)) else {
            return false;
        };
        self.opened_with = Some(found);
        true
    }

    /// The keys have other places now, or none.
    pub(super) fn move_keys(&mut self, new_place: impl Fn(usize) -> Option<usize>) {
        self.opened_with = self.opened_with.take().and_then(|known| {
            let key = new_place(known.key)?;
            Some(KnownSubkey { key, ..known })
        });
    }
}
