//! One of the two nodes, with its program.

use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::{Key, Sealed};
use alan_proto::{Action, Config, Instant, LockId, Node, PeerEvent, RequestId};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::network::{Flight, Network};
use crate::watch::Watch;

/// The latest requests and calls that inputs can name.
const RECENT: usize = 8;

pub(super) struct Side {
    pub(super) at: SocketAddr,
    pub(super) node: Node<Sealed, ChaCha8Rng>,
    pub(super) watch: Watch,
    /// Requests that came and were not answered, with what they ask.
    pub(super) asked: Vec<(SocketAddr, RequestId, Vec<u8>)>,
    pub(super) requests: Vec<RequestId>,
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
        Self {
            at,
            node: Node::new(config, envelope, rng, now).expect("it is valid"),
            watch: Watch::default(),
            asked: Vec::new(),
            requests: Vec::new(),
            locks: Vec::new(),
            sees_other_since: None,
        }
    }

    /// Fetches every action, and checks what must hold then.
    pub(super) fn fetch(&mut self, other: SocketAddr, step: u64, network: &mut Network) {
        let mut buffer = [0; 4_096];
        while let Some(action) = self.node.poll_action(&mut buffer) {
            self.watch.on_action(&action);
            match action {
                Action::Transmit(transmit) => {
                    let bytes = buffer[..transmit.len].to_vec();
                    network.send(Flight { from: self.at, to: transmit.to, bytes });
                }
                Action::Peer(PeerEvent::Joined { peer, .. }) if peer == other => {
                    self.sees_other_since = Some(step);
                }
                Action::Peer(PeerEvent::Left { peer, .. }) if peer == other => {
                    self.sees_other_since = None;
                }
                _ => {}
            }
        }
        self.watch.check_bounds(&self.node);
        self.watch.check_drained(&self.node);
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
        if self.asked.len() == RECENT {
            self.asked.remove(0);
        }
        self.asked.push(asked);
    }
}
