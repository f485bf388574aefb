//! Commands that carry a payload: sealed under the mutex, sent right after it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::task::{Poll, Waker};

use alan_proto::{Instant, PeerInfo, RequestId, Transmit};
use bytes::Bytes;

use super::{Core, Engine};
use crate::completion::{Pending, Place};
use crate::error::{BroadcastError, Closed, RequestAllError, RequestError, SendError};
use crate::operation::Sent;

thread_local! {
    /// A datagram under construction, kept for the thread's next one.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the thread's buffer, at least `len` bytes of it. Taken out of its place meanwhile: a waker
/// that runs a task at once may well come here a second time.
fn with_buffer<T>(len: usize, work: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut buffer = BUFFER.take();
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    let result = work(&mut buffer);
    BUFFER.set(buffer);
    result
}

impl Engine {
    pub(crate) fn send_to(&self, to: SocketAddr, payload: &[u8]) -> Result<(), SendError> {
        self.send_one(|core, now, buffer| core.node.send_to(now, to, payload, buffer))
    }

    pub(crate) fn reply(
        &self,
        to: SocketAddr,
        request: RequestId,
        payload: &[u8],
    ) -> Result<(), SendError> {
        self.send_one(|core, now, buffer| {
            let transmit = core.node.reply(now, to, request, payload, buffer)?;
            core.responses.answered(to, request, payload);
            Ok(transmit)
        })
    }

    fn send_one(
        &self,
        seal: impl FnOnce(&mut Core, Instant, &mut [u8]) -> Result<Transmit, alan_proto::SendError>,
    ) -> Result<(), SendError> {
        with_buffer(self.config.buffer_size, |buffer| {
            let (transmit, socket) = self.command(|core, now, _| {
                let transmit = seal(core, now, buffer)?;
                Ok::<_, SendError>((transmit, core.socket().ok_or(Closed)?))
            })?;
            self.send(&socket, transmit.to, &buffer[..transmit.len]).map_err(SendError::NotSent)
        })
    }

    /// Sends to all members once the quorum is here.
    pub(crate) fn poll_broadcast(
        &self,
        place: &mut Place,
        deadline: Option<Instant>,
        payload: &[u8],
        task: &Waker,
    ) -> Poll<Result<Vec<Sent>, BroadcastError>> {
        with_buffer(self.config.buffer_size, |buffer| {
            let sealed = self.command(|core, now, wakes| {
                let max = core.node.max_payload();
                if payload.len() > max {
                    core.quorum.leave(place, wakes);
                    let len = payload.len();
                    return Poll::Ready(Err(BroadcastError::MessageTooLarge { len, max }));
                }
                core.poll_quorum(now, place, deadline, task, wakes).map(|quorum| {
                    quorum?;
                    let len = core.node.broadcast(now, payload, buffer)?;
                    let members: Vec<_> = core.node.members().collect();
                    Ok((len, members, core.socket().ok_or(Closed)?))
                })
            });
            sealed.map_ok(|(len, members, socket)| {
                let send = |PeerInfo { addr: peer, path, .. }| {
                    let result = self.send(&socket, path, &buffer[..len]).map(|()| payload.len());
                    Sent { peer, result }
                };
                let most = if fault!(BroadcastToOne) { 1 } else { usize::MAX };
                members.into_iter().take(most).map(send).collect()
            })
        })
    }

    /// Asks one node. The row in the table is the caller's to remove.
    pub(crate) fn request(
        &self,
        to: SocketAddr,
        deadline: Option<Instant>,
        payload: &[u8],
    ) -> Result<RequestId, RequestError> {
        with_buffer(self.config.buffer_size, |buffer| {
            let (id, peer, transmit, socket) = self.command(|core, now, _| {
                let (id, transmit) = core.node.request(now, to, payload, deadline, buffer)?;
                // A classic peer and a stranger are asked once.
                let (peer, again) = match core.node.member(to) {
                    Some(member) if member.incarnation.is_some() => (member.addr, payload),
                    Some(member) => (member.addr, &[][..]),
                    None => (transmit.to, &[][..]),
                };
                core.requests.insert(id, Pending::to_one(peer, Bytes::copy_from_slice(again)));
                tracing::trace!(%peer, request = %id, len = payload.len(), "asking");
                Ok::<_, RequestError>((id, peer, transmit, core.socket()))
            })?;
            // Without a socket the node has ended, and so has the request.
            let Some(socket) = socket else { return Ok(id) };
            if let Err(failure) = self.send(&socket, transmit.to, &buffer[..transmit.len]) {
                self.command(|core, _, wakes| core.requests.on_not_sent(id, peer, failure, wakes));
            }
            Ok(id)
        })
    }

    /// Asks all members once the quorum is here. `None`: there are none. The row in the table is
    /// the caller's to remove.
    pub(crate) fn poll_request_all(
        &self,
        place: &mut Place,
        deadline: Option<Instant>,
        payload: &[u8],
        task: &Waker,
    ) -> Poll<Result<Option<RequestId>, RequestAllError>> {
        self.command(|core, now, wakes| {
            let (len, max) = (payload.len(), core.node.max_request_payload());
            if len > max {
                core.quorum.leave(place, wakes);
                return Poll::Ready(Err(RequestAllError::MessageTooLarge { len, max }));
            }
            core.poll_quorum(now, place, deadline, task, wakes).map(|quorum| {
                quorum?;
                let id = core.node.request_all(now, len, deadline)?;
                if let Some(id) = id {
                    let members = core.node.members().map(|member| member.addr);
                    let pending = Pending::to_all(members, Bytes::copy_from_slice(payload));
                    core.requests.insert(id, pending);
                    let peers = core.node.peer_count();
                    tracing::trace!(peers, request = %id, len, "asking all");
                }
                Ok(id)
            })
        })
    }
}
