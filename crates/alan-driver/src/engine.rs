//! The engine: one node behind one short mutex, and everybody who waits for it.
//!
//! A command runs on its caller's thread: take the mutex, let the core seal, carry out what it
//! wants done, let go, send. The driver's loop does the same for datagrams and deadlines. Whoever
//! moves the next deadline forward wakes the loop; nobody else does.
//!
//! Mutexes are taken in this order: core, outlet, and the ones inside signals. Wakers are woken
//! and dropped when none is held. `tracing` subscribers are called while some are: one that calls the node waits
//! for itself.

mod again;
mod identity;
#[cfg(feature = "metrics")]
mod metrics;
mod payload;
mod port;
mod trace;
mod turn;
mod unsent;
mod view;
mod wait;

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Poll, Waker};

use alan_proto::envelope::AnyEnvelope;
use alan_proto::{Action, Instant, LockNotHeld, PeerEvent, QuorumEvent, ResponseLimits, Transmit};
use rand_chacha::ChaCha20Rng;

use crate::clock::LeaseClock;
use crate::completion::{Locks, Place, QuorumWaits, Requests, Responses};
use crate::delivery::{Inbox, InboxLimits};
use crate::discovery::{BEFORE_ALL_ROUNDS, DiscoverError, Resolver};
use crate::error::{Closed, LockLost, QuorumError};
use crate::events::{Event, Hub};
use crate::fault;
use crate::signal::{Signal, lock};
use crate::socket::{SendFailure, SendFailureKind, Socket};
use crate::wakes::Wakes;

pub(crate) use port::Port;
use turn::LoopThread;
use unsent::{Attempt, Unsent};
pub use view::{NodeStats, NodeUsage};

pub(crate) type ProtocolNode = alan_proto::Node<AnyEnvelope, ChaCha20Rng>;

/// Everything that a running node consists of, apart from its loop.
pub(crate) struct Engine {
    core: Mutex<Core>,
    outlet: Mutex<Outlet>,
    resolver: Mutex<Option<Resolver>>,
    clock: LeaseClock,
    local_addr: SocketAddr,
    /// Tells the nodes of one process apart in what they trace.
    span: tracing::Span,
    secure: bool,
    config: alan_proto::Config,
    incarnation: alan_proto::Incarnation,
    /// The first discovery round is over, or never will be.
    ready: Signal<Result<(), Closed>>,
    /// The loop has ended and the port is free.
    ended: Signal<()>,
    /// Where the loop runs, if it has a thread to itself.
    thread: OnceLock<LoopThread>,
    send_failures: AtomicU64,
    receive_failures: AtomicU64,
}

/// The protocol, and who waits for it.
pub(crate) struct Core {
    pub(crate) node: ProtocolNode,
    pub(crate) requests: Requests,
    pub(crate) responses: Responses,
    pub(crate) locks: Locks,
    pub(crate) quorum: QuorumWaits,
    /// Gone once the node has ended, so that its port is free although handles are alive.
    socket: Option<Arc<Port>>,
    /// Where control datagrams are made.
    control: Box<[u8]>,
    unsent: Unsent,
    driver: Sleeper,
    leaving: bool,
    closed: bool,
}

/// Messages and events on their way out: one mutex, because their order is a promise.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) inbox: Inbox,
    pub(crate) events: Hub,
}

/// What the driver's loop is doing.
#[derive(Debug, Default)]
struct Sleeper {
    state: Sleep,
    woken: bool,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Sleep {
    /// It will look at the deadline before it sleeps.
    #[default]
    Awake,
    /// Until a datagram comes.
    Open,
    /// Until then at most.
    Until(Instant),
}

impl Sleeper {
    /// Whether it would sleep past that moment.
    fn misses(&self, next: Instant) -> bool {
        match self.state {
            Sleep::Awake => false,
            Sleep::Open => true,
            Sleep::Until(until) => next < until,
        }
    }

    fn wake(&mut self, wakes: &mut Wakes) {
        self.woken = true;
        self.state = Sleep::Awake;
        wakes.take(&mut self.waker);
    }
}

impl Core {
    pub(crate) fn socket(&self) -> Option<Arc<Port>> {
        self.socket.clone()
    }

    /// When the loop must be at work next.
    fn next_deadline(&self) -> Option<Instant> {
        let protocol = self.node.poll_timeout().map(|deadline| deadline.at);
        let deadlines = [protocol, self.quorum.next_deadline(), self.unsent.retry_at()];
        deadlines.into_iter().flatten().min()
    }

    /// Whether the quorum is here; if not, the caller waits in `place` until it is, until its
    /// deadline, or until the node leaves.
    pub(crate) fn poll_quorum(
        &mut self,
        now: Instant,
        place: &mut Place,
        deadline: Option<Instant>,
        task: &Waker,
        wakes: &mut Wakes,
    ) -> Poll<Result<(), QuorumError>> {
        let forgotten = fault!(ForgetQuorumWaiters) && place.is_taken();
        let outcome = if self.leaving && !forgotten {
            Err(Closed.into())
        } else if self.node.has_quorum() {
            Ok(())
        } else if deadline.is_some_and(|deadline| deadline <= now) {
            let (have, need) = (self.node.peer_count() + 1, self.node.quorum_size());
            Err(QuorumError::NoQuorum { have, need })
        } else {
            self.quorum.wait(place, deadline, task, wakes);
            return Poll::Pending;
        };
        self.quorum.leave(place, wakes);
        Poll::Ready(outcome)
    }
}

/// What an engine is made of.
pub(crate) struct Parts {
    pub(crate) node: ProtocolNode,
    pub(crate) socket: Socket,
    pub(crate) clock: LeaseClock,
    pub(crate) secure: bool,
    pub(crate) inbox: InboxLimits,
    pub(crate) responses: ResponseLimits,
    pub(crate) event_queue: usize,
}

impl Engine {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { node, socket, clock, secure, inbox, responses, event_queue } = parts;
        let (config, incarnation) = (node.config().clone(), node.incarnation());
        let ended = Signal::new();
        Self {
            clock,
            local_addr: socket.local_addr(),
            span: tracing::info_span!(parent: None, "node", local = %socket.local_addr()),
            secure,
            incarnation,
            core: Mutex::new(Core {
                node,
                requests: Requests::default(),
                responses: Responses::new(responses),
                locks: Locks::default(),
                quorum: QuorumWaits::default(),
                socket: Some(Arc::new(Port::new(socket, ended.clone()))),
                control: vec![0; config.buffer_size].into_boxed_slice(),
                unsent: Unsent::default(),
                driver: Sleeper::default(),
                leaving: false,
                closed: false,
            }),
            config,
            outlet: Mutex::new(Outlet { inbox: Inbox::new(inbox), events: Hub::new(event_queue) }),
            resolver: Mutex::new(None),
            ready: Signal::new(),
            ended,
            thread: OnceLock::new(),
            send_failures: AtomicU64::new(0),
            receive_failures: AtomicU64::new(0),
        }
    }

    pub(crate) fn outlet(&self) -> MutexGuard<'_, Outlet> {
        lock(&self.outlet)
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        lock(&self.core)
    }

    /// Runs one command: what the core wants done because of it is done before this returns.
    pub(crate) fn command<T>(&self, run: impl FnOnce(&mut Core, Instant, &mut Wakes) -> T) -> T {
        let _entered = self.span.enter();
        let mut wakes = Wakes::default();
        let mut core = self.core();
        let now = self.clock.now();
        let result = run(&mut core, now, &mut wakes);
        self.carry_out(&mut core, &mut wakes);
        if core.next_deadline().is_some_and(|next| core.driver.misses(next)) {
            core.driver.wake(&mut wakes);
        }
        drop(core);
        wakes.wake();
        result
    }

    /// Reads from the outlet, and publishes the events that had waited for that.
    pub(crate) fn deliver<T>(
        &self,
        read: impl FnOnce(&mut Outlet, &mut Vec<PeerEvent>, &mut Wakes) -> T,
    ) -> T {
        let mut wakes = Wakes::default();
        let mut tell = Vec::new();
        let mut outlet = self.outlet();
        let result = read(&mut outlet, &mut tell, &mut wakes);
        for event in tell {
            outlet.events.publish(&event.into(), &mut wakes);
        }
        let unanswered = outlet.inbox.take_unanswered();
        drop(outlet);
        wakes.wake();
        self.refuse_requests(&unanswered);
        result
    }

    /// Does what the core wants done, in its order, until it wants nothing more. The core's mutex
    /// is held meanwhile: a LOCK_RELEASE must not be overtaken by the LOCK_REQUEST after it.
    fn carry_out(&self, core: &mut Core, wakes: &mut Wakes) {
        while let Some(action) = core.node.poll_action(&mut core.control) {
            let Some(action) = fault::action(action) else { continue };
            match action {
                Action::Transmit(Transmit { to, len }) => self.send_control(core, to, len),
                Action::TransmitRequest { request, to } => {
                    self.transmit_request(core, request, to, wakes);
                }
                Action::Peer(event) => self.on_peer(core, event, wakes),
                Action::Quorum(event) => self.on_quorum(core, event, wakes),
                Action::Request(event) => core.requests.on_event(event, wakes),
                Action::Lock(event) => {
                    trace::lock(event);
                    core.locks.on_event(event, wakes);
                }
                Action::Warning(warning) => {
                    trace::warning(warning);
                    self.outlet().events.publish(&Event::Warning(warning), wakes);
                }
                Action::Closed => {
                    self.retry_control(core);
                    core.closed = true;
                    core.driver.wake(wakes);
                }
                other => unreachable!("an action that this version does not know: {other:?}"),
            }
        }
    }

    fn on_peer(&self, core: &mut Core, event: PeerEvent, wakes: &mut Wakes) {
        trace::peer(event);
        if let PeerEvent::Left { peer, .. } = event {
            core.responses.peer_left(peer);
        }
        let mut tell = Vec::new();
        let mut outlet = self.outlet();
        outlet.inbox.on_peer(event, &mut tell);
        for event in tell {
            outlet.events.publish(&event.into(), wakes);
        }
    }

    fn on_quorum(&self, core: &Core, event: QuorumEvent, wakes: &mut Wakes) {
        trace::quorum(event);
        if !fault!(SleepThroughQuorum) {
            core.quorum.wake_all(wakes);
        }
        self.outlet().events.publish(&event.into(), wakes);
    }

    /// Sends one datagram; a failure is one lost datagram, and counted.
    pub(crate) fn send(
        &self,
        socket: &Socket,
        to: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), SendFailure> {
        socket
            .send(to, datagram)
            .inspect_err(|&failure| self.count_send_failure(to, datagram.len(), failure))
    }

    fn count_send_failure(&self, to: SocketAddr, len: usize, failure: SendFailure) {
        self.send_failures.fetch_add(u64::from(!fault!(CountNoSendFailure)), Ordering::Relaxed);
        tracing::debug!(parent: &self.span, %to, len, %failure, "datagram not sent");
    }

    /// Sends what the core has made, now or when the system has room.
    fn send_control(&self, core: &mut Core, to: SocketAddr, len: usize) {
        let Core { socket: Some(socket), unsent, control, .. } = core else { return };
        let datagram = &control[..len];
        let attempt = |to, datagram: &[u8]| self.attempt(socket, to, datagram);
        if !unsent.send(self.clock.now(), to, datagram, attempt) {
            let failure = SendFailure { kind: SendFailureKind::NoRoom, os_error: None };
            self.count_send_failure(to, len, failure);
        }
    }

    /// Tries again to send what the system had no room for.
    fn retry_control(&self, core: &mut Core) {
        let Core { socket: Some(socket), unsent, .. } = core else { return };
        unsent.retry(self.clock.now(), |to, datagram| self.attempt(socket, to, datagram));
    }

    fn attempt(&self, socket: &Socket, to: SocketAddr, datagram: &[u8]) -> Attempt {
        match socket.send(to, datagram) {
            Ok(()) => Attempt::Over,
            Err(failure) if failure.kind == SendFailureKind::NoRoom => Attempt::NoRoom,
            Err(failure) => {
                self.count_send_failure(to, datagram.len(), failure);
                Attempt::Over
            }
        }
    }

    /// Releases a lock by name.
    pub(crate) fn unlock(&self, key: &str) -> Result<(), LockNotHeld> {
        self.command(|core, now, wakes| {
            let lock = core.node.unlock(now, key)?;
            if !fault!(TrustUnlockedGuards) {
                core.locks.end(lock, LockLost::Released, wakes);
            }
            Ok(())
        })
    }

    /// Says goodbye. Everybody who waits is told that the node has left.
    pub(crate) fn leave(&self) {
        self.command(|core, now, wakes| {
            if !core.leaving {
                core.leaving = true;
                core.node.leave(now);
                core.quorum.wake_all(wakes);
            }
        });
    }

    /// Ends the loop without a goodbye.
    pub(crate) fn abort(&self) {
        self.command(|core, _, wakes| {
            core.socket = None;
            core.closed = true;
            core.driver.wake(wakes);
        });
    }

    pub(crate) fn set_resolver(&self, resolver: Resolver) {
        *lock(&self.resolver) = Some(resolver);
        // The loop may have ended before, and then nobody else stops it.
        if self.core().closed {
            lock(&self.resolver).take();
        }
    }

    /// Asks discovery again, now.
    pub(crate) fn refresh(&self) {
        if let Some(resolver) = &*lock(&self.resolver)
            && !fault!(IgnoreRefresh)
        {
            resolver.refresh();
        }
    }

    /// One round of discovery is over, or tells what is known before it.
    pub(crate) fn on_discovery(&self, result: Result<Vec<SocketAddr>, &DiscoverError>, round: u64) {
        let _entered = self.span.enter();
        match result {
            Ok(addresses) => {
                tracing::debug!(?addresses, "discovered");
                self.command(|core, now, _| core.node.handle_discovery(now, &addresses));
            }
            Err(error) => {
                tracing::warn!(%error, "discovery failed, and will be tried again");
                let mut wakes = Wakes::default();
                let error = error.to_string().into();
                self.outlet().events.publish(&Event::DiscoveryFailed { error }, &mut wakes);
                wakes.wake();
            }
        }
        if round != BEFORE_ALL_ROUNDS {
            let mut wakes = Wakes::default();
            self.ready.set(Ok(()), &mut wakes);
            wakes.wake();
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("local_addr", &self.local_addr)
            .field("incarnation", &self.incarnation)
            .finish_non_exhaustive()
    }
}
