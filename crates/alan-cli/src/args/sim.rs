//! What can be typed after `alan sim`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use alan_sim::PerMille;
use alan_sim::plan::Locks;
use alan_sim::scenario::{self, Scenario, UnknownScenario, Variant};
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use thiserror::Error;

use super::measure::{MeasureCommand, percent};

/// The commands of `alan sim`.
#[derive(Debug, Subcommand)]
pub(crate) enum SimCommand {
    /// List the scenarios.
    List(ListArgs),
    /// Run a scenario, or all, under many seeds. Ends a scenario at the first violation, with its
    /// seed, the command that shows it again, a minimised history and a timeline. Exits with 0
    /// when every invariant held, with 1 when one was violated.
    Run(RunArgs),
    /// Run one seed again and show its timeline. Exits with 1 when an invariant is violated.
    Replay(HistoryArgs),
    /// Make the history of a seed that violates an invariant smaller, and show that. Exits with 1
    /// when an invariant is violated.
    Shrink(HistoryArgs),
    /// For each scenario about locks: which invariant is violated, how many seeds that takes, how
    /// small the history gets. A table in Markdown.
    Table(TableArgs),
    /// Measure clusters in simulated time.
    #[command(subcommand)]
    Measure(MeasureCommand),
}

/// Flags of `alan sim list`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ListArgs {
    /// One JSON object per scenario.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `alan sim run`.
#[derive(Debug, ClapArgs)]
pub(crate) struct RunArgs {
    /// The scenario's name, or `all`.
    #[arg(value_parser = which)]
    pub(crate) scenario: Which,

    #[command(flatten)]
    pub(crate) seeds: SeedArgs,

    /// The lock algorithm: `classic` is the Go library's, its defects included; `repaired` is
    /// this library's.
    #[arg(long, value_name = "ALGORITHM", default_value = "repaired", value_parser = locks)]
    pub(crate) locks: Locks,

    /// Whether the nodes know how many they are.
    #[arg(long, value_enum, value_name = "SIZE", default_value_t = Sizes::Both)]
    pub(crate) cluster_size: Sizes,

    /// How many of a hundred datagrams are lost; without it, as many as the scenario draws.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(crate) loss: Option<PerMille>,

    /// One JSON object per scenario and cluster size.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which seeds, and how many at a time.
#[derive(Debug, ClapArgs)]
pub(crate) struct SeedArgs {
    /// How many seeds.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 500,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) seeds: u64,

    /// The first of them.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) first_seed: u64,

    /// How many are run at the same time; without it, as many as there are cores.
    #[arg(long, value_name = "J")]
    pub(crate) jobs: Option<NonZeroUsize>,
}

/// Flags of `alan sim replay` and `alan sim shrink`.
#[derive(Debug, ClapArgs)]
pub(crate) struct HistoryArgs {
    /// The scenario's name.
    #[arg(value_parser = named)]
    pub(crate) scenario: &'static Scenario,

    /// The seed.
    #[arg(long, value_name = "S")]
    pub(crate) seed: u64,

    /// The lock algorithm: `classic` or `repaired`.
    #[arg(long, value_name = "ALGORITHM", default_value = "repaired", value_parser = locks)]
    pub(crate) locks: Locks,

    /// Whether the nodes know how many they are.
    #[arg(long, value_enum, value_name = "SIZE", default_value_t = Size::Nodes)]
    pub(crate) cluster_size: Size,

    /// How many of a hundred datagrams are lost; without it, as many as the scenario draws.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(crate) loss: Option<PerMille>,

    /// Write the timeline as a page that a browser shows, instead of printing it.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Show the last so many rows.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) rows: usize,

    /// Show heartbeats and messages, too, where a violation is about locks.
    #[arg(long)]
    pub(crate) everything: bool,
}

/// Flags of `alan sim table`.
#[derive(Debug, ClapArgs)]
pub(crate) struct TableArgs {
    #[command(flatten)]
    pub(crate) seeds: SeedArgs,

    /// The lock algorithm: `classic` or `repaired`.
    #[arg(long, value_name = "ALGORITHM", default_value = "repaired", value_parser = locks)]
    pub(crate) locks: Locks,
}

/// One scenario, or all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Which(Option<&'static Scenario>);

impl Which {
    pub(crate) fn scenarios(self) -> &'static [Scenario] {
        match self.0 {
            Some(one) => std::slice::from_ref(one),
            None => scenario::ALL,
        }
    }
}

/// Whether the nodes know how many they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Size {
    /// There is no cluster size, and so no quorum.
    None,
    /// The cluster size is the number of nodes that the seed draws.
    Nodes,
}

/// The same, for a command that can do both.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Sizes {
    /// There is no cluster size, and so no quorum.
    None,
    /// The cluster size is the number of nodes that the seed draws.
    Nodes,
    /// Each seed once so, once so.
    Both,
}

impl Size {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Nodes => "nodes",
        }
    }

    pub(crate) fn variant(self, locks: Locks, lost: Option<PerMille>) -> Variant {
        Variant { lost, ..Variant::new(self == Self::Nodes, locks) }
    }
}

impl Sizes {
    pub(crate) const fn each(self) -> &'static [Size] {
        match self {
            Self::None => &[Size::None],
            Self::Nodes => &[Size::Nodes],
            Self::Both => &[Size::None, Size::Nodes],
        }
    }
}

/// No such lock algorithm can be run.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum UnknownLocks {
    /// It is planned.
    #[error("extended locks are not in this version; there are: classic, repaired")]
    NotInThisVersion,
    /// It is not.
    #[error("there are: classic, repaired")]
    Unknown,
}

fn locks(name: &str) -> Result<Locks, UnknownLocks> {
    match name {
        "classic" => Ok(Locks::Classic),
        "repaired" => Ok(Locks::Repaired),
        "extended" => Err(UnknownLocks::NotInThisVersion),
        _ => Err(UnknownLocks::Unknown),
    }
}

fn named(name: &str) -> Result<&'static Scenario, UnknownScenario> {
    Scenario::find(name)
}

fn which(name: &str) -> Result<Which, UnknownScenario> {
    if name == "all" { Ok(Which(None)) } else { named(name).map(|one| Which(Some(one))) }
}
