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
                Self::Request(Request { engine: Arc::clone(engine), from, id, payload })
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

/// A request of another node. Dropped without a reply it is not answered, and whoever asked waits
/// for its own deadline.
#[must_use = "whoever asked waits for a reply"]
pub struct Request {
    engine: Arc<Engine>,
    from: SocketAddr,
    id: RequestId,
    payload: Bytes,
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

    /// Sends the reply, on this thread and at once. It is one datagram, and may get lost like any.
    /// One request has one reply: a second does not compile.
    pub fn reply(self, payload: impl AsRef<[u8]>) -> Result<(), ReplyError> {
        self.engine.reply(self.from, self.id, payload.as_ref())
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
