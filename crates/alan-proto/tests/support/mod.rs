//! A handful of nodes on a virtual network in virtual time: jumps from one event to the next.
#![allow(dead_code, reason = "each test file uses its own part of this")]

mod hand_made;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::{AnyEnvelope, Key, Plain, Sealed};
use alan_proto::wire::{Control, Message, SessionBlock, Settings, Times, View};
use alan_proto::{
    Action, Config, Delivery, HybridTime, Incarnation, Instant, Node, PeerEvent, Repeat,
    RequestEvent, RequestId, ResponseCache, ResponseLimits,
};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

#[allow(unused_imports, reason = "each test file uses its own part of this")]
pub(crate) use hand_made::HandMadePeer;

pub(crate) type TestNode = Node<AnyEnvelope, ChaCha8Rng>;

/// A delivery that owns its payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Delivered {
    Message { from: SocketAddr, payload: Vec<u8> },
    Request { from: SocketAddr, request: RequestId, payload: Vec<u8> },
    Response { request: RequestId, from: SocketAddr, payload: Vec<u8>, finished: bool },
    Repeated { from: SocketAddr, request: RequestId },
}

pub(crate) struct Running {
    pub(crate) node: TestNode,
    /// Everything but datagrams that the node wanted done.
    pub(crate) actions: Vec<Action>,
    pub(crate) deliveries: Vec<Delivered>,
    /// The payloads of its requests, which members may get more than once.
    payloads: BTreeMap<RequestId, Vec<u8>>,
    /// What it has answered, for those who ask again.
    pub(crate) answers: ResponseCache<Vec<u8>>,
}

/// A datagram on its way or past.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Datagram {
    pub(crate) at: Instant,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct Cluster {
    pub(crate) now: Instant,
    pub(crate) nodes: BTreeMap<SocketAddr, Running>,
    /// Everything that was sent, delivered or not.
    pub(crate) sent: Vec<Datagram>,
    /// Datagrams for which this says false are lost.
    pub(crate) passes: Box<dyn FnMut(&Datagram) -> bool>,
    pub(crate) latency: Duration,
    /// Which of its addresses a node sends from: given its first one, and where it sends to.
    pub(crate) source: Box<dyn Fn(SocketAddr, SocketAddr) -> SocketAddr>,
    /// Further addresses at which nodes are reached, each with the node's first one.
    pub(crate) also_at: BTreeMap<SocketAddr, SocketAddr>,
    /// Nodes whose process is stopped, each with what waits in its socket.
    stopped: BTreeMap<SocketAddr, Vec<Datagram>>,
    wire: BTreeMap<(Instant, u64), Datagram>,
    sequence: u64,
    seed: u64,
}

pub(crate) fn addr(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], 5000))
}

pub(crate) fn sealed(byte: u8) -> AnyEnvelope {
    AnyEnvelope::Sealed(Sealed::new(&Key::from_bytes(&[byte; 32]).expect("32 bytes")))
}

pub(crate) fn plain() -> AnyEnvelope {
    AnyEnvelope::Plain(Plain)
}

impl Cluster {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            now: Instant::from_millis(1_000),
            nodes: BTreeMap::new(),
            sent: Vec::new(),
            passes: Box::new(|_| true),
            latency: Duration::from_millis(1),
            source: Box::new(|node, _| node),
            also_at: BTreeMap::new(),
            stopped: BTreeMap::new(),
            wire: BTreeMap::new(),
            sequence: 0,
            seed,
        }
    }

    pub(crate) fn start_with(&mut self, at: SocketAddr, config: Config, envelope: AnyEnvelope) {
        self.start_at(self.wall(), at, config, envelope);
    }

    /// Starts a node whose machine has this wall clock.
    pub(crate) fn start_at(
        &mut self,
        wall: HybridTime,
        at: SocketAddr,
        config: Config,
        envelope: AnyEnvelope,
    ) {
        self.seed += 1;
        let generator = ChaCha8Rng::seed_from_u64(self.seed);
        let node =
            Node::new(config, envelope, generator, self.now, wall).expect("a valid configuration");
        let running = Running {
            node,
            actions: Vec::new(),
            deliveries: Vec::new(),
            payloads: BTreeMap::new(),
            answers: ResponseCache::new(ResponseLimits::default()),
        };
        self.nodes.insert(at, running);
        self.drain(at);
    }

    /// The wall clock of all machines: the virtual time since some day of 2024.
    pub(crate) fn wall(&self) -> HybridTime {
        HybridTime::from_micros(1_710_000_000_000_000 + self.now.as_micros())
    }

    pub(crate) fn start(&mut self, at: SocketAddr) {
        self.start_with(at, Config::default(), plain());
    }

    /// Starts nodes at 127.0.0.1 … `count` that all discover each other, and lets them meet.
    pub(crate) fn start_mesh(&mut self, count: u8, config: &Config) {
        self.start_mesh_of(count, config, plain);
    }

    pub(crate) fn start_mesh_of(
        &mut self,
        count: u8,
        config: &Config,
        envelope: impl Fn() -> AnyEnvelope,
    ) {
        let all: Vec<_> = (1..=count).map(addr).collect();
        for &at in &all {
            self.start_with(at, config.clone(), envelope());
        }
        for &at in &all {
            self.discover(at, &all);
        }
        self.run_for(Duration::from_millis(50));
    }

    pub(crate) fn discover(&mut self, at: SocketAddr, addresses: &[SocketAddr]) {
        self.with(at, |node, now, _| node.handle_discovery(now, addresses));
    }

    /// Stops the node's process: what arrives waits in its socket.
    pub(crate) fn stop(&mut self, at: SocketAddr) {
        self.stopped.insert(at, Vec::new());
    }

    /// Lets the node's process go on: it reads what waits, and then does what is due.
    pub(crate) fn resume(&mut self, at: SocketAddr) {
        for datagram in self.stopped.remove(&at).unwrap_or_default() {
            self.arrive(datagram);
        }
    }

    /// Takes what waits in the socket of a stopped node away from it.
    pub(crate) fn lose_waiting(&mut self, at: SocketAddr) -> usize {
        self.stopped.get_mut(&at).map(std::mem::take).unwrap_or_default().len()
    }

    pub(crate) fn crash(&mut self, at: SocketAddr) -> Running {
        self.nodes.remove(&at).expect("it runs")
    }

    pub(crate) fn node(&self, at: SocketAddr) -> &TestNode {
        &self.nodes[&at].node
    }

    /// How this node's requests went on without an answer.
    pub(crate) fn request_events(&self, at: SocketAddr) -> Vec<RequestEvent> {
        let events = self.nodes[&at].actions.iter().filter_map(|action| match action {
            Action::Request(event) => Some(*event),
            _ => None,
        });
        events.collect()
    }

    pub(crate) fn members(&self, at: SocketAddr) -> Vec<SocketAddr> {
        let mut members: Vec<_> = self.node(at).members().map(|peer| peer.addr).collect();
        members.sort();
        members
    }

    /// Calls into a node and carries out what it wants done.
    pub(crate) fn with<T>(
        &mut self,
        at: SocketAddr,
        call: impl FnOnce(&mut TestNode, Instant, &mut [u8]) -> T,
    ) -> T {
        let mut buffer = vec![0; 65_535];
        let running = self.nodes.get_mut(&at).expect("it runs");
        let result = call(&mut running.node, self.now, &mut buffer);
        self.drain(at);
        result
    }

    /// Puts bytes on the wire, whoever really sent them.
    pub(crate) fn inject(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let datagram = Datagram { at: self.now, from, to, bytes: bytes.to_vec() };
        self.sequence += 1;
        self.sent.push(datagram.clone());
        if (self.passes)(&datagram) {
            self.wire.insert((self.now + self.latency, self.sequence), datagram);
        }
    }

    pub(crate) fn send_to(&mut self, at: SocketAddr, to: SocketAddr, payload: &[u8]) {
        let (to, bytes) = self.with(at, |node, now, buffer| {
            let transmit = node.send_to(now, to, payload, buffer).expect("it can be sent");
            (transmit.to, buffer[..transmit.len].to_vec())
        });
        self.send(at, to, &bytes);
    }

    pub(crate) fn request(
        &mut self,
        at: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
        deadline: Option<Instant>,
    ) -> RequestId {
        let (id, to, bytes) = self.with(at, |node, now, buffer| {
            let (id, transmit) =
                node.request(now, to, payload, deadline, buffer).expect("it can be sent");
            (id, transmit.to, buffer[..transmit.len].to_vec())
        });
        self.send(at, to, &bytes);
        self.nodes.get_mut(&at).expect("it runs").payloads.insert(id, payload.to_vec());
        id
    }

    pub(crate) fn request_all(
        &mut self,
        at: SocketAddr,
        payload: &[u8],
        deadline: Option<Instant>,
    ) -> Option<RequestId> {
        let running = self.nodes.get_mut(&at).expect("it runs");
        let id = running.node.request_all(self.now, payload.len(), deadline).expect("allowed");
        if let Some(id) = id {
            running.payloads.insert(id, payload.to_vec());
        }
        self.drain(at);
        id
    }

    pub(crate) fn reply(
        &mut self,
        at: SocketAddr,
        to: SocketAddr,
        request: RequestId,
        payload: &[u8],
    ) {
        let (path, bytes) = self.with(at, |node, now, buffer| {
            let transmit = node.reply(now, to, request, payload, buffer).expect("it can be sent");
            (transmit.to, buffer[..transmit.len].to_vec())
        });
        self.send(at, path, &bytes);
        let running = self.nodes.get_mut(&at).expect("it runs");
        running.answers.answered(to, request, payload.to_vec());
    }

    fn drain(&mut self, at: SocketAddr) {
        let mut buffer = vec![0; 65_535];
        let running = self.nodes.get_mut(&at).expect("it runs");
        let mut out = Vec::new();
        while let Some(action) = running.node.poll_action(&mut buffer) {
            match action {
                Action::Transmit(transmit) => {
                    out.push((transmit.to, buffer[..transmit.len].to_vec()));
                }
                Action::TransmitRequest { request, to } => {
                    let payload = running.payloads.get(&request).cloned().unwrap_or_default();
                    let made =
                        running.node.transmit_request(self.now, request, to, &payload, &mut buffer);
                    if let Some(transmit) = made {
                        out.push((transmit.to, buffer[..transmit.len].to_vec()));
                    }
                }
                Action::Peer(event) => {
                    if matches!(event, PeerEvent::Left { .. }) {
                        running.answers.peer_left(event.peer());
                    }
                    running.actions.push(action);
                }
                other => running.actions.push(other),
            }
        }
        for (to, bytes) in out {
            self.send(at, to, &bytes);
        }
    }

    fn send(&mut self, at: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let from = (self.source)(at, to);
        self.inject(from, to, bytes);
    }

    fn is_due(&self, at: SocketAddr, running: &Running) -> bool {
        let deadline = running.node.poll_timeout();
        deadline.is_some_and(|deadline| deadline.at <= self.now) && !self.stopped.contains_key(&at)
    }

    /// The next moment at which anything happens.
    fn next_moment(&self) -> Option<Instant> {
        let arrival = self.wire.keys().next().map(|(at, _)| *at);
        let awake = self.nodes.iter().filter(|(at, _)| !self.stopped.contains_key(at));
        let timeouts = awake.filter_map(|(_, running)| running.node.poll_timeout());
        timeouts.map(|deadline| deadline.at).chain(arrival).min()
    }

    /// Carries out everything that happens at the next moment, arrivals first; false if that is
    /// after `end`.
    pub(crate) fn step(&mut self, end: Instant) -> bool {
        let Some(moment) = self.next_moment().filter(|moment| *moment <= end) else {
            self.now = self.now.max(end);
            return false;
        };
        self.now = self.now.max(moment);
        while let Some(entry) = self.wire.first_entry()
            && entry.key().0 <= self.now
        {
            let datagram = entry.remove();
            self.arrive(datagram);
        }
        let nodes = self.nodes.iter();
        let due = nodes.filter(|(at, running)| self.is_due(**at, running)).map(|(at, _)| *at);
        let due: Vec<_> = due.collect();
        for at in due {
            self.with(at, |node, now, _| node.handle_timeout(now));
        }
        true
    }

    fn arrive(&mut self, mut datagram: Datagram) {
        let at = *self.also_at.get(&datagram.to).unwrap_or(&datagram.to);
        if let Some(waiting) = self.stopped.get_mut(&at) {
            return waiting.push(datagram);
        }
        let Some(running) = self.nodes.get_mut(&at) else {
            return;
        };
        let delivery = running.node.handle_datagram(self.now, datagram.from, &mut datagram.bytes);
        let delivered = delivery.map(|delivery| match delivery {
            Delivery::Message { from, payload } => {
                Delivered::Message { from, payload: payload.to_vec() }
            }
            Delivery::Request { from, request, payload } => {
                Delivered::Request { from, request, payload: payload.to_vec() }
            }
            Delivery::Response { request, from, payload, finished } => {
                Delivered::Response { request, from, payload: payload.to_vec(), finished }
            }
            Delivery::Repeated { from, request } => Delivered::Repeated { from, request },
            other => panic!("a delivery that this test does not know: {other:?}"),
        });
        match &delivered {
            Some(Delivered::Request { from, request, .. }) => {
                running.answers.opened(*from, *request);
            }
            Some(Delivered::Repeated { from, request }) => {
                let (from, request) = (*from, *request);
                self.answer_again(at, from, request);
                return;
            }
            _ => {}
        }
        running.deliveries.extend(delivered);
        self.drain(at);
    }

    fn answer_again(&mut self, at: SocketAddr, to: SocketAddr, request: RequestId) {
        let running = self.nodes.get_mut(&at).expect("it runs");
        match running.answers.repeated(to, request) {
            Repeat::Answer(payload) => {
                let payload = payload.clone();
                self.reply(at, to, request, &payload);
            }
            Repeat::Gone => {
                running.node.reply_gone(self.now, to, request);
                self.drain(at);
            }
            _ => self.drain(at),
        }
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
    }

    /// Runs until the condition holds; panics with `what` if it does not within a minute.
    pub(crate) fn run_until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let end = self.now + Duration::from_secs(60);
        while !holds(self) {
            assert!(self.step(end), "not within a minute: {what}");
        }
    }
}

pub(crate) fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = vec![0; message.encoded_len()];
    message.encode(&mut bytes);
    bytes
}

/// The block of a node that lives under this incarnation and has heard of nobody.
pub(crate) fn block(incarnation: u64) -> SessionBlock {
    let incarnation = Incarnation::new(incarnation).expect("not zero");
    SessionBlock::new(incarnation, Times::default(), View::default(), Settings::default())
}

pub(crate) fn control(incarnation: Option<u64>) -> Control {
    Control { port: 5000, block: incarnation.map(block) }
}

pub(crate) fn join(incarnation: Option<u64>) -> Vec<u8> {
    encoded(&Message::Join(control(incarnation)))
}

pub(crate) fn heartbeat(incarnation: Option<u64>) -> Vec<u8> {
    encoded(&Message::Heartbeat(control(incarnation)))
}

pub(crate) fn leave(incarnation: Option<u64>) -> Vec<u8> {
    encoded(&Message::Leave(control(incarnation)))
}
