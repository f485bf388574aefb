//! What this node has answered, for members whose request comes again because the answer got lost.

use std::net::SocketAddr;

use alan_proto::{Repeat, RequestId, ResponseCache, ResponseLimits};
use bytes::Bytes;

/// What is to be sent to a member that repeats its request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Again {
    /// Nothing: there is no answer yet, or there will be none.
    Nothing,
    /// The answer that it was given before.
    Answer(Bytes),
    /// The word that there is no answer any more.
    Gone,
}

/// The requests of extended members that are being worked on, and the answers that were given.
#[derive(Debug)]
pub(crate) struct Responses(ResponseCache<Bytes>);

impl Responses {
    pub(crate) const fn new(limits: ResponseLimits) -> Self {
        Self(ResponseCache::new(limits))
    }

    /// How many requests are being worked on, and how many answers are kept in how many bytes.
    pub(crate) fn usage(&self) -> (usize, usize, usize) {
        (self.0.open(), self.0.kept(), self.0.bytes())
    }

    pub(crate) fn opened(&mut self, peer: SocketAddr, request: RequestId) {
        self.0.opened(peer, request);
    }

    /// Keeps the answer, if its request can come again at all.
    pub(crate) fn answered(&mut self, peer: SocketAddr, request: RequestId, payload: &[u8]) {
        if self.0.repeated(peer, request) == Repeat::Working {
            self.0.answered(peer, request, Bytes::copy_from_slice(payload));
        }
    }

    pub(crate) fn abandoned(&mut self, peer: SocketAddr, request: RequestId) {
        self.0.abandoned(peer, request);
    }

    pub(crate) fn refused(&mut self, peer: SocketAddr, request: RequestId) {
        self.0.refused(peer, request);
    }

    pub(crate) fn repeated(&self, peer: SocketAddr, request: RequestId) -> Again {
        match self.0.repeated(peer, request) {
            Repeat::Answer(_) if fault!(ForgetAnswers) => Again::Gone,
            Repeat::Answer(payload) => Again::Answer(payload.clone()),
            Repeat::Working | Repeat::Abandoned => Again::Nothing,
            Repeat::Gone => Again::Gone,
        }
    }

    pub(crate) fn peer_left(&mut self, peer: SocketAddr) {
        self.0.peer_left(peer);
    }
}
