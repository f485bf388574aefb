//! The lock machine against three tables that are obviously right: who has which key of a grantor,
//! who stands in line on one node, and who has not yet granted a requester.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::lock::{ClassicLocks, LockOutput};
use alan_proto::wire::{LockMessage, LockMessageKind};
use alan_proto::{Config, Instant, LockEvent, LockFailure, LockId, Rejection, RequestId};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

const KEYS: [&str; 4] = ["a", "b", "c", "d"];
const MOST_LOCKS: usize = 3;
const MOST_WAITERS: usize = 2;
const PEERS: u8 = 5;
/// From this one on, peers are classic.
const CLASSIC: u8 = 3;

type Sent = (SocketAddr, LockMessageKind, RequestId);

fn address(peer: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 2 + peer], 5000))
}

fn id(number: u8) -> RequestId {
    RequestId([number; 16])
}

struct Machine {
    locks: ClassicLocks,
    rng: ChaCha8Rng,
    now: Instant,
}

impl Machine {
    fn new() -> Self {
        let mut config = Config::default();
        config.max_locks = u32::try_from(MOST_LOCKS).expect("a few");
        config.max_lock_waiters = u32::try_from(MOST_WAITERS).expect("a few");
        let locks = ClassicLocks::new(&config, (1, 2));
        Self { locks, rng: ChaCha8Rng::seed_from_u64(3), now: Instant::from_millis(1_000) }
    }

    fn join(&mut self, peer: u8) {
        let extended = peer < CLASSIC;
        self.locks.peer_joined(self.now, address(peer), extended, &mut self.rng);
    }

    fn receive(
        &mut self,
        from: u8,
        kind: LockMessageKind,
        id: RequestId,
        key: usize,
    ) -> Result<(), Rejection> {
        let message = LockMessage { kind, id, key: KEYS[key].as_bytes() };
        self.locks.handle_message(self.now, address(from), &message, &mut self.rng)
    }

    /// What the machine sent and told.
    fn drain(&mut self) -> (Vec<Sent>, Vec<LockEvent>) {
        let (mut sent, mut told) = (Vec::new(), Vec::new());
        while let Some(output) = self.locks.poll_output() {
            match output {
                LockOutput::Send { to, kind, id, key } => {
                    self.locks.sent(key);
                    sent.push((to, kind, id));
                }
                LockOutput::Event(event) => told.push(event),
            }
        }
        (sent, told)
    }
}

// The grantor: a key belongs to whom it was granted, until that one lets go.

#[derive(Clone, Copy, Debug)]
enum Asked {
    Request { from: u8, id: u8, key: usize },
    Release { from: u8, id: u8, key: usize },
    Left(u8),
}

fn asked() -> impl Strategy<Value = Asked> {
    let message = (0..PEERS, 1u8..4, 0..KEYS.len());
    prop_oneof![
        6 => message.clone().prop_map(|(from, id, key)| Asked::Request { from, id, key }),
        6 => message.prop_map(|(from, id, key)| Asked::Release { from, id, key }),
        1 => (0..PEERS).prop_map(Asked::Left),
    ]
}

#[derive(Default)]
struct Granted {
    members: BTreeSet<u8>,
    /// Per key, whose it is and whom to tell when it is free. Without a holder there is no row.
    keys: BTreeMap<usize, (u8, RequestId, Vec<u8>)>,
}

impl Granted {
    /// What is sent; `None` if the message is refused.
    fn apply(&mut self, input: Asked) -> Option<Vec<Sent>> {
        match input {
            Asked::Request { from, id: number, key } => self.request(from, id(number), key),
            Asked::Release { from, id: number, key } => {
                let (holder, granted, _) = self.keys.get(&key)?;
                let named = from < CLASSIC && self.members.contains(&from);
                if *holder != from || named && *granted != id(number) {
                    return None;
                }
                Some(self.free(key))
            }
            Asked::Left(peer) => {
                if !self.members.remove(&peer) {
                    return Some(Vec::new());
                }
                for (_, _, denied) in self.keys.values_mut() {
                    denied.retain(|denied| *denied != peer);
                }
                let held = self.keys.iter().filter(|(_, (holder, ..))| *holder == peer);
                let held: Vec<_> = held.map(|(key, _)| *key).collect();
                Some(held.into_iter().flat_map(|key| self.free(key)).collect())
            }
        }
    }

    fn request(&mut self, from: u8, id: RequestId, key: usize) -> Option<Vec<Sent>> {
        let total: usize = self.keys.values().map(|(.., denied)| denied.len()).sum();
        if !self.keys.contains_key(&key) && self.keys.len() == MOST_LOCKS {
            return None;
        }
        let (holder, granted, denied) = self.keys.entry(key).or_insert((from, id, Vec::new()));
        if *holder != from {
            let room = denied.len() < MOST_WAITERS && total < MOST_LOCKS;
            if !denied.contains(&from) && room {
                denied.push(from);
            }
            return Some(vec![(address(from), LockMessageKind::Deny, id)]);
        }
        // A Rust node is reminded of what it has; a classic one has forgotten that.
        if !(from < CLASSIC && self.members.contains(&from)) {
            *granted = id;
        }
        Some(vec![(address(from), LockMessageKind::Grant, *granted)])
    }

    fn free(&mut self, key: usize) -> Vec<Sent> {
        let (.., denied) = self.keys.remove(&key).expect("it is held");
        let told = denied.into_iter();
        told.map(|peer| (address(peer), LockMessageKind::Release, RequestId::ZERO)).collect()
    }
}

proptest! {
    #[test]
    fn a_grantor_grants_a_key_to_one_and_tells_the_others_when_it_is_free(
        inputs in prop::collection::vec(asked(), 0..120),
    ) {
        let (mut machine, mut model) = (Machine::new(), Granted::default());
        for peer in 0..PEERS {
            machine.join(peer);
            model.members.insert(peer);
        }
        for input in inputs {
            let expected = model.apply(input);
            let outcome = match input {
                Asked::Request { from, id: number, key } => {
                    machine.receive(from, LockMessageKind::Request, id(number), key)
                }
                Asked::Release { from, id: number, key } => {
                    machine.receive(from, LockMessageKind::Release, id(number), key)
                }
                Asked::Left(peer) => {
                    let Machine { locks, rng, now } = &mut machine;
                    locks.peer_left(*now, address(peer), rng);
                    Ok(())
                }
            };
            let (mut sent, told) = machine.drain();
            prop_assert_eq!(outcome.is_ok(), expected.is_some(), "{:?} gave {:?}", input, outcome);
            let mut expected = expected.unwrap_or_default();
            if matches!(input, Asked::Left(_)) {
                // Keys are freed in the order of their places in the table.
                sent.sort_unstable_by_key(|sent| sent.0);
                expected.sort_unstable_by_key(|sent| sent.0);
            }
            prop_assert_eq!(sent, expected, "after {:?}", input);
            prop_assert_eq!(told, []);
            prop_assert_eq!(machine.locks.usage(), (model.keys.len(), 0));
        }
    }
}

// Callers of one node that knows nobody: the first in line holds the key.

#[derive(Clone, Copy, Debug)]
enum Call {
    Lock {
        key: usize,
        within: Option<u64>,
    },
    Try {
        key: usize,
    },
    /// Of the calls that have not ended, this one.
    Release(usize),
    Unlock(usize),
    Pass(u64),
}

fn call() -> impl Strategy<Value = Call> {
    let key = 0..KEYS.len();
    prop_oneof![
        5 => (key.clone(), prop::option::of(1u64..3_000))
            .prop_map(|(key, within)| Call::Lock { key, within }),
        1 => key.clone().prop_map(|key| Call::Try { key }),
        3 => (0usize..6).prop_map(Call::Release),
        1 => key.prop_map(Call::Unlock),
        2 => (0u64..2_000).prop_map(Call::Pass),
    ]
}

#[derive(Default)]
struct Lines {
    /// Per key, the calls in line and their deadlines; the first holds it.
    lines: BTreeMap<usize, VecDeque<(LockId, Option<Instant>)>>,
}

impl Lines {
    fn called(&mut self, key: usize, lock: LockId, deadline: Option<Instant>) -> Vec<LockEvent> {
        let line = self.lines.entry(key).or_default();
        line.push_back((lock, deadline));
        if line.len() == 1 { vec![LockEvent::Granted { lock }] } else { Vec::new() }
    }

    /// A call ends; if it was the first, the next one holds the key.
    fn ends(&mut self, lock: LockId) -> Vec<LockEvent> {
        let place = |line: &VecDeque<(LockId, _)>| line.iter().position(|call| call.0 == lock);
        let found = self.lines.iter().find_map(|(key, line)| Some((*key, place(line)?)));
        let (key, place) = found.expect("only what has not ended can end");
        let line = self.lines.get_mut(&key).expect("it was found there");
        line.remove(place);
        let next = line.front().filter(|_| place == 0).map(|next| next.0);
        if line.is_empty() {
            self.lines.remove(&key);
        }
        next.map(|lock| LockEvent::Granted { lock }).into_iter().collect()
    }

    fn passes(&mut self, now: Instant) -> Vec<LockEvent> {
        let why = LockFailure::TimedOut;
        let waiting = self.lines.values().flat_map(|line| line.iter().skip(1));
        let due = waiting.filter(|(_, deadline)| deadline.is_some_and(|at| at <= now));
        let mut due: Vec<_> = due.map(|(lock, deadline)| (*deadline, *lock)).collect();
        due.sort_by_key(|(deadline, _)| *deadline);
        for line in self.lines.values_mut() {
            line.retain(|call| !due.iter().any(|(_, lock)| *lock == call.0));
        }
        due.into_iter().map(|(_, lock)| LockEvent::Failed { lock, why }).collect()
    }

    fn calls(&self) -> impl Iterator<Item = LockId> + '_ {
        self.lines.values().flatten().map(|call| call.0)
    }
}

proptest! {
    #[test]
    fn callers_of_one_node_hold_a_key_in_the_order_of_their_calls(
        calls in prop::collection::vec(call(), 0..120),
    ) {
        let (mut machine, mut model) = (Machine::new(), Lines::default());
        for call in calls {
            let Machine { locks, rng, now } = &mut machine;
            let mut expected = match call {
                Call::Lock { key, within } => {
                    let deadline = within.map(|millis| *now + Duration::from_millis(millis));
                    match locks.lock(*now, KEYS[key], deadline, rng) {
                        Ok(lock) => model.called(key, lock, deadline),
                        Err(_full) => {
                            let in_line = model.lines.get(&key).map_or(0, VecDeque::len);
                            let locks_full = in_line == 0 && model.lines.len() == MOST_LOCKS;
                            prop_assert!(locks_full || in_line == MOST_WAITERS + 1);
                            Vec::new()
                        }
                    }
                }
                Call::Try { key } => match locks.try_lock(*now, KEYS[key], None, rng) {
                    Ok(lock) if model.lines.contains_key(&key) => {
                        vec![LockEvent::Failed { lock, why: LockFailure::Held { by: None } }]
                    }
                    Ok(lock) => model.called(key, lock, None),
                    Err(_full) => Vec::new(),
                },
                Call::Release(number) => {
                    let lock = model.calls().nth(number);
                    let released = lock.map(|lock| locks.release(*now, lock, rng));
                    prop_assert!(released.is_none_or(|released| released.is_ok()));
                    lock.map(|lock| model.ends(lock)).unwrap_or_default()
                }
                Call::Unlock(key) => {
                    let holder = model.lines.get(&key).map(|line| line[0].0);
                    prop_assert_eq!(locks.unlock(*now, KEYS[key], rng).ok(), holder);
                    holder.map(|lock| model.ends(lock)).unwrap_or_default()
                }
                Call::Pass(millis) => {
                    *now = *now + Duration::from_millis(millis);
                    locks.handle_timeout(*now, rng);
                    model.passes(*now)
                }
            };
            let (sent, mut told) = machine.drain();
            prop_assert_eq!(sent, []);
            if matches!(call, Call::Pass(_)) {
                // Two that are due at the same moment fail in no order that matters.
                told.sort_by_key(number);
                expected.sort_by_key(number);
            }
            prop_assert_eq!(told, expected, "after {:?}", call);
            prop_assert_eq!(machine.locks.usage().1, model.calls().count());
        }
    }
}

fn number(event: &LockEvent) -> Option<u64> {
    match event {
        LockEvent::Granted { lock }
        | LockEvent::Failed { lock, .. }
        | LockEvent::Lost { lock, .. } => Some(lock.get()),
        _ => None,
    }
}

// The requester: it holds the key once everybody who is here has granted it.

#[derive(Clone, Copy, Debug)]
enum Answer {
    Grant { from: u8, asked: bool, key: usize },
    Joined(u8),
    Left(u8),
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        // Mostly the grant that was asked for.
        8 => (0..PEERS, prop::bool::weighted(0.8), prop_oneof![8 => Just(0usize), 1 => Just(1)])
            .prop_map(|(from, asked, key)| Answer::Grant { from, asked, key }),
        2 => (0..PEERS).prop_map(Answer::Joined),
        1 => (0..PEERS).prop_map(Answer::Left),
    ]
}

proptest! {
    #[test]
    fn a_requester_holds_the_key_once_every_member_has_granted_this_request(
        first in prop::collection::btree_set(0..PEERS, 1..=usize::from(PEERS)),
        answers in prop::collection::vec(answer(), 0..60),
    ) {
        let mut machine = Machine::new();
        let (mut members, mut held) = (first.clone(), false);
        let mut missing = first;
        for &peer in &members {
            machine.join(peer);
        }
        let Machine { locks, rng, now } = &mut machine;
        let lock = locks.lock(*now, KEYS[0], None, rng).expect("there is room");
        let mut asked = BTreeMap::new();
        for answer in answers {
            let (sent, told) = machine.drain();
            let requests = sent.iter().filter(|(_, kind, _)| *kind == LockMessageKind::Request);
            asked.extend(requests.map(|(to, _, id)| (*to, *id)));
            prop_assert_eq!(told.contains(&LockEvent::Granted { lock }), missing.is_empty() && !held);
            held |= missing.is_empty();
            prop_assert_eq!(machine.locks.held(lock), held);
            let Machine { locks, rng, now } = &mut machine;
            match answer {
                Answer::Grant { from, asked: named, key } => {
                    let named = asked.get(&address(from)).filter(|_| named).copied();
                    if named.is_some() && key == 0 && members.contains(&from) {
                        missing.remove(&from);
                    }
                    let id = named.unwrap_or_else(|| id(9));
                    // What does not count is rejected, or released.
                    let _outcome = machine.receive(from, LockMessageKind::Grant, id, key);
                }
                Answer::Joined(peer) => {
                    if members.insert(peer) && !held {
                        missing.insert(peer);
                    }
                    machine.join(peer);
                }
                Answer::Left(peer) => {
                    members.remove(&peer);
                    missing.remove(&peer);
                    locks.peer_left(*now, address(peer), rng);
                }
            }
        }
    }
}
