//! What can be typed: commands, flags, and the environment variables behind them.

pub(crate) mod measure;
pub(crate) mod sim;

use std::net::IpAddr;
use std::path::PathBuf;

use alan_tokio::discovery::Host;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// Clusters without infrastructure: nodes find each other over UDP, talk, and agree on locks.
#[derive(Debug, Parser)]
#[command(name = "alan", version, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch three nodes on this machine find each other, talk, pass a lock around, and survive a
    /// restart and a death. Takes under 15 seconds and needs nothing set up.
    Demo(DemoArgs),
    /// Run a node and print what happens, until Ctrl-C.
    Agent(AgentArgs),
    /// Make a key for a cluster.
    Keygen(KeygenArgs),
    /// Simulate whole clusters in virtual time, under faults, and check what is promised.
    #[command(subcommand)]
    Sim(sim::SimCommand),
}

/// Flags of `alan demo`.
#[derive(Debug, ClapArgs)]
pub(crate) struct DemoArgs {
    /// One JSON object per step instead of a story.
    #[arg(long)]
    pub(crate) json: bool,

    /// The UDP port of all three nodes; without it, one that is free.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,

    /// Spoil one step, to see that the demo notices.
    #[arg(long, value_name = "WHAT", hide = true)]
    pub(crate) sabotage: Option<Sabotage>,
}

/// What can go wrong on purpose, one for each step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Sabotage {
    /// One node has another key, so the others can't hear it.
    AnotherKey,
    /// The broadcast is never sent.
    NothingBroadcast,
    /// The asked node drops the request unanswered.
    NoReply,
    /// One of the asked nodes drops the request to all unanswered.
    OneReplyMissing,
    /// The first holder of the lock never releases it.
    LockKept,
    /// The restarted node is away for so long that the others take it for dead.
    RestartedLate,
    /// The holder of the lock stays alive.
    NobodyKilled,
    /// The second node stays alive, so the quorum stays too.
    QuorumKept,
    /// The killed node is not started again.
    NotRestarted,
    /// The node that should say goodbye is killed instead.
    NoGoodbye,
}

/// Flags of `alan agent`. What is not given here is taken from the environment.
#[derive(Debug, ClapArgs)]
pub(crate) struct AgentArgs {
    /// A DNS name that gives the nodes' addresses. Environment: ALAN_DNS
    #[arg(long, value_name = "NAME")]
    pub(crate) dns: Option<Host>,

    /// Addresses or names of other nodes, with or without ports; `--peers` alone waits to be found.
    /// Environment: ALAN_PEERS
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', num_args = 0..)]
    pub(crate) peers: Option<Vec<Host>>,

    /// The address to listen on. Environment: ALAN_BIND; default: 0.0.0.0
    #[arg(long, value_name = "ADDR")]
    pub(crate) bind: Option<IpAddr>,

    /// The UDP port of all nodes. Environment: ALAN_PORT; default: 5000
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,

    /// The most nodes that are ever alive at once; 0 for no quorum. Environment:
    /// ALAN_CLUSTER_SIZE; default: 0
    #[arg(long, value_name = "N")]
    pub(crate) cluster_size: Option<u32>,

    /// A file with the cluster's key, as made by `alan keygen FILE`. Environment: ALAN_KEY_FILE,
    /// or the key itself in ALAN_KEY, or a passphrase in ALAN_PASSPHRASE with the cluster's name
    /// in ALAN_CLUSTER_NAME; none of them is taken from the command line, where others could read
    /// it.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,

    /// What to call this node. Environment: ALAN_NAME
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// Take part without a vote: count for no quorum. Environment: ALAN_OBSERVER
    #[arg(long)]
    pub(crate) observer: bool,

    /// One JSON object per event.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `alan keygen`.
#[derive(Debug, ClapArgs)]
pub(crate) struct KeygenArgs {
    /// Where to write the key, readable by the owner only; without it, the key is printed.
    pub(crate) file: Option<PathBuf>,

    /// Replace the file if it exists.
    #[arg(long, requires = "file")]
    pub(crate) force: bool,

    /// Derive the key from a passphrase, asked for at a terminal, else the first line of the
    /// standard input. The same passphrase and name give the same key everywhere.
    #[arg(long, requires = "cluster_name")]
    pub(crate) from_passphrase: bool,

    /// The cluster's name, no secret: clusters with one passphrase have different keys by it.
    #[arg(long, value_name = "NAME", requires = "from_passphrase")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) cluster_name: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Args;

    #[test]
    fn the_definition_of_the_arguments_is_consistent() {
        Args::command().debug_assert();
    }
}
