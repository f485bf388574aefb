//! Everything that a run is made from, as explicit data: a run of the same plan is the same run,
//! and a plan with an entry less is a smaller one that can be run as well.
//!
//! A plan comes from [`Plan::generate`], for a scenario and a seed, or from [`Plan::new`] and the
//! words of [`At`], for a history that is known.

mod attack;
mod builder;
mod event;
mod network;

use std::time::Duration;

pub use attack::{Claim, Disguise, Flood, Repeat, Target, Word};
pub use builder::At;
pub use event::{Cut, Event, FirstToRun, Forgery, Key, Knows, Name, Return};
pub use network::{Delay, Weather};

use alan_proto::Config;
use alan_proto::lock::Repairs;

use crate::place::Place;
use crate::scenario::{Scenario, Variant};

/// Everything that a run is made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// What it is called in reports: the scenario's name, if it is one's.
    pub name: String,
    /// Draws what happens to each datagram, and what each node draws for itself.
    pub seed: u64,
    /// What all nodes have in common.
    pub cluster: Cluster,
    /// The nodes, by [`Place`].
    pub nodes: Vec<NodePlan>,
    /// What the network does when nothing else is said.
    pub weather: Weather,
    /// What is done to the nodes, and what their users do; in any order.
    pub schedule: Vec<Entry>,
    /// When the faults end: the network loses nothing any more, every cut is healed, and whoever
    /// is paused goes on.
    pub calm: Duration,
    /// How long after that everything that waits must have ended, and all views agree. `None`: the
    /// run ends when the calm begins.
    pub bound: Option<Duration>,
    /// Whether all nodes leave after that, one excepted, whose tables must then be empty.
    pub goodbye: bool,
    /// Whether somebody attacks the cluster: then it is also checked that he brings nothing about.
    pub attacked: bool,
    /// How often the whole world is checked, beside what each step touched.
    pub audit_every: Duration,
}

/// What all nodes of a cluster have in common.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cluster {
    /// The configured number of nodes; 0 for none.
    pub size: u32,
    /// Which lock algorithm they run.
    pub locks: Locks,
    /// How often they send heartbeats.
    pub heartbeat_interval: Duration,
    /// When silence becomes death.
    pub heartbeat_timeout: Duration,
    /// How long a `try_lock` waits.
    pub timeout: Duration,
    /// The longest pause between two JOINs.
    pub join_interval: Duration,
    /// How often discovery is asked.
    pub refresh: Duration,
    /// The most members of a node.
    pub max_peers: u32,
    /// Whether they share a key.
    pub sealed: bool,
    /// Whether they serve peers that speak as the Go library does.
    pub classic_peers: bool,
}

/// Which lock algorithm nodes run.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Locks {
    /// The Go library's, its defects included.
    Classic,
    /// The same with every repair.
    Repaired,
    /// The same with some repairs.
    Partly(Repairs),
}

impl Locks {
    /// The repairs that are on.
    #[must_use]
    pub const fn repairs(self) -> Repairs {
        match self {
            Self::Classic => Repairs::NONE,
            Self::Repaired => Repairs::ALL,
            Self::Partly(repairs) => repairs,
        }
    }
}

/// One machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodePlan {
    /// When its node starts.
    pub start: Duration,
    /// Whom discovery names to it.
    pub knows: Knows,
    /// By how many millionths its clock is fast or, negative, slow. Less than 1,000,000.
    pub clock_rate: i32,
    /// By how many microseconds its wall clock is fast or, negative, slow.
    pub wall_offset: i64,
    /// How much later than it should its driver wakes, at most: for datagrams and for timers.
    pub lag: Duration,
    /// How many datagrams its socket holds; what comes beyond is lost.
    pub socket: usize,
    /// How long its user takes to answer a request.
    pub answers_after: Duration,
    /// Whether it speaks as the Go library does: its control messages name no life.
    pub classic: bool,
    /// Whether it has two addresses. Discovery names both, and what it sends to the nodes at odd
    /// places comes from the second.
    pub two_addresses: bool,
}

/// Something that happens at a moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When, from the beginning of the world.
    pub at: Duration,
    /// What.
    pub event: Event,
}

impl Plan {
    /// So many nodes on a perfect network, which start at once and discover each other; nobody
    /// does anything. The calm begins two seconds after the last entry.
    #[must_use]
    pub fn new(nodes: u16) -> Self {
        Self {
            name: "hand-made".into(),
            seed: 0,
            cluster: Cluster::default(),
            nodes: (0..nodes).map(|_| NodePlan::default()).collect(),
            weather: Weather::CALM,
            schedule: Vec::new(),
            calm: Duration::from_secs(2),
            bound: Some(Duration::from_secs(60)),
            goodbye: true,
            attacked: false,
            audit_every: Duration::from_secs(1),
        }
    }

    /// What this seed draws for this scenario.
    #[must_use]
    pub fn generate(scenario: &Scenario, variant: Variant, seed: u64) -> Self {
        scenario.plan(variant, seed)
    }

    /// The places of all nodes.
    pub fn places(&self) -> impl Iterator<Item = Place> + use<> {
        (0..self.nodes.len()).map(|index| Place(u16::try_from(index).expect("few nodes")))
    }

    /// When the run is over.
    #[must_use]
    pub fn end(&self) -> Duration {
        let Some(bound) = self.bound else { return self.calm };
        let goodbye =
            if self.goodbye { self.cluster.heartbeat_timeout * 2 } else { Duration::ZERO };
        self.calm + bound + goodbye
    }

    /// The configuration of every node.
    #[must_use]
    pub fn config(&self) -> Config {
        let cluster = &self.cluster;
        let mut config = Config::default();
        config.port = crate::place::PORT;
        config.heartbeat_interval = cluster.heartbeat_interval;
        config.heartbeat_timeout = cluster.heartbeat_timeout;
        config.timeout = cluster.timeout;
        config.join_interval = cluster.join_interval;
        config.cluster_size = cluster.size;
        config.max_peers = cluster.max_peers;
        config.lock_repairs = cluster.locks.repairs();
        config.classic_peers = cluster.classic_peers;
        config
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            size: 0,
            locks: Locks::Repaired,
            heartbeat_interval: Duration::from_secs(1),
            heartbeat_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(5),
            join_interval: Duration::from_secs(2),
            refresh: Duration::from_secs(2),
            max_peers: 4_096,
            sealed: false,
            classic_peers: true,
        }
    }
}

impl Default for NodePlan {
    fn default() -> Self {
        Self {
            start: Duration::ZERO,
            knows: Knows::Everyone,
            clock_rate: 0,
            wall_offset: 0,
            lag: Duration::ZERO,
            socket: 4_096,
            answers_after: Duration::from_millis(1),
            classic: false,
            two_addresses: false,
        }
    }
}
