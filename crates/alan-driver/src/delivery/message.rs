//! What a peer has sent, as the user gets it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use alan_proto::RequestId;
use bytes::Bytes;

use crate::engine::Engine;
use crate::error::ReplyError;

/// A message as it waits in a queue. It does not hold the engine: the queue is a part of that.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Inbound {
    pub(crate) from: SocketAddr,
    pub(crate) kind: Kind,
    pub(crate) payload: Bytes,
}

impl Inbound {
    /// Whose request it is and which, if it is one.
    pub(crate) const fn request(&self) -> Option<(SocketAddr, RequestId)> {
        match self.kind {
            Kind::Data => None,
            Kind::Request(request) => Some((self.from, request)),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Data,
    Request(RequestId),
}

/// Something that another node has sent to this one, member or not.
#[non_exhaustive]
#[derive(Debug)]
pub enum Message {
    /// Expects no answer.
    Data {
        /// Who sent it.
        from: SocketAddr,
        /// What it says.
        payload: Bytes,
    },
    /// Waits for an answer: see [`Request::reply`].
    Request(Request),
}

impl Message {
    pub(crate) fn new(engine: &Arc<Engine>, inbound: Inbound) -> Self {
        let Inbound { from, kind, payload } = inbound;
        match kind {
            Kind::Data => Self::Data { from, payload },
            Kind::Request(id) => {
                let engine = Arc::clone(engine);
                Self::Request(Request { engine, from, id, payload, answered: false })
            }
        }
    }

    /// Who sent it.
    pub const fn from(&self) -> SocketAddr {
        match self {
            Self::Data { from, .. } => *from,
            Self::Request(request) => request.from,
        }
    }

    /// What it says.
    pub const fn payload(&self) -> &Bytes {
        match self {
            Self::Data { payload, .. } => payload,
            Self::Request(request) => &request.payload,
        }
    }
}

/// A request of another node, handed out once in this life of this node. Dropped without a reply it
/// is not answered, and whoever asked waits for its own deadline.
#[must_use = "whoever asked waits for a reply"]
pub struct Request {
    engine: Arc<Engine>,
    from: SocketAddr,
    id: RequestId,
    payload: Bytes,
    answered: bool,
}

impl Request {
    /// Who asks.
    pub const fn from(&self) -> SocketAddr {
        self.from
    }

    /// What is asked.
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The request's id on the wire, for logs.
    pub const fn id(&self) -> RequestId {
        self.id
    }

    /// Sends the reply, on this thread and at once. It is one datagram. If it gets lost, a member
    /// asks again and gets it again, for as long as it is
    /// [kept](crate::config::Settings::response_cache); a classic peer or a stranger does not ask
    /// again. One request has one reply: a second does not compile.
    pub fn reply(mut self, payload: impl AsRef<[u8]>) -> Result<(), ReplyError> {
        let replied = self.engine.reply(self.from, self.id, payload.as_ref());
        // What the system did not take is kept for when it is asked for again.
        self.answered = matches!(replied, Ok(()) | Err(ReplyError::NotSent(_)));
        replied
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if !self.answered {
            self.engine.abandon(self.from, self.id);
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("from", &self.from)
            .field("id", &self.id)
            .field("payload", &self.payload)
            .finish_non_exhaustive()
    }
}
