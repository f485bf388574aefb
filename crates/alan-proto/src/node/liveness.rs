//! Who is still there: probes before a member is declared dead, and the verdict.
//!
//! Silence is measured by this node. From two thirds of the timeout on the member is asked
//! directly, eight times; towards the end up to three others are asked to reach it too (SWIM: Das,
//! Gupta and Motivala, 2002, section 3.2). What they say lets it stay longer, and never ends
//! anything.

use rand_core::CryptoRng;

use super::Node;
use crate::envelope::Envelope;
use crate::event::LeaveReason;
use crate::mutant::{Mutant, planted};
use crate::outbox::{Note, Queued};
use crate::stats::Rejection;
use crate::storage::Handle;
use crate::time::Instant;
use crate::wire::{Probe, ProbeStage};

/// The timeout is divided in so many steps; a suspected member is probed once in each.
const STEPS: u32 = 24;

/// After so many steps of silence a member is asked directly.
const DIRECT: u32 = 16;

/// After so many, others are asked to reach it.
const INDIRECT: u32 = 20;

/// How many others are asked.
const HELPERS: usize = 3;

impl<E: Envelope, R: CryptoRng> Node<E, R> {
    pub(super) fn arm_silence(&mut self, member: Handle) {
        let Some(silence) = self.membership.silence(self.now, member) else {
            return;
        };
        let extended = self.membership.life(member).is_some();
        let suspicion = silence.since + self.config.heartbeat_timeout * DIRECT / STEPS;
        let at = if !extended {
            silence.ends
        } else if self.now < suspicion {
            suspicion
        } else {
            silence.ends.min(self.now + self.config.heartbeat_timeout / STEPS)
        };
        let timer = self.silences.arm(at, member);
        if let Some(peer) = self.membership.at_mut(member) {
            peer.silence_timer = Some(timer);
        }
    }

    /// The member was heard last when this timer was armed, or later: then it is armed again.
    pub(super) fn check_silence(&mut self, member: Handle) {
        let Some(silence) = self.membership.silence(self.now, member) else {
            return;
        };
        if silence.ends <= self.now {
            return self.remove_member(member, LeaveReason::Silent);
        }
        if planted(Mutant::SilenceForgotten) {
            return;
        }
        self.probe(member, silence.since);
        self.arm_silence(member);
    }

    /// Asks a member for a sign of life, and others for theirs, by how long it has been silent.
    fn probe(&mut self, member: Handle, silent_since: Instant) {
        let silent_for = self.now.saturating_since(silent_since);
        let step = self.config.heartbeat_timeout / STEPS;
        let Some(about) = self.membership.life(member).map(|life| life.incarnation) else {
            return;
        };
        if silent_for < step * DIRECT {
            return;
        }
        self.outbox.push(Queued::Ping { member });
        let path = self.membership.path(member);
        for to in self.membership.addresses(member).filter(|to| Some(*to) != path) {
            self.outbox.push(Queued::Join { to });
        }
        if silent_for < step * INDIRECT {
            return;
        }
        let probe = Probe { stage: ProbeStage::Ask, about };
        for helper in self.helpers(member).into_iter().flatten() {
            self.outbox.note(helper, Note::Probe(probe));
        }
    }

    /// Up to three extended members beside this one, by a draw.
    fn helpers(&mut self, suspected: Handle) -> [Option<Handle>; HELPERS] {
        let mut helpers = [None; HELPERS];
        let places = self.membership.places();
        let first = self.rng.next_u32() as usize % places.max(1);
        let mut found = (0..places)
            .filter_map(|step| self.membership.in_place((first + step) % places))
            .filter(|&other| other != suspected && self.membership.life(other).is_some());
        for helper in &mut helpers {
            *helper = found.next();
        }
        helpers
    }

    /// A step of somebody's indirect probe. Nothing is kept of it on the way: each step says what
    /// the next one needs.
    pub(super) fn on_probe(&mut self, from: Handle, probe: Probe) -> Result<(), Rejection> {
        let speaker = self.membership.life(from).ok_or(Rejection::Unproven)?.incarnation;
        let named = self.membership.find_life(probe.about);
        match probe.stage {
            ProbeStage::Ask => {
                let suspected = named.ok_or(Rejection::NotMember)?;
                self.pass_on(suspected, ProbeStage::Ping, speaker);
            }
            ProbeStage::Ping => self.pass_on(from, ProbeStage::Pong, probe.about),
            ProbeStage::Pong => {
                let asker = named.ok_or(Rejection::NotMember)?;
                self.pass_on(asker, ProbeStage::Alive, speaker);
            }
            ProbeStage::Alive => {
                let suspected = named.ok_or(Rejection::NotMember)?;
                self.membership.vouch(self.now, suspected);
            }
        }
        Ok(())
    }

    fn pass_on(&mut self, to: Handle, stage: ProbeStage, about: crate::event::Incarnation) {
        self.outbox.note(to, Note::Probe(Probe { stage, about }));
    }
}
