//! What falls due: heartbeats, JOINs to candidates, and the rounds of goodbyes.

use core::net::SocketAddr;
use core::time::Duration;

use rand_core::CryptoRng;

use super::{GOODBYE_PAUSE, GOODBYES, Node, OWN_PAUSE, Phase, Timer};
use crate::discovery::jittered;
use crate::envelope::Envelope;
use crate::event::Action;
use crate::outbox::{ControlKind, Queued};
use crate::storage::Handle;
use crate::timer::TimerId;

impl<E: Envelope, R: CryptoRng> Node<E, R> {
    pub(super) fn arm_heartbeat(&mut self) {
        let pause = jittered(self.config.heartbeat_interval, &mut self.rng);
        self.timers.arm(self.now + pause, Timer::Heartbeat);
    }

    pub(super) fn send_heartbeats(&mut self) {
        for member in self.membership.handles() {
            self.outbox.control(member, ControlKind::Heartbeat);
        }
        self.arm_heartbeat();
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
        self.outbox.push(Queued::Join { to: addr });
        self.arm_join(candidate);
    }

    /// The pause after a candidate's JOIN is over, or the long one after our own datagram.
    pub(super) fn ask_again(&mut self, candidate: Handle) {
        if self.discovery.is_over(self.now, candidate) {
            return self.discovery.forget(candidate);
        }
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
        let mut former = self.discovery.set_timer(candidate, timer);
        self.timers.stop_in(&mut former);
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
        for member in self.membership.handles() {
            // A late repeat would remove a classic peer's view of our next life.
            let extended = self.membership.life(member).is_some();
            if first || extended {
                self.outbox.control(member, ControlKind::Leave);
            }
            repeat |= extended;
        }
        if first {
            // Whoever got our JOIN may have taken us in, its answer being under way.
            for to in self.discovery.asked() {
                self.outbox.push(Queued::Goodbye { to });
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
