//! The control messages that this node sends: who gets which block, sealed how.

use core::net::SocketAddr;

use rand_core::CryptoRng;

use super::Node;
use crate::envelope::Envelope;
use crate::event::Transmit;
use crate::outbox::{ControlKind, Question, Queued};
use crate::storage::Handle;
use crate::wire::{Control, Echo, Message, Role, SessionBlock, Settings, Times, View};

impl<E: Envelope, R: CryptoRng> Node<E, R> {
    /// Makes a queued control message's datagram, unless it was for a member that has left.
    pub(super) fn make_control(&mut self, queued: Queued, buffer: &mut [u8]) -> Option<Transmit> {
        let (to, message) = match queued {
            Queued::Join { to } => {
                self.discovery.set_asked(self.now, &to);
                (to, Message::Join(self.control(self.challenging(to))))
            }
            Queued::Ping { member } => {
                let to = self.membership.path(member)?;
                let now = self.now;
                let mut block = self.challenging(to);
                block.echo = self.membership.life_mut(member)?.echo(now);
                block.channel = self.envelope.channel(member.index());
                (to, Message::Join(self.control(block)))
            }
            Queued::Proof { member, to } => {
                let now = self.now;
                let mut block = self.challenging(to);
                (block.echo, block.answer) = self.membership.life_mut(member)?.proof(now);
                block.channel = self.envelope.channel(member.index());
                block.next_request = Some(self.asks.next_number(Some(member)));
                (to, Message::Join(self.control(block)))
            }
            Queued::Answer { to, question, wants_proof } => {
                let block = self.answering(to, &question, wants_proof);
                (to, Message::Heartbeat(self.control(block)))
            }
            Queued::Goodbye { to } => (to, Message::Leave(self.control(self.block()))),
            Queued::Control { member, kind } => {
                return self.make_member_control(member, kind, buffer);
            }
            Queued::Note { .. } | Queued::Lock { .. } | Queued::Event(_) => return None,
        };
        // Whoever is there must be able to open it: also a life that we know nothing of.
        Some(Transmit { to, len: self.seal(self.everyone(), &message, buffer) })
    }

    fn make_member_control(
        &mut self,
        member: Handle,
        kind: ControlKind,
        buffer: &mut [u8],
    ) -> Option<Transmit> {
        let to = self.membership.path(member)?;
        let now = self.now;
        let mut block = self.block();
        block.echo = self.membership.life_mut(member).and_then(|life| life.echo(now));
        let control = self.control(block);
        let message = match kind {
            ControlKind::Leave => Message::Leave(control),
            ControlKind::Heartbeat => Message::Heartbeat(control),
        };
        let recipient = self.recipient(Some(member));
        Some(Transmit { to, len: self.seal(recipient, &message, buffer) })
    }

    fn control(&self, block: SessionBlock) -> Control {
        let block = (!self.config.speak_classic).then_some(block);
        Control { port: self.config.port, block }
    }

    /// What every block says.
    fn block(&self) -> SessionBlock {
        let times = Times {
            sent_at: self.now,
            clock: self.clock.read(self.now),
            started: self.clock.started(),
        };
        let role = if self.config.observer { Role::Observer } else { Role::Voter };
        let view = View { members: self.membership.digest(), role, profile: self.profile.version };
        SessionBlock::new(self.incarnation, times, view, self.settings())
    }

    fn challenging(&self, to: SocketAddr) -> SessionBlock {
        let mut block = self.block();
        block.challenge = Some(self.challenges.make(self.now, to));
        block
    }

    fn answering(
        &mut self,
        to: SocketAddr,
        question: &Question,
        wants_proof: bool,
    ) -> SessionBlock {
        let mut block = if wants_proof { self.challenging(to) } else { self.block() };
        let held = self.now.saturating_since(question.at);
        block.echo = Echo::new(question.incarnation, question.sent_at, held);
        block.answer = question.challenge;
        let member = self.membership.find_life(question.incarnation);
        block.next_request = Some(self.asks.next_number(member));
        if let Some(member) = member {
            block.channel = self.envelope.channel(member.index());
            let now = self.now;
            if let Some(life) = self.membership.life_mut(member) {
                life.note_sent(now);
            }
        }
        block
    }

    /// What all voters must agree on.
    pub(super) fn settings(&self) -> Settings {
        let lease = self.config.heartbeat_timeout.as_millis();
        Settings {
            cluster_size: self.config.cluster_size,
            lease_millis: u32::try_from(lease).unwrap_or(u32::MAX),
            drift_ppm: self.config.drift_bound_ppm,
        }
    }
}
