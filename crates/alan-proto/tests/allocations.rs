//! After warm-up no datagram costs an allocation, in or out, plain or sealed: a hub with a hundred
//! members and all of these, which are nodes like it.

mod support;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::AnyEnvelope;
use alan_proto::{
    Action, Config, Delivery, HybridTime, Instant, LockEvent, LockId, Node, RequestId,
};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use support::{TestNode, addr, plain, sealed};

const PEERS: u8 = 100;
const HUB: usize = 0;
/// A node that hears nothing, and so never becomes a member.
const STRANGER: usize = 1 + PEERS as usize;
const LONGEST: usize = 1_400;
const LATENCY: Duration = Duration::from_millis(1);

struct Flight {
    from: usize,
    to: usize,
    len: usize,
    bytes: [u8; LONGEST],
}

/// The nodes by number, and a wire between the hub and each of the others. Nothing in it allocates
/// once it has grown.
struct Bench {
    nodes: Vec<TestNode>,
    now: Instant,
    wire: VecDeque<Flight>,
    buffer: Vec<u8>,
    /// A JOIN of the stranger.
    knock: Vec<u8>,
    /// What this node sends is lost.
    mute: Option<usize>,
    /// Responses of requests that come again are sent from the second time on.
    loses_first_answer: bool,
    granted: u64,
    answered: u64,
    repeated: u64,
    messages: u64,
}

fn number(at: SocketAddr) -> usize {
    let SocketAddr::V4(v4) = at else { unreachable!("all addresses are IPv4") };
    usize::from(v4.ip().octets()[3]) - 1
}

fn address(number: usize) -> SocketAddr {
    addr(u8::try_from(number + 1).expect("some hundred"))
}

impl Bench {
    fn new(envelope: fn() -> AnyEnvelope) -> Self {
        let now = Instant::from_millis(1_000);
        let start = |number: usize| {
            let mut config = Config::default();
            // The others hear of each other, and have no room to look for each other.
            config.max_candidates = if number == HUB { 1_000 } else { 1 };
            config.name = format!("node {number}");
            let generator = ChaCha8Rng::seed_from_u64(number as u64);
            let wall = HybridTime::from_micros(1_710_000_000_000_000);
            Node::new(config, envelope(), generator, now, wall).expect("valid")
        };
        let mut bench = Self {
            nodes: (0..=STRANGER).map(start).collect(),
            now,
            wire: VecDeque::with_capacity(1_024),
            buffer: vec![0; 4_096],
            knock: Vec::new(),
            mute: None,
            loses_first_answer: false,
            granted: 0,
            answered: 0,
            repeated: 0,
            messages: 0,
        };
        bench.nodes[STRANGER].handle_discovery(now, &[address(HUB)]);
        bench.drain(STRANGER);
        let join = bench.wire.pop_front().expect("it asks to join");
        bench.knock = join.bytes[..join.len].to_vec();
        let peers: Vec<_> = Self::peers().map(address).collect();
        bench.nodes[HUB].handle_discovery(now, &peers);
        bench.drain(HUB);
        bench.run_for(Duration::from_secs(12));
        bench.check_members();
        bench
    }

    fn peers() -> impl Iterator<Item = usize> {
        1..=usize::from(PEERS)
    }

    fn check_members(&self) {
        assert_eq!(self.nodes[HUB].peer_count(), usize::from(PEERS));
        for peer in Self::peers() {
            assert_eq!(self.nodes[peer].peer_count(), 1, "of {peer}");
        }
    }

    fn received(&self) -> u64 {
        self.nodes.iter().map(|node| node.stats().received).sum()
    }

    /// Puts what stands in the buffer on the wire.
    fn send(&mut self, from: usize, to: SocketAddr, len: usize) {
        let to = number(to);
        if (from == HUB || to == HUB) && to != STRANGER && self.mute != Some(from) {
            let mut bytes = [0; LONGEST];
            bytes[..len].copy_from_slice(&self.buffer[..len]);
            self.wire.push_back(Flight { from, to, len, bytes });
        }
    }

    /// Carries out what a node wants done.
    fn drain(&mut self, at: usize) {
        while let Some(action) = self.nodes[at].poll_action(&mut self.buffer) {
            match action {
                Action::Transmit(transmit) => self.send(at, transmit.to, transmit.len),
                Action::TransmitRequest { request, to } => {
                    let (node, buffer) = (&mut self.nodes[at], &mut self.buffer);
                    let made = node.transmit_request(self.now, request, to, &[1; 64], buffer);
                    if let Some(transmit) = made {
                        self.send(at, transmit.to, transmit.len);
                    }
                }
                Action::Lock(LockEvent::Granted { .. }) => self.granted += 1,
                _ => {}
            }
        }
    }

    fn arrive(&mut self, mut flight: Flight) {
        let Flight { from, to: at, len, ref mut bytes } = flight;
        let node = &mut self.nodes[at];
        let reply = match node.handle_datagram(self.now, address(from), &mut bytes[..len]) {
            Some(Delivery::Request { from, request, .. }) if !self.loses_first_answer => {
                Some((from, request))
            }
            Some(Delivery::Repeated { from, request }) => {
                self.repeated += 1;
                Some((from, request))
            }
            Some(Delivery::Response { .. }) => {
                self.answered += 1;
                None
            }
            Some(Delivery::Message { .. }) => {
                self.messages += 1;
                None
            }
            _ => None,
        };
        if let Some((to, request)) = reply {
            self.reply(at, to, request);
        }
        self.drain(at);
    }

    fn reply(&mut self, at: usize, to: SocketAddr, request: RequestId) {
        let (now, node) = (self.now, &mut self.nodes[at]);
        let made = node.reply(now, to, request, &[4; 64], &mut self.buffer);
        let transmit = made.expect("it fits");
        self.send(at, transmit.to, transmit.len);
    }

    fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            let due = self.nodes.iter().filter_map(Node::poll_timeout);
            let due = due.map(|deadline| deadline.at).min().unwrap_or(end);
            let soon = self.now + LATENCY;
            self.now = if self.wire.is_empty() { due.max(soon) } else { soon }.min(end);
            for _ in 0..self.wire.len() {
                let flight = self.wire.pop_front().expect("counted");
                self.arrive(flight);
            }
            for at in 0..self.nodes.len() {
                if self.nodes[at].poll_timeout().is_some_and(|deadline| deadline.at <= self.now) {
                    self.nodes[at].handle_timeout(self.now);
                    self.drain(at);
                }
            }
        }
    }

    /// One of everything, with every peer.
    fn round(&mut self, kind: Kind) {
        match kind {
            Kind::Data => self.data(),
            Kind::Request => self.request(),
            Kind::Heartbeat => self.run_for(Duration::from_secs(12)),
            Kind::Silence => self.silence(),
            Kind::Stranger => self.stranger(),
            Kind::LockGrantor => self.grant_locks(),
            Kind::LockRequester => self.take_lock(),
        }
        self.check_members();
    }

    fn data(&mut self) {
        let before = self.messages;
        let now = self.now;
        let len = self.nodes[HUB].broadcast(now, &[1; 64], &mut self.buffer).expect("no gate");
        for peer in Self::peers() {
            self.send(HUB, address(peer), len);
        }
        for peer in Self::peers() {
            for (from, to, len) in [(HUB, peer, 1_200), (peer, HUB, 64)] {
                let node = &mut self.nodes[from];
                let sent = node.send_to(now, address(to), &[1; 1_200][..len], &mut self.buffer);
                let transmit = sent.expect("it fits");
                self.send(from, transmit.to, transmit.len);
            }
        }
        self.run_for(LATENCY * 2);
        assert_eq!(self.messages - before, 3 * u64::from(PEERS));
    }

    /// Everybody asks everybody, and most are asked again, and answered again.
    fn request(&mut self) {
        let (answered, repeated) = (self.answered, self.repeated);
        let now = self.now;
        let deadline = Some(now + Duration::from_secs(60));
        self.loses_first_answer = true;
        for peer in Self::peers() {
            for (from, to) in [(HUB, peer), (peer, HUB)] {
                let node = &mut self.nodes[from];
                let made = node.request(now, address(to), &[1; 64], deadline, &mut self.buffer);
                let (_, transmit) = made.expect("there is room");
                self.send(from, transmit.to, transmit.len);
            }
        }
        self.nodes[HUB].request_all(now, 64, deadline).expect("there is room");
        self.drain(HUB);
        self.run_for(Duration::from_secs(2));
        self.loses_first_answer = false;
        assert_eq!(self.answered - answered, 3 * u64::from(PEERS));
        assert_eq!(self.repeated - repeated, 3 * u64::from(PEERS));
        assert!(self.nodes.iter().all(|node| node.usage().requests == 0));
    }

    /// A member is not heard for so long that it is probed, directly and through others.
    fn silence(&mut self) {
        for peer in Self::peers().take(2) {
            self.mute = Some(peer);
            while self.silent_for(peer) < Duration::from_secs(14) {
                self.run_for(Duration::from_millis(100));
            }
            self.mute = None;
            self.run_for(Duration::from_secs(2));
        }
    }

    fn silent_for(&self, peer: usize) -> Duration {
        let member = self.nodes[HUB].member(address(peer)).expect("it is still a member");
        self.now.saturating_since(member.last_heard)
    }

    /// Somebody asks to join and never proves itself.
    fn stranger(&mut self) {
        for _ in 0..100 {
            let mut bytes = [0; LONGEST];
            let len = self.knock.len();
            bytes[..len].copy_from_slice(&self.knock);
            self.arrive(Flight { from: STRANGER, to: HUB, len, bytes });
        }
        self.run_for(Duration::from_secs(1));
    }

    fn lock(&mut self, at: usize, key: &str, tries: bool) -> LockId {
        let call = if tries { Node::try_lock } else { Node::lock };
        let lock = call(&mut self.nodes[at], self.now, key, None).expect("there is room");
        self.drain(at);
        lock
    }

    fn release(&mut self, at: usize, lock: LockId) {
        self.nodes[at].release(self.now, lock).expect("it is held");
        self.drain(at);
    }

    /// Each peer asks for the same lock; the first gets it, the others are denied.
    fn grant_locks(&mut self) {
        let granted = self.granted;
        let held = self.lock(1, "shared", false);
        self.run_for(LATENCY * 4);
        for peer in Self::peers().skip(1) {
            self.lock(peer, "shared", true);
        }
        self.run_for(Duration::from_secs(1));
        assert_eq!(self.granted - granted, 1);
        self.release(1, held);
        self.run_for(Duration::from_secs(1));
        self.check_locks();
    }

    /// The hub takes a lock that one peer denies at first.
    fn take_lock(&mut self) {
        let granted = self.granted;
        let held = self.lock(1, "mine", false);
        self.run_for(LATENCY * 4);
        let waits = self.lock(HUB, "mine", false);
        self.run_for(Duration::from_secs(1));
        assert_eq!(self.granted - granted, 1);
        self.release(1, held);
        self.run_for(Duration::from_secs(5));
        assert_eq!(self.granted - granted, 2);
        self.release(HUB, waits);
        self.run_for(Duration::from_secs(1));
        self.check_locks();
    }

    fn check_locks(&self) {
        for node in &self.nodes {
            assert_eq!((node.usage().locks, node.usage().lock_callers), (0, 0));
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Data,
    Request,
    Heartbeat,
    Silence,
    Stranger,
    LockGrantor,
    LockRequester,
}

const KINDS: [Kind; 7] = [
    Kind::Data,
    Kind::Request,
    Kind::Heartbeat,
    Kind::Silence,
    Kind::Stranger,
    Kind::LockGrantor,
    Kind::LockRequester,
];

fn no_allocation_after_warm_up(envelope: fn() -> AnyEnvelope) {
    let mut bench = Bench::new(envelope);
    for kind in KINDS.repeat(4) {
        bench.round(kind);
    }
    for kind in KINDS {
        let before = bench.received();
        let mut rounds = 0;
        let info = allocation_counter::measure(|| {
            while bench.received() - before < 1_000 {
                bench.round(kind);
                rounds += 1;
            }
        });
        let datagrams = bench.received() - before;
        assert_eq!(info.count_total, 0, "{kind:?}: in {datagrams} datagrams, {rounds} rounds");
    }
}

#[test]
fn plain_datagrams_cost_no_allocation_after_warm_up() {
    no_allocation_after_warm_up(plain);
}

#[test]
fn sealed_datagrams_cost_no_allocation_after_warm_up() {
    no_allocation_after_warm_up(|| sealed(1));
}

#[test]
fn the_counter_sees_an_allocation() {
    let info = allocation_counter::measure(|| drop(std::hint::black_box(vec![1u8; 64])));
    assert_eq!(info.count_total, 1);
}
