//! Ten thousand requests among three nodes, over a network that loses, repeats and reorders, to
//! handlers that keep few answers, one of which restarts on the way: each is answered or ends with
//! an error, and none is executed twice by one life of a node.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::AnyEnvelope;
use alan_proto::{
    Action, Config, Delivery, HybridTime, Incarnation, Instant, Node, PeerEvent, Repeat,
    RequestEvent, RequestId, ResponseCache, ResponseLimits,
};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use support::{TestNode, addr, plain, sealed};

const LOSS_PERCENT: u64 = 20;
const REPEAT_PERCENT: u64 = 10;

/// How many answers a handler keeps: about as many as it gives in a second.
const KEPT: usize = 100;

/// The pause between two requests.
const PAUSE: Duration = Duration::from_millis(4);

const PATIENCE: Duration = Duration::from_secs(30);

/// One node and its program.
struct Host {
    node: TestNode,
    questions: BTreeMap<RequestId, Vec<u8>>,
    answers: ResponseCache<Vec<u8>>,
}

#[derive(Clone)]
enum Happens {
    Arrives {
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    /// The handler of the node `at` has worked on a request.
    Done {
        at: SocketAddr,
        life: Incarnation,
        from: SocketAddr,
        request: RequestId,
    },
}

/// What became of requests.
#[derive(Default, Debug)]
struct Ends {
    answered: usize,
    gone: usize,
    left: usize,
    timed_out: usize,
    /// Their requester restarted.
    forgotten: usize,
}

struct World {
    seed: u64,
    now: Instant,
    generator: ChaCha8Rng,
    envelope: fn() -> AnyEnvelope,
    hosts: BTreeMap<SocketAddr, Host>,
    agenda: BTreeMap<(Instant, u64), Happens>,
    sequence: u64,
    loses: bool,
    /// By each life of a node.
    executed: BTreeSet<(Incarnation, RequestId)>,
    repeated: usize,
    pending: BTreeMap<RequestId, SocketAddr>,
    asked: usize,
    ends: Ends,
}

impl World {
    fn new(seed: u64, envelope: fn() -> AnyEnvelope) -> Self {
        Self {
            seed,
            now: Instant::from_millis(1_000),
            generator: ChaCha8Rng::seed_from_u64(seed),
            envelope,
            hosts: BTreeMap::new(),
            agenda: BTreeMap::new(),
            sequence: 0,
            loses: false,
            executed: BTreeSet::new(),
            repeated: 0,
            pending: BTreeMap::new(),
            asked: 0,
            ends: Ends::default(),
        }
    }

    fn percent(&mut self, share: u64) -> bool {
        self.generator.next_u64() % 100 < share
    }

    fn start(&mut self, at: SocketAddr) {
        let generator = ChaCha8Rng::seed_from_u64(self.generator.next_u64());
        let wall = HybridTime::from_micros(1_710_000_000_000_000 + self.now.as_micros());
        let node = Node::new(Config::default(), (self.envelope)(), generator, self.now, wall);
        let mut limits = ResponseLimits::default();
        limits.answers = KEPT;
        let host = Host {
            node: node.expect("a valid configuration"),
            questions: BTreeMap::new(),
            answers: ResponseCache::new(limits),
        };
        self.hosts.insert(at, host);
        let now = self.now;
        self.host(at).node.handle_discovery(now, &[1, 2, 3].map(addr));
        self.drain(at);
    }

    fn host(&mut self, at: SocketAddr) -> &mut Host {
        self.hosts.get_mut(&at).expect("it runs")
    }

    fn restart(&mut self, at: SocketAddr) {
        let before = self.pending.len();
        self.pending.retain(|_, requester| *requester != at);
        self.ends.forgotten += before - self.pending.len();
        self.start(at);
    }

    fn later(&mut self, pause: Duration, happens: Happens) {
        self.agenda.insert((self.now + pause, self.sequence), happens);
        self.sequence += 1;
    }

    fn micros(&mut self, most: u64) -> Duration {
        Duration::from_micros(self.generator.next_u64() % most)
    }

    /// Puts a datagram on the way: it may be lost, come twice, or overtake others.
    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if self.loses && self.percent(LOSS_PERCENT) {
            return;
        }
        let copies = 1 + u32::from(self.loses && self.percent(REPEAT_PERCENT));
        for _ in 0..copies {
            let late = self.loses && self.percent(5);
            let pause =
                Duration::from_millis(1) + self.micros(if late { 2_000_000 } else { 30_000 });
            self.later(pause, Happens::Arrives { from, to, bytes: bytes.to_vec() });
        }
    }

    /// A node asks a member, if it has one to ask.
    fn ask(&mut self) {
        let at = addr(1 + u8::try_from(self.generator.next_u64() % 3).expect("small"));
        let members: Vec<_> = self.host(at).node.members().map(|peer| peer.addr).collect();
        let draw = usize::try_from(self.generator.next_u64() % 2).expect("small");
        let Some(&to) = members.get(draw) else { return };
        let question = format!("question {}", self.asked).into_bytes();
        let (now, deadline, mut buffer) = (self.now, self.now + PATIENCE, [0; 4_096]);
        let host = self.host(at);
        let asked = host.node.request(now, to, &question, Some(deadline), &mut buffer);
        let (id, transmit) = asked.expect("few are under way");
        host.questions.insert(id, question);
        self.send(at, transmit.to, &buffer[..transmit.len]);
        self.pending.insert(id, at);
        self.asked += 1;
    }

    fn ended(&mut self, at: SocketAddr, id: RequestId) {
        let seed = self.seed;
        assert_eq!(self.pending.remove(&id), Some(at), "seed {seed}: a request ends once");
        self.host(at).questions.remove(&id);
    }

    fn arrives(&mut self, from: SocketAddr, to: SocketAddr, mut bytes: Vec<u8>) {
        let now = self.now;
        let delivery = self.host(to).node.handle_datagram(now, from, &mut bytes);
        match delivery {
            Some(Delivery::Request { from, request, .. }) => self.execute(to, from, request),
            Some(Delivery::Repeated { from, request }) => self.answer_again(to, from, request),
            Some(Delivery::Response { request, payload, .. }) => {
                assert_eq!(payload, request.0, "seed {}: the answer to this request", self.seed);
                self.ends.answered += 1;
                self.ended(to, request);
            }
            _ => {}
        }
        self.drain(to);
    }

    fn execute(&mut self, at: SocketAddr, from: SocketAddr, request: RequestId) {
        let life = self.host(at).node.incarnation();
        let first = self.executed.insert((life, request));
        assert!(first, "seed {}: {request} was executed twice", self.seed);
        self.host(at).answers.opened(from, request);
        let work = self.micros(60_000);
        self.later(work, Happens::Done { at, life, from, request });
    }

    fn answer_again(&mut self, at: SocketAddr, from: SocketAddr, request: RequestId) {
        self.repeated += 1;
        let (now, host) = (self.now, self.host(at));
        match host.answers.repeated(from, request) {
            Repeat::Answer(_) => self.reply(at, from, request),
            Repeat::Gone => host.node.reply_gone(now, from, request),
            Repeat::Working | Repeat::Abandoned => {}
        }
    }

    fn reply(&mut self, at: SocketAddr, to: SocketAddr, request: RequestId) {
        let (now, mut buffer) = (self.now, [0; 4_096]);
        let transmit = self.host(at).node.reply(now, to, request, &request.0, &mut buffer);
        let transmit = transmit.expect("it fits");
        self.send(at, transmit.to, &buffer[..transmit.len]);
    }

    fn drain(&mut self, at: SocketAddr) {
        let (now, mut buffer) = (self.now, [0; 4_096]);
        while let Some(action) = self.host(at).node.poll_action(&mut buffer) {
            match action {
                Action::Transmit(transmit) => self.send(at, transmit.to, &buffer[..transmit.len]),
                Action::TransmitRequest { request, to } => {
                    let Host { node, questions, .. } = self.host(at);
                    let question = &questions[&request];
                    let made = node.transmit_request(now, request, to, question, &mut buffer);
                    if let Some(transmit) = made {
                        self.send(at, transmit.to, &buffer[..transmit.len]);
                    }
                }
                Action::Peer(PeerEvent::Left { peer, .. }) => {
                    self.host(at).answers.peer_left(peer);
                }
                Action::Request(event) => self.fails(at, event),
                _ => {}
            }
        }
    }

    fn fails(&mut self, at: SocketAddr, event: RequestEvent) {
        let (end, request) = match event {
            RequestEvent::PeerLeft { request, .. } => (&mut self.ends.left, request),
            RequestEvent::TimedOut { request } => (&mut self.ends.timed_out, request),
            RequestEvent::ResponseGone { request, .. } => (&mut self.ends.gone, request),
            other => panic!("nobody closes: {other:?}"),
        };
        *end += 1;
        self.ended(at, request);
    }

    fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let due = self.hosts.values().filter_map(|host| host.node.poll_timeout());
            let due = due.map(|deadline| deadline.at).min();
            let first = self.agenda.keys().next().map(|(at, _)| *at);
            let Some(next) = due.into_iter().chain(first).min().filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            while let Some(entry) = self.agenda.first_entry()
                && entry.key().0 <= self.now
            {
                match entry.remove() {
                    Happens::Arrives { from, to, bytes } => self.arrives(from, to, bytes),
                    Happens::Done { at, life, from, request } => self.done(at, life, from, request),
                }
            }
            for at in [1, 2, 3].map(addr) {
                let now = self.now;
                self.host(at).node.handle_timeout(now);
                self.drain(at);
            }
        }
    }

    fn done(&mut self, at: SocketAddr, life: Incarnation, from: SocketAddr, request: RequestId) {
        if self.host(at).node.incarnation() == life {
            self.host(at).answers.answered(from, request, request.0.to_vec());
            self.reply(at, from, request);
        }
    }
}

fn ask_and_count(seed: u64, requests: usize, envelope: fn() -> AnyEnvelope) {
    let mut world = World::new(seed, envelope);
    for at in [1, 2, 3].map(addr) {
        world.start(at);
    }
    world.run_for(Duration::from_secs(1));
    world.loses = true;
    let mut restarts = [(requests / 3, 3), (requests * 2 / 3, 2)].into_iter().peekable();
    while world.asked < requests {
        if let Some((_, at)) = restarts.next_if(|(when, _)| world.asked >= *when) {
            world.restart(addr(at));
        }
        world.ask();
        world.run_for(PAUSE);
    }
    world.run_for(2 * PATIENCE);

    let Ends { answered, gone, left, timed_out, forgotten } = world.ends;
    let told = format!("seed {seed}: {:?}, {} repeated", world.ends, world.repeated);
    assert!(world.pending.is_empty(), "{told}: {} have not ended", world.pending.len());
    assert_eq!(answered + gone + left + timed_out + forgotten, requests, "{told}");
    assert!(answered * 5 > requests * 4, "{told}: retransmission is there to get answers");
    assert!(gone > 0 && left > 0 && forgotten > 0 && world.repeated > 0, "{told}: all of it");
}

#[test]
fn of_ten_thousand_requests_none_is_executed_twice_by_one_life_and_each_ends() {
    ask_and_count(1, 10_000, plain);
}

#[test]
fn sealed_requests_are_executed_once_by_one_life_too() {
    ask_and_count(2, 2_000, || sealed(1));
}
