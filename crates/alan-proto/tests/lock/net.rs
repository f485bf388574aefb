//! Several machines on a network in memory: virtual time, seeded choices, and a check after every
//! step that nobody holds a key that another holds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::lock::{ClassicLocks, LockOutput, Repairs};
use alan_proto::wire::{LockMessage, LockMessageKind};
use alan_proto::{Config, Instant, LockEvent, LockFailure, LockId, RequestId};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::bench::{KEY, peer};

/// How the network treats messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    /// Each message takes up to so many milliseconds.
    pub(crate) delay: u64,
    /// Messages from one node to another arrive in the order in which they were sent.
    pub(crate) in_order: bool,
    /// So many of a hundred are lost …
    pub(crate) lost: u64,
    /// … and so many arrive twice.
    pub(crate) doubled: u64,
}

impl Weather {
    pub(crate) const FINE: Self = Self { delay: 3, in_order: true, lost: 0, doubled: 0 };
}

struct Flight {
    at: Instant,
    sequence: u64,
    from: usize,
    to: usize,
    kind: LockMessageKind,
    id: RequestId,
    key: Vec<u8>,
}

struct Site {
    locks: ClassicLocks,
    rng: ChaCha8Rng,
    /// It behaves like, and is taken for, a node of the Go library.
    classic: bool,
    holds: Option<LockId>,
    /// Calls that have not ended.
    waiting: usize,
    failed: Vec<LockFailure>,
}

pub(crate) struct Net {
    sites: Vec<Site>,
    pub(crate) now: Instant,
    weather: Weather,
    rng: ChaCha8Rng,
    flights: Vec<Flight>,
    last_arrival: BTreeMap<(usize, usize), Instant>,
    sequence: u64,
    /// How often the key was acquired, by whomever.
    pub(crate) acquired: usize,
    /// How often it was while another held it.
    pub(crate) clashes: usize,
    pub(crate) delivered: usize,
}

fn address(index: usize) -> SocketAddr {
    peer(u8::try_from(index).expect("few nodes"))
}

impl Net {
    /// `rust` Rust nodes with these repairs and `classic` ones of the Go library, all members of
    /// each other.
    pub(crate) fn new(
        rust: usize,
        classic: usize,
        repairs: Repairs,
        weather: Weather,
        seed: u64,
    ) -> Self {
        let sites = (0..rust + classic).map(|index| {
            let classic = index >= rust;
            let mut config = Config::default();
            config.lock_repairs = if classic { Repairs::NONE } else { repairs };
            Site {
                locks: ClassicLocks::new(&config, (seed, 1)),
                rng: ChaCha8Rng::seed_from_u64(seed.wrapping_mul(31) + index as u64),
                classic,
                holds: None,
                waiting: 0,
                failed: Vec::new(),
            }
        });
        let mut net = Self {
            sites: sites.collect(),
            now: Instant::from_millis(1),
            weather,
            rng: ChaCha8Rng::seed_from_u64(seed),
            flights: Vec::new(),
            last_arrival: BTreeMap::new(),
            sequence: 0,
            acquired: 0,
            clashes: 0,
            delivered: 0,
        };
        for index in 0..net.sites.len() {
            for other in (0..net.sites.len()).filter(|other| *other != index) {
                let extended = !net.sites[other].classic && repairs != Repairs::NONE;
                let Site { locks, rng, .. } = &mut net.sites[index];
                locks.peer_joined(net.now, address(other), extended, rng);
            }
        }
        net
    }

    /// These two have never heard of each other.
    pub(crate) fn hide(&mut self, one: usize, other: usize) {
        for (index, hidden) in [(one, other), (other, one)] {
            let Site { locks, rng, .. } = &mut self.sites[index];
            locks.peer_left(self.now, address(hidden), rng);
        }
    }

    /// From now on the network is like this.
    pub(crate) fn set_weather(&mut self, weather: Weather) {
        self.weather = weather;
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }

    pub(crate) fn lock(&mut self, index: usize) -> LockId {
        let Site { locks, rng, .. } = &mut self.sites[index];
        let lock = locks.lock(self.now, KEY, None, rng).expect("there is room");
        self.sites[index].waiting += 1;
        self.collect(index);
        lock
    }

    pub(crate) fn lock_for(&mut self, index: usize, millis: u64) -> LockId {
        let deadline = self.now + Duration::from_millis(millis);
        let Site { locks, rng, .. } = &mut self.sites[index];
        let lock = locks.lock(self.now, KEY, Some(deadline), rng).expect("there is room");
        self.sites[index].waiting += 1;
        self.collect(index);
        lock
    }

    pub(crate) fn try_lock(&mut self, index: usize) -> LockId {
        let Site { locks, rng, .. } = &mut self.sites[index];
        let lock = locks.try_lock(self.now, KEY, None, rng).expect("there is room");
        self.sites[index].waiting += 1;
        self.collect(index);
        lock
    }

    /// Releases what the node holds, if it holds the lock.
    pub(crate) fn unlock(&mut self, index: usize) -> bool {
        let Site { locks, rng, holds, .. } = &mut self.sites[index];
        let Some(lock) = holds.take() else { return false };
        locks.release(self.now, lock, rng).expect("it is held");
        self.collect(index);
        true
    }

    pub(crate) fn holder(&self) -> Option<usize> {
        self.sites.iter().position(|site| site.holds.is_some())
    }

    /// Whether a user may call at this node: one of the Go library shares a lock among its callers
    /// by accident, so it has one at a time.
    pub(crate) fn may_call(&self, index: usize) -> bool {
        let site = &self.sites[index];
        !site.classic || site.waiting == 0 && site.holds.is_none()
    }

    pub(crate) fn failures(&self, index: usize) -> &[LockFailure] {
        &self.sites[index].failed
    }

    /// Keys known and calls waiting, over all nodes.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let usages = self.sites.iter().map(|site| site.locks.usage());
        usages.fold((0, 0), |sum, usage| (sum.0 + usage.0, sum.1 + usage.1))
    }

    /// Does the next thing that happens, a delivery or a timeout; false if nothing ever will.
    pub(crate) fn step(&mut self) -> bool {
        let flight = self.flights.iter().map(|flight| (flight.at, flight.sequence)).min();
        let timeout = self.next_timeout();
        match (flight, timeout) {
            (None, None) => return false,
            (Some((at, sequence)), due) if due.is_none_or(|(due, _)| at <= due) => {
                self.now = self.now.max(at);
                self.deliver(sequence);
            }
            (_, due) => {
                let (at, index) = due.expect("otherwise there is a flight");
                self.now = self.now.max(at);
                let Site { locks, rng, .. } = &mut self.sites[index];
                locks.handle_timeout(self.now, rng);
                self.collect(index);
            }
        }
        true
    }

    /// Lets everything happen that happens within so many milliseconds.
    pub(crate) fn pass(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while self.next_event().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = end;
    }

    fn next_event(&self) -> Option<Instant> {
        let flight = self.flights.iter().map(|flight| flight.at).min();
        let timeout = self.next_timeout().map(|(at, _)| at);
        flight.into_iter().chain(timeout).min()
    }

    fn next_timeout(&self) -> Option<(Instant, usize)> {
        let timeouts = self.sites.iter().zip(0..);
        timeouts.filter_map(|(site, index)| Some((site.locks.next_timeout()?, index))).min()
    }

    fn deliver(&mut self, sequence: u64) {
        let position = self.flights.iter().position(|flight| flight.sequence == sequence);
        let flight = self.flights.swap_remove(position.expect("it was just seen"));
        self.delivered += 1;
        let message = LockMessage { kind: flight.kind, id: flight.id, key: &flight.key };
        let Site { locks, rng, .. } = &mut self.sites[flight.to];
        // What is rejected is dropped, as everywhere.
        let _outcome = locks.handle_message(self.now, address(flight.from), &message, rng);
        self.collect(flight.to);
    }

    fn collect(&mut self, index: usize) {
        while let Some(output) = self.sites[index].locks.poll_output() {
            match output {
                LockOutput::Send { to, kind, id, key: slot } => {
                    let key = self.sites[index].locks.key(slot).to_vec();
                    self.sites[index].locks.sent(slot);
                    let to = (0..self.sites.len()).find(|other| address(*other) == to);
                    self.send(index, to.expect("all peers are nodes"), kind, id, &key);
                }
                LockOutput::Event(LockEvent::Granted { lock }) => {
                    self.clashes += usize::from(self.holder().is_some());
                    self.acquired += 1;
                    self.sites[index].waiting -= 1;
                    self.sites[index].holds = Some(lock);
                }
                LockOutput::Event(LockEvent::Failed { why, .. }) => {
                    self.sites[index].waiting -= 1;
                    self.sites[index].failed.push(why);
                }
                LockOutput::Event(LockEvent::Lost { lock, .. }) => {
                    self.sites[index].holds.take_if(|held| *held == lock);
                }
                LockOutput::Event(other) => panic!("unexpected: {other:?}"),
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, kind: LockMessageKind, id: RequestId, key: &[u8]) {
        if self.below(100) < self.weather.lost {
            return;
        }
        let copies = 1 + u64::from(self.below(100) < self.weather.doubled);
        for _ in 0..copies {
            let delay = self.below(self.weather.delay * 1_000 + 1);
            let mut at = self.now + Duration::from_micros(delay);
            if self.weather.in_order {
                let last = self.last_arrival.entry((from, to)).or_insert(at);
                at = at.max(*last);
                *last = at;
            }
            self.sequence += 1;
            let sequence = self.sequence;
            self.flights.push(Flight { at, sequence, from, to, kind, id, key: key.to_vec() });
        }
    }
}
