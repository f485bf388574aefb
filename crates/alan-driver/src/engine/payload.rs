//! Commands that carry a payload: sealed under the mutex, sent right after it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Poll, Waker};

use alan_proto::{Instant, PeerInfo, RequestId, Transmit};

use super::{Core, Engine, Port};
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
        self.send_one(|core, now, buffer| core.node.reply(now, to, request, payload, buffer))
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
                    Ok((len, members(core), core.socket().ok_or(Closed)?))
                })
            });
            sealed.map_ok(|(len, members, socket)| {
                let send = |peer| {
                    let result = self.send(&socket, peer, &buffer[..len]).map(|()| payload.len());
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
            let (id, transmit, socket) = self.command(|core, now, _| {
                let (id, transmit) = core.node.request(now, to, payload, deadline, buffer)?;
                core.requests.insert(id, Pending::new(vec![transmit.to]));
                tracing::trace!(peer = %transmit.to, request = %id, len = payload.len(), "asking");
                Ok::<_, RequestError>((id, transmit, core.socket()))
            })?;
            self.send_request(socket, id, &[transmit.to], &buffer[..transmit.len]);
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
        with_buffer(self.config.buffer_size, |buffer| {
            let sealed = self.command(|core, now, wakes| {
                let max = core.node.max_request_payload();
                if payload.len() > max {
                    core.quorum.leave(place, wakes);
                    let len = payload.len();
                    return Poll::Ready(Err(RequestAllError::MessageTooLarge { len, max }));
                }
                core.poll_quorum(now, place, deadline, task, wakes).map(|quorum| {
                    quorum?;
                    let (id, len) = core.node.request_all(now, payload, deadline, buffer)?;
                    let members = members(core);
                    if let Some(id) = id {
                        let (peers, len) = (members.len(), payload.len());
                        tracing::trace!(peers, request = %id, len, "asking all");
                        core.requests.insert(id, Pending::new(members.clone()));
                    }
                    Ok((id, len, members, core.socket()))
                })
            });
            sealed.map_ok(|(id, len, members, socket)| {
                let id = id?;
                self.send_request(socket, id, &members, &buffer[..len]);
                Some(id)
            })
        })
    }

    /// Sends a request's datagram to all that are asked; whoever can't be sent to is known not to
    /// answer.
    fn send_request(
        &self,
        socket: Option<Arc<Port>>,
        request: RequestId,
        asked: &[SocketAddr],
        datagram: &[u8],
    ) {
        // Without a socket the node has ended, and so has the request.
        let Some(socket) = socket else { return };
        for &peer in asked {
            if let Err(failure) = self.send(&socket, peer, datagram) {
                self.command(|core, _, _| core.requests.on_not_sent(request, peer, failure));
            }
        }
    }
}

fn members(core: &Core) -> Vec<SocketAddr> {
    core.node.members().map(|PeerInfo { addr, .. }| addr).collect()
}
