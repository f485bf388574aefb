//! What a run came to.

use crate::check::Violation;
use crate::plan::Plan;
use crate::time::Moment;
use crate::trace::{Recording, Trace};
use crate::world::World;

/// How a run is watched. None of this changes what happens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Options {
    /// How much of the history is kept.
    pub recording: Recording,
    /// How often the whole world is checked, beside what each step touched.
    pub audits: Audits,
}

/// How often the whole world is checked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Audits {
    /// As often as the plan says, and at the end.
    Planned,
    /// After every step; slow.
    EveryStep,
}

impl Options {
    /// Keeps the whole history.
    pub const RECORDED: Self = Self { recording: Recording::Everything, audits: Audits::Planned };

    /// Keeps nothing: the fastest.
    pub const FAST: Self = Self { recording: Recording::Nothing, audits: Audits::Planned };
}

/// What a run came to.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The history, or what was kept of it.
    pub trace: Trace,
    /// How much happened.
    pub stats: RunStats,
    /// The first violation of an invariant, which ended the run.
    pub violation: Option<Violation>,
    /// When the run ended, in true time.
    pub end: Moment,
    /// A number that differs, in all likelihood, between two runs that did not end alike.
    pub fingerprint: u64,
}

/// How much happened in a run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct RunStats {
    /// Steps of the world.
    pub steps: u64,
    /// Datagrams sent, copies of doubled ones not counted.
    pub sent: u64,
    /// Bytes of the datagrams that nodes sent, without IP and UDP headers.
    pub bytes: u64,
    /// Bytes that nodes were sent by addresses of strangers.
    pub from_strangers: u64,
    /// Bytes that nodes sent to these.
    pub to_strangers: u64,
    /// Datagrams handed to a node, copies of doubled ones included.
    pub delivered: u64,
    /// Datagrams lost.
    pub lost: u64,
    /// Datagrams doubled.
    pub doubled: u64,
    /// User payloads that reached a user.
    pub received: u64,
    /// Wake-ups of nodes by their clocks.
    pub timeouts: u64,
    /// What users did by the schedule.
    pub commands: u64,
    /// Locks granted.
    pub grants: u64,
    /// Members that were declared silent though they were there and ran.
    pub false_deaths: u64,
    /// Nodes started.
    pub lives: u64,
    /// Times that the whole world was checked.
    pub audits: u64,
}

impl RunStats {
    pub(crate) fn fold(&self) -> u64 {
        let Self { steps, sent, delivered, lost, doubled, received, .. } = *self;
        let Self { timeouts, commands, grants, lives, .. } = *self;
        [steps, sent, delivered, lost, doubled, received, timeouts, commands, grants, lives]
            .into_iter()
            .fold(0, |sum: u64, count| sum.wrapping_mul(0x0100_0000_01b3) ^ count)
    }
}

/// Runs a plan and keeps its whole history. The same plan gives the same history, bit for bit.
pub fn run(plan: &Plan) -> Outcome {
    run_with(plan, Options::RECORDED)
}

/// Runs a plan, watched as the options say. Ends with the first violation.
///
/// # Panics
/// If the plan's configuration is out of the range that [`alan_proto::Config::validate`] permits.
pub fn run_with(plan: &Plan, options: Options) -> Outcome {
    World::new(plan, options).run()
}
