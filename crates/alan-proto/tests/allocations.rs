//! After warm-up no datagram costs an allocation, in or out, plain or sealed, with 100 peers.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::{AnyEnvelope, Envelope, Recipient};
use alan_proto::wire::{Control, LockMessage, LockMessageKind, Message, SessionBlock};
use alan_proto::{Action, Config, Incarnation, Instant, LockEvent, Node, RequestId};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use support::{TestNode, addr, plain, sealed};

const PEERS: u8 = 100;

/// The node under test, and everything that its hundred peers need to talk to it.
struct Bench {
    node: TestNode,
    now: Instant,
    /// Seals what peers send and opens what the node sends.
    twin: AnyEnvelope,
    generator: ChaCha8Rng,
    outgoing: Vec<u8>,
    /// Lock messages that the node sent and nobody has looked at.
    lock_messages: Vec<(SocketAddr, LockMessageKind, RequestId)>,
    /// The last request id that the node sent.
    last_request: RequestId,
    granted: u32,
}

impl Bench {
    fn new(envelope: fn() -> AnyEnvelope) -> Self {
        let generator = ChaCha8Rng::seed_from_u64(1);
        let now = Instant::from_millis(1);
        let node = Node::new(Config::default(), envelope(), generator.clone(), now).expect("valid");
        Self {
            node,
            now,
            twin: envelope(),
            generator,
            outgoing: vec![0; 4_096],
            lock_messages: Vec::with_capacity(1_024),
            last_request: RequestId::ZERO,
            granted: 0,
        }
    }

    fn peers() -> impl Iterator<Item = SocketAddr> {
        (101..=100 + PEERS).map(addr)
    }

    /// Fetches everything that the node wants done.
    fn drain(&mut self) {
        while let Some(action) = self.node.poll_action(&mut self.outgoing) {
            match action {
                Action::Transmit(transmit) => {
                    let bytes = &mut self.outgoing[..transmit.len];
                    let bytes = self.twin.open(bytes).message().expect("the twin has the key");
                    if let Message::Lock(lock) = Message::decode(bytes).expect("it is ours") {
                        self.lock_messages.push((transmit.to, lock.kind, lock.id));
                    }
                }
                Action::Lock(LockEvent::Granted { .. }) => self.granted += 1,
                _ => {}
            }
        }
    }

    /// Hands in a message from a peer.
    fn receive(&mut self, from: SocketAddr, message: &Message<'_>) {
        let mut datagram = [0; 4_096];
        let prefix = self.twin.prefix();
        let len = prefix + message.encode(&mut datagram[prefix..]) + self.twin.suffix();
        self.twin.seal(&mut self.generator, Recipient::Anyone, &mut datagram[..len]);
        let _ = self.node.handle_datagram(self.now, from, &mut datagram[..len]);
        self.drain();
    }

    fn control(peer: SocketAddr) -> Control {
        let SocketAddr::V4(v4) = peer else { unreachable!("the peers have IPv4 addresses") };
        let number = u64::from(v4.ip().octets()[3]);
        let incarnation = Incarnation::new(number).expect("not zero");
        Control { port: 5000, block: Some(SessionBlock::new(incarnation)) }
    }

    /// One of everything, with every peer.
    fn round(&mut self, kind: Kind) {
        self.now = self.now + Duration::from_secs(1);
        match kind {
            Kind::Data => self.data(),
            Kind::Request => self.request(),
            Kind::Heartbeat => self.heartbeat(),
            Kind::LockGrantor => self.grant_locks(),
            Kind::LockRequester => self.take_lock(),
        }
    }

    fn data(&mut self) {
        let len = self.node.broadcast(self.now, &[1; 64], &mut self.outgoing).expect("no gate");
        assert!(len > 64);
        for peer in Self::peers() {
            let sent = self.node.send_to(self.now, peer, &[1; 1_200], &mut self.outgoing);
            assert!(sent.is_ok());
            self.receive(peer, &Message::Data(&[2; 64]));
        }
    }

    fn request(&mut self) {
        let deadline = Some(self.now + Duration::from_secs(60));
        for peer in Self::peers() {
            let (id, _) = self
                .node
                .request(self.now, peer, &[1; 64], deadline, &mut self.outgoing)
                .expect("there is room");
            self.receive(peer, &Message::Response { id, body: &[2; 64] });
            let theirs = RequestId([7; 16]);
            self.receive(peer, &Message::Request { id: theirs, body: &[3; 64] });
            let sent = self.node.reply(self.now, peer, theirs, &[4; 64], &mut self.outgoing);
            assert!(sent.is_ok());
        }
        let (all, _) = self
            .node
            .request_all(self.now, &[1; 64], deadline, &mut self.outgoing)
            .expect("there is room");
        self.last_request = all.expect("there are members");
        for peer in Self::peers() {
            self.receive(peer, &Message::Response { id: self.last_request, body: &[2; 64] });
        }
        assert_eq!(self.node.usage().requests, 0);
    }

    fn heartbeat(&mut self) {
        self.now = self.now + Duration::from_secs(6);
        for peer in Self::peers() {
            self.receive(peer, &Message::Heartbeat(Self::control(peer)));
            self.receive(peer, &Message::Join(Self::control(peer)));
        }
        self.node.handle_timeout(self.now);
        self.drain();
        assert_eq!(self.node.peer_count(), usize::from(PEERS));
    }

    /// Each peer asks for the same lock; the first gets it, the others are denied and told.
    fn grant_locks(&mut self) {
        let lock = |kind, byte| {
            Message::Lock(LockMessage { kind, id: RequestId([byte; 16]), key: b"shared" })
        };
        for (peer, byte) in Self::peers().zip(1..) {
            self.receive(peer, &lock(LockMessageKind::Request, byte));
        }
        let granted =
            self.lock_messages.iter().filter(|(_, kind, _)| *kind == LockMessageKind::Grant);
        assert_eq!(granted.count(), 1);
        let holder = Self::peers().next().expect("there are peers");
        self.receive(holder, &lock(LockMessageKind::Release, 1));
        let told =
            self.lock_messages.iter().filter(|(_, kind, _)| *kind == LockMessageKind::Release);
        assert_eq!(told.count(), usize::from(PEERS) - 1);
        self.lock_messages.clear();
        assert_eq!(self.node.usage().locks, 0);
    }

    /// The node takes a lock that one peer denies at first.
    fn take_lock(&mut self) {
        let granted = self.granted;
        self.node.lock(self.now, "mine", None).expect("there is room");
        self.drain();
        let mut deny_one = true;
        let mut turns = 0;
        while self.granted == granted {
            while let Some((to, kind, id)) = self.lock_messages.pop() {
                if kind == LockMessageKind::Request {
                    let kind = if std::mem::take(&mut deny_one) {
                        LockMessageKind::Deny
                    } else {
                        LockMessageKind::Grant
                    };
                    self.receive(to, &Message::Lock(LockMessage { kind, id, key: b"mine" }));
                }
            }
            self.now = self.now + Duration::from_millis(100);
            self.node.handle_timeout(self.now);
            self.drain();
            turns += 1;
            assert!(turns < 1_000, "the lock is granted in the end");
        }
        self.node.unlock(self.now, "mine").expect("it is held");
        self.drain();
        self.lock_messages.clear();
        assert_eq!((self.node.usage().locks, self.node.usage().lock_callers), (0, 0));
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Data,
    Request,
    Heartbeat,
    LockGrantor,
    LockRequester,
}

fn no_allocation_after_warm_up(envelope: fn() -> AnyEnvelope) {
    let kinds =
        [Kind::Data, Kind::Request, Kind::Heartbeat, Kind::LockGrantor, Kind::LockRequester];
    let mut bench = Bench::new(envelope);
    for peer in Bench::peers() {
        bench.receive(peer, &Message::Join(Bench::control(peer)));
    }
    assert_eq!(bench.node.peer_count(), usize::from(PEERS));
    for kind in [kinds, kinds, kinds].concat() {
        bench.round(kind);
    }
    for kind in kinds {
        let received = bench.node.stats().received;
        let info = allocation_counter::measure(|| {
            for _ in 0..10 {
                bench.round(kind);
            }
        });
        let datagrams = bench.node.stats().received - received;
        assert!(datagrams >= 1_000, "{kind:?}: only {datagrams} datagrams were measured");
        assert_eq!(info.count_total, 0, "{kind:?}: allocations in {datagrams} datagrams");
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
