//! One of the two nodes, with its program.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::{Key, Sealed};
use alan_proto::{
    Action, Config, HybridTime, Instant, LockId, Node, PeerEvent, Repeat, RequestId, ResponseCache,
    ResponseLimits,
};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::network::{Flight, Network};
use crate::watch::Watch;

/// How many answers are kept for requests that come again.
const KEPT: usize = 4;

/// The latest requests and calls that inputs can name.
const RECENT: usize = 8;

pub(super) struct Side {
    pub(super) at: SocketAddr,
    pub(super) node: Node<Sealed, ChaCha8Rng>,
    pub(super) watch: Watch,
    /// Requests that came and were not answered, with what they ask.
    pub(super) asked: Vec<(SocketAddr, RequestId, Vec<u8>)>,
    pub(super) requests: Vec<RequestId>,
    /// What each request of ours asks.
    pub(super) questions: BTreeMap<RequestId, Vec<u8>>,
    /// What was answered, for whoever asks again.
    answers: ResponseCache<Vec<u8>>,
    /// What was delivered to this life of those that are to be delivered once.
    delivered: BTreeSet<Vec<u8>>,
    /// Calls, and the step at which each was made.
    pub(super) locks: Vec<(LockId, u64)>,
    /// Since which step the other has been a member without a break.
    pub(super) sees_other_since: Option<u64>,
}

impl Side {
    pub(super) fn start(at: SocketAddr, cluster_size: u32, seed: u64, now: Instant) -> Self {
        let mut config = Config::default();
        config.cluster_size = cluster_size;
        config.heartbeat_interval = Duration::from_millis(100);
        config.heartbeat_timeout = Duration::from_millis(300);
        config.join_interval = Duration::from_secs(1);
        let envelope = Sealed::new(&Key::from_bytes(&[7; 32]).expect("32 bytes"));
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let node = Node::new(config, envelope, rng, now, HybridTime::from_micros(1));
        let mut limits = ResponseLimits::default();
        limits.answers = KEPT;
        Self {
            at,
            node: node.expect("it is valid"),
            watch: Watch::default(),
            asked: Vec::new(),
            requests: Vec::new(),
            questions: BTreeMap::new(),
            answers: ResponseCache::new(limits),
            delivered: BTreeSet::new(),
            locks: Vec::new(),
            sees_other_since: None,
        }
    }

    /// Fetches every action, and checks what must hold then.
    pub(super) fn fetch(
        &mut self,
        other: SocketAddr,
        now: Instant,
        step: u64,
        network: &mut Network,
    ) {
        let mut buffer = [0; 4_096];
        while let Some(action) = self.node.poll_action(&mut buffer) {
            self.watch.on_action(&action);
            match action {
                Action::Transmit(transmit) => {
                    let bytes = buffer[..transmit.len].to_vec();
                    network.send(Flight { from: self.at, to: transmit.to, bytes });
                }
                Action::TransmitRequest { request, to } => {
                    let question = &self.questions[&request];
                    let made = self.node.transmit_request(now, request, to, question, &mut buffer);
                    if let Some(transmit) = made {
                        assert!(self.watch.waits_for(request, to), "the request is over");
                        self.watch.transmitted += 1;
                        let bytes = buffer[..transmit.len].to_vec();
                        network.send(Flight { from: self.at, to: transmit.to, bytes });
                    }
                }
                Action::Peer(PeerEvent::Joined { peer, .. }) if peer == other => {
                    self.sees_other_since = Some(step);
                }
                Action::Peer(PeerEvent::Left { peer, .. }) => {
                    self.answers.peer_left(peer);
                    if peer == other {
                        self.sees_other_since = None;
                    }
                }
                _ => {}
            }
        }
        self.watch.check_bounds(&self.node);
        self.watch.check_drained(&self.node);
    }

    /// Whether this life has not been delivered this before; if so, it has now.
    pub(super) fn is_first(&mut self, payload: &[u8]) -> bool {
        self.delivered.insert(payload.to_vec())
    }

    pub(super) fn answered(&mut self, to: SocketAddr, request: RequestId, said: &[u8]) {
        self.answers.answered(to, request, said.to_vec());
    }

    /// A request has come again: gives the answer to be sent again, if there is one.
    pub(super) fn repeated(
        &mut self,
        now: Instant,
        from: SocketAddr,
        request: RequestId,
    ) -> Option<Vec<u8>> {
        match self.answers.repeated(from, request) {
            Repeat::Answer(said) => return Some(said.clone()),
            Repeat::Gone => self.node.reply_gone(now, from, request),
            Repeat::Working | Repeat::Abandoned => {}
        }
        None
    }

    pub(super) fn remember_call(&mut self, lock: LockId, step: u64) {
        if self.locks.len() >= RECENT {
            let watch = &self.watch;
            let held: Vec<_> = watch.held().map(|(lock, _)| lock).collect();
            if let Some(oldest) = self.locks.iter().position(|(lock, _)| !held.contains(lock)) {
                self.locks.remove(oldest);
            }
        }
        self.locks.push((lock, step));
    }

    /// The step at which a call was made, if that is remembered.
    pub(super) fn called(&self, lock: LockId) -> Option<u64> {
        self.locks.iter().find(|call| call.0 == lock).map(|call| call.1)
    }

    pub(super) fn remember_request(&mut self, request: RequestId) {
        if self.requests.len() == RECENT {
            self.requests.remove(0);
        }
        self.requests.push(request);
    }

    /// What the program was asked, the latest last.
    pub(super) fn remember_asked(&mut self, asked: (SocketAddr, RequestId, Vec<u8>)) {
        self.answers.opened(asked.0, asked.1);
        if self.asked.len() == RECENT {
            let (from, request, _) = self.asked.remove(0);
            self.answers.abandoned(from, request);
        }
        self.asked.push(asked);
    }
}
