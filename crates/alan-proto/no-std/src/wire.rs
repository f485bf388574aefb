//! Two nodes, and the wire between them: what one transmits the other receives at once.

use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use alan_proto::envelope::AnyEnvelope;
use alan_proto::{
    Action, Config, Delivery, HybridTime, Instant, LockEvent, LockId, Node, Transmit,
};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

/// An index into the two nodes.
const ALICE: usize = 0;
const BOB: usize = 1;

/// How far the clock goes from one datagram to the next.
const LATENCY: Duration = Duration::from_millis(1);

/// More turns than any of the conversations takes: a wire that is still busy after these is stuck.
const MOST_TURNS: usize = 1_000;

struct End {
    addr: SocketAddr,
    node: Node<AnyEnvelope, ChaCha8Rng>,
    granted: Vec<LockId>,
    heard: Vec<Vec<u8>>,
    closed: bool,
}

/// See the module.
pub(crate) struct Wire {
    ends: [End; 2],
    now: Instant,
    buffer: Vec<u8>,
    datagrams: usize,
}

impl Wire {
    /// Two nodes that have not met. The generators repeat from run to run: what is shown here is
    /// that it runs, not that it is secret.
    pub(crate) fn new(envelope: impl Fn() -> AnyEnvelope) -> Self {
        let now = Instant::from_millis(1);
        let end = |number: u8| {
            let mut config = Config::default();
            config.cluster_size = 2;
            let generator = ChaCha8Rng::from_seed([number; 32]);
            let addr = SocketAddr::from((Ipv4Addr::new(127, 0, 0, number), config.port));
            let wall = HybridTime::from_micros(1);
            let node = Node::new(config, envelope(), generator, now, wall);
            End {
                addr,
                node: node.expect("defaults are valid"),
                granted: Vec::new(),
                heard: Vec::new(),
                closed: false,
            }
        };
        let buffer = vec![0; Config::default().buffer_size];
        Self { ends: [end(1), end(2)], now, buffer, datagrams: 0 }
    }

    /// Datagrams carried so far.
    pub(crate) fn datagrams(&self) -> usize {
        self.datagrams
    }

    pub(crate) fn meet(&mut self) {
        let bob = self.ends[BOB].addr;
        self.ends[ALICE].node.handle_discovery(self.now, &[bob]);
        self.run_until(|ends| ends.iter().all(|end| end.node.has_quorum()));
    }

    pub(crate) fn pass_a_message(&mut self, payload: &[u8]) {
        let alice = &mut self.ends[ALICE].node;
        let len = alice.broadcast(self.now, payload, &mut self.buffer).expect("there is a quorum");
        let to = self.ends[BOB].addr;
        self.carry(ALICE, Transmit { to, len });
        assert_eq!(self.ends[BOB].heard, [payload]);
    }

    /// Alice has the lock, and Bob waits for it until she releases it.
    pub(crate) fn pass_a_lock(&mut self, key: &str) {
        let hers = self.lock(ALICE, key);
        self.run_until(|ends| ends[ALICE].granted == [hers]);
        let his = self.lock(BOB, key);
        self.drain(BOB);
        assert!(self.ends[BOB].granted.is_empty(), "the lock is held");
        let alice = &mut self.ends[ALICE].node;
        alice.release(self.now, hers).expect("she holds it");
        self.run_until(|ends| ends[BOB].granted == [his]);
    }

    fn lock(&mut self, end: usize, key: &str) -> LockId {
        let node = &mut self.ends[end].node;
        node.lock(self.now, key, None).expect("a valid key")
    }

    pub(crate) fn say_goodbye(&mut self) {
        self.ends[BOB].node.leave(self.now);
        self.run_until(|ends| ends[BOB].closed && ends[ALICE].node.peer_count() == 0);
    }

    /// Carries datagrams, and lets time pass where there are none, until `done`.
    fn run_until(&mut self, done: impl Fn(&[End; 2]) -> bool) {
        for _ in 0..MOST_TURNS {
            self.drain(ALICE);
            self.drain(BOB);
            if done(&self.ends) {
                return;
            }
            let next = self.ends.iter().filter_map(|end| end.node.poll_timeout());
            let next = next.map(|deadline| deadline.at).min();
            self.now = self.now.max(next.expect("a node that runs has a deadline"));
            for end in &mut self.ends {
                end.node.handle_timeout(self.now);
            }
        }
        panic!("the nodes got stuck");
    }

    /// Carries out what one node wants done.
    fn drain(&mut self, from: usize) {
        while let Some(action) = self.ends[from].node.poll_action(&mut self.buffer) {
            match action {
                Action::Transmit(transmit) => self.carry(from, transmit),
                Action::Lock(LockEvent::Granted { lock }) => self.ends[from].granted.push(lock),
                Action::Closed => self.ends[from].closed = true,
                _ => {}
            }
        }
    }

    /// Hands the datagram in the buffer to the other node.
    fn carry(&mut self, from: usize, transmit: Transmit) {
        self.datagrams += 1;
        self.now = self.now + LATENCY;
        let sender = self.ends[from].addr;
        let to = &mut self.ends[1 - from];
        assert_eq!(transmit.to, to.addr);
        let datagram = &mut self.buffer[..transmit.len];
        if let Some(Delivery::Message { payload, .. }) =
            to.node.handle_datagram(self.now, sender, datagram)
        {
            to.heard.push(payload.into());
        }
    }
}
