//! Requests to one or to all, their transmissions, and their ends.
//!
//! Between extended members a request is transmitted until it is answered or over, and executed at
//! most once by each life of the responder.

use core::net::SocketAddr;

use rand_core::CryptoRng;

use super::command::checked;
use super::receive::Speaker;
use super::{Node, canonical};
use crate::asks::{Addressee, Due, Full, Progress};
use crate::envelope::{Envelope, Recipient};
use crate::error::{RequestError, SendError};
use crate::event::{Action, LeaveReason, RequestEvent, RequestId, Transmit};
use crate::outbox::{Note, Queued};
use crate::stats::{Refusal, Rejection};
use crate::storage::Handle;
use crate::time::Instant;
use crate::wire::{Message, REQUEST_HEADER, SESSION_REQUEST_HEADER};

impl<E: Envelope, R: CryptoRng> Node<E, R> {
    /// Makes a REQUEST datagram for one address, member or not, in `buffer`. Send it, and keep the
    /// payload: an extended member gets it again, as
    /// [`Action::TransmitRequest`] says, until the request is over.
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
        let to = checked(to)?;
        let addressee = self.addressee(to);
        let header = match addressee {
            Addressee::Extended { .. } => SESSION_REQUEST_HEADER,
            Addressee::Classic(_) | Addressee::Stranger(_) => REQUEST_HEADER,
        };
        self.check_payload(payload.len(), header)?;
        let asked = self.asks.ask_one(self.now, addressee, deadline, &mut self.rng);
        let id = asked.map_err(|full| self.refuse_request(full))?;
        let member = self.membership.find(&to);
        let len = self.make_request(id, member, payload, buffer).ok_or(SendError::Closed)?;
        Ok((id, Transmit { to: self.path_to(to), len }))
    }

    /// Asks all members: [`Action::TransmitRequest`] follows for each of them. With no members
    /// nothing is waited for: no id. `len` is the payload's length in bytes.
    ///
    /// Refused while there is a cluster size and no quorum. Each member's answer comes as
    /// [`Delivery::Response`](crate::Delivery::Response), each departure and the deadline as
    /// [`RequestEvent`]; the last of them says that the request is finished.
    pub fn request_all(
        &mut self,
        now: Instant,
        len: usize,
        deadline: Option<Instant>,
    ) -> Result<Option<RequestId>, RequestError> {
        self.advance(now);
        self.check_payload(len, SESSION_REQUEST_HEADER)?;
        self.check_quorum()?;
        if self.outbox.is_full() {
            self.stats.refuse(Refusal::OutboxFull);
            return Err(RequestError::OutboxFull);
        }
        let Self { asks, membership, rng, now, .. } = self;
        let addressees = membership.handles().map(|member| addressee(membership, member));
        let asked = asks.ask_all(*now, addressees, deadline, rng);
        let Some(id) = asked.map_err(|full| self.refuse_request(full))? else {
            return Ok(None);
        };
        for member in self.membership.handles() {
            if let Some(to) = self.membership.addr(member) {
                self.outbox.push(Queued::Event(Action::TransmitRequest { request: id, to }));
            }
        }
        Ok(Some(id))
    }

    /// Makes the datagram that [`Action::TransmitRequest`] asks for. `None` if the request is over,
    /// or is not waiting for this member any longer.
    #[must_use = "the datagram is to be sent"]
    pub fn transmit_request(
        &mut self,
        now: Instant,
        request: RequestId,
        to: SocketAddr,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Option<Transmit> {
        self.advance(now);
        let member = self.membership.find(&to)?;
        if !self.asks.is_waiting(request, member) {
            return None;
        }
        let to = self.membership.path(member)?;
        Some(Transmit { to, len: self.make_request(request, Some(member), payload, buffer)? })
    }

    fn make_request(
        &mut self,
        id: RequestId,
        member: Option<Handle>,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Option<usize> {
        let recipient = self.recipient(member);
        let message = match (recipient, member) {
            (Recipient::Member(_), Some(member)) => {
                let numbering = self.asks.numbering(id, member)?;
                let (number, behind) = (numbering.number, numbering.behind);
                Message::SessionRequest { id, number, behind, body: payload }
            }
            _ => Message::Request { id, body: payload },
        };
        self.stats.transmitted += 1;
        Some(self.seal(recipient, &message, buffer))
    }

    fn addressee(&self, to: SocketAddr) -> Addressee {
        match self.membership.find(&to) {
            Some(member) => addressee(&self.membership, member),
            None => Addressee::Stranger(to),
        }
    }

    fn refuse_request(&mut self, full: Full) -> RequestError {
        self.stats.refuse(Refusal::RequestsFull);
        match full {
            Full::Requests | Full::Asks => {
                RequestError::TooManyRequests { limit: self.config.max_requests }
            }
        }
    }

    /// Forgets a request of this node: a later answer is rejected. Gives whether it was pending.
    pub fn cancel_request(&mut self, request: RequestId) -> bool {
        self.asks.cancel(request)
    }

    /// Makes the RESPONSE to a request from `to` in `buffer`. Send it, and keep the payload for
    /// when the request is [repeated](crate::Delivery::Repeated).
    pub fn reply(
        &mut self,
        now: Instant,
        to: SocketAddr,
        request: RequestId,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Result<Transmit, SendError> {
        self.advance(now);
        self.check_payload(payload.len(), REQUEST_HEADER)?;
        let to = checked(to)?;
        let recipient = self.recipient(self.membership.find(&to));
        let message = match recipient {
            Recipient::Member(_) => Message::SessionResponse { id: request, body: payload },
            _ => Message::Response { id: request, body: payload },
        };
        let len = self.seal(recipient, &message, buffer);
        self.stats.transmitted += 1;
        Ok(Transmit { to: self.path_to(to), len })
    }

    /// Tells a member that repeats a request that its answer was given once and is not kept any
    /// longer: the request ends there with an error, rather than be executed twice.
    pub fn reply_gone(&mut self, now: Instant, to: SocketAddr, request: RequestId) {
        self.advance(now);
        if let Some(member) = self.membership.find(&canonical(to))
            && !self.outbox.is_full()
        {
            self.tell_gone(member, request);
        }
    }

    pub(super) fn tell_gone(&mut self, member: Handle, request: RequestId) {
        if self.membership.life(member).is_some() {
            self.outbox.note(member, Note::ResponseGone { id: request });
        }
    }

    /// Gives whether that ends the request.
    pub(super) fn on_response(
        &mut self,
        speaker: &Speaker,
        id: RequestId,
    ) -> Result<bool, Rejection> {
        let Speaker { addr, member, .. } = *speaker;
        let Self { asks, membership, .. } = self;
        let progress = asks.answered(id, addr, member).or_else(|| {
            // It may have been asked at another of its addresses, before it was a member.
            let aliases = membership.aliases(member?).iter();
            aliases.copied().find_map(|alias| asks.answered(id, alias, None))
        });
        Ok(matches!(progress.ok_or(Rejection::UnmatchedResponse)?, Progress::Finished(_)))
    }

    pub(super) fn on_response_gone(
        &mut self,
        member: Handle,
        id: RequestId,
    ) -> Result<(), Rejection> {
        let progress = self.asks.gone(id, member).ok_or(Rejection::UnmatchedResponse)?;
        if let Some(peer) = self.membership.addr(member) {
            let finished = matches!(progress, Progress::Finished(_));
            self.outbox.event(RequestEvent::ResponseGone { request: id, peer, finished });
        }
        Ok(())
    }

    /// A member is gone: the requests that waited for it go on without it.
    pub(super) fn end_requests_to(
        &mut self,
        member: Handle,
        peer: SocketAddr,
        aliases: &[SocketAddr],
        why: LeaveReason,
    ) {
        let Self { asks, outbox, .. } = self;
        let is_its_address = |addr| addr == peer || aliases.contains(&addr);
        asks.peer_left(member, is_its_address, |progress| {
            let (request, finished) = match progress {
                Progress::Waiting(request) => (request, false),
                Progress::Finished(request) => (request, true),
            };
            outbox.event(RequestEvent::PeerLeft { request, peer, why, finished });
        });
    }

    /// Deadlines, and requests that have waited long enough for another transmission.
    pub(super) fn check_requests(&mut self) {
        while !self.outbox.is_full() {
            let Self { asks, membership, now, .. } = self;
            let patience = |member| {
                membership.life(member).map(|life| life.round_trip.timeout()).unwrap_or_default()
            };
            match asks.pop_due(*now, patience) {
                None => return,
                Some(Due::TimedOut(request)) => {
                    self.outbox.event(RequestEvent::TimedOut { request });
                }
                Some(Due::Retransmit { request, member }) => {
                    if let Some(to) = self.membership.addr(member) {
                        self.stats.retransmitted += 1;
                        self.outbox.push(Queued::Event(Action::TransmitRequest { request, to }));
                    }
                }
            }
        }
    }
}

fn addressee(membership: &crate::membership::Membership, member: Handle) -> Addressee {
    match membership.life(member) {
        Some(life) => Addressee::Extended { member, timeout: life.round_trip.timeout() },
        None => Addressee::Classic(member),
    }
}
