//! Looking at a node without changing it.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use alan_proto::{Config, Incarnation};

use super::Engine;
use crate::error::Closed;
use crate::peer::Peer;
use crate::signal::Wait;

/// What a node has counted since its start.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NodeStats {
    /// Datagrams, and what was turned away and why.
    pub protocol: alan_proto::Stats,
    /// Datagrams that the system did not take. Control datagrams that it had no room for, at most
    /// 64, wait until it has, and count only if that does not come.
    pub send_failures: u64,
    /// Reads from the socket that failed.
    pub receive_failures: u64,
    /// Messages that were turned away because their queue was full, or nobody was there to read.
    pub messages_refused: u64,
    /// Messages that were queued, and dropped because their reader was.
    pub messages_discarded: u64,
}

/// How much a node keeps in its tables at this moment. With nothing under way all counts but
/// those of peers, addresses and kept answers are zero: cancelled operations leave nothing behind.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NodeUsage {
    /// The protocol's tables.
    pub protocol: alan_proto::Usage,
    /// Requests whose replies somebody of this node waits for.
    pub requests: usize,
    /// Requests of members that the program of this node works on, or has yet to read.
    pub open_requests: usize,
    /// Answers that are kept in case they got lost.
    pub kept_answers: usize,
    /// Bytes of payload in those.
    pub kept_bytes: usize,
    /// Locks that callers of this node wait for or hold.
    pub locks: usize,
    /// Operations that wait for the quorum.
    pub quorum_waiters: usize,
    /// Messages that wait to be read.
    pub queued_messages: usize,
    /// Bytes of payload in those.
    pub queued_bytes: usize,
    /// Control datagrams that the system has had no room for yet.
    pub unsent_datagrams: usize,
    /// Peers with messages that wait, strangers counted as one.
    pub queues: usize,
}

impl Engine {
    pub(crate) fn trace_start(&self) {
        let (incarnation, sealed) = (self.incarnation, self.secure);
        tracing::info!(parent: &self.span, %incarnation, sealed, "node started");
    }

    pub(crate) const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.secure && !fault!(DenySeal)
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    pub(crate) fn peers(&self) -> Vec<Peer> {
        let node = &self.core().node;
        node.members().map(|member| Peer::new(node, &member)).collect()
    }

    pub(crate) fn peer(&self, addr: SocketAddr) -> Option<Peer> {
        let node = &self.core().node;
        let member = node.member(addr).filter(|_| !fault!(HidePeer))?;
        Some(Peer::new(node, &member))
    }

    pub(crate) fn peer_count(&self) -> usize {
        self.core().node.peer_count()
    }

    pub(crate) fn has_quorum(&self) -> bool {
        self.core().node.has_quorum()
    }

    pub(crate) fn quorum_size(&self) -> usize {
        self.core().node.quorum_size().max(usize::from(fault!(QuorumOfOne)))
    }

    pub(crate) fn max_payload(&self) -> usize {
        self.core().node.max_payload() + usize::from(fault!(BoastOfRoom))
    }

    pub(crate) fn max_request_payload(&self) -> usize {
        self.core().node.max_request_payload()
    }

    pub(crate) fn stats(&self) -> NodeStats {
        let protocol = self.core().node.stats();
        let (messages_refused, messages_discarded) = self.outlet().inbox.losses();
        NodeStats {
            protocol,
            send_failures: self.send_failures.load(Ordering::Relaxed),
            receive_failures: self.receive_failures.load(Ordering::Relaxed),
            messages_refused,
            messages_discarded,
        }
    }

    pub(crate) fn usage(&self) -> NodeUsage {
        let core = self.core();
        let outlet = self.outlet();
        let (queued_messages, queues) = outlet.inbox.usage();
        let (open_requests, kept_answers, kept_bytes) = core.responses.usage();
        NodeUsage {
            protocol: core.node.usage(),
            requests: core.requests.len(),
            open_requests,
            kept_answers,
            kept_bytes,
            locks: core.locks.len(),
            quorum_waiters: core.quorum.len(),
            queued_messages,
            queued_bytes: outlet.inbox.queued_bytes(),
            unsent_datagrams: core.unsent.len(),
            queues,
        }
    }

    pub(crate) fn ready(&self) -> Wait<Result<(), Closed>> {
        self.ready.wait()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.get().is_some()
    }
}
