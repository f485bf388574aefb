//! The node under test, and what is around it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::{AnyEnvelope, Envelope, Key, Recipient};
use alan_proto::lock::Repairs;
use alan_proto::wire::{Control, LockMessage, LockMessageKind, Message, SessionBlock};
use alan_proto::{Action, Config, Delivery, Incarnation, Instant, LockId, Node, RequestId};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::{Step, Words};
use crate::input::{ADDRESSES, KEYS, address};
use crate::watch::Watch;

/// The latest ids and calls that inputs can name.
const RECENT: usize = 8;

/// How often a node that leaves wants to be woken, at most.
const GOODBYES: usize = 3;

pub(super) struct Bench {
    node: Node<AnyEnvelope, ChaCha8Rng>,
    /// The same key in other hands.
    peer: AnyEnvelope,
    peer_rng: ChaCha8Rng,
    watch: Watch,
    now: Instant,
    /// Steps during which nothing is fetched.
    leave: u8,
    /// Ids that came up, and the ids of our calls.
    ids: Vec<RequestId>,
    requests: Vec<RequestId>,
    locks: Vec<LockId>,
    buffer: Vec<u8>,
    transcript: DefaultHasher,
}

impl Bench {
    pub(super) fn new(kind: u8, sizes: u8) -> Self {
        let key = Key::from_bytes(&[7; 32]).expect("32 bytes");
        let envelope = || AnyEnvelope::new((kind & 1 != 0).then_some(&key));
        let now = Instant::from_millis(1_000);
        let rng = ChaCha8Rng::seed_from_u64(1);
        let node = Node::new(config(kind, sizes), envelope(), rng, now).expect("it is valid");
        let mut bench = Self {
            node,
            peer: envelope(),
            peer_rng: ChaCha8Rng::seed_from_u64(2),
            watch: Watch::default(),
            now,
            leave: 0,
            ids: Vec::new(),
            requests: Vec::new(),
            locks: Vec::new(),
            buffer: vec![0; 65_535],
            transcript: DefaultHasher::new(),
        };
        bench.fetch();
        bench
    }

    pub(super) fn take(&mut self, step: &Step<'_>) {
        match *step {
            Step::Datagram { from, words } => self.datagram(address(from), words),
            Step::Pass(pause) => self.pass(self.now + pause),
            Step::Stall(pause) => self.now = self.now + pause,
            Step::Wake => {
                if let Some(deadline) = self.node.poll_timeout() {
                    self.pass(self.now.max(deadline.at));
                }
            }
            Step::Back(pause) => {
                let micros = u64::try_from(pause.as_micros()).expect("hours, not ages");
                let earlier = self.now.as_micros().saturating_sub(micros);
                self.node.handle_timeout(Instant::from_micros(earlier));
            }
            Step::Leave(steps) => self.leave = steps,
            Step::Discover(set) => {
                let named = (0..ADDRESSES).filter(|number| set & (1 << number) != 0);
                let named: Vec<_> = named.map(address).collect();
                self.node.handle_discovery(self.now, &named);
            }
            Step::Goodbye => self.leave_cluster(),
            Step::Lock { .. } | Step::Release(_) | Step::Unlock(_) => self.lock_command(step),
            Step::End => self.pass(Instant::from_micros(u64::MAX)),
            _ => self.command(step),
        }
        if self.leave > 0 {
            self.leave -= 1;
            return self.watch.check_bounds(&self.node);
        }
        self.fetch();
    }

    /// The node says goodbye, if it has not; what came out and what it is then.
    pub(super) fn finish(mut self) -> (u64, u64) {
        let state = self.node.fingerprint();
        self.fetch();
        self.leave_cluster();
        self.fetch();
        for _ in 0..GOODBYES {
            self.take(&Step::Wake);
        }
        assert!(self.watch.closed || self.now == Instant::from_micros(u64::MAX));
        let usage = self.node.usage();
        assert_eq!((usage.requests, usage.locks, usage.lock_callers), (0, 0, 0));
        assert_eq!((self.watch.pending_requests(), self.watch.waiting_calls()), (0, 0));
        (self.transcript.finish(), state)
    }

    fn leave_cluster(&mut self) {
        self.node.leave(self.now);
        self.watch.leaves();
    }

    fn pass(&mut self, now: Instant) {
        // A node that nobody polls may have to stop half-way.
        self.fetch();
        self.now = self.now.max(now);
        self.node.handle_timeout(self.now);
        self.fetch();
        self.watch.check_on_time(&self.node, self.now);
    }

    /// Fetches every action, and checks what must hold then.
    fn fetch(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(action) = self.node.poll_action(&mut buffer) {
            action.hash(&mut self.transcript);
            self.watch.on_action(&action);
            if let Action::Transmit(transmit) = action {
                self.sent(transmit.to, &mut buffer[..transmit.len]);
            }
        }
        self.buffer = buffer;
        self.watch.check_bounds(&self.node);
        self.watch.check_drained(&self.node);
    }

    /// A datagram leaves the node: any peer can read it.
    fn sent(&mut self, to: SocketAddr, datagram: &mut [u8]) {
        datagram.hash(&mut self.transcript);
        assert_ne!(to.port(), 0, "nothing can be sent to port 0");
        assert!(datagram.len() <= self.node.config().buffer_size);
        let message = self.peer.open(datagram).message().expect("it is sealed under our key");
        match Message::decode(message).expect("it is a message") {
            Message::Join(control) | Message::Leave(control) | Message::Heartbeat(control) => {
                assert_eq!(control.port, self.node.config().port);
                let own = Some(SessionBlock::new(self.node.incarnation()));
                assert_eq!(control.block, own);
            }
            Message::Lock(LockMessage { id, .. }) => remember(&mut self.ids, id),
            _ => {}
        }
    }

    fn datagram(&mut self, from: SocketAddr, words: Words<'_>) {
        let mut datagram = match words {
            Words::Datagram(bytes) => bytes.to_vec(),
            Words::Message(bytes) => self.seal(bytes),
            Words::Control { kind, port, life } => {
                let life = match life {
                    0 => None,
                    1 => Some(self.node.incarnation()),
                    other => Incarnation::new(other.into()),
                };
                let control = Control { port, block: life.map(SessionBlock::new) };
                self.seal(&encode(&match kind {
                    0x01 => Message::Join(control),
                    0x02 => Message::Leave(control),
                    _ => Message::Heartbeat(control),
                }))
            }
            Words::Long(len) => {
                let payload = vec![3; usize::from(len) % 8_000];
                self.seal(&encode(&Message::Data(&payload)))
            }
            Words::Exchange { kind, id } => {
                let (id, body) = (self.id(id), b"body".as_slice());
                self.seal(&encode(&match kind {
                    0x20 => Message::Request { id, body },
                    _ => Message::Response { id, body },
                }))
            }
            Words::Lock { kind, id, key } => {
                let kind = match kind {
                    0x30 => LockMessageKind::Request,
                    0x31 => LockMessageKind::Grant,
                    0x32 => LockMessageKind::Deny,
                    _ => LockMessageKind::Release,
                };
                let (id, key) = (self.id(id), KEYS[key].as_bytes());
                self.seal(&encode(&Message::Lock(LockMessage { kind, id, key })))
            }
        };
        self.arrives(from, &mut datagram);
    }

    fn arrives(&mut self, from: SocketAddr, datagram: &mut [u8]) {
        let before = self.node.stats();
        let payload = self.expected_payload(from, datagram);
        self.watch.received += 1;
        let delivery = self.node.handle_datagram(self.now, from, datagram);
        delivery.hash(&mut self.transcript);
        let said = match delivery {
            None => None,
            Some(ref delivery) => {
                self.watch.on_delivery(delivery);
                Some(match *delivery {
                    Delivery::Message { payload, .. }
                    | Delivery::Request { payload, .. }
                    | Delivery::Response { payload, .. } => payload.to_vec(),
                    ref other => unreachable!("a delivery that this does not know: {other:?}"),
                })
            }
        };
        let after = self.node.stats();
        let refused = |stats: &alan_proto::Stats| {
            let refusals = alan_proto::Refusal::ALL.iter();
            let refusals: u64 = refusals.map(|&why| stats.refused(why)).sum();
            stats.rejected_in_all() + refusals
        };
        let turned_away = refused(&after) > refused(&before);
        assert!(said.is_none() || !turned_away, "delivered or turned away, not both");
        assert!(said.is_none() || said == payload, "{said:?} was delivered of {payload:?}");
        assert!(said.is_some() || payload.is_none() || turned_away, "{payload:?} is missing");
    }

    /// The payload of DATA, REQUEST or RESPONSE in a datagram for the node.
    fn expected_payload(&mut self, from: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
        if from.port() == 0 || datagram.len() > self.node.config().buffer_size {
            return None;
        }
        let mut copy = datagram.to_vec();
        let message = self.peer.open(&mut copy).message().ok()?;
        let header = match message.first()? {
            0x10 => 1,
            0x20 | 0x21 => 17,
            _ => return None,
        };
        message.get(header..).map(<[u8]>::to_vec)
    }

    fn command(&mut self, step: &Step<'_>) {
        let (now, mut buffer) = (self.now, std::mem::take(&mut self.buffer));
        let deadline = |within: Option<Duration>| within.map(|within| now + within);
        let members = self.node.peer_count() as u64;
        match *step {
            Step::Send { to, len } => {
                let payload = vec![1; usize::from(len) % 5_000];
                let sent = self.node.send_to(now, address(to), &payload, &mut buffer);
                assert!(sent.is_err() || payload.len() <= self.node.max_payload());
                self.watch.transmitted += u64::from(sent.is_ok());
            }
            Step::Broadcast { len } => {
                let payload = vec![2; usize::from(len) % 5_000];
                let sent = self.node.broadcast(now, &payload, &mut buffer);
                assert!(sent.is_err() || self.node.has_quorum());
                self.watch.transmitted += if sent.is_ok() { members } else { 0 };
            }
            Step::Request { to, within } => {
                let (node, to, at) = (&mut self.node, address(to), deadline(within));
                if let Ok((id, transmit)) = node.request(now, to, b"?", at, &mut buffer) {
                    self.watch.asked(id, [transmit.to], at);
                    self.watch.transmitted += 1;
                    remember(&mut self.requests, id);
                    remember(&mut self.ids, id);
                }
            }
            Step::RequestAll { within } => {
                let at = deadline(within);
                if let Ok((Some(id), _)) = self.node.request_all(now, b"?", at, &mut buffer) {
                    let asked: Vec<_> = self.node.members().map(|peer| peer.addr).collect();
                    self.watch.asked(id, asked, at);
                    self.watch.transmitted += members;
                    remember(&mut self.requests, id);
                    remember(&mut self.ids, id);
                }
            }
            Step::Cancel(number) => {
                if let Some(&id) = self.requests.iter().rev().nth(number)
                    && self.node.cancel_request(id)
                {
                    self.watch.cancelled(id);
                }
            }
            Step::Reply { to, request } => {
                let id = self.id(request);
                let sent = self.node.reply(now, address(to), id, b"!", &mut buffer);
                self.watch.transmitted += u64::from(sent.is_ok());
            }
            _ => unreachable!("no command with a buffer: {step:?}"),
        }
        self.buffer = buffer;
    }

    fn released(&mut self, lock: LockId) {
        if self.node.config().lock_repairs == Repairs::NONE {
            self.watch.released_for_all(lock);
        } else {
            self.watch.released(lock);
        }
    }

    fn lock_command(&mut self, step: &Step<'_>) {
        if self.node.config().lock_repairs == Repairs::NONE {
            self.fetch(); // Who shares a lock must be known.
        }
        match *step {
            Step::Lock { key, tries, within } => {
                let deadline = within.map(|within| self.now + within);
                let call = if tries { Node::try_lock } else { Node::lock };
                if let Ok(lock) = call(&mut self.node, self.now, KEYS[key], deadline) {
                    let timeout = self.now + self.node.config().timeout;
                    let deadline = deadline.or_else(|| tries.then_some(timeout));
                    self.watch.called(lock, KEYS[key], deadline);
                    remember(&mut self.locks, lock);
                }
            }
            Step::Release(number) => {
                if let Some(&lock) = self.locks.iter().rev().nth(number)
                    && self.node.release(self.now, lock).is_ok()
                {
                    self.released(lock);
                }
            }
            Step::Unlock(key) => {
                if let Ok(lock) = self.node.unlock(self.now, KEYS[key]) {
                    self.released(lock);
                }
            }
            _ => unreachable!("no lock command: {step:?}"),
        }
    }

    /// The latest id but `number`, or one that never came up.
    fn id(&self, number: usize) -> RequestId {
        self.ids.iter().rev().nth(number).copied().unwrap_or(RequestId([9; 16]))
    }

    fn seal(&mut self, message: &[u8]) -> Vec<u8> {
        let (prefix, suffix) = (self.peer.prefix(), self.peer.suffix());
        let mut datagram = vec![0; prefix + message.len() + suffix];
        datagram[prefix..prefix + message.len()].copy_from_slice(message);
        self.peer.seal(&mut self.peer_rng, Recipient::Anyone, &mut datagram);
        datagram
    }
}

fn config(kind: u8, sizes: u8) -> Config {
    let mut config = Config::default();
    config.cluster_size = u32::from(kind >> 1) % 4;
    if kind & 0x08 != 0 {
        config.lock_repairs = Repairs::NONE;
    }
    let limit = 1 + u32::from(sizes) % 8;
    (config.max_peers, config.max_candidates) = (limit, limit);
    (config.max_requests, config.max_locks) = (limit, limit);
    (config.max_lock_waiters, config.max_long_lock_keys) = (limit, limit % 3);
    config
}

fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = vec![0; message.encoded_len()];
    message.encode(&mut bytes);
    bytes
}

fn remember<T>(recent: &mut Vec<T>, one: T) {
    if recent.len() == RECENT {
        recent.remove(0);
    }
    recent.push(one);
}
