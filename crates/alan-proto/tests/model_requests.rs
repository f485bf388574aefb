//! Requests against a map from each id to who has not answered, and until when it waits.

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::Plain;
use alan_proto::wire::{Control, Message};
use alan_proto::{
    Action, Config, Delivery, HybridTime, Instant, Node, RequestError, RequestEvent, RequestId,
};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use support::HandMadePeer;

const PEERS: u8 = 4;
/// The peers from this one on are extended.
const EXTENDED: u8 = 2;
const MOST_REQUESTS: usize = 3;
const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Clone, Copy, Debug)]
enum Input {
    Join(u8),
    Leave(u8),
    Ask {
        peer: u8,
        within: Option<u64>,
    },
    AskAll {
        within: Option<u64>,
    },
    /// Of the request asked so many before the last, over or not.
    Cancel(usize),
    /// To the same; from whomever.
    Response {
        from: u8,
        request: usize,
    },
    /// There is no answer any more, says whoever.
    Gone {
        from: u8,
        request: usize,
    },
    Pass(u64),
}

fn input() -> impl Strategy<Value = Input> {
    let peer = 0..PEERS;
    let within = prop::option::of(1u64..3_000);
    let request = 0usize..6;
    prop_oneof![
        3 => peer.clone().prop_map(Input::Join),
        1 => peer.clone().prop_map(Input::Leave),
        4 => (peer.clone(), within.clone()).prop_map(|(peer, within)| Input::Ask { peer, within }),
        3 => within.prop_map(|within| Input::AskAll { within }),
        1 => request.clone().prop_map(Input::Cancel),
        8 => (peer.clone(), request.clone())
            .prop_map(|(from, request)| Input::Response { from, request }),
        3 => (peer, request).prop_map(|(from, request)| Input::Gone { from, request }),
        3 => (0u64..2_000).prop_map(Input::Pass),
    ]
}

/// What a request came to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum End {
    Answered { from: SocketAddr, finished: bool },
    PeerLeft { peer: SocketAddr, finished: bool },
    Gone { peer: SocketAddr, finished: bool },
    TimedOut,
}

/// Who is waited for; and whether it was an extended member when it was asked, and so is asked
/// again.
type Waiting = BTreeMap<SocketAddr, bool>;

#[derive(Default)]
struct Model {
    /// And whether each is extended.
    members: BTreeMap<SocketAddr, bool>,
    pending: BTreeMap<RequestId, (Waiting, Option<Instant>)>,
}

impl Model {
    /// Nobody is waited for any longer that this strikes out; gives whether that is the end.
    fn strike(&mut self, request: RequestId, peer: SocketAddr) -> Option<bool> {
        let (waiting, _) = self.pending.get_mut(&request)?;
        waiting.remove(&peer)?;
        let finished = waiting.is_empty();
        if finished {
            self.pending.remove(&request);
        }
        Some(finished)
    }

    fn leaves(&mut self, peer: SocketAddr) -> Vec<(RequestId, End)> {
        if self.members.remove(&peer).is_none() {
            return Vec::new();
        }
        let pending: Vec<_> = self.pending.keys().copied().collect();
        let struck = pending.into_iter().filter_map(|request| {
            let finished = self.strike(request, peer)?;
            Some((request, End::PeerLeft { peer, finished }))
        });
        struck.collect()
    }

    /// Whether this request is sent to this member until it answers.
    fn is_repeated(&self, request: RequestId, peer: SocketAddr) -> bool {
        let waiting = self.pending.get(&request).and_then(|(waiting, _)| waiting.get(&peer));
        waiting.copied().unwrap_or(false)
    }

    fn passes(&mut self, now: Instant) -> Vec<(RequestId, End)> {
        let due = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        let over = self.pending.iter().filter(|(_, (_, deadline))| due(*deadline));
        let over: Vec<_> = over.map(|(request, _)| (*request, End::TimedOut)).collect();
        self.pending.retain(|_, (_, deadline)| !due(*deadline));
        over
    }
}

struct Bench {
    node: Node<Plain, ChaCha8Rng>,
    model: Model,
    now: Instant,
    asked: Vec<RequestId>,
    /// The latest life of each extended peer.
    lives: BTreeMap<SocketAddr, HandMadePeer>,
    started: u64,
}

impl Bench {
    fn new() -> Self {
        let mut config = Config::default();
        config.max_requests = u32::try_from(MOST_REQUESTS).expect("a few");
        // Nobody falls silent.
        (config.heartbeat_interval, config.heartbeat_timeout) = (HOUR, 24 * HOUR);
        let (now, rng) = (Instant::from_millis(1_000), ChaCha8Rng::seed_from_u64(1));
        let node = Node::new(config, Plain, rng, now, HybridTime::from_micros(1));
        Self {
            node: node.expect("a valid configuration"),
            model: Model::default(),
            now,
            asked: Vec::new(),
            lives: BTreeMap::new(),
            started: 0,
        }
    }

    fn apply(&mut self, input: Input) {
        let expected = match input {
            Input::Join(peer) => {
                self.join(peer);
                Vec::new()
            }
            Input::Leave(peer) => {
                self.leave(peer);
                self.model.leaves(address(peer))
            }
            Input::Ask { peer, within } => {
                self.ask(Some(address(peer)), within);
                Vec::new()
            }
            Input::AskAll { within } => {
                self.ask(None, within);
                Vec::new()
            }
            Input::Cancel(number) => {
                if let Some(request) = self.request(number) {
                    let pending = self.model.pending.remove(&request).is_some();
                    assert_eq!(self.node.cancel_request(request), pending);
                }
                Vec::new()
            }
            Input::Response { from, request } => {
                let request = self.request(request).unwrap_or(RequestId([9; 16]));
                let said = self.receive(from, &Message::Response { id: request, body: b"!" });
                let finished = self.model.strike(request, address(from));
                let from = address(from);
                let expected = finished.map(|finished| (request, End::Answered { from, finished }));
                assert_eq!(said, expected, "after {input:?}");
                Vec::new()
            }
            Input::Gone { from, request } => {
                let request = self.request(request).unwrap_or(RequestId([9; 16]));
                self.receive(from, &Message::ResponseGone { id: request });
                let peer = address(from);
                let counts =
                    self.model.members.contains_key(&peer) && self.model.is_repeated(request, peer);
                let finished = if counts { self.model.strike(request, peer) } else { None };
                finished
                    .map(|finished| (request, End::Gone { peer, finished }))
                    .into_iter()
                    .collect()
            }
            Input::Pass(millis) => {
                self.now = self.now + Duration::from_millis(millis);
                self.node.handle_timeout(self.now);
                self.model.passes(self.now)
            }
        };
        self.compare(input, expected);
    }

    fn join(&mut self, peer: u8) {
        let addr = address(peer);
        if self.model.members.contains_key(&addr) {
            return;
        }
        if peer < EXTENDED {
            self.receive(peer, &Message::Join(Control { port: 5000, block: None }));
        } else {
            self.started += 1;
            let mut life = HandMadePeer::new(addr, self.started);
            life.introduce_to(&mut self.node, self.now);
            self.lives.insert(addr, life);
        }
        assert!(self.node.member(addr).is_some());
        self.model.members.insert(addr, peer >= EXTENDED);
    }

    fn leave(&mut self, peer: u8) {
        if let Some(life) = self.lives.get_mut(&address(peer)) {
            let mut datagram = life.leave();
            assert_eq!(self.node.handle_datagram(self.now, address(peer), &mut datagram), None);
        } else {
            self.receive(peer, &Message::Leave(Control { port: 5000, block: None }));
        }
    }

    /// Asks one, or all members.
    fn ask(&mut self, whom: Option<SocketAddr>, within: Option<u64>) {
        let deadline = within.map(|millis| self.now + Duration::from_millis(millis));
        let mut buffer = [0; 4_096];
        let asked = if let Some(to) = whom {
            let asked = self.node.request(self.now, to, b"?", deadline, &mut buffer);
            asked.map(|(request, _)| Some(request))
        } else {
            self.node.request_all(self.now, 1, deadline)
        };
        let members = &self.model.members;
        let one = |to| [(to, members.get(&to).copied().unwrap_or(false))].into();
        let waiting: Waiting = whom.map_or_else(|| members.clone(), one);
        let full = self.model.pending.len() == MOST_REQUESTS;
        match asked {
            Ok(Some(request)) => {
                assert!(!full && !waiting.is_empty());
                assert!(self.model.pending.insert(request, (waiting, deadline)).is_none());
                self.asked.push(request);
            }
            Ok(None) => assert!(waiting.is_empty(), "there is nobody to ask"),
            Err(why) => {
                let limit = u32::try_from(MOST_REQUESTS).expect("a few");
                assert!(full && !waiting.is_empty());
                assert_eq!(why, RequestError::TooManyRequests { limit });
            }
        }
    }

    fn request(&self, number: usize) -> Option<RequestId> {
        self.asked.iter().rev().nth(number).copied()
    }

    fn receive(&mut self, from: u8, message: &Message<'_>) -> Option<(RequestId, End)> {
        let mut datagram = vec![0; message.encoded_len()];
        message.encode(&mut datagram);
        match self.node.handle_datagram(self.now, address(from), &mut datagram)? {
            Delivery::Response { request, from, finished, .. } => {
                Some((request, End::Answered { from, finished }))
            }
            other => panic!("nobody sent that: {other:?}"),
        }
    }

    fn compare(&mut self, input: Input, mut expected: Vec<(RequestId, End)>) {
        let mut buffer = [0; 4_096];
        let mut ends = Vec::new();
        while let Some(action) = self.node.poll_action(&mut buffer) {
            match action {
                Action::Request(event) => ends.push(end(event)),
                Action::TransmitRequest { request, to } => {
                    let sent = self.node.transmit_request(self.now, request, to, b"?", &mut buffer);
                    let first = matches!(input, Input::AskAll { .. });
                    let due = first || self.model.is_repeated(request, to);
                    assert!(due || sent.is_none(), "{request} to {to} is over, after {input:?}");
                }
                _ => {}
            }
        }
        // What one input ends, it ends in no order that matters.
        ends.sort_unstable();
        expected.sort_unstable();
        assert_eq!(ends, expected, "after {input:?}");
        assert_eq!(self.node.usage().requests, self.model.pending.len(), "after {input:?}");
    }
}

fn end(event: RequestEvent) -> (RequestId, End) {
    match event {
        RequestEvent::PeerLeft { request, peer, finished, .. } => {
            (request, End::PeerLeft { peer, finished })
        }
        RequestEvent::ResponseGone { request, peer, finished } => {
            (request, End::Gone { peer, finished })
        }
        RequestEvent::TimedOut { request } => (request, End::TimedOut),
        other => panic!("the node does not leave: {other:?}"),
    }
}

fn address(peer: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 2 + peer], 5000))
}

proptest! {
    #[test]
    fn a_request_waits_for_whom_it_asked_until_its_deadline_and_ends_once(
        inputs in prop::collection::vec(input(), 0..120),
    ) {
        let mut bench = Bench::new();
        for input in inputs {
            bench.apply(input);
        }
    }
}
