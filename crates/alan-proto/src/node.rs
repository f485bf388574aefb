//! The node: the public verbs and the one switch over incoming messages. No protocol rule is
//! decided here; each is a call into the module that is named after it.

use alloc::boxed::Box;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::SocketAddr;
use core::time::Duration;

use rand_core::CryptoRng;
use siphasher::sip::SipHasher13;

use crate::asks::Asks;
use crate::challenge::Challenges;
use crate::clock::HybridClock;
use crate::config::Config;
use crate::discovery::{Discovery, Full};
use crate::envelope::Envelope;
use crate::error::ConfigError;
use crate::event::{Deadline, Incarnation, Wakeup};
use crate::hybrid::HybridTime;
use crate::lock::{ClassicLocks, LockOutput};
use crate::membership::Membership;
use crate::outbox::{Outbox, Queued};
use crate::profile::Profile;
use crate::quorum::Quorum;
use crate::stats::{Refusal, Stats};
use crate::storage::{Handle, HashKey};
use crate::strangers::Strangers;
use crate::time::Instant;
use crate::timer::Timers;
use crate::warning::Warnings;

mod admission;
mod command;
mod confirmation;
mod control;
mod due;
mod liveness;
mod neighbours;
mod poll;
mod receive;
mod requests;

/// How often LEAVE goes to peers that can tell a late one from a new life.
const GOODBYES: u8 = 3;

/// The pause between two LEAVEs.
const GOODBYE_PAUSE: Duration = Duration::from_millis(5);

/// How long an address from which our own datagrams came is not asked to join. Not for long: a
/// datagram of ours that somebody sent back to us from there silences us towards it, and two nodes
/// to which that is done do not find each other before it is over. One JOIN a minute to ourselves
/// costs nothing.
const OWN_PAUSE: Duration = Duration::from_secs(60);

/// How long a member that fell silent is looked for where discovery does not name it: over a long
/// network outage, not for ever.
const LOST_PATIENCE: Duration = Duration::from_secs(3_600);

/// How long an address that a peer has named, or has spoken from, is asked to join: five times or
/// so.
const LEARNT_PATIENCE: Duration = Duration::from_secs(7);

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
/// # use alan_proto::{Action, Config, Delivery, HybridTime, Instant, Node, envelope::Plain};
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
/// let wall = HybridTime::from_micros(1_700_000_000_000_000); // since 1970, from the system
/// let mut node = Node::new(Config::default(), Plain, generator, clock.now(), wall)?;
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
    started: Instant,
    /// The latest moment seen.
    now: Instant,
    /// Until when this node's own lateness is excused already.
    excused_until: Instant,
    clock: HybridClock,
    phase: Phase,
    challenges: Challenges,
    strangers: Strangers,
    membership: Membership,
    discovery: Discovery,
    profile: Box<Profile>,
    /// When a member may be asked for its list of peers next.
    next_exchange: Instant,
    quorum: Quorum,
    asks: Asks,
    locks: Box<ClassicLocks>,
    timers: Timers<Timer>,
    /// When a member may have been silent for too long.
    silences: Timers<Handle>,
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
    Confirmation(Handle),
    Join(Handle),
    Goodbye,
}

impl Timer {
    const fn reason(self) -> Wakeup {
        match self {
            Self::Heartbeat => Wakeup::Heartbeat,
            Self::Confirmation(_) => Wakeup::Confirmation,
            Self::Join(_) => Wakeup::Join,
            Self::Goodbye => Wakeup::Goodbye,
        }
    }
}

impl<E: Envelope, R: CryptoRng> Node<E, R> {
    /// A node that knows nobody yet. The generator gives the incarnation, request ids, nonces and
    /// jitter; it must not repeat after a restart. `wall` is the wall clock: it is read this once,
    /// and a step of it later changes nothing.
    pub fn new(
        config: Config,
        mut envelope: E,
        mut rng: R,
        now: Instant,
        wall: HybridTime,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let incarnation = loop {
            if let Some(incarnation) = Incarnation::new(rng.next_u64()) {
                break incarnation;
            }
        };
        envelope.begin(incarnation, &mut rng);
        let mut hash_key = || HashKey(rng.next_u64(), rng.next_u64());
        let lock_hash_key = hash_key();
        let membership = Membership::new(
            config.max_peers,
            config.heartbeat_timeout,
            config.heartbeat_interval,
            incarnation,
            [hash_key(), hash_key(), hash_key()],
        );
        let discovery = Discovery::new(config.max_candidates, config.join_interval, hash_key());
        let strangers = Strangers::new(config.stranger_budget, hash_key());
        let locks = Box::new(ClassicLocks::new(&config, (lock_hash_key.0, lock_hash_key.1)));
        let max_asks = config.max_requests.saturating_add(config.max_peers.saturating_mul(16));
        let asks = Asks::new(config.max_requests, max_asks, hash_key(), rng.next_u64());
        let profile =
            Profile::new(&config.name, &config.metadata).expect("the configuration was validated");
        let mut node = Self {
            incarnation,
            started: now,
            now,
            excused_until: now,
            clock: HybridClock::new(wall, now),
            phase: Phase::Running,
            challenges: Challenges::new(&mut rng),
            strangers,
            membership,
            discovery,
            profile: Box::new(profile),
            next_exchange: now,
            quorum: Quorum::new(config.cluster_size, config.observer),
            asks,
            locks,
            timers: Timers::new(),
            silences: Timers::new(),
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

    /// Does what is due. Call it when the moment of [`poll_timeout`](Self::poll_timeout) has come,
    /// after every datagram that had arrived by then was handed in: otherwise a peer whose sign of
    /// life waits in a socket is declared silent.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        while !self.outbox.is_full()
            && let Some(member) = self.silences.pop_due(self.now)
        {
            self.check_silence(member);
        }
        while !self.outbox.is_full()
            && let Some(timer) = self.timers.pop_due(self.now)
        {
            match timer {
                Timer::Heartbeat => self.send_heartbeats(),
                Timer::Confirmation(member) => self.ask_for_confirmation(member),
                Timer::Join(candidate) => self.ask_again(candidate),
                Timer::Goodbye => self.say_goodbye(),
            }
        }
        self.check_requests();
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

    /// Time goes on. Where it went further than the node had asked for, the node was late, and
    /// could not hear anybody: nobody's silence counts for that.
    fn advance(&mut self, now: Instant) {
        if let Some(due) = self.poll_timeout().map(|deadline| deadline.at)
            && now > due + self.config.heartbeat_timeout / 10
        {
            let since = due.max(self.excused_until);
            self.membership.excuse(now.saturating_since(since));
            self.excused_until = self.excused_until.max(now);
        }
        self.now = self.now.max(now);
    }

    fn update_quorum(&mut self) {
        if let Some(event) = self.quorum.update(self.membership.voters()) {
            self.outbox.event(event);
        }
        let (have, size) = (self.quorum.have(), self.config.cluster_size);
        if size > 0
            && have > size as usize
            && let Some(warning) = self.warnings.cluster_larger(self.now, have, size)
        {
            self.outbox.event(warning);
        }
        self.locks.set_quorum(self.now, have, self.quorum.need(), &mut self.rng);
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

    /// A number that differs, in all likelihood, between two nodes that could behave differently
    /// from here on (their generators and keys aside). For comparing histories.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = SipHasher13::new();
        self.config.hash(&mut hasher);
        self.incarnation.hash(&mut hasher);
        self.now.hash(&mut hasher);
        self.phase.hash(&mut hasher);
        self.excused_until.hash(&mut hasher);
        self.clock.hash(&mut hasher);
        self.strangers.hash(&mut hasher);
        self.membership.hash(&mut hasher);
        self.profile.hash(&mut hasher);
        self.next_exchange.hash(&mut hasher);
        self.discovery.hash(&mut hasher);
        self.quorum.hash(&mut hasher);
        self.asks.hash(&mut hasher);
        self.locks.hash(&mut hasher);
        self.timers.hash(&mut hasher);
        self.silences.hash(&mut hasher);
        self.outbox.hash(&mut hasher);
        self.warnings.hash(&mut hasher);
        self.stats.hash(&mut hasher);
        hasher.finish()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, and why. Pure and O(1).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let own = self.timers.next().map(|(at, timer)| Deadline { at, reason: timer.reason() });
        let silence = self.silences.next().map(|(at, _)| Deadline { at, reason: Wakeup::Silence });
        let request = self.asks.next_timeout().map(|at| Deadline { at, reason: Wakeup::Request });
        // The first of those that are equal: its reason is the one to be told.
        [own, silence, request, self.next_lock_timeout()]
            .into_iter()
            .flatten()
            .min_by_key(|deadline| deadline.at)
    }

    /// When [`handle_timeout`](Self::handle_timeout) may next turn something away for want of a
    /// datagram: a member that was silent, a request, a lock call. Whatever has arrived by then is
    /// to be handed in first; before that moment `handle_timeout` only sends. Pure and O(1).
    #[must_use]
    pub fn poll_judgement(&self) -> Option<Instant> {
        let silence = self.silences.next().map(|(at, _)| at);
        let lock = self.next_lock_timeout().map(|deadline| deadline.at);
        [silence, self.asks.next_deadline(), lock].into_iter().flatten().min()
    }

    fn next_lock_timeout(&self) -> Option<Deadline> {
        self.locks.next_timeout().map(|at| Deadline { at, reason: Wakeup::Lock })
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
