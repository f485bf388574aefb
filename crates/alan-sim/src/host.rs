//! One machine: its clock, its node with the driver around it, and its user with what he has under
//! way. What happens to it is decided by the world; this is what it is.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::{AnyEnvelope, Key as Secret};
use alan_proto::{
    Config, HybridTime, Incarnation, Instant, LockId, Node, PeerInfo, RequestId, ResponseCache,
    Usage,
};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::check::{Pending, Waiting};
use crate::draw::Draws;
use crate::payload::Tag;
use crate::place::{Place, address_of, place_of, second_address_of};
use crate::plan::{FirstToRun, Key, Knows, NodePlan, Return};
use crate::time::{Clock, Moment, WallClock, micros};

/// The node that every adapter drives, too.
pub(crate) type SimNode = Node<AnyEnvelope, ChaCha8Rng>;

/// Purposes of what a seed draws for a machine, beside its place.
const CLOCK: u64 = 1 << 60;
const LAG: u64 = 2 << 60;
const LIFE: u64 = 3 << 60;

/// A lock call of the user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) lock: LockId,
    pub(crate) key: Key,
    pub(crate) tries: bool,
    pub(crate) since: Moment,
    pub(crate) hold: Duration,
    /// When it got the lock, in the order of all grants of the run.
    pub(crate) granted: Option<u64>,
}

/// A request of the user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) request: RequestId,
    pub(crate) since: Moment,
    pub(crate) deadline: Option<Instant>,
    /// What is asked, for when it has to be sent again.
    pub(crate) payload: [u8; Tag::LEN],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Down,
    Running,
    Paused(FirstToRun),
}

/// One machine.
#[derive(Debug)]
pub(crate) struct Host {
    place: Place,
    seed: u64,
    pub(crate) clock: Clock,
    pub(crate) wall: WallClock,
    /// It speaks as the Go library does.
    pub(crate) classic: bool,
    pub(crate) two_addresses: bool,
    pub(crate) state: State,
    pub(crate) node: Option<SimNode>,
    /// It has begun to say goodbye.
    pub(crate) leaving: bool,
    /// What follows when it has.
    pub(crate) back: Option<Return>,
    /// How often it was replaced at another address.
    pub(crate) moves: u8,
    /// How many nodes have been started here.
    pub(crate) lives: u16,
    pub(crate) knows: Knows,
    /// Datagrams in the socket.
    pub(crate) inbox: VecDeque<u32>,
    pub(crate) socket: usize,
    /// When its driver wakes next.
    pub(crate) wake_at: Option<Moment>,
    /// The node's deadline that `wake_at` takes into account.
    pub(crate) seen_deadline: Option<Instant>,
    lag: u64,
    lags: Draws,
    pub(crate) answers_after: Duration,
    pub(crate) calls: Vec<Call>,
    pub(crate) asked: Vec<Asked>,
    /// What the user has answered, for who asks again.
    pub(crate) answers: ResponseCache<[u8; Tag::LEN]>,
    /// Tasks of the user that a pause delays.
    pub(crate) deferred: Vec<u32>,
    tags: u32,
}

impl Host {
    pub(crate) fn new(place: Place, plan: &NodePlan, seed: u64) -> Self {
        let purpose = |what| what | u64::from(place.0);
        let offset = Draws::new(seed, purpose(CLOCK)).within(1_000..=1_000_000_000);
        Self {
            place,
            seed,
            clock: Clock::new(offset, plan.clock_rate),
            wall: WallClock::new(plan.wall_offset),
            classic: plan.classic,
            two_addresses: plan.two_addresses,
            state: State::Down,
            node: None,
            leaving: false,
            back: None,
            moves: 0,
            lives: 0,
            knows: plan.knows.clone(),
            inbox: VecDeque::new(),
            socket: plan.socket,
            wake_at: None,
            seen_deadline: None,
            lag: micros(plan.lag),
            lags: Draws::new(seed, purpose(LAG)),
            answers_after: plan.answers_after,
            calls: Vec::new(),
            asked: Vec::new(),
            answers: ResponseCache::default(),
            deferred: Vec::new(),
            tags: 0,
        }
    }

    /// Starts a node with empty memory; gives the name of its life.
    pub(crate) fn start(
        &mut self,
        now: Moment,
        config: &Config,
        key: Option<&Secret>,
    ) -> Incarnation {
        let life = LIFE | u64::from(self.lives) << 16 | u64::from(self.place.0);
        let rng = ChaCha8Rng::seed_from_u64(Draws::new(self.seed, life).next());
        let mut config = config.clone();
        config.speak_classic = self.classic;
        let (local, wall) = (self.clock.local(now), HybridTime::from_micros(self.wall_at(now)));
        let node = Node::new(config, AnyEnvelope::new(key), rng, local, wall);
        let node = node.expect("the plan's configuration is in range");
        let incarnation = node.incarnation();
        self.node = Some(node);
        self.state = State::Running;
        self.leaving = false;
        self.lives += 1;
        self.tags = 0;
        incarnation
    }

    /// The process is gone, with all that it knew.
    pub(crate) fn end(&mut self) {
        self.node = None;
        self.state = State::Down;
        (self.wake_at, self.seen_deadline) = (None, None);
        self.calls.clear();
        self.asked.clear();
        self.answers = ResponseCache::default();
    }

    /// What the machine's wall clock shows, in microseconds since 1970.
    pub(crate) const fn wall_at(&self, now: Moment) -> u64 {
        self.wall.at(now)
    }

    /// What the node's hybrid clock shows.
    pub(crate) fn hybrid_time(&self) -> Option<u64> {
        self.node.as_ref().map(|node| node.hybrid_time().as_micros())
    }

    pub(crate) const fn place(&self) -> Place {
        self.place
    }

    /// The present address, or the next one while nobody is there.
    pub(crate) const fn address(&self) -> SocketAddr {
        address_of(self.place, self.moves)
    }

    /// All present addresses.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> + use<> {
        let second = self.two_addresses.then(|| second_address_of(self.place, self.moves));
        std::iter::once(self.address()).chain(second)
    }

    /// From which address it sends to that one.
    pub(crate) fn source(&self, to: SocketAddr) -> SocketAddr {
        let odd = place_of(to).is_some_and(|(place, _)| place.0 % 2 == 1);
        if self.two_addresses && odd {
            second_address_of(self.place, self.moves)
        } else {
            self.address()
        }
    }

    /// Whether it is at this address now.
    pub(crate) fn is_at(&self, addr: SocketAddr) -> bool {
        self.node.is_some() && self.addresses().any(|own| own == addr)
    }

    /// Whether code runs there at this moment.
    pub(crate) fn runs(&self) -> bool {
        self.state == State::Running
    }

    /// Who is there, running or paused: after how many moves, in which life.
    pub(crate) fn present(&self) -> Option<(u8, Incarnation)> {
        self.node.as_ref().map(|node| (self.moves, node.incarnation()))
    }

    /// How full the node's tables are, if there is one.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.node.as_ref().map(SimNode::usage)
    }

    /// Whom the node has as members.
    pub(crate) fn members(&self) -> impl Iterator<Item = PeerInfo> + '_ {
        self.node.iter().flat_map(SimNode::members)
    }

    /// The user's valid guards of a key: when each was granted, in the order of all grants.
    pub(crate) fn guards(&self, key: Key) -> impl Iterator<Item = u64> + '_ {
        self.calls.iter().filter(move |call| call.key == key).filter_map(|call| call.granted)
    }

    /// What the user waits for: lock calls, and requests that should have ended at a deadline.
    pub(crate) fn pending(&self) -> impl Iterator<Item = Pending> + '_ {
        let node = self.place;
        let locks = self.calls.iter().filter(|call| call.granted.is_none()).map(move |call| {
            let what =
                if call.tries { Waiting::TryLock(call.key) } else { Waiting::Lock(call.key) };
            Pending { node, since: call.since, what }
        });
        let requests = self.asked.iter().filter(|asked| asked.deadline.is_some());
        let requests = requests.map(move |asked| Pending {
            node,
            since: asked.since,
            what: Waiting::Response(asked.request),
        });
        locks.chain(requests)
    }

    /// How late the driver wakes this time.
    pub(crate) const fn draw_lag(&mut self) -> u64 {
        if self.lag == 0 { 0 } else { self.lags.below(self.lag + 1) }
    }

    /// The mark of the user's next message.
    pub(crate) const fn next_tag(&mut self) -> Tag {
        let number = self.tags;
        self.tags += 1;
        Tag { node: self.place, life: self.lives - 1, number }
    }

    /// A call that thinks that it holds the key, where the node knows of fewer calls than the user.
    pub(crate) fn sharer(&self, key: Key) -> Option<LockId> {
        let known = self.usage()?.lock_callers;
        let holds = |call: &&Call| call.key == key && call.granted.is_some();
        let sharer = self.calls.iter().find(holds).map(|call| call.lock);
        sharer.filter(|_| self.calls.len() > known)
    }

    /// The calls that hold a lock, and which.
    pub(crate) fn held(&self) -> Vec<(LockId, Key)> {
        let holding = self.calls.iter().filter(|call| call.granted.is_some());
        holding.map(|call| (call.lock, call.key)).collect()
    }

    pub(crate) fn take_call(&mut self, lock: LockId) -> Option<Call> {
        let position = self.calls.iter().position(|call| call.lock == lock)?;
        Some(self.calls.remove(position))
    }

    pub(crate) fn forget_request(&mut self, request: RequestId) {
        self.asked.retain(|asked| asked.request != request);
    }
}
