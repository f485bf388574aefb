//! What can be typed after `alan sim measure`.

use alan_sim::PerMille;
use clap::{Args as ClapArgs, Subcommand};

/// The commands of `alan sim measure`. Each prints a table in Markdown, row by row.
#[derive(Debug, Subcommand)]
pub(crate) enum MeasureCommand {
    /// How fast nodes that start together meet, what a still cluster sends, and how soon all know
    /// of a crash. 1,000 nodes take minutes.
    Mesh(MeshArgs),
    /// How often a node that is there is declared dead. A day of 30 nodes takes minutes.
    Deaths(DeathsArgs),
    /// What 100,000 datagrams a second from strangers do to a node.
    Flood(FloodArgs),
}

/// Flags that all of them have.
#[derive(Clone, Copy, Debug, ClapArgs)]
pub(crate) struct CommonArgs {
    /// Draws which datagrams are lost.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,

    /// One JSON object per row.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `alan sim measure mesh`.
#[derive(Debug, ClapArgs)]
pub(crate) struct MeshArgs {
    /// How many nodes.
    #[arg(
        long,
        value_name = "N,…",
        value_delimiter = ',',
        default_values_t = [10, 100, 1_000],
        value_parser = clap::value_parser!(u16).range(2..=4_096)
    )]
    pub(crate) nodes: Vec<u16>,

    /// How many of a hundred datagrams are lost.
    #[arg(
        long,
        value_name = "PERCENT,…",
        value_delimiter = ',',
        default_values = ["0", "1", "5", "20"],
        value_parser = percent
    )]
    pub(crate) loss: Vec<PerMille>,

    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// Flags of `alan sim measure deaths`.
#[derive(Debug, ClapArgs)]
pub(crate) struct DeathsArgs {
    /// How many nodes.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 30,
        value_parser = clap::value_parser!(u16).range(2..=4_096)
    )]
    pub(crate) nodes: u16,

    /// How many of a hundred datagrams are lost.
    #[arg(
        long,
        value_name = "PERCENT,…",
        value_delimiter = ',',
        default_values = ["5"],
        value_parser = percent
    )]
    pub(crate) loss: Vec<PerMille>,

    /// For how long, in simulated hours.
    #[arg(
        long,
        value_name = "H",
        default_value_t = 24,
        value_parser = clap::value_parser!(u32).range(1..=8_760)
    )]
    pub(crate) hours: u32,

    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// Flags of `alan sim measure flood`.
#[derive(Debug, ClapArgs)]
pub(crate) struct FloodArgs {
    /// For how long, in simulated milliseconds.
    #[arg(
        long,
        value_name = "MS",
        default_value_t = 10_000,
        value_parser = clap::value_parser!(u32).range(1..=3_600_000)
    )]
    pub(crate) millis: u32,

    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

pub(super) fn percent(text: &str) -> Result<PerMille, String> {
    match text.parse::<u16>() {
        Ok(percent @ 0..=100) => Ok(PerMille(percent * 10)),
        Ok(_) | Err(_) => Err("a whole number from 0 to 100".into()),
    }
}
