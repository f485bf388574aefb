//! What a user asks of the node: send, request, reply, lock, leave.

use core::net::SocketAddr;

use rand_core::CryptoRng;

use super::{GOODBYES, Node, Phase, Timer, canonical};
use crate::envelope::Envelope;
use crate::error::{LockError, LockNotHeld, RequestError, SendError};
use crate::event::{LeaveReason, LockId, RequestEvent, RequestId, Transmit};
use crate::request::Progress;
use crate::stats::Refusal;
use crate::storage::Handle;
use crate::time::Instant;
use crate::timer::Timers;
use crate::wire::{DATA_HEADER, Message, REQUEST_HEADER};

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
        self.check_payload(payload, DATA_HEADER)?;
        let to = checked(to)?;
        let len = self.seal(&Message::Data(payload), buffer);
        self.stats.transmitted += 1;
        Ok(Transmit { to, len })
    }

    /// Makes a DATA datagram for all members in `buffer`, sealed once, and gives its length. Send
    /// it to each of [`members`](Self::members), of whom there may be none.
    ///
    /// Refused while there is a cluster size and no quorum.
    pub fn broadcast(
        &mut self,
        now: Instant,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Result<usize, SendError> {
        self.advance(now);
        self.check_payload(payload, DATA_HEADER)?;
        self.check_quorum()?;
        let len = self.seal(&Message::Data(payload), buffer);
        self.stats.transmitted += self.membership.len() as u64;
        Ok(len)
    }

    /// Makes a REQUEST datagram for one address, member or not, in `buffer`. Send it.
    ///
    /// It ends by [`Delivery::Response`](crate::Delivery::Response), or by a [`RequestEvent`]: the
    /// deadline, the departure of the member asked, or our own; or by
    /// [`cancel_request`](Self::cancel_request), silently.
    pub fn request(
        &mut self,
        now: Instant,
        to: SocketAddr,
        payload: &[u8],
        deadline: Option<Instant>,
        buffer: &mut [u8],
    ) -> Result<(RequestId, Transmit), RequestError> {
        self.advance(now);
        self.check_payload(payload, REQUEST_HEADER)?;
        let to = checked(to)?;
        let asked = self.requests.ask_one(to, &mut self.rng);
        let id = self.register(asked, deadline)?;
        let len = self.seal(&Message::Request { id, body: payload }, buffer);
        self.stats.transmitted += 1;
        Ok((id, Transmit { to, len }))
    }

    /// Makes a REQUEST datagram for all members in `buffer`, sealed once, and gives its length.
    /// Send it to each of [`members`](Self::members). With no members nothing is waited for: no
    /// id.
    ///
    /// Refused while there is a cluster size and no quorum. Each member's answer comes as
    /// [`Delivery::Response`](crate::Delivery::Response), each departure and the deadline as
    /// [`RequestEvent`]; the last of them says that the request is finished.
    pub fn request_all(
        &mut self,
        now: Instant,
        payload: &[u8],
        deadline: Option<Instant>,
        buffer: &mut [u8],
    ) -> Result<(Option<RequestId>, usize), RequestError> {
        self.advance(now);
        self.check_payload(payload, REQUEST_HEADER)?;
        self.check_quorum()?;
        if self.membership.len() == 0 {
            return Ok((None, 0));
        }
        let asked = self.requests.ask_all(self.membership.member_slots(), &mut self.rng);
        let id = self.register(asked, deadline)?;
        let len = self.seal(&Message::Request { id, body: payload }, buffer);
        self.stats.transmitted += self.membership.len() as u64;
        Ok((Some(id), len))
    }

    /// Forgets a request of this node: a later answer is rejected. Gives whether it was pending.
    pub fn cancel_request(&mut self, request: RequestId) -> bool {
        let Some(mut finished) = self.requests.cancel(request) else {
            return false;
        };
        self.timers.stop_in(&mut finished.deadline);
        true
    }

    /// Makes the RESPONSE to a request from `to` in `buffer`. Send it.
    pub fn reply(
        &mut self,
        now: Instant,
        to: SocketAddr,
        request: RequestId,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Result<Transmit, SendError> {
        self.advance(now);
        self.check_payload(payload, REQUEST_HEADER)?;
        let to = checked(to)?;
        let len = self.seal(&Message::Response { id: request, body: payload }, buffer);
        self.stats.transmitted += 1;
        Ok(Transmit { to, len })
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
        while let Some(finished) = self.requests.pop() {
            self.outbox.event(RequestEvent::Closed { request: finished.id });
        }
        self.timers = Timers::new();
        self.phase = Phase::Leaving(GOODBYES);
        self.say_goodbye();
    }

    /// A member is gone: the requests that waited for it go on without it.
    pub(super) fn end_requests_to(&mut self, peer: SocketAddr, slot: usize, why: LeaveReason) {
        for place in 0..self.requests.places() {
            let (request, finished) = match self.requests.peer_left(place, peer, slot) {
                None => continue,
                Some(Progress::Waiting(request)) => (request, false),
                Some(Progress::Finished(mut over)) => {
                    self.timers.stop_in(&mut over.deadline);
                    (over.id, true)
                }
            };
            self.outbox.event(RequestEvent::PeerLeft { request, peer, why, finished });
        }
    }

    pub(super) fn time_out_request(&mut self, request: Handle) {
        if let Some(finished) = self.requests.finish(request) {
            self.outbox.event(RequestEvent::TimedOut { request: finished.id });
        }
    }

    fn register(
        &mut self,
        asked: Option<(Handle, RequestId)>,
        deadline: Option<Instant>,
    ) -> Result<RequestId, RequestError> {
        let Some((handle, id)) = asked else {
            self.stats.refuse(Refusal::RequestsFull);
            return Err(RequestError::TooManyRequests { limit: self.config.max_requests });
        };
        if let Some(at) = deadline {
            let timer = self.timers.arm(at, Timer::Request(handle));
            self.requests.set_deadline(handle, timer);
        }
        Ok(id)
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

    fn check_payload(&self, payload: &[u8], header: usize) -> Result<(), SendError> {
        self.check_running()?;
        let (len, max) = (payload.len(), self.room_behind(header));
        if len > max { Err(SendError::MessageTooLarge { len, max }) } else { Ok(()) }
    }

    fn check_quorum(&self) -> Result<(), SendError> {
        if self.quorum.is_reached() {
            return Ok(());
        }
        Err(SendError::NoQuorum { have: self.quorum.have(), need: self.quorum.need() })
    }
}

fn checked(to: SocketAddr) -> Result<SocketAddr, SendError> {
    if to.port() == 0 { Err(SendError::NoPort) } else { Ok(canonical(to)) }
}
