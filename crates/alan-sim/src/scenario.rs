//! The scenarios: kinds of trouble, each of which a seed turns into a plan.
//!
//! A scenario fixes what it is about, and lets the seed draw the rest: how many nodes, delays and
//! losses, who does what when. Each can be run with the cluster size set or not, and under each
//! lock algorithm.

mod attackers;
mod common;
mod locks;
mod membership;
mod network;
mod restarts;

use thiserror::Error;

use crate::draw::Draws;
use crate::plan::{Locks, Plan};

/// A kind of trouble.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What happens, in a line.
    pub summary: &'static str,
    /// What it is about.
    pub about: About,
    /// Whether the Go library's lock algorithm is known to fail in it.
    pub classic_fails: bool,
    draw: fn(&mut Draws, Variant) -> Plan,
}

/// What a scenario is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum About {
    /// Who holds a lock.
    Locks,
    /// Who is there.
    Membership,
}

/// How a scenario is run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Variant {
    /// Whether the nodes know how many they are; else there is no quorum.
    pub sized: bool,
    /// Their lock algorithm.
    pub locks: Locks,
}

/// No scenario has this name.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("there is no scenario {name:?}; there are: {}", names())]
pub struct UnknownScenario {
    /// The name.
    pub name: String,
}

/// Every scenario, those about locks first, those that only the next version stands last.
pub const EVERY: &[Scenario] = &[
    locks::STARTUP_RACE,
    locks::REORDER,
    network::PARTITION,
    network::PARTIAL_VISIBILITY,
    restarts::CRASH_RESTART,
    restarts::REPLACEMENT,
    locks::PAUSE,
    network::ASYMMETRIC,
    locks::DRIFT,
    restarts::SURGE,
    restarts::CHURN,
    locks::CHAOS,
    membership::COLD_START_3,
    membership::COLD_START_30,
    membership::COLD_START_300,
    membership::ROLLING_RESTART,
    membership::LOSSY,
    membership::ONE_WAY,
    membership::STRANGERS,
    membership::FORGERIES,
    membership::REPEATS,
    membership::DNS_LIES,
    membership::DNS_CHANGES,
    membership::DNS_MOSTLY_DEAD,
    membership::CONVERSATION,
    attackers::REPLAY,
    attackers::REFLECTION,
    attackers::SPOOFED_LEAVE,
    attackers::JOIN_FLOOD,
];

/// How many of the last are left out of [`ALL`]: they ask for verified sessions.
const FOR_THE_NEXT_VERSION: usize = 4;

/// The scenarios that this version stands. The others are run by name only.
pub const ALL: &[Scenario] = EVERY.split_at(EVERY.len() - FOR_THE_NEXT_VERSION).0;

/// What cannot be simulated yet, and why.
pub const LATER: &[(&str, &str)] = &[
    ("observer", "no node is an observer yet: every one votes"),
    ("fencing", "locks have no tokens yet, so none can fall"),
    ("drift of leases", "locks have no leases yet; `drift` only makes clocks run apart"),
    ("wall-clock steps", "no node reads a wall clock yet"),
    ("replay of locks under a key", "sealed datagrams can be repeated in this version"),
];

impl Scenario {
    /// The scenario with this name.
    pub fn find(name: &str) -> Result<&'static Self, UnknownScenario> {
        let found = EVERY.iter().find(|scenario| scenario.name == name);
        found.ok_or_else(|| UnknownScenario { name: name.into() })
    }

    /// What this seed draws.
    #[must_use]
    pub(crate) fn plan(&self, variant: Variant, seed: u64) -> Plan {
        // The same name draws the same: the order of the scenarios does not matter.
        let purpose = self.name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut plan = (self.draw)(&mut Draws::new(seed, purpose), variant);
        plan.name = self.name.into();
        plan.seed = seed;
        plan.schedule.sort_by_key(|entry| entry.at);
        plan
    }
}

fn names() -> String {
    EVERY.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ")
}
