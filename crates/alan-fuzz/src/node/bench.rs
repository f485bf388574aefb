//! The node under test, and what is around it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::{AnyEnvelope, Key};
use alan_proto::lock::Repairs;
use alan_proto::wire::{
    Control, LockMessage, LockMessageKind, Message, SessionBlock, Settings, Times, View,
};
use alan_proto::{Action, Config, Delivery, HybridTime, Instant, LockId, Node, RequestId};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::lives::{Lives, control, control_message, encode, extended, manner};
use super::{Step, Words};
use crate::input::{ADDRESSES, KEYS, address};
use crate::watch::Watch;

/// The latest ids and calls that inputs can name.
const RECENT: usize = 8;

/// How often a node that leaves wants to be woken, at most.
const GOODBYES: usize = 3;

pub(super) struct Bench {
    node: Node<AnyEnvelope, ChaCha8Rng>,
    sealed: bool,
    /// The same key in other hands.
    lives: Lives,
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
        let wall = HybridTime::from_micros(1);
        let node = Node::new(config(kind, sizes), envelope(), rng, now, wall);
        let mut bench = Self {
            node: node.expect("it is valid"),
            sealed: kind & 1 != 0,
            lives: Lives::new(envelope),
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
            Step::Stall(pause) => self.go_to(self.now + pause),
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

    /// Whether there is a member, which is extended.
    #[cfg(test)]
    pub(super) fn is_known_by_session(&self) -> bool {
        self.node.members().any(|peer| peer.incarnation.is_some())
    }

    #[cfg(test)]
    pub(super) fn rejected(&self) -> u64 {
        self.node.stats().rejected_in_all()
    }

    fn leave_cluster(&mut self) {
        self.node.leave(self.now);
        self.watch.leaves();
    }

    fn pass(&mut self, now: Instant) {
        // A node that nobody polls may have to stop half-way.
        self.fetch();
        self.go_to(self.now.max(now));
        self.node.handle_timeout(self.now);
        self.fetch();
        self.watch.check_on_time(&self.node, self.now);
    }

    /// Time passes. Whatever is due before that is done late.
    fn go_to(&mut self, now: Instant) {
        if let Some(deadline) = self.node.poll_timeout() {
            self.watch.late += now.saturating_since(deadline.at.max(self.now));
        }
        self.now = now;
    }

    /// Fetches every action, and checks what must hold then.
    fn fetch(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(action) = self.node.poll_action(&mut buffer) {
            action.hash(&mut self.transcript);
            self.watch.on_action(&action);
            match action {
                Action::Transmit(transmit) => self.sent(transmit.to, &buffer[..transmit.len]),
                Action::TransmitRequest { request, to } => {
                    let node = &mut self.node;
                    let made = node.transmit_request(self.now, request, to, b"?", &mut buffer);
                    if let Some(transmit) = made {
                        assert!(self.watch.waits_for(request, to), "the request is over");
                        self.watch.transmitted += 1;
                        self.sent(transmit.to, &buffer[..transmit.len]);
                    }
                }
                _ => {}
            }
        }
        self.buffer = buffer;
        self.watch.check_bounds(&self.node);
        self.watch.check_drained(&self.node);
    }

    /// A datagram leaves the node: any peer can read it.
    fn sent(&mut self, to: SocketAddr, datagram: &[u8]) {
        datagram.hash(&mut self.transcript);
        assert_ne!(to.port(), 0, "nothing can be sent to port 0");
        assert!(datagram.len() <= self.node.config().buffer_size);
        let Some(message) = self.lives.hear(to, datagram) else { return };
        if let Some(control) = control(&message) {
            assert_eq!(control.port, self.node.config().port);
            let speaks_classic = self.node.config().speak_classic;
            let life = (!speaks_classic).then(|| self.node.incarnation());
            assert_eq!(control.block.map(|block| block.incarnation), life);
        }
        if let Message::Lock(LockMessage { id, .. }) =
            Message::decode(&message).expect("it is a message")
        {
            remember(&mut self.ids, id);
        }
    }

    fn datagram(&mut self, from: SocketAddr, words: Words<'_>) {
        let message = match words {
            Words::Datagram(bytes) => {
                // Nobody seals by accident.
                let message = (!self.sealed).then(|| bytes.to_vec());
                return self.arrives(from, &mut bytes.to_vec(), message);
            }
            Words::Message(bytes) => bytes.to_vec(),
            Words::Control { kind, port, life: life @ 0..=1, .. } => {
                let own = SessionBlock::new(
                    self.node.incarnation(),
                    Times::default(),
                    View::default(),
                    Settings::default(),
                );
                let control = Control { port, block: (life == 1).then_some(own) };
                encode(&control_message(kind, control))
            }
            Words::Control { kind, port, life, how } => {
                let message = self.lives.control(life, kind, from, port, how);
                if how & manner::ANYONE == 0 {
                    let for_node = kind == 0x02;
                    let mut datagram = self.lives.seal_as(life, for_node, &message);
                    return self.arrives(from, &mut datagram, Some(message));
                }
                message
            }
            Words::Extended { life, for_node, kind, id, small } => {
                let message = extended(life, kind, self.id(id), small);
                let mut datagram = self.lives.seal_as(life, for_node, &message);
                return self.arrives(from, &mut datagram, Some(message));
            }
            Words::Long(len) => encode(&Message::Data(&vec![3; usize::from(len) % 8_000])),
            Words::Exchange { kind, id } => {
                let (id, body) = (self.id(id), b"body".as_slice());
                encode(&match kind {
                    0x20 => Message::Request { id, body },
                    _ => Message::Response { id, body },
                })
            }
            Words::Lock { kind, id, key } => {
                let kind = match kind {
                    0x30 => LockMessageKind::Request,
                    0x31 => LockMessageKind::Grant,
                    0x32 => LockMessageKind::Deny,
                    _ => LockMessageKind::Release,
                };
                let (id, key) = (self.id(id), KEYS[key].as_bytes());
                encode(&Message::Lock(LockMessage { kind, id, key }))
            }
        };
        let mut datagram = self.lives.seal(&message);
        self.arrives(from, &mut datagram, Some(message));
    }

    /// A datagram arrives that says this, if it opens.
    fn arrives(&mut self, from: SocketAddr, datagram: &mut [u8], message: Option<Vec<u8>>) {
        let before = self.node.stats();
        let acceptable = from.port() != 0 && datagram.len() <= self.node.config().buffer_size;
        let payload = message.filter(|_| acceptable).and_then(|message| payload(&message));
        self.watch.received += 1;
        let delivery = self.node.handle_datagram(self.now, from, datagram);
        delivery.hash(&mut self.transcript);
        let repeated = matches!(delivery, Some(Delivery::Repeated { .. }));
        let said = match delivery {
            None | Some(Delivery::Repeated { .. }) => None,
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
        assert!(said.is_none() && !repeated || !turned_away, "delivered or turned away, not both");
        assert!(said.is_none() || said == payload, "{said:?} was delivered of {payload:?}");
        let missing = said.is_none() && payload.is_some() && !turned_away && !repeated;
        assert!(!missing, "{payload:?} is missing");
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
                    let named = node.member(to).map(|member| member.addr);
                    // Strangers, too, are known by an IPv4 address where they have one.
                    let named = named.unwrap_or(transmit.to);
                    self.watch.asked(id, [named], at);
                    self.watch.transmitted += 1;
                    remember(&mut self.requests, id);
                    remember(&mut self.ids, id);
                }
            }
            Step::RequestAll { within } => {
                let at = deadline(within);
                if let Ok(Some(id)) = self.node.request_all(now, 1, at) {
                    let asked: Vec<_> = self.node.members().map(|peer| peer.addr).collect();
                    self.watch.asked(id, asked, at);
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
}

/// The payload of a message that has one.
fn payload(message: &[u8]) -> Option<Vec<u8>> {
    let header = match message.first()? {
        0x10 | 0x40 => 1,
        0x20 | 0x21 | 0x42 => 17,
        0x41 => 29,
        _ => return None,
    };
    message.get(header..).map(<[u8]>::to_vec)
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
    config.speak_classic = kind & 0x10 != 0;
    config.classic_peers = kind & 0x20 == 0;
    config.observer = kind & 0x40 != 0;
    if kind & 0x80 != 0 {
        "a node".clone_into(&mut config.name);
    }
    config
}

fn remember<T>(recent: &mut Vec<T>, one: T) {
    if recent.len() == RECENT {
        recent.remove(0);
    }
    recent.push(one);
}
