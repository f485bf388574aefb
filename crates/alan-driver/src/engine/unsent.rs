//! Control datagrams that the system had no room for, in order, until it has.
//!
//! A program that sends more than the network takes fills the socket's send buffer. It is told so,
//! and can slow down; a heartbeat that meets the same full buffer has nobody to tell, and if it is
//! lost, others take this node for dead.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::Instant;

/// The most datagrams that wait here. Beyond, they are lost: it is no use to send more later than
/// there was room for now.
const MOST: usize = 64;

/// How long after a failure they are tried again at the latest.
const PAUSE: Duration = Duration::from_millis(10);

/// What became of an attempt to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Attempt {
    /// It left, or will never leave.
    Over,
    /// There was no room for it.
    NoRoom,
}

#[derive(Debug, Default)]
pub(super) struct Unsent {
    datagrams: VecDeque<(SocketAddr, Box<[u8]>)>,
    retry_at: Option<Instant>,
}

impl Unsent {
    pub(super) fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// When to [`retry`](Self::retry).
    pub(super) const fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Sends a datagram after those that wait, or lets it wait behind them. False: there is no room
    /// for it here either, and it is lost.
    #[must_use]
    pub(super) fn send(
        &mut self,
        now: Instant,
        to: SocketAddr,
        datagram: &[u8],
        mut attempt: impl FnMut(SocketAddr, &[u8]) -> Attempt,
    ) -> bool {
        self.retry(now, &mut attempt);
        if self.datagrams.is_empty() && attempt(to, datagram) == Attempt::Over {
            return true;
        }
        if self.datagrams.len() == MOST {
            return false;
        }
        self.datagrams.push_back((to, datagram.into()));
        self.retry_at = Some(now + PAUSE);
        true
    }

    /// Sends what waits, as far as there is room.
    pub(super) fn retry(
        &mut self,
        now: Instant,
        mut attempt: impl FnMut(SocketAddr, &[u8]) -> Attempt,
    ) {
        while let Some((to, datagram)) = self.datagrams.front() {
            if attempt(*to, datagram) == Attempt::NoRoom {
                self.retry_at = Some(now + PAUSE);
                return;
            }
            self.datagrams.pop_front();
        }
        self.retry_at = None;
    }

    /// Gives all of them up, and tells how many there were.
    pub(super) fn give_up(&mut self) -> usize {
        self.retry_at = None;
        self.datagrams.drain(..).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system with room for some datagrams, and what it was given.
    #[derive(Default)]
    struct System {
        room: usize,
        sent: Vec<u8>,
    }

    impl System {
        fn attempt(&mut self, datagram: &[u8]) -> Attempt {
            if self.room == 0 {
                return Attempt::NoRoom;
            }
            self.room -= 1;
            self.sent.push(datagram[0]);
            Attempt::Over
        }
    }

    fn peer() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 5000))
    }

    const NOW: Instant = Instant::from_millis(1_000);

    #[test]
    fn what_met_no_room_leaves_later_and_before_what_came_later() {
        let (mut unsent, mut system) = (Unsent::default(), System { room: 1, ..System::default() });
        for number in 1..=3 {
            assert!(unsent.send(NOW, peer(), &[number], |_, datagram| system.attempt(datagram)));
        }
        assert_eq!((unsent.len(), unsent.retry_at()), (2, Some(NOW + PAUSE)));

        system.room = 1;
        let later = NOW + PAUSE;
        unsent.retry(later, |_, datagram| system.attempt(datagram));
        assert_eq!((unsent.len(), unsent.retry_at()), (1, Some(later + PAUSE)), "one has left");

        system.room = 9;
        assert!(unsent.send(later, peer(), &[4], |_, datagram| system.attempt(datagram)));
        assert_eq!(system.sent, [1, 2, 3, 4]);
        assert_eq!((unsent.len(), unsent.retry_at()), (0, None));
    }

    #[test]
    fn what_does_not_fit_is_lost_and_the_rest_stays() {
        let (mut unsent, mut system) = (Unsent::default(), System::default());
        let mut send =
            |number| unsent.send(NOW, peer(), &[number], |_, datagram| system.attempt(datagram));
        assert!((0..64).all(&mut send));
        assert!(!send(64));
        system.room = 99;
        unsent.retry(NOW, |_, datagram| system.attempt(datagram));
        assert!(system.sent.into_iter().eq(0..64));
        assert_eq!(unsent.give_up(), 0);
    }
}
