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

use crate::draw::{Draws, PerMille};
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
    /// How many datagrams are lost; `None` for as many as the scenario draws.
    pub lost: Option<PerMille>,
}

impl Variant {
    /// With as much loss as the scenario draws.
    #[must_use]
    pub const fn new(sized: bool, locks: Locks) -> Self {
        Self { sized, locks, lost: None }
    }

    /// With this much loss instead.
    #[must_use]
    pub const fn losing(self, lost: PerMille) -> Self {
        Self { lost: Some(lost), ..self }
    }
}

/// No scenario has this name.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("there is no scenario {name:?}; there are: {}", names())]
pub struct UnknownScenario {
    /// The name.
    pub name: String,
}

/// Every scenario, those about locks first, what cannot be withstood last.
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
    membership::MIXED,
    membership::TWO_ADDRESSES,
    membership::INSTANT_RESTART,
    membership::WALL_CLOCKS,
    attackers::REPLAY,
    attackers::REFLECTION,
    attackers::SPOOFED_LEAVE,
    attackers::JOIN_FLOOD,
    attackers::REPLAY_TO_CLASSIC,
    attackers::RELAY,
];

/// How many of the last are left out of [`ALL`]: what cannot be withstood by who serves peers that
/// speak as the Go library does, and by who knows others by their addresses.
const OPEN: usize = 2;

/// The scenarios in which nodes are to hold what they promise. The others are run by name only.
pub const ALL: &[Scenario] = EVERY.split_at(EVERY.len() - OPEN).0;

/// What cannot be simulated yet, and why.
pub const LATER: &[(&str, &str)] = &[
    ("observer", "lock algorithms do not tell observers from voters yet"),
    ("fencing", "locks have no tokens yet, so none can fall"),
    ("drift of leases", "locks have no leases yet; `drift` only makes clocks run apart"),
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
        plan.weather.lost = variant.lost.unwrap_or(plan.weather.lost);
        plan.schedule.sort_by_key(|entry| entry.at);
        plan
    }
}

fn names() -> String {
    EVERY.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ")
}
