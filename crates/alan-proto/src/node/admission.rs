//! Who becomes a member and who stops being one: what JOIN, HEARTBEAT and LEAVE say about their
//! sender.
//!
//! A classic peer is believed at its first JOIN or HEARTBEAT. An extended one is a member once it
//! has returned a challenge of ours from its address, a round trip after the first datagram:
//!
//! ```text
//! we                                                    the peer
//!   │ JOIN { challenge a }  ──────────────────────────►  │ a stranger: nothing is kept of it
//!   │  ◄──────────── HEARTBEAT { answer a, challenge b } │
//!   │ it is a member                                     │
//!   │ JOIN { answer b, channel }  ────────────────────►  │ we are a member
//!   │  ◄───────────────────────── HEARTBEAT { channel }  │
//! ```
//!
//! The second JOIN is repeated until the peer is known to have us as a member: see
//! `node/confirmation.rs`.

use core::net::SocketAddr;
use core::time::Duration;

use rand_core::CryptoRng;

use super::receive::{SignOfLife, Source};
use super::{Node, OWN_PAUSE};
use crate::discovery::Full;
use crate::envelope::{Envelope, Origin, Proof};
use crate::event::{LeaveReason, PeerEvent};
use crate::life::{Late, Life};
use crate::mutant::{Mutant, planted};
use crate::outbox::{Question, Queued};
use crate::stats::{Refusal, Rejection};
use crate::storage::Handle;
use crate::time::Instant;
use crate::wire::{Control, JOIN_LEN, SessionBlock};

/// The stamp of ours that a peer has returned, and the address that it was sent to.
#[derive(Clone, Copy, Debug)]
struct Returned {
    stamp: Instant,
    sent_to: SocketAddr,
}

impl<E: Envelope, R: CryptoRng> Node<E, R> {
    pub(super) fn on_sign_of_life(
        &mut self,
        source: &Source,
        kind: SignOfLife,
        control: &Control,
    ) -> Result<(), Rejection> {
        let peer = advertised(source.from, control)?;
        match &control.block {
            Some(block) if !self.config.speak_classic => {
                self.on_extended(source, peer, kind, block)
            }
            _ => self.on_classic(source, peer),
        }
    }

    /// A JOIN or HEARTBEAT without a block: adds its sender, or refreshes it.
    fn on_classic(&mut self, source: &Source, peer: SocketAddr) -> Result<(), Rejection> {
        let known = self.membership.find(&peer);
        let extended = known.is_some_and(|known| self.membership.life(known).is_some());
        match source.origin {
            Origin::Member(_) => return Err(Rejection::Downgrade),
            Origin::Stranger { bound: true, .. } => return Err(Rejection::Unproven),
            Origin::Clear | Origin::Stranger { bound: false, .. }
                if extended && !planted(Mutant::Downgrade) =>
            {
                self.membership.contradict(&peer);
                return Err(Rejection::Downgrade);
            }
            Origin::Clear | Origin::Stranger { bound: false, .. } => {}
        }
        if !self.config.classic_peers {
            return Err(Rejection::ClassicRefused);
        }
        self.discovery.unmark_own(&peer);
        match known {
            Some(known) => self.membership.confirm(self.now, known, peer),
            None if self.membership.is_full() => return Err(Rejection::PeersFull),
            None => {
                if let Some(member) = self.add_member(peer, None) {
                    self.welcome(member);
                }
            }
        }
        Ok(())
    }

    fn on_extended(
        &mut self,
        source: &Source,
        peer: SocketAddr,
        kind: SignOfLife,
        block: &SessionBlock,
    ) -> Result<(), Rejection> {
        if block.incarnation == self.incarnation {
            self.on_own_datagram(peer, block);
            return Err(Rejection::OwnDatagram);
        }
        self.discovery.unmark_own(&peer);
        let known = self.membership.find_life(block.incarnation);
        match source.origin {
            Origin::Clear => {}
            // The session names its life; whoever has the key and says otherwise lies.
            Origin::Member(place) if known.map(Handle::index) == Some(place) => {}
            Origin::Stranger { bound: false, proof }
                if known.is_none()
                    && proof.is_some_and(|proof| proof.incarnation() == block.incarnation) => {}
            Origin::Stranger { bound: true, .. } => return Err(Rejection::Unproven),
            Origin::Member(_) | Origin::Stranger { .. } => return Err(Rejection::WrongSession),
        }
        match known {
            Some(member) => self.on_member(member, peer, kind, block),
            None => self.on_newcomer(source, peer, kind, block),
        }
    }

    /// A member speaks, perhaps from another of its addresses.
    fn on_member(
        &mut self,
        member: Handle,
        peer: SocketAddr,
        kind: SignOfLife,
        block: &SessionBlock,
    ) -> Result<(), Rejection> {
        let (now, own) = (self.now, self.incarnation);
        let life = self.membership.life_mut(member).ok_or(Rejection::NotMember)?;
        life.hear(now, block, own).map_err(|Late| Rejection::Late)?;
        // A handshake opens at whoever has the key: one that was for somebody else names the channel
        // for that one.
        let is_for_us = block.echo.is_some_and(|echo| echo.incarnation == own)
            || planted(Mutant::ChannelOfOther);
        if let Some(channel) = block.channel.filter(|_| is_for_us) {
            self.envelope.announced(member.index(), channel);
        }
        self.follow_clock(peer, block);
        if let Some(returned) = self.returned(peer, block) {
            self.settle_address(member, returned);
        }
        let elsewhere = !self.membership.has_address(member, &peer);
        if elsewhere {
            self.membership.refresh(now, member, true);
        } else {
            self.membership.confirm(now, member, peer);
        }
        // It asks for a proof although it is a member here: we are none there, or not at this
        // address. However new what it echoes is, that confirms nothing.
        let asks_for_proof =
            kind == SignOfLife::Heartbeat && block.challenge.is_some() && is_for_us;
        if !asks_for_proof {
            self.settle_confirmation(member);
        }
        self.compare_views(member, block);
        match kind {
            SignOfLife::Join => {
                if self.membership.may_answer(now, member) {
                    self.answer(peer, block, elsewhere);
                    self.answer_where_it_is_known(member, peer, block);
                }
            }
            SignOfLife::Heartbeat if asks_for_proof => self.prove(member, peer),
            SignOfLife::Heartbeat => {}
        }
        Ok(())
    }

    /// A life that is no member speaks: admits it if it has returned a challenge of ours.
    fn on_newcomer(
        &mut self,
        source: &Source,
        peer: SocketAddr,
        kind: SignOfLife,
        block: &SessionBlock,
    ) -> Result<(), Rejection> {
        if self.membership.is_gone(self.now, block.incarnation) {
            self.membership.contradict(&peer);
            return Err(Rejection::FormerIncarnation);
        }
        if let Some(returned) = self.returned(peer, block) {
            return self.admit(source, peer, kind, block, returned);
        }
        self.membership.contradict(&peer);
        if planted(Mutant::RestartUnproven)
            && let Some(known) = self.membership.find(&peer)
        {
            self.remove_member(known, LeaveReason::Restarted);
        }
        if kind == SignOfLife::Heartbeat {
            return Err(Rejection::Unproven);
        }
        if source.len < JOIN_LEN && !planted(Mutant::ShortJoin) {
            return Err(Rejection::ShortJoin);
        }
        // Its address may be a member's: then not more often than a member is answered.
        let known = self.membership.find(&peer);
        if known.is_none_or(|known| self.membership.may_answer_other(self.now, known)) {
            self.answer(peer, block, true);
        }
        Ok(())
    }

    /// The stamp of ours that the block returns with its tag, if we sent it to this address, or to
    /// a candidate that answers from this one, and not too long ago.
    fn returned(&self, peer: SocketAddr, block: &SessionBlock) -> Option<Returned> {
        let echo = block.echo.filter(|echo| echo.incarnation == self.incarnation)?;
        let (tag, stamp) = (block.answer?, echo.sent_at);
        if !self.is_recent(stamp) {
            return None;
        }
        if self.challenges.knows(tag, stamp, peer) {
            return Some(Returned { stamp, sent_to: peer });
        }
        self.discovery
            .asked_at(stamp)
            .find(|&asked| self.challenges.knows(tag, stamp, asked))
            .map(|sent_to| Returned { stamp, sent_to })
    }

    /// Whether what we sent at that moment still proves anything.
    fn is_recent(&self, stamp: Instant) -> bool {
        let age = self.now.as_micros().checked_sub(stamp.as_micros());
        age.is_some_and(|age| Duration::from_micros(age) < self.config.heartbeat_timeout)
    }

    fn admit(
        &mut self,
        source: &Source,
        peer: SocketAddr,
        kind: SignOfLife,
        block: &SessionBlock,
        returned: Returned,
    ) -> Result<(), Rejection> {
        let addr = returned.sent_to;
        if !self.vacate(addr, returned.stamp) {
            return Err(Rejection::FormerIncarnation);
        }
        if self.membership.is_full() {
            return Err(Rejection::PeersFull);
        }
        let life = Life::new(self.now, block, returned.stamp);
        let proof = match source.origin {
            Origin::Stranger { proof, .. } => proof,
            Origin::Clear | Origin::Member(_) => None,
        };
        let Some(member) = self.add_extended(addr, life, proof) else {
            return Err(Rejection::PeersFull);
        };
        self.verify_address(member, peer);
        if let Some(channel) = block.channel {
            self.envelope.announced(member.index(), channel);
        }
        self.follow_clock(peer, block);
        match kind {
            SignOfLife::Join => self.answer(peer, block, peer != addr),
            SignOfLife::Heartbeat => self.prove(member, peer),
        }
        // Behind the handshake, which tells it our channel: it opens nothing else before.
        self.welcome(member);
        self.tell_profile(member);
        // Where it knows all that we know, it only has not had us as a member yet.
        if block.view.members != self.membership.digest_without(self.incarnation) {
            self.compare_views(member, block);
        }
        Ok(())
    }

    /// Another life has proven with our stamp that it has this address now. Gives `false` if whoever
    /// has it has proven that later.
    fn vacate(&mut self, addr: SocketAddr, stamp: Instant) -> bool {
        let Some(former) = self.membership.find(&addr) else {
            return true;
        };
        let older = self.membership.life(former).is_some_and(|life| stamp <= life.proven);
        if older && !planted(Mutant::OlderProof) {
            return false;
        }
        if self.membership.addr(former) == Some(addr) {
            self.remove_member(former, LeaveReason::Restarted);
        } else {
            self.membership.remove_alias(former, &addr);
        }
        true
    }

    /// The member has proven that it is reached at an address.
    fn settle_address(&mut self, member: Handle, returned: Returned) {
        let addr = returned.sent_to;
        self.stop_joins(addr);
        if !self.membership.has_address(member, &addr) && self.vacate(addr, returned.stamp) {
            self.membership.add_alias(member, addr);
        }
    }

    /// The member speaks from an address at which it may not be reached: asks there.
    fn verify_address(&mut self, member: Handle, addr: SocketAddr) {
        if !self.membership.has_address(member, &addr) {
            self.look_for(addr, super::LEARNT_PATIENCE);
        }
    }

    fn answer(&mut self, to: SocketAddr, block: &SessionBlock, wants_proof: bool) {
        let question = Question {
            incarnation: block.incarnation,
            sent_at: block.times.sent_at,
            at: self.now,
            challenge: block.challenge,
        };
        self.outbox.push(Queued::Answer { to, question, wants_proof });
    }

    /// Answers a member's question a second time, where it is reached, if it seems to come from
    /// elsewhere: it may be a copy that somebody else sent, faster than the question itself came.
    fn answer_where_it_is_known(&mut self, member: Handle, from: SocketAddr, block: &SessionBlock) {
        let path = self.membership.path(member).filter(|path| *path != from);
        if let Some(path) = path.filter(|_| !self.membership.has_address(member, &from)) {
            self.answer(path, block, false);
        }
    }

    /// Takes note of a peer's clock, and warns if it is too far ahead.
    fn follow_clock(&mut self, peer: SocketAddr, block: &SessionBlock) {
        if let Err(ahead) = self.clock.observe(self.now, block.times.clock)
            && let Some(warning) = self.warnings.clock_ahead(self.now, peer, ahead.by)
        {
            self.outbox.event(warning);
        }
    }

    pub(super) fn on_leave(&mut self, source: &Source, control: &Control) -> Result<(), Rejection> {
        let peer = advertised(source.from, control)?;
        let block = control.block.as_ref().filter(|_| !self.config.speak_classic);
        let member = match block {
            Some(block) if block.incarnation == self.incarnation => {
                return Err(Rejection::OwnDatagram);
            }
            Some(block) => {
                let former = planted(Mutant::GoodbyeOfFormer).then(|| self.membership.find(&peer));
                let member = self.membership.find_life(block.incarnation);
                let member = member.or_else(|| former.flatten());
                let member = member.ok_or_else(|| self.not_a_member(&peer))?;
                let its_own = match source.origin {
                    Origin::Clear => self.membership.has_address(member, &peer),
                    Origin::Member(place) => place == member.index(),
                    Origin::Stranger { .. } => false,
                };
                if its_own || planted(Mutant::AnyGoodbye) {
                    member
                } else {
                    return Err(Rejection::WrongSession);
                }
            }
            None => {
                let member = self.membership.find(&peer).ok_or(Rejection::NotMember)?;
                if self.membership.life(member).is_some() {
                    return Err(Rejection::Downgrade);
                }
                member
            }
        };
        self.remove_member(member, LeaveReason::SaidGoodbye);
        Ok(())
    }

    /// Why the LEAVE of a life that is no member is turned away.
    fn not_a_member(&self, peer: &SocketAddr) -> Rejection {
        if self.membership.contains(peer) {
            Rejection::FormerIncarnation
        } else {
            Rejection::NotMember
        }
    }

    /// A datagram of ours came back: its source is an address of ours, not a candidate. Where it is
    /// a member's, that one is given its timeout to contradict: the datagram may be forged.
    ///
    /// Only what we have just sent to that very address tells anything: older ones, or those for
    /// others, can be a recording.
    fn on_own_datagram(&mut self, addr: SocketAddr, block: &SessionBlock) {
        if self.membership.contains(&addr) {
            self.membership.contradict(&addr);
            return;
        }
        let stamp = block.times.sent_at;
        let is_new = self.is_recent(stamp)
            && block.challenge.is_some_and(|tag| self.challenges.knows(tag, stamp, addr));
        if is_new {
            self.discovery.mark_own(addr);
            self.stop_joins(addr);
            if let Some(named) = self.discovery.find(&addr) {
                self.arm_join_after(named, OWN_PAUSE);
            }
        }
    }

    fn add_extended(
        &mut self,
        peer: SocketAddr,
        life: Life,
        proof: Option<Proof>,
    ) -> Option<Handle> {
        let (incarnation, settings) = (life.incarnation, life.settings);
        let member = self.add_member(peer, Some((life, proof)))?;
        let ours = self.settings();
        if settings != ours {
            self.outbox.event(PeerEvent::ConfigMismatch { peer, incarnation, settings });
            let warning = self.warnings.config_mismatch(self.now, peer, settings, ours);
            if let Some(warning) = warning {
                self.outbox.event(warning);
            }
        }
        Some(member)
    }

    /// Adds a member, extended if it has a life. To be [welcomed](Self::welcome) then.
    fn add_member(
        &mut self,
        peer: SocketAddr,
        extended: Option<(Life, Option<Proof>)>,
    ) -> Option<Handle> {
        let (life, proof) = extended.map_or((None, None), |(life, proof)| (Some(life), proof));
        let incarnation = life.as_ref().map(|life| life.incarnation);
        let member = self.membership.add(self.now, peer, life)?;
        if let Some(incarnation) = incarnation {
            self.envelope.admit(member.index(), incarnation, proof);
        }
        self.arm_silence(member);
        self.stop_joins(peer);
        self.outbox.event(PeerEvent::Joined { peer, incarnation });
        Some(member)
    }

    /// Counts a new member, and has the locks that wait for it go on.
    fn welcome(&mut self, member: Handle) {
        let Some(peer) = self.membership.addr(member) else { return };
        let extended = self.membership.life(member).is_some();
        self.update_quorum();
        self.locks.peer_joined(self.now, peer, extended, &mut self.rng);
        self.collect_lock_outputs();
    }

    pub(super) fn remove_member(&mut self, member: Handle, why: LeaveReason) {
        let Some((addr, mut removed)) = self.membership.remove(member) else {
            return;
        };
        self.silences.stop_in(&mut removed.silence_timer);
        if let Some(life) = &mut removed.life {
            let mut timer = life.take_confirmation_timer();
            self.timers.stop_in(&mut timer);
            self.envelope.dismiss(member.index());
        }
        self.membership.bury(self.now, &removed, why);
        self.outbox.event(PeerEvent::Left { peer: addr, why });
        self.end_requests_to(member, addr, &removed.aliases, why);
        self.update_quorum();
        self.locks.peer_left(self.now, addr, &mut self.rng);
        self.collect_lock_outputs();
        for addr in core::iter::once(addr).chain(removed.aliases) {
            if why == LeaveReason::Silent && removed.life.is_some() {
                self.look_for(addr, super::LOST_PATIENCE);
            } else if let Some(candidate) = self.discovery.find(&addr) {
                self.arm_join(candidate);
            }
        }
    }

    /// Somebody may be at this address, also where discovery does not name it.
    fn look_for(&mut self, addr: SocketAddr, patience: Duration) {
        match self.discovery.learn(addr, self.now + patience) {
            Ok(candidate) => self.arm_join(candidate),
            Err(Full) => self.stats.refuse(Refusal::CandidatesFull),
        }
    }
}

/// The address that a control message speaks for: its source IP and the port in it.
fn advertised(from: SocketAddr, control: &Control) -> Result<SocketAddr, Rejection> {
    if control.port == 0 {
        return Err(Rejection::NoPort);
    }
    let mut peer = from;
    peer.set_port(control.port);
    Ok(peer)
}
