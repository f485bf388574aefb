//! What the driver's loop asks of the engine: datagrams in, deadlines, sleep, and the end.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

use alan_proto::{Delivery, Instant};
use bytes::Bytes;

use super::{Engine, Port, Sleep};
use crate::completion::Reply;
use crate::delivery::{Admission, Inbound, Kind, QueueKey, Reading};
use crate::error::Closed;
use crate::events::Event;
use crate::signal::lock;
use crate::wakes::Wakes;

/// A deadline has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    /// The moment of that finding.
    now: Instant,
    /// It is one of the protocol's, which may end a membership, a request or a lock call.
    pub(crate) judges: bool,
}

/// The thread of a loop that has one to itself.
#[derive(Debug)]
pub(super) struct LoopThread {
    id: ThreadId,
    /// Empty once it is joined.
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl LoopThread {
    /// Returns when the thread is gone, whoever else wants that at the same time.
    fn join(&self) {
        let mut handle = lock(&self.handle);
        if let Some(handle) = handle.take() {
            // If it has panicked, that is on record, and the node has ended nevertheless.
            let _panic = handle.join();
        }
    }
}

impl Engine {
    pub(crate) fn driver_socket(&self) -> Option<Arc<Port>> {
        self.core().socket()
    }

    /// Handles what was received.
    pub(crate) fn handle_batch<'d>(
        &self,
        datagrams: impl Iterator<Item = (SocketAddr, &'d mut [u8])>,
        reading: Reading,
        wakes: &mut Wakes,
    ) {
        let _entered = self.span.enter();
        let now = self.clock.now();
        for (from, datagram) in datagrams {
            self.handle_datagram(now, from, datagram, reading, wakes);
        }
        wakes.wake();
    }

    /// Takes note of a read that failed.
    pub(crate) fn count_receive_failure(&self, error: &io::Error) {
        self.receive_failures.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(parent: &self.span, %error, "receive failed");
    }

    /// Opens one datagram, and hands on what was in it.
    fn handle_datagram(
        &self,
        now: Instant,
        from: SocketAddr,
        datagram: &mut [u8],
        reading: Reading,
        wakes: &mut Wakes,
    ) {
        let mut core = self.core();
        let delivery = core.node.handle_datagram(now, from, datagram);
        if let Some(Delivery::Repeated { from, request }) = delivery {
            self.answer_again(&mut core, from, request);
        }
        self.carry_out(&mut core, wakes);
        let (from, kind, payload) = match delivery {
            None | Some(Delivery::Repeated { .. }) => return,
            Some(Delivery::Response { request, from, payload, .. }) => {
                let reply = Reply { peer: from, payload: Bytes::copy_from_slice(payload) };
                core.requests.on_reply(request, reply, wakes);
                return;
            }
            Some(Delivery::Message { from, payload }) => (from, Kind::Data, payload),
            Some(Delivery::Request { from, request, payload }) => {
                if core.node.member(from).is_some_and(|member| member.incarnation.is_some()) {
                    core.responses.opened(from, request);
                }
                (from, Kind::Request(request), payload)
            }
            Some(other) => unreachable!("a delivery that this version does not know: {other:?}"),
        };
        drop(core);
        // Outside of the core's mutex: only the loop that called us receives, so order is kept.
        let payload = Bytes::copy_from_slice(payload);
        self.admit(Inbound { from, kind, payload }, reading, wakes);
    }

    fn admit(&self, message: Inbound, reading: Reading, wakes: &mut Wakes) {
        let request = message.request();
        let mut outlet = self.outlet();
        let Admission::Refused { queue, tell } = outlet.inbox.push(message, reading, wakes) else {
            return;
        };
        if tell {
            let peer = match queue {
                QueueKey::Peer(peer) => (!fault!(NamelessQueueFull)).then_some(peer),
                QueueKey::Strangers => None,
            };
            tracing::warn!(?peer, "queue full: messages are refused");
            outlet.events.publish(&Event::QueueFull { peer }, wakes);
        }
        drop(outlet);
        self.refuse_requests(request.as_slice());
    }

    /// The deadline that has come, if one has.
    pub(crate) fn due(&self) -> Option<Due> {
        let core = self.core();
        let now = self.clock.now();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let judges = is_due(core.node.poll_judgement());
        let protocol = core.node.poll_timeout().map(|deadline| deadline.at);
        let others = [protocol, core.quorum.next_deadline(), core.unsent.retry_at()];
        (judges || others.into_iter().any(is_due)).then_some(Due { now, judges })
    }

    /// Does what was due at a moment before the socket was last found empty: what has become due
    /// since is not judged by what had arrived until then.
    pub(crate) fn handle_timeout(&self, due: Due) {
        self.command(|core, _, wakes| {
            self.retry_control(core);
            while fault!(JudgeUnheard)
                && let Some(at) = core.node.poll_timeout().map(|deadline| deadline.at)
                && at < due.now
            {
                core.node.handle_timeout(at);
                self.carry_out(core, wakes);
            }
            core.node.handle_timeout(due.now);
            core.quorum.wake_due(due.now, wakes);
        });
    }

    /// Puts the loop to sleep: how long, or `Err` when it has nothing to wake up for any more.
    pub(crate) fn sleep(&self) -> Result<Option<Duration>, Closed> {
        let mut core = self.core();
        if core.closed {
            return Err(Closed);
        }
        let until = core.next_deadline();
        core.driver.state = until.map_or(Sleep::Open, Sleep::Until);
        Ok(until.map(|at| at.saturating_since(self.clock.now())))
    }

    pub(crate) fn poll_woken(&self, context: &Context<'_>) -> Poll<()> {
        // Dropped after the mutex is free.
        let mut wakes = Wakes::default();
        let mut core = self.core();
        if std::mem::take(&mut core.driver.woken) {
            return Poll::Ready(());
        }
        wakes.register(&mut core.driver.waker, context.waker());
        Poll::Pending
    }

    /// The loop has a thread to itself.
    pub(crate) fn set_thread(&self, thread: JoinHandle<()>) {
        let id = thread.thread().id();
        let thread = LoopThread { id, handle: Mutex::new(Some(thread)) };
        self.thread.set(thread).expect("a node has one loop");
    }

    /// Waits until the loop has ended, and with it the thread that it had to itself.
    pub(crate) async fn ended(&self) {
        self.ended.wait().await;
        match self.thread.get() {
            // A waker that runs tasks where it is woken could bring us there.
            Some(thread) if thread.id != thread::current().id() => thread.join(),
            _ => {}
        }
    }

    /// The loop has ended, with goodbyes said or without: nothing waits any more. The port is free
    /// when the last user of the socket has let go of it, which is what ends the node.
    pub(crate) fn end(&self) {
        let _entered = self.span.enter();
        let mut wakes = Wakes::default();
        // Not let go of before the rest is done, nor under a mutex: that may wake those who wait.
        let _socket = {
            let mut core = self.core();
            let socket = if fault!(KeepPort) {
                self.ended.set((), &mut wakes);
                None
            } else {
                core.socket.take()
            };
            let unsent = core.unsent.give_up() as u64;
            self.send_failures.fetch_add(unsent, Ordering::Relaxed);
            core.leaving = true;
            core.closed = true;
            core.node.leave(self.clock.now());
            self.carry_out(&mut core, &mut wakes);
            core.quorum.wake_all(&mut wakes);
            socket
        };
        lock(&self.resolver).take();
        {
            let mut outlet = self.outlet();
            outlet.inbox.close(&mut wakes);
            if !fault!(EndlessEvents) {
                outlet.events.close(&mut wakes);
            }
        }
        self.ready.set(Err(Closed), &mut wakes);
        wakes.wake();
        tracing::info!("node ended");
    }
}
