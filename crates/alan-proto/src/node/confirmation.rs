//! Whether a member has us as one, too: we prove ourselves to it until it shows that.
//!
//! It does so by an echo of a message that we sent it since, in a message that asks for no proof;
//! and, under a key, by the channel on which it sends to us.

use core::net::SocketAddr;
use core::time::Duration;

use rand_core::CryptoRng;

use super::{Node, Timer};
use crate::envelope::Envelope;
use crate::outbox::Queued;
use crate::pause::doubled;
use crate::storage::Handle;

/// The pause after the first JOIN that asks for confirmation; it doubles up to the heartbeat
/// interval.
const CONFIRMATION_PAUSE: Duration = Duration::from_millis(200);

impl<E: Envelope, R: CryptoRng> Node<E, R> {
    /// Returns the member's challenge to it, again and again until it is known to have us as a
    /// member at the address at which it asked.
    pub(super) fn prove(&mut self, member: Handle, to: SocketAddr) {
        let Some(life) = self.membership.life_mut(member) else { return };
        match life.expect_confirmation(self.now, to) {
            None => self.ask_for_confirmation(member),
            // At another of its addresses, which it is to know as one of ours, too.
            Some(before) if before != to => self.outbox.push(Queued::Proof { member, to }),
            Some(_) => {}
        }
    }

    pub(super) fn ask_for_confirmation(&mut self, member: Handle) {
        let longest = self.config.heartbeat_interval;
        let Some(life) = self.membership.life_mut(member) else { return };
        let Some(to) = life.unconfirmed_at() else { return };
        let Some(attempts) = life.next_attempt() else { return };
        let pause = doubled(CONFIRMATION_PAUSE, attempts, longest);
        let timer = self.timers.arm(self.now + pause, Timer::Confirmation(member));
        life.set_confirmation_timer(timer);
        self.outbox.push(Queued::Proof { member, to });
        // Where it asked from may be the address of somebody who sent a copy of its question.
        if let Some(path) = self.membership.path(member).filter(|path| *path != to) {
            self.outbox.push(Queued::Proof { member, to: path });
        }
    }

    /// The member has spoken, and did not ask for a proof.
    pub(super) fn settle_confirmation(&mut self, member: Handle) {
        if self.envelope.awaits_channel(member.index()) {
            return;
        }
        if let Some(life) = self.membership.life_mut(member) {
            let mut timer = life.confirm();
            self.timers.stop_in(&mut timer);
        }
    }
}
