//! The way of a datagram: is it for us, does it open, who speaks, what does it say.

use core::net::SocketAddr;

use rand_core::CryptoRng;

use super::{Node, Phase, canonical};
use crate::envelope::{Effort, Envelope, Origin, Unopened};
use crate::event::{Delivery, PeerEvent};
use crate::mutant::{Mutant, planted};
use crate::served::Verdict;
use crate::stats::{Refusal, Rejection};
use crate::storage::Handle;
use crate::time::Instant;
use crate::wire::{DecodeError, Message};

/// Where a datagram came from, as far as its envelope tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) from: SocketAddr,
    /// The member that has this address.
    pub(super) known: Option<Handle>,
    pub(super) origin: Origin,
    /// The message's length in bytes.
    pub(super) len: usize,
}

/// Who speaks in a message that says so by nothing but its envelope and its source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaker {
    /// The address that names it.
    pub(super) addr: SocketAddr,
    pub(super) member: Option<Handle>,
    /// It is an extended member, by its session or, in clear text, by its address.
    pub(super) proven: bool,
}

/// Which of the two messages that make or keep a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SignOfLife {
    Join,
    Heartbeat,
}

impl<E: Envelope, R: CryptoRng> Node<E, R> {
    /// A datagram arrived from `from`. Opened in place; gives the user payload in it, if it has
    /// one. What is wrong with it is counted in [`stats`](Self::stats), never answered, and changes
    /// nothing that a caller can see; but from a member's address it is a sign of life as soon as
    /// it opens and parses, if no control message contradicts that.
    #[must_use = "the payload is lent out of the datagram and can't be had again"]
    pub fn handle_datagram<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'d mut [u8],
    ) -> Option<Delivery<'d>> {
        self.advance(now);
        self.stats.received += 1;
        if self.outbox.is_full() {
            self.stats.refuse(Refusal::OutboxFull);
            return None;
        }
        let from = canonical(from);
        match self.accept(from, datagram) {
            Ok(delivery) => delivery,
            Err(why) => {
                self.stats.reject(why);
                self.warn_of(why, from);
                None
            }
        }
    }

    fn warn_of(&mut self, why: Rejection, from: SocketAddr) {
        let warning = match why {
            Rejection::Unopened => self.warnings.unopened(self.now, from),
            Rejection::PeersFull => self.warnings.peers_full(self.now, from, self.config.max_peers),
            _ => None,
        };
        if let Some(warning) = warning {
            self.outbox.event(warning);
        }
    }

    fn accept<'d>(
        &mut self,
        from: SocketAddr,
        datagram: &'d mut [u8],
    ) -> Result<Option<Delivery<'d>>, Rejection> {
        if self.phase != Phase::Running {
            return Err(Rejection::Closed);
        }
        if from.port() == 0 {
            return Err(Rejection::NoPort);
        }
        if datagram.len() > self.config.buffer_size {
            return Err(Rejection::Oversize);
        }
        let known = self.membership.find(&from);
        let effort = self.budget(known, from)?;
        let is_former_life = self.may_be_for_former_life(datagram);
        let opening = self.envelope.open(datagram, effort);
        let origin = opening.outcome.as_ref().ok().map(|opened| opened.origin);
        self.charge(known, from, origin, opening.trials);
        let opened =
            opening.outcome.map_err(|unopened| judge_unopened(unopened, is_former_life))?;
        let source = Source { from, known, origin: opened.origin, len: opened.message.len() };
        let message = Message::decode(opened.message).map_err(|error| match error {
            DecodeError::UnknownType(_) => Rejection::UnknownType,
            _ => Rejection::Malformed,
        })?;
        self.route(&source, message)
    }

    /// How much work the datagram may cost before it has proven anything: a member's address
    /// always gets the one trial that its session needs.
    fn budget(&mut self, known: Option<Handle>, from: SocketAddr) -> Result<Effort, Rejection> {
        match known {
            None if self.strangers.take(self.now, from.ip()) => Ok(Effort::Full),
            None => Err(Rejection::OverBudget),
            Some(_) if self.strangers.has_budget(self.now, from.ip()) => Ok(Effort::Full),
            Some(_) => Ok(Effort::SessionsOnly),
        }
    }

    /// Has the source pay for the trials: what a member sealed costs nothing, wherever it comes
    /// from; somebody who only uses its address pays, and so does a stranger, who has paid for the
    /// first one already.
    fn charge(
        &mut self,
        known: Option<Handle>,
        from: SocketAddr,
        origin: Option<Origin>,
        trials: u8,
    ) {
        let is_classic = known.is_some_and(|known| self.membership.life(known).is_none());
        let units = match origin {
            Some(Origin::Member(_)) => {
                if known.is_none() {
                    self.strangers.give_back(self.now, from.ip());
                }
                0
            }
            Some(_) if is_classic => 0,
            _ if known.is_some() => trials,
            _ => trials.saturating_sub(1),
        };
        if units > 0 {
            self.strangers.charge(self.now, from.ip(), units);
        }
    }

    /// Whoever does not know yet that we have restarted seals for our former life. A node without a
    /// key does not, though every other one of them looks so.
    fn may_be_for_former_life(&self, datagram: &[u8]) -> bool {
        self.now.saturating_since(self.started) < self.config.heartbeat_timeout
            && !Message::is_control(datagram)
    }

    fn route<'d>(
        &mut self,
        source: &Source,
        message: Message<'d>,
    ) -> Result<Option<Delivery<'d>>, Rejection> {
        match message {
            Message::Join(control) => {
                self.on_sign_of_life(source, SignOfLife::Join, &control).map(|()| None)
            }
            Message::Heartbeat(control) => {
                self.on_sign_of_life(source, SignOfLife::Heartbeat, &control).map(|()| None)
            }
            Message::Leave(control) => self.on_leave(source, &control).map(|()| None),
            Message::Data(payload) => {
                let speaker = self.speaker(source)?;
                if planted(Mutant::EmptyDropped) && payload.is_empty() {
                    return Ok(None);
                }
                Ok(Some(Delivery::Message { from: speaker.addr, payload }))
            }
            Message::Request { id: request, body: payload } => {
                let speaker = self.speaker(source)?;
                Ok(Some(Delivery::Request { from: speaker.addr, request, payload }))
            }
            Message::Response { id: request, body: payload } => {
                let speaker = self.speaker(source)?;
                let finished = self.on_response(&speaker, request)?;
                Ok(Some(Delivery::Response { request, from: speaker.addr, payload, finished }))
            }
            Message::Lock(message) => {
                let speaker = self.speaker(source)?;
                let Self { locks, now, rng, .. } = self;
                let outcome = locks.handle_message(*now, speaker.addr, &message, rng);
                self.collect_lock_outputs();
                outcome.map(|()| None)
            }
            _ if self.config.speak_classic => Err(Rejection::UnknownType),
            other => self.route_extended(source, other),
        }
    }

    /// The messages that only extended members send.
    fn route_extended<'d>(
        &mut self,
        source: &Source,
        message: Message<'d>,
    ) -> Result<Option<Delivery<'d>>, Rejection> {
        let (member, from) = self.proven_speaker(source)?;
        match message {
            Message::SessionData(payload) => Ok(Some(Delivery::Message { from, payload })),
            Message::SessionRequest { id: request, number, behind, body: payload } => {
                let life = self.membership.life_mut(member).ok_or(Rejection::Unproven)?;
                match life.served.receive(number, behind) {
                    Verdict::Execute => Ok(Some(Delivery::Request { from, request, payload })),
                    Verdict::Repeated => Ok(Some(Delivery::Repeated { from, request })),
                    // Whoever still waits for it is told; nobody else listens.
                    Verdict::Dead => {
                        if !planted(Mutant::DeadSilence) {
                            self.tell_gone(member, request);
                        }
                        Err(Rejection::DeadRequest)
                    }
                    Verdict::Full => Err(Rejection::RequestsFull),
                }
            }
            Message::SessionResponse { id: request, body: payload } => {
                let speaker = Speaker { addr: from, member: Some(member), proven: true };
                let finished = self.on_response(&speaker, request)?;
                Ok(Some(Delivery::Response { request, from, payload, finished }))
            }
            Message::ResponseGone { id } => self.on_response_gone(member, id).map(|()| None),
            Message::Profile(profile) => {
                let life = self.membership.life_mut(member).ok_or(Rejection::Unproven)?;
                if life.profile.get_or_insert_default().learn(&profile) {
                    self.outbox.event(PeerEvent::Updated { peer: from });
                }
                Ok(None)
            }
            Message::ProfileAsk => self.on_profile_ask(member).map(|()| None),
            Message::PeersAsk { cursor } => self.on_peers_ask(member, cursor).map(|()| None),
            Message::Peers(page) => self.on_peers(member, &page).map(|()| None),
            Message::Probe(probe) => self.on_probe(member, probe).map(|()| None),
            _ => Err(Rejection::UnknownType),
        }
    }

    /// Who speaks, where anybody may. What comes from a member is a sign of its life.
    fn speaker(&mut self, source: &Source) -> Result<Speaker, Rejection> {
        let member = match source.origin {
            Origin::Member(place) => self.membership.in_place(place),
            Origin::Clear => source.known,
            Origin::Stranger { bound: true, .. } => return Err(Rejection::Unproven),
            Origin::Stranger { bound: false, proof } => {
                match proof.map(|proof| proof.incarnation()) {
                    Some(own) if own == self.incarnation => return Err(Rejection::OwnDatagram),
                    Some(other) if self.membership.is_gone(self.now, other) => {
                        return Err(Rejection::FormerIncarnation);
                    }
                    _ => {}
                }
                let extended =
                    source.known.is_some_and(|known| self.membership.life(known).is_some());
                if extended {
                    return Err(Rejection::Downgrade);
                }
                source.known
            }
        };
        let proven = member.is_some_and(|member| self.membership.life(member).is_some());
        if !proven && !self.config.classic_peers {
            return Err(Rejection::ClassicRefused);
        }
        let addr = member.and_then(|member| self.membership.addr(member));
        if let Some(member) = member {
            let certain = matches!(source.origin, Origin::Member(_));
            self.membership.refresh(self.now, member, certain);
        }
        Ok(Speaker { addr: addr.unwrap_or(source.from), member, proven })
    }

    /// Who speaks, where only extended members may.
    fn proven_speaker(&mut self, source: &Source) -> Result<(Handle, SocketAddr), Rejection> {
        if matches!(source.origin, Origin::Stranger { .. }) {
            return Err(Rejection::Unproven);
        }
        match self.speaker(source)? {
            Speaker { addr, member: Some(member), proven: true } => Ok((member, addr)),
            Speaker { .. } => Err(Rejection::Unproven),
        }
    }
}

const fn judge_unopened(unopened: Unopened, is_former_life: bool) -> Rejection {
    match unopened {
        Unopened::Unsealed { bound: true } if is_former_life => Rejection::FormerLife,
        Unopened::Unsealed { .. } => Rejection::Unopened,
        Unopened::OverBudget => Rejection::OverBudget,
        Unopened::Replayed { .. } => Rejection::Replayed,
        Unopened::UnknownChannel { .. } => Rejection::Unproven,
    }
}
