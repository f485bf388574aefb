//! What a user asks of the node: send, broadcast, lock, leave. Requests are in `requests.rs`.

use core::net::SocketAddr;

use rand_core::CryptoRng;

use super::{GOODBYES, Node, Phase, canonical};
use crate::envelope::{AnyEnvelope, Envelope, Keyring, Recipient};
use crate::error::{LockError, LockNotHeld, NotSealed, SendError};
use crate::event::{LockId, RequestEvent, Transmit};
use crate::stats::Refusal;
use crate::time::Instant;
use crate::timer::Timers;
use crate::wire::{DATA_HEADER, Message};

impl<E: Envelope, R: CryptoRng> Node<E, R> {
    /// Makes a DATA datagram for one address, member or not, in `buffer`. Send it.
    ///
    /// It is sent once; nothing tells whether it arrives.
    pub fn send_to(
        &mut self,
        now: Instant,
        to: SocketAddr,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Result<Transmit, SendError> {
        self.advance(now);
        self.check_payload(payload.len(), DATA_HEADER)?;
        let to = checked(to)?;
        let recipient = self.recipient(self.membership.find(&to));
        let message = match recipient {
            Recipient::Member(_) => Message::SessionData(payload),
            _ => Message::Data(payload),
        };
        let len = self.seal(recipient, &message, buffer);
        self.stats.transmitted += 1;
        Ok(Transmit { to: self.path_to(to), len })
    }

    /// Makes a DATA datagram for all members in `buffer`, sealed once, and gives its length. Send
    /// it to the [path](crate::PeerInfo::path) of each of [`members`](Self::members), of whom there may
    /// be none.
    ///
    /// Refused while there is a cluster size and no quorum.
    pub fn broadcast(
        &mut self,
        now: Instant,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Result<usize, SendError> {
        self.advance(now);
        self.check_payload(payload.len(), DATA_HEADER)?;
        self.check_quorum()?;
        // One classic member among them, and it must be what that one understands.
        let message = if self.membership.classic() > 0 {
            Message::Data(payload)
        } else {
            Message::SessionData(payload)
        };
        let len = self.seal(self.everyone(), &message, buffer);
        self.stats.transmitted += self.membership.len() as u64;
        Ok(len)
    }

    /// Asks for the named lock: waits for the quorum if there is a cluster size, then for the
    /// callers of this node that came before, then for the cluster.
    ///
    /// Ends by a [`LockEvent`](crate::LockEvent), or silently by [`release`](Self::release).
    pub fn lock(
        &mut self,
        now: Instant,
        key: &str,
        deadline: Option<Instant>,
    ) -> Result<LockId, LockError> {
        self.advance(now);
        self.check_lock_call()?;
        let asked = self.locks.lock(self.now, key, deadline, &mut self.rng);
        self.settle_lock_command(asked)
    }

    /// Asks for the named lock and fails rather than waits for another holder. Without a deadline
    /// of its own it waits [`Config::timeout`](crate::Config::timeout) for answers.
    pub fn try_lock(
        &mut self,
        now: Instant,
        key: &str,
        deadline: Option<Instant>,
    ) -> Result<LockId, LockError> {
        self.advance(now);
        self.check_lock_call()?;
        let asked = self.locks.try_lock(self.now, key, deadline, &mut self.rng);
        self.settle_lock_command(asked)
    }

    /// Releases a held lock, or withdraws a request that still waits.
    pub fn release(&mut self, now: Instant, lock: LockId) -> Result<(), LockNotHeld> {
        self.advance(now);
        let released = self.locks.release(self.now, lock, &mut self.rng);
        self.collect_lock_outputs();
        released
    }

    /// Releases the lock that this node holds under this key, and gives whose it was.
    pub fn unlock(&mut self, now: Instant, key: &str) -> Result<LockId, LockNotHeld> {
        self.advance(now);
        let released = self.locks.unlock(self.now, key, &mut self.rng);
        self.collect_lock_outputs();
        released
    }

    /// Says goodbye. Held locks are told lost before the first LEAVE leaves the node; requests and
    /// lock calls that wait end as closed; LEAVE goes to every member, to those that send session
    /// blocks three times a few milliseconds apart; then comes
    /// [`Action::Closed`](crate::Action::Closed). From now on the node accepts nothing.
    pub fn leave(&mut self, now: Instant) {
        self.advance(now);
        if self.phase != Phase::Running {
            return;
        }
        self.locks.close(self.now);
        self.collect_lock_outputs();
        let Self { asks, outbox, .. } = self;
        asks.close(|request| outbox.event(RequestEvent::Closed { request }));
        self.timers = Timers::new();
        self.silences = Timers::new();
        self.phase = Phase::Leaving(GOODBYES);
        self.say_goodbye();
    }

    fn settle_lock_command(
        &mut self,
        asked: Result<LockId, LockError>,
    ) -> Result<LockId, LockError> {
        match asked {
            Err(LockError::TooManyLocks { .. }) => self.stats.refuse(Refusal::LocksFull),
            Err(LockError::TooManyWaiters { .. }) => self.stats.refuse(Refusal::LockWaitersFull),
            Ok(_) | Err(_) => {}
        }
        self.collect_lock_outputs();
        asked
    }

    /// What other commands queue is bounded by the tables; lock calls and releases in turn would
    /// fill the outbox without end.
    fn check_lock_call(&mut self) -> Result<(), LockError> {
        self.check_running().map_err(|_closed| LockError::Closed)?;
        if self.outbox.is_full() {
            self.stats.refuse(Refusal::OutboxFull);
            return Err(LockError::OutboxFull);
        }
        Ok(())
    }

    fn check_running(&self) -> Result<(), SendError> {
        if self.phase == Phase::Running { Ok(()) } else { Err(SendError::Closed) }
    }

    pub(super) fn check_payload(&self, len: usize, header: usize) -> Result<(), SendError> {
        self.check_running()?;
        let max = self.room_behind(header);
        if len > max { Err(SendError::MessageTooLarge { len, max }) } else { Ok(()) }
    }

    pub(super) fn check_quorum(&self) -> Result<(), SendError> {
        if self.quorum.is_reached() {
            return Ok(());
        }
        Err(SendError::NoQuorum { have: self.quorum.have(), need: self.quorum.need() })
    }
}

impl<R> Node<AnyEnvelope, R> {
    /// Changes the keys of a node that seals, while it runs: members stay members, and nothing that
    /// one of the keys opens is lost. See [`Keyring`] for how to change those of a whole cluster.
    pub fn set_keyring(&mut self, keyring: Keyring) -> Result<(), NotSealed> {
        self.envelope.set_keyring(keyring)
    }
}

pub(super) fn checked(to: SocketAddr) -> Result<SocketAddr, SendError> {
    if to.port() == 0 { Err(SendError::NoPort) } else { Ok(canonical(to)) }
}
