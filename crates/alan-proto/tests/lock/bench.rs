//! One machine, with peers that the test plays itself.

use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::lock::{ClassicLocks, LockOutput, Repairs};
use alan_proto::wire::{LockMessage, LockMessageKind};
use alan_proto::{
    Config, Instant, LockError, LockEvent, LockId, LockNotHeld, Rejection, RequestId,
};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

pub(crate) use LockMessageKind::{Deny, Grant, Release, Request};

pub(crate) const KEY: &str = "my-job";

/// The `number`th peer of a test.
pub(crate) fn peer(number: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 10 + number], 5_000))
}

/// An id that no machine makes up.
pub(crate) fn id(number: u8) -> RequestId {
    RequestId([number; 16])
}

/// A sent message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sent {
    pub(crate) to: SocketAddr,
    pub(crate) kind: LockMessageKind,
    pub(crate) id: RequestId,
    pub(crate) key: Vec<u8>,
}

/// What the peer would have to be sent to make this true.
pub(crate) fn sent(to: SocketAddr, kind: LockMessageKind, id: RequestId) -> Sent {
    Sent { to, kind, id, key: KEY.into() }
}

/// A machine under test.
pub(crate) struct Bench {
    pub(crate) locks: ClassicLocks,
    pub(crate) now: Instant,
    rng: ChaCha8Rng,
}

impl Bench {
    pub(crate) fn new(repairs: Repairs) -> Self {
        Self::with(|config| config.lock_repairs = repairs)
    }

    pub(crate) fn with(configure: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        configure(&mut config);
        let rng = ChaCha8Rng::seed_from_u64(7);
        Self { locks: ClassicLocks::new(&config, (1, 2)), now: Instant::from_millis(1_000), rng }
    }

    pub(crate) fn join(&mut self, number: u8) {
        self.locks.peer_joined(self.now, peer(number), false, &mut self.rng);
    }

    /// A Rust node joins.
    pub(crate) fn join_extended(&mut self, number: u8) {
        self.locks.peer_joined(self.now, peer(number), true, &mut self.rng);
    }

    pub(crate) fn leave(&mut self, number: u8) {
        self.locks.peer_left(self.now, peer(number), &mut self.rng);
    }

    pub(crate) fn quorum(&mut self, have: usize, need: usize) {
        self.locks.set_quorum(self.now, have, need, &mut self.rng);
    }

    pub(crate) fn lock(&mut self) -> LockId {
        self.locks.lock(self.now, KEY, None, &mut self.rng).expect("there is room")
    }

    pub(crate) fn lock_for(&mut self, millis: u64) -> LockId {
        let deadline = self.now + Duration::from_millis(millis);
        self.locks.lock(self.now, KEY, Some(deadline), &mut self.rng).expect("there is room")
    }

    pub(crate) fn lock_key(&mut self, key: &str) -> Result<LockId, LockError> {
        self.locks.lock(self.now, key, None, &mut self.rng)
    }

    pub(crate) fn try_lock(&mut self) -> LockId {
        self.locks.try_lock(self.now, KEY, None, &mut self.rng).expect("there is room and quorum")
    }

    pub(crate) fn try_lock_key(&mut self, key: &str) -> Result<LockId, LockError> {
        self.locks.try_lock(self.now, key, None, &mut self.rng)
    }

    pub(crate) fn release(&mut self, lock: LockId) -> Result<(), LockNotHeld> {
        self.locks.release(self.now, lock, &mut self.rng)
    }

    pub(crate) fn unlock(&mut self) -> Result<LockId, LockNotHeld> {
        self.locks.unlock(self.now, KEY, &mut self.rng)
    }

    /// A message about the usual key comes in.
    pub(crate) fn receive(
        &mut self,
        from: SocketAddr,
        kind: LockMessageKind,
        id: RequestId,
    ) -> Result<(), Rejection> {
        self.receive_key(from, kind, id, KEY.as_bytes())
    }

    pub(crate) fn receive_key(
        &mut self,
        from: SocketAddr,
        kind: LockMessageKind,
        id: RequestId,
        key: &[u8],
    ) -> Result<(), Rejection> {
        let message = LockMessage { kind, id, key };
        self.locks.handle_message(self.now, from, &message, &mut self.rng)
    }

    /// Lets so much time pass, firing every timer at its moment.
    pub(crate) fn pass(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(at) = self.locks.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.locks.handle_timeout(self.now, &mut self.rng);
        }
        self.now = end;
    }

    /// Lets time pass until the next timer has fired.
    pub(crate) fn pass_to_next_timeout(&mut self) {
        self.now = self.locks.next_timeout().expect("a timer is armed");
        self.locks.handle_timeout(self.now, &mut self.rng);
    }

    /// Everything that was put out since the last time, taken apart.
    pub(crate) fn outputs(&mut self) -> (Vec<Sent>, Vec<LockEvent>) {
        let (mut messages, mut events) = (Vec::new(), Vec::new());
        while let Some(output) = self.locks.poll_output() {
            match output {
                LockOutput::Send { to, kind, id, key } => {
                    messages.push(Sent { to, kind, id, key: self.locks.key(key).to_vec() });
                    self.locks.sent(key);
                }
                LockOutput::Event(event) => events.push(event),
            }
        }
        (messages, events)
    }

    pub(crate) fn messages(&mut self) -> Vec<Sent> {
        let (messages, events) = self.outputs();
        assert_eq!(events, [], "no event was expected");
        messages
    }

    pub(crate) fn events(&mut self) -> Vec<LockEvent> {
        self.outputs().1
    }

    /// Takes the outputs, which must be one request each to these peers under one id, and gives
    /// the id.
    pub(crate) fn expect_requests(&mut self, to: &[u8]) -> RequestId {
        let messages = self.messages();
        let id = messages.first().expect("something was sent").id;
        let expected: Vec<Sent> =
            to.iter().map(|&number| sent(peer(number), Request, id)).collect();
        assert_eq!(messages, expected);
        id
    }

    /// Takes the lock with the grants of these members, who are all there are.
    pub(crate) fn take(&mut self, members: &[u8]) -> LockId {
        let lock = self.lock();
        let id = self.expect_requests(members);
        for &number in members {
            assert_eq!(self.receive(peer(number), Grant, id), Ok(()));
        }
        assert_eq!(self.events(), [LockEvent::Granted { lock }]);
        lock
    }
}
