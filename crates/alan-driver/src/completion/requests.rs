//! Requests of this node that wait for replies.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::task::Waker;

use alan_proto::{LeaveReason, RequestEvent, RequestId};
use bytes::Bytes;

use crate::fault;
use crate::socket::SendFailure;
use crate::wakes::Wakes;

/// One peer's answer.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// Who answered.
    pub peer: SocketAddr,
    /// The answer.
    pub payload: Bytes,
}

/// Why a peer that was asked has not answered.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// It is a member no more.
    Disconnected(LeaveReason),
    /// The deadline came first.
    TimedOut,
    /// The system did not take the datagram.
    NotSent(SendFailure),
    /// It got the request and has no answer to it, or none any more: its queue was full, or its
    /// answers got lost for so long that it keeps them no longer. It may have handled the request
    /// or not, and will not handle it again.
    ResponseGone,
}

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// Everybody who was asked has answered, or is known not to.
    Settled,
    /// The node has left the cluster.
    Closed,
}

/// Somebody who was asked and has not answered.
#[derive(Clone, Copy, Debug)]
struct Asked {
    peer: SocketAddr,
    /// Whether the question has left at least once, so that it may have been handled.
    sent: bool,
}

/// One request, to one peer or to many.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// What is asked, once for all who are.
    payload: Bytes,
    waiting: Vec<Asked>,
    pub(crate) replies: VecDeque<Reply>,
    pub(crate) missing: Vec<(SocketAddr, Missing)>,
    pub(crate) end: Option<End>,
    waker: Option<Waker>,
}

impl Pending {
    /// A request to all of these, which the protocol says when to send. It ends when each of them
    /// has answered or is known not to.
    pub(crate) fn to_all(asked: impl Iterator<Item = SocketAddr>, payload: Bytes) -> Self {
        let waiting: Vec<_> = asked.map(|peer| Asked { peer, sent: false }).collect();
        let end = waiting.is_empty().then_some(End::Settled);
        Self { payload, waiting, end, ..Self::default() }
    }

    /// A request to one peer, which its maker sends first; `payload` is for when it has to be sent
    /// again.
    pub(crate) fn to_one(peer: SocketAddr, payload: Bytes) -> Self {
        Self { payload, waiting: vec![Asked { peer, sent: true }], ..Self::default() }
    }

    fn settle(&mut self, peer: SocketAddr) -> bool {
        let Some(place) = self.waiting.iter().position(|asked| asked.peer == peer) else {
            return false;
        };
        self.waiting.swap_remove(place);
        if self.waiting.is_empty() {
            self.end = Some(End::Settled);
        }
        true
    }

    fn give_up_on(&mut self, peer: SocketAddr, why: Missing) {
        if self.settle(peer) {
            self.missing.push((peer, why));
        }
    }
}

/// The table of requests that somebody waits for.
#[derive(Debug, Default)]
pub(crate) struct Requests(HashMap<RequestId, Pending>);

impl Requests {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn insert(&mut self, request: RequestId, pending: Pending) {
        self.0.insert(request, pending);
    }

    /// The row, which exists until it is removed.
    pub(crate) fn get_mut(&mut self, request: RequestId) -> &mut Pending {
        self.0.get_mut(&request).expect("a row lives as long as the operation that made it")
    }

    /// Removes the row; its waiter will not ask for it again. Its waker is in it, so it is to be
    /// dropped when no mutex is held.
    pub(crate) fn remove(&mut self, request: RequestId) -> Option<Pending> {
        self.0.remove(&request)
    }

    pub(crate) fn wait(&mut self, request: RequestId, task: &Waker, wakes: &mut Wakes) {
        wakes.register(&mut self.get_mut(request).waker, task);
    }

    /// A request is about to be sent to a peer: what it says, and whether it was sent before.
    /// `None` if that peer is not waited for.
    pub(crate) fn begin_sending(
        &mut self,
        request: RequestId,
        to: SocketAddr,
    ) -> Option<(Bytes, bool)> {
        let pending = self.0.get_mut(&request)?;
        let asked = pending.waiting.iter_mut().find(|asked| asked.peer == to)?;
        let sent = std::mem::replace(&mut asked.sent, true);
        Some((pending.payload.clone(), sent))
    }

    pub(crate) fn on_reply(&mut self, request: RequestId, reply: Reply, wakes: &mut Wakes) {
        let request = fault::addressee(&self.0, request);
        let Some(pending) = self.0.get_mut(&request) else { return };
        if pending.settle(reply.peer) {
            pending.replies.push_back(reply);
            wakes.take(&mut pending.waker);
        }
    }

    pub(crate) fn on_not_sent(
        &mut self,
        request: RequestId,
        peer: SocketAddr,
        why: SendFailure,
        wakes: &mut Wakes,
    ) {
        if let Some(pending) = self.0.get_mut(&request) {
            pending.give_up_on(peer, Missing::NotSent(why));
            wakes.take(&mut pending.waker);
        }
    }

    pub(crate) fn on_event(&mut self, event: RequestEvent, wakes: &mut Wakes) {
        let (RequestEvent::PeerLeft { request, .. }
        | RequestEvent::ResponseGone { request, .. }
        | RequestEvent::TimedOut { request }
        | RequestEvent::Closed { request }) = event
        else {
            return;
        };
        let Some(pending) = self.0.get_mut(&request) else { return };
        match event {
            RequestEvent::PeerLeft { peer, why, .. } => {
                pending.give_up_on(peer, Missing::Disconnected(why));
            }
            RequestEvent::ResponseGone { peer, .. } => {
                pending.give_up_on(peer, Missing::ResponseGone);
            }
            RequestEvent::TimedOut { .. } => {
                let late = std::mem::take(&mut pending.waiting).into_iter();
                pending.missing.extend(late.map(|asked| (asked.peer, Missing::TimedOut)));
                pending.end = Some(End::Settled);
            }
            _ => pending.end = Some(End::Closed),
        }
        wakes.take(&mut pending.waker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: RequestId = RequestId([1; 16]);

    fn peer(number: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, number], 5000))
    }

    fn reply(number: u8) -> Reply {
        Reply { peer: peer(number), payload: Bytes::from_static(b"pong") }
    }

    fn asked(peers: u8) -> Pending {
        Pending::to_all((1..=peers).map(peer), Bytes::from_static(b"ping"))
    }

    #[test]
    fn a_request_ends_when_everybody_has_answered_or_is_known_not_to() {
        let mut requests = Requests::default();
        let wakes = &mut Wakes::default();
        requests.insert(ID, asked(4));
        requests.on_reply(ID, reply(1), wakes);
        let why = LeaveReason::Silent;
        let left = RequestEvent::PeerLeft { request: ID, peer: peer(2), why, finished: false };
        requests.on_event(left, wakes);
        let gone = RequestEvent::ResponseGone { request: ID, peer: peer(4), finished: false };
        requests.on_event(gone, wakes);
        assert_eq!(requests.get_mut(ID).end, None);

        requests.on_event(RequestEvent::TimedOut { request: ID }, wakes);
        let ended = requests.remove(ID).expect("it is there");
        assert_eq!(ended.end, Some(End::Settled));
        assert_eq!(ended.replies, [reply(1)]);
        let disconnected = Missing::Disconnected(LeaveReason::Silent);
        let (gone, late) = (Missing::ResponseGone, Missing::TimedOut);
        assert_eq!(ended.missing, [(peer(2), disconnected), (peer(4), gone), (peer(3), late)]);
        assert_eq!(requests.len(), 0);
    }

    #[test]
    fn a_second_reply_of_one_peer_does_not_count() {
        let mut requests = Requests::default();
        let wakes = &mut Wakes::default();
        requests.insert(ID, asked(2));
        requests.on_reply(ID, reply(1), wakes);
        requests.on_reply(ID, reply(1), wakes);
        let pending = requests.get_mut(ID);
        assert_eq!((pending.replies.len(), pending.end), (1, None));
    }

    #[test]
    fn a_request_to_nobody_has_ended_before_it_began() {
        assert_eq!(asked(0).end, Some(End::Settled));
    }

    #[test]
    fn what_is_asked_is_at_hand_for_whoever_has_not_answered() {
        let mut requests = Requests::default();
        requests.insert(ID, asked(2));
        let question = Bytes::from_static(b"ping");
        assert_eq!(requests.begin_sending(ID, peer(1)), Some((question.clone(), false)));
        assert_eq!(requests.begin_sending(ID, peer(1)), Some((question, true)));
        requests.on_reply(ID, reply(1), &mut Wakes::default());
        assert_eq!(requests.begin_sending(ID, peer(1)), None);
    }
}
