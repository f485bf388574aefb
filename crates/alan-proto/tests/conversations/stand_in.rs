//! Our node in the place of a recorded one: does what the recorder's program did with its node,
//! and says what came of it in the recording's words.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::{AnyEnvelope, Effort, Envelope, Key, Recipient};
use alan_proto::lock::Repairs;
use alan_proto::wire::{Control, Message};
use alan_proto::{
    Action, Config, Delivery, HybridTime, Instant, LockEvent, LockFailure, LockId, LockLoss, Node,
    PeerEvent, QuorumEvent, RequestEvent, RequestId, SendError, Warning,
};
use data_encoding::HEXLOWER;

use super::recording::{Settings, duration};
use super::steady::Steady;
use super::words;

/// The recorder's program gives up a request after this time.
const REQUEST_DEADLINE: Duration = Duration::from_secs(3);

/// Something that the node sent or told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Output {
    /// The message is as a classic node reads it: without the session block, which was checked.
    Sent {
        to: SocketAddr,
        message: Vec<u8>,
    },
    Told(String),
}

/// How our node is set up where the recording has nothing to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) repairs: Repairs,
    /// It sends no session blocks.
    pub(crate) speaks_classic: bool,
}

/// What a caller waits for.
enum Call {
    Lock(String),
    TryLock(String),
    Request,
    RequestAll(Vec<String>),
}

pub(crate) struct StandIn {
    node: Node<AnyEnvelope, Steady>,
    /// Opens what the node sent.
    envelope: AnyEnvelope,
    locks: BTreeMap<LockId, Call>,
    requests: BTreeMap<RequestId, Call>,
    /// What a request to all asks, for as long as members are due it.
    question: Vec<u8>,
    outputs: Vec<Output>,
    buffer: Vec<u8>,
    /// By discovery.
    named: Vec<SocketAddr>,
    refresh: Option<(Duration, Instant)>,
}

fn envelope(settings: &Settings) -> AnyEnvelope {
    let key = settings.key.as_ref();
    AnyEnvelope::new(key.map(|key| Key::from_bytes(&key.0).expect("32 bytes")).as_ref())
}

impl StandIn {
    pub(crate) fn start(port: u16, settings: &Settings, manner: Manner, now: Instant) -> Self {
        let mut config = Config::default();
        config.port = port;
        config.heartbeat_interval = settings.heartbeat_interval();
        config.heartbeat_timeout = settings.heartbeat_timeout();
        config.timeout = settings.timeout.unwrap_or(config.timeout);
        config.join_interval = settings.refresh.unwrap_or(config.join_interval);
        config.cluster_size = settings.quorum.unwrap_or(0);
        config.lock_repairs = manner.repairs;
        config.speak_classic = manner.speaks_classic;
        let wall = HybridTime::from_micros(1_700_000_000_000_000);
        let node = Node::new(config, envelope(settings), Steady::new(), now, wall)
            .expect("the recorded configuration is one that we allow");
        let named = settings.peers_from_dns.iter();
        let mut stand_in = Self {
            node,
            envelope: envelope(settings),
            locks: BTreeMap::new(),
            requests: BTreeMap::new(),
            question: Vec::new(),
            outputs: Vec::new(),
            buffer: vec![0; 65_535],
            named: named.map(|&ip| SocketAddr::new(ip, port)).collect(),
            refresh: settings.refresh.map(|pause| (pause, now + pause)),
        };
        stand_in.node.handle_discovery(now, &stand_in.named);
        stand_in.collect(now);
        stand_in
    }

    /// Everyone that discovery names sends a HEARTBEAT.
    pub(crate) fn introduce(&mut self, now: Instant) {
        for from in self.named.clone() {
            let heartbeat = Message::Heartbeat(Control { port: from.port(), block: None });
            let datagram = self.sealed(&encoded(&heartbeat));
            self.receive(now, from, datagram);
        }
    }

    /// What came out since the last call.
    pub(crate) fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// When [`Self::wake`] wants to be called.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let timeout = self.node.poll_timeout().map(|deadline| deadline.at);
        let refresh = self.refresh.map(|(_, at)| at);
        timeout.into_iter().chain(refresh).min()
    }

    pub(crate) fn wake(&mut self, now: Instant) {
        if let Some((pause, at)) = &mut self.refresh
            && *at <= now
        {
            *at = *at + *pause;
            self.node.handle_discovery(now, &self.named);
        }
        self.node.handle_timeout(now);
        self.collect(now);
    }

    pub(crate) fn receive(&mut self, now: Instant, from: SocketAddr, mut datagram: Vec<u8>) {
        let delivery = self.node.handle_datagram(now, from, &mut datagram);
        match delivery {
            None => {}
            Some(Delivery::Message { from, payload }) => {
                self.tell(words::received("message", from, &words::payload(payload)));
            }
            Some(Delivery::Request { from, request, payload }) => {
                self.tell(words::received("request", from, &words::payload(payload)));
                let echo = [b"echo:", payload].concat();
                let reply = self
                    .node
                    .reply(now, from, request, &echo, &mut self.buffer)
                    .expect("the recorder's answers fit");
                self.sent(reply.to, reply.len);
            }
            Some(Delivery::Response { request, from, payload, finished }) => {
                self.answered(request, from, payload, finished);
            }
            Some(other) => panic!("a delivery that is new here: {other:?}"),
        }
        self.collect(now);
    }

    /// Opens a datagram that is meant for this node, to change it.
    pub(crate) fn opened(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        let mut datagram = datagram.to_vec();
        let opened = self.envelope.open(&mut datagram, Effort::Full).outcome;
        opened.ok().map(|opened| opened.message.to_vec())
    }

    /// Seals what was changed. (Under one nonce: nobody is to be kept from reading it.)
    pub(crate) fn sealed(&mut self, message: &[u8]) -> Vec<u8> {
        let (prefix, suffix) = (self.envelope.prefix(), self.envelope.suffix());
        let mut datagram = [&vec![0; prefix], message, &vec![0; suffix]].concat();
        self.envelope.seal(&mut Steady::new(), Recipient::Anyone, &mut datagram);
        datagram
    }

    /// Makes the call that the recording has in words.
    pub(crate) fn call(&mut self, now: Instant, call: &str) {
        let words: Vec<_> = call.splitn(3, ' ').collect();
        let (verb, rest) = call.split_once(' ').unwrap_or((call, ""));
        match (verb, words.as_slice()) {
            ("peers", _) => {
                let members = self.node.members().map(|peer| peer.addr).collect();
                self.tell(words::peers(members));
            }
            ("send", _) => self.send_to_all(now, rest.as_bytes()),
            ("sendto", [_, to, text]) => self.send_to(now, parse(to), text.as_bytes()),
            ("sendsize", [_, to, len]) => {
                let len = len.parse().expect("a length");
                self.send_to(now, parse(to), &vec![0; len]);
            }
            ("request", _) => self.request_all(now, rest.as_bytes()),
            ("requestto", [_, to, text]) => self.request(now, parse(to), text.as_bytes()),
            ("lock", [_, key, deadline]) => self.lock(now, key, deadline),
            ("trylock", [_, key]) => self.try_lock(now, key),
            ("unlock", [_, key]) => {
                let error = self.node.unlock(now, key).err().map(|_| words::NOT_HELD);
                self.tell(words::unlock_done(key, error));
            }
            ("quit", _) => self.node.leave(now),
            _ => panic!("a call that is new here: {call}"),
        }
        self.collect(now);
    }

    fn send_to(&mut self, now: Instant, to: SocketAddr, payload: &[u8]) {
        match self.node.send_to(now, to, payload, &mut self.buffer) {
            Ok(transmit) => {
                self.sent(transmit.to, transmit.len);
                self.tell(words::sent(transmit.len, None));
            }
            Err(SendError::MessageTooLarge { .. }) => {
                self.tell(words::sent(0, Some(words::TOO_LONG)));
            }
            Err(error) => panic!("the recorder's calls are allowed: {error}"),
        }
    }

    fn members(&self) -> Vec<SocketAddr> {
        self.node.members().map(|peer| peer.addr).collect()
    }

    fn send_to_all(&mut self, now: Instant, payload: &[u8]) {
        match self.node.broadcast(now, payload, &mut self.buffer) {
            Ok(len) => {
                let members = self.members();
                for &to in &members {
                    self.sent(to, len);
                }
                let count = |to| format!("{to} {len}");
                self.tell(words::sent_to_all(members.into_iter().map(count).collect()));
            }
            Err(error) => self.tell(format!("not sent: {error}")),
        }
    }

    fn request(&mut self, now: Instant, to: SocketAddr, payload: &[u8]) {
        let deadline = Some(now + REQUEST_DEADLINE);
        let (id, transmit) = self
            .node
            .request(now, to, payload, deadline, &mut self.buffer)
            .expect("the recorder's calls are allowed");
        self.requests.insert(id, Call::Request);
        self.sent(transmit.to, transmit.len);
    }

    fn request_all(&mut self, now: Instant, payload: &[u8]) {
        let deadline = Some(now + REQUEST_DEADLINE);
        let id = self
            .node
            .request_all(now, payload.len(), deadline)
            .expect("the recorder's calls are allowed");
        match id {
            Some(id) => {
                self.requests.insert(id, Call::RequestAll(Vec::new()));
            }
            None => self.tell(words::request_all_done(&[])),
        }
        self.question = payload.to_vec();
        self.collect(now);
    }

    fn lock(&mut self, now: Instant, key: &str, deadline: &str) {
        let deadline = now + duration(deadline).expect("a duration");
        match self.node.lock(now, key, Some(deadline)) {
            Ok(id) => {
                self.locks.insert(id, Call::Lock(key.to_owned()));
            }
            Err(error) => self.tell(words::lock_done(key, Some(&error.to_string()))),
        }
    }

    fn try_lock(&mut self, now: Instant, key: &str) {
        match self.node.try_lock(now, key, None) {
            Ok(id) => {
                self.locks.insert(id, Call::TryLock(key.to_owned()));
            }
            Err(_) => self.tell(words::try_lock_done(key, false)),
        }
    }

    fn answered(&mut self, id: RequestId, from: SocketAddr, payload: &[u8], finished: bool) {
        match self.requests.get_mut(&id).expect("ours") {
            Call::RequestAll(replies) => {
                replies.push(format!("{from} {}", HEXLOWER.encode(payload)));
                if finished {
                    self.request_ended(id, None);
                }
            }
            _ => self.tell(words::request_answered(from, &words::payload(payload))),
        }
    }

    fn request_ended(&mut self, id: RequestId, error: Option<&'static str>) {
        match self.requests.remove(&id).expect("ours, and it ends once") {
            Call::RequestAll(replies) => self.tell(words::request_all_done(&replies)),
            _ => self.tell(words::request_failed(error)),
        }
    }

    fn tell(&mut self, words: String) {
        self.outputs.push(Output::Told(words));
    }

    /// The node's actions, in order.
    fn collect(&mut self, now: Instant) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(action) = self.node.poll_action(&mut buffer) {
            self.buffer = buffer;
            self.act(now, action);
            buffer = std::mem::take(&mut self.buffer);
        }
        self.buffer = buffer;
    }

    fn act(&mut self, now: Instant, action: Action) {
        match action {
            Action::Transmit(transmit) => self.sent(transmit.to, transmit.len),
            Action::TransmitRequest { request, to } => {
                let Self { node, question, buffer, .. } = self;
                let transmit = node.transmit_request(now, request, to, question, buffer);
                let transmit = transmit.expect("it is due right after the call");
                self.sent(transmit.to, transmit.len);
            }
            Action::Peer(PeerEvent::Joined { peer, .. }) => self.tell(words::join(peer)),
            Action::Peer(PeerEvent::Left { peer, .. }) => self.tell(words::leave(peer)),
            Action::Request(event) => self.request_event(event),
            Action::Lock(event) => self.lock_event(event),
            Action::Closed => self.tell("stopped".to_owned()),
            // The Go library has nothing like these.
            Action::Quorum(event) => self.tell(quorum(event)),
            Action::Warning(warning) => self.tell(warned(warning)),
            other => panic!("an action that is new here: {other:?}"),
        }
    }

    fn request_event(&mut self, event: RequestEvent) {
        match event {
            RequestEvent::PeerLeft { request, finished: true, .. } => {
                self.request_ended(request, Some(words::DISCONNECTED));
            }
            RequestEvent::PeerLeft { .. } => {}
            RequestEvent::TimedOut { request } => {
                self.request_ended(request, Some(words::DEADLINE));
            }
            other => panic!("the recorder stops when no request is pending: {other:?}"),
        }
    }

    fn lock_event(&mut self, event: LockEvent) {
        let (id, error) = match event {
            LockEvent::Granted { lock } => (lock, None),
            LockEvent::Failed {
                lock,
                why: LockFailure::TimedOut | LockFailure::NoQuorum { .. },
            } => (lock, Some(words::DEADLINE.to_owned())),
            LockEvent::Failed { lock, why } => (lock, Some(format!("{why:?}"))),
            LockEvent::Lost { lock, why } => {
                let (Call::Lock(key) | Call::TryLock(key)) = &self.locks[&lock] else {
                    panic!("a lock id names a lock call");
                };
                let why = match why {
                    LockLoss::Left => "the node leaves".to_owned(),
                    LockLoss::Denied { by } => format!("denied by {}", words::address(by)),
                    _ => panic!("a loss that is new here: {why:?}"),
                };
                return self.tell(format!("lock \"{key}\" lost: {why}"));
            }
            other => panic!("a lock event that is new here: {other:?}"),
        };
        match &self.locks[&id] {
            Call::Lock(key) => self.tell(words::lock_done(key, error.as_deref())),
            Call::TryLock(key) => self.tell(words::try_lock_done(key, error.is_none())),
            _ => panic!("a lock id names a lock call"),
        }
    }

    /// Opens the datagram in the buffer, and takes the session block off.
    fn sent(&mut self, to: SocketAddr, len: usize) {
        let mut datagram = self.buffer[..len].to_vec();
        let opened = self.envelope.open(&mut datagram, Effort::Full).outcome;
        let message = self.classic_part(opened.expect("sealed by us").message);
        self.outputs.push(Output::Sent { to, message });
    }

    /// A control message must be the classic one, a session block of ours behind it, which a
    /// classic node ignores, unless our node speaks classic, and nothing else.
    fn classic_part(&self, bytes: &[u8]) -> Vec<u8> {
        let mut message = Message::decode(bytes).expect("ours");
        assert_eq!(bytes, encoded(&message), "nothing else is in it");
        let (Message::Join(control) | Message::Leave(control) | Message::Heartbeat(control)) =
            &mut message
        else {
            return bytes.to_vec();
        };
        let speaker = control.block.take().map(|block| block.incarnation);
        let expected = (!self.node.config().speak_classic).then(|| self.node.incarnation());
        assert_eq!(speaker, expected);
        encoded(&message)
    }
}

fn quorum(event: QuorumEvent) -> String {
    match event {
        QuorumEvent::Reached { have, need } => format!("quorum reached: {have} of {need}"),
        QuorumEvent::Lost { have, need } => format!("quorum lost: {have} of {need}"),
        other => panic!("a quorum event that is new here: {other:?}"),
    }
}

fn warned(warning: Warning) -> String {
    match warning {
        Warning::Unopened { source, count } => {
            format!("warning: {count} from {} did not open", words::address(source))
        }
        other => panic!("a warning that is not expected here: {other:?}"),
    }
}

fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = vec![0; message.encoded_len()];
    message.encode(&mut bytes);
    bytes
}

fn parse(addr: &str) -> SocketAddr {
    addr.parse().expect("an address")
}
