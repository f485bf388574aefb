//! The node: the public verbs and the one switch over incoming messages. No protocol rule is
//! decided here; each is a call into the module that is named after it.

use alloc::boxed::Box;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::SocketAddr;
use core::time::Duration;

use rand_core::CryptoRng;
use siphasher::sip::SipHasher13;

use crate::config::Config;
use crate::discovery::{Discovery, Full};
use crate::envelope::Envelope;
use crate::error::ConfigError;
use crate::event::{Deadline, Delivery, Incarnation, LeaveReason, PeerEvent, Wakeup};
use crate::lock::{ClassicLocks, LockOutput};
use crate::membership::{Claim, Membership};
use crate::mutant::{Mutant, planted};
use crate::outbox::{ControlKind, Outbox, Queued};
use crate::quorum::Quorum;
use crate::request::{Progress, Requests};
use crate::stats::{Refusal, Rejection, Stats};
use crate::storage::{Handle, HashKey};
use crate::time::Instant;
use crate::timer::Timers;
use crate::warning::Warnings;
use crate::wire::{Control, DecodeError, Message, SessionBlock};

mod command;
mod due;
mod poll;

/// How often LEAVE goes to peers that can tell a late one from a new life.
const GOODBYES: u8 = 3;

/// The pause between two LEAVEs.
const GOODBYE_PAUSE: Duration = Duration::from_millis(5);

/// How long an address from which our own datagrams came is not asked to join. Not for long: a
/// datagram of ours that somebody sent back to us from there silences us towards it, and two nodes
/// to which that is done do not find each other before it is over. One JOIN a minute to ourselves
/// costs nothing.
const OWN_PAUSE: Duration = Duration::from_secs(60);

/// Messages that may wait beside one for each peer and candidate, before input is refused.
const OUTBOX_SLACK: usize = 4_096;

/// One node of a cluster, as a value.
///
/// # Contract
///
/// - **In**: [`handle_datagram`](Self::handle_datagram) for each datagram that arrives,
///   [`handle_timeout`](Self::handle_timeout) when the moment of
///   [`poll_timeout`](Self::poll_timeout) has come, [`handle_discovery`](Self::handle_discovery)
///   for each answer of discovery, and the commands. In any order, any number between two polls;
///   an early or repeated call does nothing. Time only goes forward: an earlier `now` counts as
///   the latest seen.
/// - **Out**: after each of these, [`poll_action`](Self::poll_action) until it gives `None`, then
///   [`poll_timeout`](Self::poll_timeout). A node that nobody polls refuses further input, lock
///   calls among it, once a few thousand messages wait.
/// - **Memory** is the caller's both ways: a payload is lent out of the receive buffer; datagrams
///   are made in the buffer that is passed in, which must hold
///   [`Config::buffer_size`] bytes.
/// - **Same inputs, same outputs**: there is no other source of time or randomness.
///
/// ```
/// # use alan_proto::{Action, Config, Delivery, Instant, Node, envelope::Plain};
/// # use rand_core::SeedableRng;
/// # struct Socket;
/// # impl Socket {
/// #     fn send(&self, _: &[u8], _: core::net::SocketAddr) {}
/// #     fn receive(&self, _: Option<Instant>, _: &mut [u8]) -> Option<(usize, core::net::SocketAddr)> { None }
/// # }
/// # struct Clock(std::cell::Cell<u64>);
/// # impl Clock {
/// #     fn now(&self) -> Instant { self.0.set(self.0.get() + 1_000_000); Instant::from_micros(self.0.get()) }
/// # }
/// # let (socket, clock) = (Socket, Clock(0.into()));
/// let generator = rand_chacha::ChaCha20Rng::from_seed([7; 32]); // from the system in real life
/// let mut node = Node::new(Config::default(), Plain, generator, clock.now())?;
/// let (mut incoming, mut outgoing) = (vec![0; 65_535], vec![0; node.config().buffer_size]);
/// node.handle_discovery(clock.now(), &["10.0.0.2:5000".parse().unwrap()]);
/// # let mut turns = 0;
/// loop {
///     while let Some(action) = node.poll_action(&mut outgoing) {
///         match action {
///             Action::Transmit(transmit) => socket.send(&outgoing[..transmit.len], transmit.to),
///             other => println!("{other:?}"),
///         }
///     }
///     let wake_at = node.poll_timeout().map(|deadline| deadline.at);
///     match socket.receive(wake_at, &mut incoming) {
///         Some((len, from)) => {
///             if let Some(delivery) = node.handle_datagram(clock.now(), from, &mut incoming[..len]) {
///                 println!("{delivery:?}");
///             }
///         }
///         None => node.handle_timeout(clock.now()),
///     }
/// #   turns += 1; if turns == 10 { break }
/// }
/// # Ok::<(), alan_proto::ConfigError>(())
/// ```
///
/// # Cloning
///
/// A node over [`Plain`](crate::envelope::Plain) with a `Clone` generator can be cloned: a fork of
/// history. One over [`Sealed`](crate::envelope::Sealed) can't, since two would repeat nonces.
#[derive(Clone)]
pub struct Node<E, R> {
    config: Config,
    envelope: E,
    rng: R,
    incarnation: Incarnation,
    /// The latest moment seen.
    now: Instant,
    phase: Phase,
    membership: Membership,
    discovery: Discovery,
    quorum: Quorum,
    requests: Requests,
    locks: Box<ClassicLocks>,
    timers: Timers<Timer>,
    outbox: Outbox,
    warnings: Warnings,
    stats: Stats,
}

impl<E, R> fmt::Debug for Node<E, R> {
    /// Without the tables, which may be long, and without the generator and the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("incarnation", &self.incarnation)
            .field("now", &self.now)
            .field("phase", &self.phase)
            .field("quorum", &self.quorum)
            .field("members", &self.membership.len())
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Phase {
    Running,
    /// Saying goodbye; this many LEAVEs are still to come.
    Leaving(u8),
    Closed,
}

/// Why the node wants to be woken.
#[derive(Clone, Copy, Hash, Debug)]
enum Timer {
    Heartbeat,
    Silence(Handle),
    Join(Handle),
    Request(Handle),
    Goodbye,
}

impl Timer {
    const fn reason(self) -> Wakeup {
        match self {
            Self::Heartbeat => Wakeup::Heartbeat,
            Self::Silence(_) => Wakeup::Silence,
            Self::Join(_) => Wakeup::Join,
            Self::Request(_) => Wakeup::Request,
            Self::Goodbye => Wakeup::Goodbye,
        }
    }
}

impl<E: Envelope, R: CryptoRng> Node<E, R> {
    /// A node that knows nobody yet. The generator gives the incarnation, request ids, nonces and
    /// jitter; it must not repeat after a restart.
    pub fn new(config: Config, envelope: E, mut rng: R, now: Instant) -> Result<Self, ConfigError> {
        config.validate()?;
        let incarnation = loop {
            if let Some(incarnation) = Incarnation::new(rng.next_u64()) {
                break incarnation;
            }
        };
        let mut hash_key = || HashKey(rng.next_u64(), rng.next_u64());
        let (members, named) = (hash_key(), hash_key());
        let locks = Box::new(ClassicLocks::new(&config, (rng.next_u64(), rng.next_u64())));
        let mut node = Self {
            incarnation,
            now,
            phase: Phase::Running,
            membership: Membership::new(config.max_peers, config.heartbeat_timeout, members),
            discovery: Discovery::new(config.max_candidates, config.join_interval, named),
            quorum: Quorum::new(config.cluster_size),
            requests: Requests::new(config.max_requests),
            locks,
            timers: Timers::new(),
            outbox: Outbox::new((config.max_peers + config.max_candidates) as usize + OUTBOX_SLACK),
            warnings: Warnings::default(),
            stats: Stats::default(),
            config,
            envelope,
            rng,
        };
        node.arm_heartbeat();
        node.update_quorum();
        Ok(node)
    }

    /// A datagram arrived from `from`. Opened in place; gives the user payload in it, if it has
    /// one. What is wrong with it is counted in [`stats`](Self::stats), never answered, and changes
    /// nothing that a caller can see; but from a member's address it is a sign of life as soon as
    /// it opens and parses, if no control message contradicts that.
    #[must_use = "the payload is lent out of the datagram and can't be had again"]
    pub fn handle_datagram<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'d mut [u8],
    ) -> Option<Delivery<'d>> {
        self.advance(now);
        self.stats.received += 1;
        if self.outbox.is_full() {
            self.stats.refuse(Refusal::OutboxFull);
            return None;
        }
        let from = canonical(from);
        match self.accept(from, datagram) {
            Ok(delivery) => delivery,
            Err(why) => {
                self.stats.reject(why);
                let warning = match why {
                    Rejection::Unopened => self.warnings.unopened(self.now, from),
                    Rejection::PeersFull => {
                        self.warnings.peers_full(self.now, from, self.config.max_peers)
                    }
                    _ => None,
                };
                if let Some(warning) = warning {
                    self.outbox.event(warning);
                }
                None
            }
        }
    }

    /// Does what is due. Call it when the moment of [`poll_timeout`](Self::poll_timeout) has come,
    /// after every datagram that had arrived by then was handed in: otherwise a peer whose sign of
    /// life waits in a socket is declared silent.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        while !self.outbox.is_full()
            && let Some(timer) = self.timers.pop_due(self.now)
        {
            match timer {
                Timer::Heartbeat => self.send_heartbeats(),
                Timer::Silence(member) => self.check_silence(member),
                Timer::Join(candidate) => self.ask_again(candidate),
                Timer::Request(request) => self.time_out_request(request),
                Timer::Goodbye => self.say_goodbye(),
            }
        }
        if !self.outbox.is_full() {
            self.locks.handle_timeout(self.now, &mut self.rng);
            self.collect_lock_outputs();
        }
    }

    /// Discovery names these addresses now: each that is no member becomes a candidate and gets a
    /// JOIN, at once and then with growing pauses; candidates that are named no longer are
    /// forgotten. Members stay members either way. Addresses beyond
    /// [`Config::max_candidates`] are refused and counted.
    pub fn handle_discovery(&mut self, now: Instant, addresses: &[SocketAddr]) {
        self.advance(now);
        if self.phase != Phase::Running {
            return;
        }
        if self.outbox.is_full() {
            return self.stats.refuse(Refusal::OutboxFull);
        }
        let Self { discovery, timers, .. } = self;
        discovery.begin_round();
        for &addr in addresses {
            discovery.keep(&canonical(addr));
        }
        discovery.forget_unnamed(|timer| timers.stop(timer));
        for &addr in addresses {
            match self.discovery.name(canonical(addr)) {
                Ok(None) => {}
                Ok(Some(new)) => self.send_join(new),
                Err(Full) => self.stats.refuse(Refusal::CandidatesFull),
            }
        }
    }

    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// The way of a datagram: is it for us, does it open, does it parse, what does it say.
    fn accept<'d>(
        &mut self,
        from: SocketAddr,
        datagram: &'d mut [u8],
    ) -> Result<Option<Delivery<'d>>, Rejection> {
        if self.phase != Phase::Running {
            return Err(Rejection::Closed);
        }
        if from.port() == 0 {
            return Err(Rejection::NoPort);
        }
        if datagram.len() > self.config.buffer_size {
            return Err(Rejection::Oversize);
        }
        let bytes = self.envelope.open(datagram).message().map_err(|_unopened| Rejection::Unopened)?;
        let message = Message::decode(bytes).map_err(|error| match error {
            DecodeError::UnknownType(_) => Rejection::UnknownType,
            _ => Rejection::Malformed,
        })?;
        match message {
            Message::Join(control) => self.on_join(from, control).map(|()| None),
            Message::Heartbeat(control) => self.on_sign_of_life(from, control).map(|_| None),
            Message::Leave(control) => self.on_leave(from, control).map(|()| None),
            Message::Data(payload) => {
                self.membership.refresh(self.now, &from);
                if planted(Mutant::EmptyDropped) && payload.is_empty() {
                    return Ok(None);
                }
                Ok(Some(Delivery::Message { from, payload }))
            }
            Message::Request { id: request, body: payload } => {
                self.membership.refresh(self.now, &from);
                Ok(Some(Delivery::Request { from, request, payload }))
            }
            Message::Response { id: request, body: payload } => {
                self.membership.refresh(self.now, &from);
                let finished = self.on_response(from, request)?;
                Ok(Some(Delivery::Response { request, from, payload, finished }))
            }
            Message::Lock(message) => {
                self.membership.refresh(self.now, &from);
                let outcome = self.locks.handle_message(self.now, from, &message, &mut self.rng);
                self.collect_lock_outputs();
                outcome.map(|()| None)
            }
        }
    }

    fn on_join(&mut self, from: SocketAddr, control: Control) -> Result<(), Rejection> {
        let peer = self.on_sign_of_life(from, control)?;
        if control.block.is_some() && self.membership.may_answer(self.now, &peer) {
            self.outbox.control(peer, ControlKind::Heartbeat);
        }
        Ok(())
    }

    /// A JOIN or HEARTBEAT: adds its sender, or refreshes it, or takes note of its restart.
    fn on_sign_of_life(
        &mut self,
        from: SocketAddr,
        control: Control,
    ) -> Result<SocketAddr, Rejection> {
        let peer = self.advertised(from, control)?;
        let incarnation = control.block.map(|block| block.incarnation);
        let claim = self.membership.judge(self.now, &peer, incarnation);
        match claim.inspect_err(|_| self.membership.contradict(&peer))? {
            Claim::Known => self.membership.confirm(self.now, &peer),
            Claim::New => self.add_member(peer, incarnation),
            Claim::Restarted => {
                let answered = self.membership.last_answered(&peer);
                self.remove_member(peer, LeaveReason::Restarted);
                self.add_member(peer, incarnation);
                self.membership.set_last_answered(&peer, answered);
            }
        }
        Ok(peer)
    }

    fn on_leave(&mut self, from: SocketAddr, control: Control) -> Result<(), Rejection> {
        let peer = self.advertised(from, control)?;
        self.membership.judge_leave(&peer, control.block.map(|block| block.incarnation))?;
        self.remove_member(peer, LeaveReason::SaidGoodbye);
        Ok(())
    }

    /// The address that a control message speaks for: its source IP and the port in it.
    fn advertised(&mut self, from: SocketAddr, control: Control) -> Result<SocketAddr, Rejection> {
        if control.port == 0 {
            return Err(Rejection::NoPort);
        }
        let mut peer = from;
        peer.set_port(control.port);
        match control.block {
            Some(block) if block.incarnation == self.incarnation => {
                self.on_own_datagram(peer);
                Err(Rejection::OwnDatagram)
            }
            _ => {
                self.discovery.unmark_own(&peer);
                Ok(peer)
            }
        }
    }

    /// A datagram of ours came back: its source is an address of ours, not a candidate. Where it is
    /// a member's, that one is given its timeout to contradict: the datagram may be forged.
    fn on_own_datagram(&mut self, addr: SocketAddr) {
        if self.membership.contains(&addr) {
            self.membership.contradict(&addr);
        } else {
            self.discovery.mark_own(addr);
            self.stop_joins(addr);
            if let Some(named) = self.discovery.find(&addr) {
                self.arm_join_after(named, OWN_PAUSE);
            }
        }
    }

    /// Gives whether that ends the request.
    fn on_response(
        &mut self,
        from: SocketAddr,
        id: crate::event::RequestId,
    ) -> Result<bool, Rejection> {
        let slot = self.membership.slot(&from);
        match self.requests.answered(id, from, slot).ok_or(Rejection::UnmatchedResponse)? {
            Progress::Waiting(_) => Ok(false),
            Progress::Finished(mut finished) => {
                if !planted(Mutant::DeadlineOfFormer) {
                    self.timers.stop_in(&mut finished.deadline);
                }
                Ok(true)
            }
        }
    }

    fn add_member(&mut self, peer: SocketAddr, incarnation: Option<Incarnation>) {
        let Some(member) = self.membership.add(self.now, peer, incarnation) else {
            return;
        };
        self.arm_silence(member);
        self.stop_joins(peer);
        self.outbox.event(PeerEvent::Joined { peer, incarnation });
        self.update_quorum();
        self.locks.peer_joined(self.now, peer, incarnation.is_some(), &mut self.rng);
        self.collect_lock_outputs();
    }

    fn remove_member(&mut self, peer: SocketAddr, why: LeaveReason) {
        let Some((slot, mut removed)) = self.membership.remove(&peer) else {
            return;
        };
        self.timers.stop_in(&mut removed.silence_timer);
        self.membership.bury(self.now, &removed, why);
        self.outbox.event(PeerEvent::Left { peer, why });
        self.end_requests_to(peer, slot, why);
        self.update_quorum();
        self.locks.peer_left(self.now, peer, &mut self.rng);
        self.collect_lock_outputs();
        if let Some(candidate) = self.discovery.find(&peer) {
            self.arm_join(candidate);
        }
    }

    fn update_quorum(&mut self) {
        if let Some(event) = self.quorum.update(self.membership.len()) {
            self.outbox.event(event);
        }
        self.locks.set_quorum(self.now, self.quorum.have(), self.quorum.need(), &mut self.rng);
        self.collect_lock_outputs();
    }

    /// Moves what the lock machine wants done into the outbox, behind what came before.
    fn collect_lock_outputs(&mut self) {
        while let Some(output) = self.locks.poll_output() {
            match output {
                LockOutput::Send { to, kind, id, key } => {
                    self.outbox.push(Queued::Lock { to, kind, id, key });
                }
                LockOutput::Event(event) => self.outbox.event(event),
            }
        }
    }

    /// What this node says of itself in a control message.
    const fn control(&self) -> Control {
        Control { port: self.config.port, block: Some(SessionBlock::new(self.incarnation)) }
    }

    /// A number that differs, in all likelihood, between two nodes that could behave differently
    /// from here on (their generators and keys aside). For comparing histories.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = SipHasher13::new();
        self.config.hash(&mut hasher);
        self.incarnation.hash(&mut hasher);
        self.now.hash(&mut hasher);
        self.phase.hash(&mut hasher);
        self.membership.hash(&mut hasher);
        self.discovery.hash(&mut hasher);
        self.quorum.hash(&mut hasher);
        self.requests.hash(&mut hasher);
        self.locks.hash(&mut hasher);
        self.timers.hash(&mut hasher);
        self.outbox.hash(&mut hasher);
        self.warnings.hash(&mut hasher);
        self.stats.hash(&mut hasher);
        hasher.finish()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, and why. Pure and O(1).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let own = self.timers.next().map(|(at, timer)| Deadline { at, reason: timer.reason() });
        let lock = self.locks.next_timeout().map(|at| Deadline { at, reason: Wakeup::Lock });
        match (own, lock) {
            (Some(own), Some(lock)) => Some(if lock.at < own.at { lock } else { own }),
            (own, lock) => own.or(lock),
        }
    }
}

/// IPv4-mapped IPv6 addresses as IPv4, and no flow label: one peer, one key.
fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(_) => addr,
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(ip) => SocketAddr::new(ip.into(), v6.port()),
            None => core::net::SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id()).into(),
        },
    }
}
