//! What must hold for any inputs in any order, with any repairs on or off.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::lock::{ClassicLocks, LockOutput, Repairs};
use alan_proto::wire::{LockMessage, LockMessageKind};
use alan_proto::{Config, Instant, LockEvent, LockId, RequestId};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::bench::{Deny, Grant, Release, Request, peer};

#[derive(Clone, Debug)]
enum Input {
    Joined(u8, bool),
    Left(u8),
    Quorum(usize, usize),
    /// The id is one that was seen in an output, if there are so many, else made up.
    Message {
        from: u8,
        kind: LockMessageKind,
        id: usize,
        key: usize,
    },
    Lock {
        key: usize,
        tries: bool,
        millis: Option<u64>,
    },
    Release(usize),
    Unlock(usize),
    Pass(u64),
}

const KEYS: [&str; 3] = ["a", "b", "c"];

fn input() -> impl Strategy<Value = Input> {
    let kind = prop_oneof![Just(Request), Just(Grant), Just(Deny), Just(Release)];
    let key = 0..KEYS.len();
    prop_oneof![
        1 => (0u8..4, any::<bool>()).prop_map(|(number, extended)| Input::Joined(number, extended)),
        1 => (0u8..4).prop_map(Input::Left),
        1 => (0usize..4, 0usize..3).prop_map(|(have, need)| Input::Quorum(have, need)),
        8 => (0u8..5, kind, 0usize..8, key.clone())
            .prop_map(|(from, kind, id, key)| Input::Message { from, kind, id, key }),
        4 => (key.clone(), any::<bool>(), prop::option::of(0u64..2_000))
            .prop_map(|(key, tries, millis)| Input::Lock { key, tries, millis }),
        2 => (0usize..8).prop_map(Input::Release),
        1 => key.prop_map(Input::Unlock),
        3 => (0u64..3_000).prop_map(Input::Pass),
    ]
}

/// All repairs but a random selection.
fn repairs() -> impl Strategy<Value = Repairs> {
    let without = prop::collection::vec(prop::sample::select(Repairs::NAMES), 0..8);
    prop_oneof![
        Just(Repairs::ALL),
        Just(Repairs::NONE),
        without.prop_map(|names| {
            names.iter().fold(Repairs::ALL, |left, name| left.without(name).expect("a repair"))
        }),
    ]
}

struct World {
    locks: ClassicLocks,
    rng: ChaCha8Rng,
    now: Instant,
    ids: Vec<RequestId>,
    calls: Vec<LockId>,
    /// How far each call has come by its events: held or not.
    state: BTreeMap<u64, bool>,
}

impl World {
    fn new(repairs: Repairs) -> Self {
        let mut config = Config::default();
        config.lock_repairs = repairs;
        (config.max_locks, config.max_lock_waiters) = (2, 3);
        Self {
            locks: ClassicLocks::new(&config, (3, 4)),
            rng: ChaCha8Rng::seed_from_u64(5),
            now: Instant::from_millis(1),
            ids: Vec::new(),
            calls: Vec::new(),
            state: BTreeMap::new(),
        }
    }

    fn apply(&mut self, input: &Input) {
        let Self { locks, rng, now, .. } = self;
        match *input {
            Input::Joined(number, extended) => {
                locks.peer_joined(*now, peer(number), extended, rng);
            }
            Input::Left(number) => locks.peer_left(*now, peer(number), rng),
            Input::Quorum(have, need) => locks.set_quorum(*now, have, need, rng),
            Input::Message { from, kind, id, key } => {
                let id = self.ids.iter().rev().nth(id).copied();
                let id = id.unwrap_or(RequestId([9; 16]));
                let message = LockMessage { kind, id, key: KEYS[key].as_bytes() };
                // Whatever comes is either used or rejected; the bounds are checked below.
                let _outcome = locks.handle_message(*now, peer(from), &message, rng);
            }
            Input::Lock { key, tries, millis } => {
                let deadline = millis.map(|millis| *now + Duration::from_millis(millis));
                let call = if tries { ClassicLocks::try_lock } else { ClassicLocks::lock };
                if let Ok(lock) = call(locks, *now, KEYS[key], deadline, rng) {
                    self.calls.push(lock);
                    self.state.insert(lock.get(), false);
                }
            }
            Input::Release(index) => {
                if let Some(&lock) = self.calls.iter().rev().nth(index) {
                    let known = locks.held(lock);
                    let released = locks.release(*now, lock, rng);
                    assert!(released.is_ok() || !known);
                    if released.is_ok() {
                        self.state.remove(&lock.get());
                    }
                }
            }
            Input::Unlock(key) => {
                if let Ok(lock) = locks.unlock(*now, KEYS[key], rng) {
                    self.state.remove(&lock.get());
                }
            }
            Input::Pass(millis) => {
                *now = *now + Duration::from_millis(millis);
                locks.handle_timeout(*now, rng);
                assert!(locks.next_timeout().is_none_or(|at| at > *now), "nothing due is left");
            }
        }
        self.drain();
        let (keys, calls) = self.locks.usage();
        // Per key: a holder (with sharing callers, who do not wait), and those that wait.
        assert!(keys <= 2 && calls <= self.calls.len(), "{keys} keys, {calls} calls");
    }

    /// Takes the outputs; every call's events must make a life: granted once, ended once.
    fn drain(&mut self) {
        while let Some(output) = self.locks.poll_output() {
            match output {
                LockOutput::Send { to, id, key, .. } => {
                    assert_ne!(to, SocketAddr::from(([0, 0, 0, 0], 0)));
                    assert!(KEYS.iter().any(|known| known.as_bytes() == self.locks.key(key)));
                    self.locks.sent(key);
                    self.ids.push(id);
                }
                LockOutput::Event(LockEvent::Granted { lock }) => {
                    assert_eq!(self.state.insert(lock.get(), true), Some(false), "waited before");
                }
                LockOutput::Event(LockEvent::Failed { lock, .. }) => {
                    assert_eq!(self.state.remove(&lock.get()), Some(false), "waited before");
                }
                LockOutput::Event(LockEvent::Lost { lock, .. }) => {
                    assert_eq!(self.state.remove(&lock.get()), Some(true), "held before");
                }
                LockOutput::Event(other) => panic!("unknown event {other:?}"),
            }
        }
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.locks.hash(&mut hasher);
        hasher.finish()
    }
}

proptest! {
    #[test]
    fn any_inputs_keep_the_bounds_and_every_call_ends_once(
        repairs in repairs(),
        inputs in prop::collection::vec(input(), 0..150),
    ) {
        let mut world = World::new(repairs);
        for input in &inputs {
            world.apply(input);
        }
        world.locks.close(world.now);
        world.drain();
        prop_assert_eq!(world.locks.usage(), (0, 0));
        prop_assert_eq!(world.locks.next_timeout(), None);
    }

    #[test]
    fn the_same_inputs_lead_to_the_same_state(
        inputs in prop::collection::vec(input(), 0..80),
        fork in 0usize..80,
    ) {
        let mut world = World::new(Repairs::ALL);
        let fork = fork.min(inputs.len());
        for input in &inputs[..fork] {
            world.apply(input);
        }
        let mut twin = World { locks: world.locks.clone(), rng: world.rng.clone(), now: world.now,
            ids: world.ids.clone(), calls: world.calls.clone(), state: world.state.clone() };
        for input in &inputs[fork..] {
            prop_assert_eq!(world.fingerprint(), twin.fingerprint());
            world.apply(input);
            twin.apply(input);
        }
        prop_assert_eq!(world.fingerprint(), twin.fingerprint());
        prop_assert_eq!(world.ids, twin.ids);
    }
}
