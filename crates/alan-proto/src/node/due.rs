//! What falls due: heartbeats, silence, JOINs to candidates, and the rounds of goodbyes.

use core::net::SocketAddr;
use core::time::Duration;

use rand_core::CryptoRng;

use super::{GOODBYE_PAUSE, GOODBYES, Node, OWN_PAUSE, Phase, Timer};
use crate::discovery::jittered;
use crate::envelope::Envelope;
use crate::event::{Action, LeaveReason};
use crate::mutant::{Mutant, planted};
use crate::outbox::ControlKind;
use crate::storage::Handle;
use crate::timer::TimerId;

impl<E: Envelope, R: CryptoRng> Node<E, R> {
    pub(super) fn arm_heartbeat(&mut self) {
        let pause = jittered(self.config.heartbeat_interval, &mut self.rng);
        self.timers.arm(self.now + pause, Timer::Heartbeat);
    }

    pub(super) fn send_heartbeats(&mut self) {
        for member in self.membership.iter() {
            self.outbox.control(member.addr, ControlKind::Heartbeat);
        }
        self.arm_heartbeat();
    }

    pub(super) fn arm_silence(&mut self, member: Handle) {
        let Some((_, at)) = self.membership.silence_deadline(member) else {
            return;
        };
        let timer = self.timers.arm(at, Timer::Silence(member));
        if let Some(peer) = self.membership.at_mut(member) {
            peer.silence_timer = Some(timer);
        }
    }

    /// The member was heard last when this timer was armed, or later: then it is armed again.
    pub(super) fn check_silence(&mut self, member: Handle) {
        if let Some((peer, at)) = self.membership.silence_deadline(member) {
            if at <= self.now {
                self.remove_member(peer, LeaveReason::Silent);
            } else if !planted(Mutant::SilenceForgotten) {
                self.arm_silence(member);
            }
        }
    }

    /// Asks a candidate to join, unless it is a member or ourselves.
    pub(super) fn send_join(&mut self, candidate: Handle) {
        let Some(addr) = self.discovery.addr(candidate) else { return };
        if addr.port() == 0 || self.membership.contains(&addr) {
            return;
        }
        if self.discovery.is_own(&addr) {
            self.arm_join_after(candidate, OWN_PAUSE);
            return;
        }
        self.outbox.control(addr, ControlKind::Join);
        self.arm_join(candidate);
    }

    /// The pause after a candidate's JOIN is over, or the long one after our own datagram.
    pub(super) fn ask_again(&mut self, candidate: Handle) {
        if let Some(addr) = self.discovery.addr(candidate) {
            self.discovery.unmark_own(&addr);
        }
        self.send_join(candidate);
    }

    pub(super) fn arm_join(&mut self, candidate: Handle) {
        if let Some(pause) = self.discovery.next_pause(candidate, &mut self.rng) {
            self.arm_join_after(candidate, pause);
        }
    }

    pub(super) fn arm_join_after(&mut self, candidate: Handle, pause: Duration) {
        let timer = self.timers.arm(self.now + pause, Timer::Join(candidate));
        self.discovery.set_timer(candidate, timer);
    }

    pub(super) fn stop_joins(&mut self, addr: SocketAddr) {
        let mut timer: Option<TimerId> = self.discovery.settle(&addr);
        self.timers.stop_in(&mut timer);
    }

    pub(super) fn say_goodbye(&mut self) {
        let Phase::Leaving(remaining) = self.phase else {
            return;
        };
        let first = remaining == GOODBYES;
        let mut repeat = false;
        for member in self.membership.iter() {
            // A late repeat would remove a classic peer's view of our next life.
            if first || member.incarnation.is_some() {
                self.outbox.control(member.addr, ControlKind::Leave);
            }
            repeat |= member.incarnation.is_some();
        }
        if first {
            // Whoever got our JOIN may have taken us in, its answer being under way.
            for candidate in self.discovery.asked() {
                self.outbox.control(candidate, ControlKind::Leave);
            }
        }
        if remaining > 1 && repeat {
            self.phase = Phase::Leaving(remaining - 1);
            self.timers.arm(self.now + GOODBYE_PAUSE, Timer::Goodbye);
        } else {
            self.phase = Phase::Closed;
            self.outbox.event(Action::Closed);
        }
    }
}
