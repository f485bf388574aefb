//! What is known of one life of an extended peer: what it said last, what of ours it has heard,
//! how far away it is.

use alloc::boxed::Box;
use core::net::SocketAddr;
use core::time::Duration;

use crate::event::Incarnation;
use crate::exchange::Exchange;
use crate::hybrid::HybridTime;
use crate::mutant::{Mutant, planted};
use crate::profile::Profile;
use crate::round_trip::RoundTrip;
use crate::served::Served;
use crate::time::Instant;
use crate::timer::TimerId;
use crate::wire::{Challenge, Echo, Role, SessionBlock, Settings};

/// A challenge that the peer wants back.
#[derive(Clone, Copy, Hash, Debug)]
struct Owed {
    challenge: Challenge,
    sent_at: Instant,
    at: Instant,
}

/// Whether the peer is known to have us as a member.
#[derive(Clone, Copy, Hash, Debug)]
struct Confirmation {
    /// It has, once it echoes a stamp that is not older than this.
    since: Instant,
    /// Where it asked from.
    to: SocketAddr,
    attempts: u32,
    timer: Option<TimerId>,
}

/// One life of an extended peer that is a member.
#[derive(Clone, Hash, Debug)]
pub(crate) struct Life {
    pub(crate) incarnation: Incarnation,
    /// What its hybrid logical clock said when it started.
    pub(crate) started: HybridTime,
    pub(crate) role: Role,
    pub(crate) settings: Settings,
    /// The stamp of ours whose echo made it a member.
    pub(crate) proven: Instant,
    /// The newest stamp heard, and when that was.
    newest: Instant,
    pub(crate) newest_at: Instant,
    /// The newest stamp that we sent it, and the newest that it has echoed.
    sent: Instant,
    echoed: Instant,
    pub(crate) round_trip: RoundTrip,
    owed: Option<Owed>,
    confirmation: Option<Confirmation>,
    pub(crate) exchange: Exchange,
    pub(crate) profile: Option<Box<Profile>>,
    pub(crate) served: Box<Served>,
}

/// A control message told nothing new: it is older than one that came before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Late;

impl Life {
    /// A life that has just proven itself with `block` by echoing our stamp `proven`.
    pub(crate) fn new(now: Instant, block: &SessionBlock, proven: Instant) -> Self {
        let mut next_request = block.next_request.unwrap_or(1);
        if planted(Mutant::RecordForgotten) {
            next_request = next_request.saturating_sub(1_000);
        }
        let mut life = Self {
            incarnation: block.incarnation,
            started: block.times.started,
            role: block.view.role,
            settings: block.settings,
            proven,
            newest: block.times.sent_at,
            newest_at: now,
            sent: proven,
            echoed: proven,
            round_trip: RoundTrip::default(),
            owed: None,
            confirmation: None,
            exchange: Exchange::default(),
            profile: None,
            served: Box::new(Served::resume(next_request)),
        };
        if let Some(echo) = block.echo {
            life.measure(now, &echo);
        }
        life.take_challenge(now, block);
        life
    }

    /// Takes note of a control message. `own` is our incarnation. Of two with one stamp, made in
    /// one instant, the second to arrive counts, too: it may say more.
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        block: &SessionBlock,
        own: Incarnation,
    ) -> Result<(), Late> {
        if block.times.sent_at < self.newest && !planted(Mutant::OldStamp) {
            return Err(Late);
        }
        self.newest = block.times.sent_at;
        self.newest_at = now;
        if let Some(echo) = block.echo.filter(|echo| echo.incarnation == own)
            && echo.sent_at > self.echoed
            && echo.sent_at <= self.sent
        {
            self.echoed = echo.sent_at;
            self.measure(now, &echo);
        }
        self.take_challenge(now, block);
        Ok(())
    }

    fn measure(&mut self, now: Instant, echo: &Echo) {
        let away = now.saturating_since(echo.sent_at);
        if let Some(round_trip) = away.checked_sub(echo.held) {
            self.round_trip.sample(round_trip);
        }
    }

    fn take_challenge(&mut self, now: Instant, block: &SessionBlock) {
        if let Some(challenge) = block.challenge {
            self.owed = Some(Owed { challenge, sent_at: block.times.sent_at, at: now });
        }
    }

    /// A message with this moment's stamp goes to it.
    pub(crate) fn note_sent(&mut self, now: Instant) {
        self.sent = self.sent.max(now);
    }

    /// A control message to it is being made: what it echoes.
    pub(crate) fn echo(&mut self, now: Instant) -> Option<Echo> {
        self.note_sent(now);
        let held = now.saturating_since(self.newest_at);
        let held = if planted(Mutant::HeldForgotten) { Duration::ZERO } else { held };
        Echo::new(self.incarnation, self.newest, held)
    }

    /// As [`Self::echo`], for a message that returns its challenge, if it wants one back.
    pub(crate) fn proof(&mut self, now: Instant) -> (Option<Echo>, Option<Challenge>) {
        let Some(owed) = self.owed else {
            return (self.echo(now), None);
        };
        self.note_sent(now);
        let echo = Echo::new(self.incarnation, owed.sent_at, now.saturating_since(owed.at));
        (echo, Some(owed.challenge))
    }

    /// We prove ourselves to it, from now on until it is known to have us as a member. Gives where
    /// that was under way already.
    pub(crate) fn expect_confirmation(
        &mut self,
        now: Instant,
        to: SocketAddr,
    ) -> Option<SocketAddr> {
        if let Some(confirmation) = &mut self.confirmation {
            return Some(core::mem::replace(&mut confirmation.to, to));
        }
        self.confirmation = Some(Confirmation { since: now, to, attempts: 0, timer: None });
        None
    }

    /// Where we prove ourselves to it.
    pub(crate) fn unconfirmed_at(&self) -> Option<SocketAddr> {
        self.confirmation.as_ref().map(|confirmation| confirmation.to)
    }

    /// It has told all that a member tells: asks it no more if it is known to have us as one. Gives
    /// the timer to be stopped then.
    pub(crate) fn confirm(&mut self) -> Option<TimerId> {
        let confirmation = self.confirmation.as_ref()?;
        if self.echoed < confirmation.since {
            return None;
        }
        self.owed = None;
        self.confirmation.take()?.timer
    }

    /// Counts one more question for confirmation, and gives the number of those before it.
    pub(crate) fn next_attempt(&mut self) -> Option<u32> {
        let confirmation = self.confirmation.as_mut()?;
        let attempts = confirmation.attempts;
        confirmation.attempts += 1;
        Some(attempts)
    }

    pub(crate) fn set_confirmation_timer(&mut self, timer: TimerId) {
        if let Some(confirmation) = &mut self.confirmation {
            confirmation.timer = Some(timer);
        }
    }

    /// The timer of its confirmation, to be stopped when it is gone.
    pub(crate) fn take_confirmation_timer(&mut self) -> Option<TimerId> {
        self.confirmation.as_mut()?.timer.take()
    }

    /// How far away it is: the smoothed round-trip time.
    pub(crate) fn distance(&self) -> Option<Duration> {
        self.round_trip.smoothed()
    }
}
