//! The world: takes what is due in the order of true time, lets it happen, and has it checked.
//!
//! | file | what it does |
//! | --- | --- |
//! | `drive` | a machine's driver: what comes in, timers, and what the node wants done |
//! | `user` | what users do, and what they make of what they are told |
//! | `faults` | what is done to machines and to the network |
//! | `flights` | datagrams on their way |
//! | `spy` | what sealed datagrams say |
//! | `meter` | what measurements ask |
//! | `attack` | what those do who are no nodes of the cluster |

mod attack;
mod drive;
mod faults;
mod flights;
mod meter;
mod spy;
mod user;

use std::collections::VecDeque;

use alan_proto::envelope::{Envelope, Key as Secret, Recipient};
use alan_proto::{Config, Incarnation};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::check::{Breach, Checks, Fact, Violation};
use crate::host::{Host, State};
use crate::network::Network;
use crate::outcome::{Audits, Options, Outcome, RunStats};
use crate::place::Place;
use crate::plan::{Event, Plan};
use crate::queue::{Due, Queue};
use crate::time::Moment;
use crate::trace::{DatagramId, Occurrence, Trace};
use attack::Repeater;
use flights::{Flights, Recorded};
use meter::Meter;
use spy::Spy;
use user::Task;

/// A run in progress.
pub(crate) struct World<'p> {
    plan: &'p Plan,
    options: Options,
    config: Config,
    secret: Option<Secret>,
    /// Opens a copy of what nodes seal, to say what it means.
    spy: Option<Spy>,
    now: Moment,
    queue: Queue,
    network: Network,
    hosts: Vec<Host>,
    flights: Flights,
    /// What an attacker has seen, where the plan has one who replays.
    recorded: Option<VecDeque<Recorded>>,
    /// Who sends again what nodes send.
    repeaters: Vec<Repeater>,
    tasks: Vec<Option<Task>>,
    free_tasks: Vec<u32>,
    calm: bool,
    weather_changes: u32,
    next_datagram: DatagramId,
    grants: u64,
    /// Seals what attackers and strangers send.
    attacker: ChaCha8Rng,
    checks: Checks,
    violation: Option<Violation>,
    trace: Trace,
    stats: RunStats,
    meter: Meter,
    /// Where nodes make their datagrams.
    buffer: Vec<u8>,
    over: bool,
}

/// The key of every sealed cluster: it is no secret that the simulator keeps.
const SECRET: [u8; Secret::LEN] = [0x5a; Secret::LEN];

/// How many datagrams an attacker remembers.
const RECORDED: usize = 1_024;

impl<'p> World<'p> {
    pub(crate) fn new(plan: &'p Plan, options: Options) -> Self {
        let secret = plan.cluster.sealed.then(|| Secret::from_bytes(&SECRET).expect("32 bytes"));
        let config = plan.config();
        let replays = plan.schedule.iter().any(|entry| matches!(entry.event, Event::Replay { .. }));
        let hosts = plan.places().zip(&plan.nodes);
        let mut world = Self {
            plan,
            options,
            spy: secret.as_ref().map(|secret| Spy::new(secret, plan.nodes.len())),
            secret,
            now: Moment::START,
            queue: Queue::default(),
            network: Network::new(plan.seed, plan.nodes.len(), plan.weather),
            hosts: hosts.map(|(place, node)| Host::new(place, node, plan.seed)).collect(),
            flights: Flights::default(),
            recorded: replays.then(VecDeque::new),
            repeaters: Vec::new(),
            tasks: Vec::new(),
            free_tasks: Vec::new(),
            calm: false,
            weather_changes: 0,
            next_datagram: DatagramId(0),
            grants: 0,
            attacker: ChaCha8Rng::seed_from_u64(plan.seed ^ 0xa77a_c4e2),
            checks: Checks::new(plan),
            violation: None,
            trace: Trace::new(options.recording),
            stats: RunStats::default(),
            meter: Meter::new(plan.nodes.len()),
            buffer: vec![0; config.buffer_size],
            config,
            over: false,
        };
        world.schedule();
        world
    }

    fn schedule(&mut self) {
        for (place, node) in self.plan.places().zip(&self.plan.nodes) {
            self.queue.push(Moment::START + node.start, Due::Start(place));
        }
        for (entry, number) in self.plan.schedule.iter().zip(0..) {
            self.queue.push(Moment::START + entry.at, Due::Entry(number));
        }
        let calm = Moment::START + self.plan.calm;
        self.queue.push(calm, Due::Calm);
        match self.plan.bound {
            Some(bound) => self.queue.push(calm + bound, Due::Judge),
            None => self.queue.push(calm, Due::End),
        }
        self.queue.push(Moment::START + self.plan.audit_every, Due::Audit);
    }

    pub(crate) fn run(mut self) -> Outcome {
        while self.step() {}
        if self.violation.is_none() {
            self.audit();
        }
        if let Some(violation) = &self.violation {
            self.trace.push(violation.at, Occurrence::Violated(violation.breach.clone()));
        }
        let fingerprint = self.fingerprint();
        let Self { trace, stats, violation, now, .. } = self;
        Outcome { trace, stats, violation, end: now, fingerprint }
    }

    /// Lets happen what is due next; `false` if the run is over.
    pub(crate) fn step(&mut self) -> bool {
        if self.over || self.violation.is_some() {
            return false;
        }
        let Some((at, due)) = self.queue.pop() else { return false };
        debug_assert!(at >= self.now, "time goes forward");
        self.now = at;
        self.stats.steps += 1;
        self.happen(due);
        if self.options.audits == Audits::EveryStep {
            self.audit_against_verdict();
        }
        true
    }

    pub(crate) const fn now(&self) -> Moment {
        self.now
    }

    pub(crate) const fn stats(&self) -> &RunStats {
        &self.stats
    }

    pub(crate) const fn meter(&self) -> &Meter {
        &self.meter
    }

    /// How many members a node has; 0 where there is none.
    pub(crate) fn members(&self, node: Place) -> usize {
        self.hosts[node.index()].usage().map_or(0, |usage| usage.peers)
    }

    /// A node dies at once and for good, beside what the plan says. How many have it as a member.
    pub(crate) fn kill(&mut self, node: Place) -> usize {
        self.meter.forget_departures();
        let victim = self.hosts[node.index()].address();
        let others = self.hosts.iter().filter_map(|host| host.node.as_ref());
        let mourners = others.filter(|other| other.member(victim).is_some()).count();
        self.crash(node, None);
        mourners
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Entry(number) => self.on_entry(number),
            Due::Start(place) => self.start(place),
            Due::Arrive(slot) => self.arrive(slot),
            Due::Drive(place) => self.wake(place),
            Due::Task(task) => self.on_task(task),
            Due::Refresh(place, life) => self.refresh(place, life),
            Due::Resume(place, life) => {
                if self.hosts[place.index()].lives == life {
                    self.resume(place);
                }
            }
            Due::Heal(number) => self.heal(number),
            Due::Flood(number) => self.flood(number),
            Due::Weather(number) => self.restore_weather(number),
            Due::Audit => {
                self.audit();
                self.queue.push(self.now + self.plan.audit_every, Due::Audit);
            }
            Due::Calm => self.begin_calm(),
            Due::Judge => self.judge(),
            Due::End => self.finish(),
        }
    }

    fn observe(&mut self, fact: &Fact) {
        if let Err(breach) = self.checks.observe(self.now, fact) {
            self.violated(breach);
        }
    }

    fn violated(&mut self, breach: Breach) {
        if self.violation.is_none() {
            self.violation = Some(Violation { at: self.now, breach });
        }
    }

    fn note(&mut self, what: Occurrence) {
        self.trace.push(self.now, what);
    }

    fn audit(&mut self) {
        self.stats.audits += 1;
        if let Err(breach) = self.checks.audit(self.now, &self.hosts) {
            self.violated(breach);
        }
    }

    /// Looks at the whole world after a step, and compares with what the checks made of that step:
    /// two holders are seen either way or neither.
    fn audit_against_verdict(&mut self) {
        self.stats.audits += 1;
        let whole = self.checks.audit(self.now, &self.hosts).err();
        let found = self.violation.as_ref().map(|violation| &violation.breach);
        let clash = |breach: &&Breach| matches!(breach, Breach::TwoHolders { .. });
        if whole.as_ref().filter(clash) != found.filter(clash) {
            let invariant = crate::check::Invariant::Exclusion;
            let breach = Breach::CheckersDisagree { invariant };
            self.violation = Some(Violation { at: self.now, breach });
        } else if let Some(breach) = whole {
            self.violated(breach);
        }
    }

    /// The bound is over: what still waits is stuck. Then users give up the requests that they made
    /// without a deadline, to somebody who may never have been there, and all leave but one.
    fn judge(&mut self) {
        if let Err(breach) = self.checks.judge_progress(&self.hosts) {
            return self.violated(breach);
        }
        if !self.plan.goodbye {
            return self.finish();
        }
        let running: Vec<Place> =
            self.hosts.iter().filter(|host| host.runs()).map(Host::place).collect();
        for &place in &running {
            self.cancel_all_requests(place);
        }
        let others = running.len().saturating_sub(1);
        for &place in &running[..others] {
            self.leave(place, None);
        }
        self.queue.push(self.now + self.plan.cluster.heartbeat_timeout * 2, Due::End);
    }

    fn finish(&mut self) {
        self.over = true;
        if self.plan.bound.is_some() && self.plan.goodbye {
            let last = self.hosts.iter().find(|host| host.state == State::Running);
            if let Some(Err(breach)) = last.map(Checks::judge_leaks) {
                self.violated(breach);
            }
        }
    }

    /// Starts the next node of a machine, unless one is there.
    fn start(&mut self, node: Place) {
        let host = &mut self.hosts[node.index()];
        if host.node.is_some() {
            return;
        }
        let incarnation: Incarnation = host.start(self.now, &self.config, self.secret.as_ref());
        let (moves, address, life) = (host.moves, host.address(), host.lives);
        let wall = host.wall_at(self.now);
        self.stats.lives += 1;
        if let Some(spy) = &mut self.spy {
            spy.born(node, incarnation);
        }
        self.note(Occurrence::Started { node, address, incarnation });
        self.observe(&Fact::Started { node, moves, incarnation, wall });
        self.drain(node);
        self.queue.push(self.now, Due::Refresh(node, life));
    }

    fn fingerprint(&self) -> u64 {
        let nodes = self.hosts.iter().filter_map(|host| host.node.as_ref());
        nodes.fold(self.stats.fold(), |sum, node| {
            sum.rotate_left(7).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ node.fingerprint()
        })
    }
}

/// Seals `message` under an envelope into a datagram of its own.
fn sealed(
    envelope: &mut impl Envelope,
    rng: &mut ChaCha8Rng,
    message: &alan_proto::wire::Message<'_>,
) -> Vec<u8> {
    let (prefix, suffix) = (envelope.prefix(), envelope.suffix());
    let mut datagram = vec![0; prefix + message.encoded_len() + suffix];
    message.encode(&mut datagram[prefix..]);
    envelope.seal(rng, Recipient::Everyone, &mut datagram);
    datagram
}
