//! Every limit and interval of the core, what it costs, and how to choose it.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::error::{ConfigError, ConfigValue};
use crate::lock::Repairs;
use crate::profile::{MAX_METADATA, MAX_NAME};

/// How a node behaves. Start from [`Config::default`], which has the Go library's values, and set
/// fields; [`Node::new`](crate::Node::new) refuses what is out of range.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// The UDP port that this node listens on and tells its peers. 1 to 65,535; default 5000.
    pub port: u16,

    /// The longest datagram that is sent or accepted, in bytes of UDP payload, overhead included.
    /// 1,280 to 65,507; default 4,096. All nodes of a cluster should agree: a classic peer cuts
    /// what is longer than its own buffer.
    pub buffer_size: usize,

    /// How often each member gets a HEARTBEAT, give or take 10 %. 1 ms to 1 hour; default 5 s.
    pub heartbeat_interval: Duration,

    /// How long a member may be silent before it is declared gone. At least 1.2 times
    /// `heartbeat_interval`, which varies by a tenth, and better enough more that a lost heartbeat
    /// or two does not matter: three intervals is the usual choice. At most 1 day; default 15 s.
    pub heartbeat_timeout: Duration,

    /// How long [`try_lock`](crate::Node::try_lock) waits for answers unless told otherwise.
    /// 1 ms to 1 hour; default 5 s.
    pub timeout: Duration,

    /// Repeated JOINs to an address that does not answer are at most this far apart: usually the
    /// interval at which discovery is asked again. 200 ms to 1 day; default 30 s.
    pub join_interval: Duration,

    /// The most nodes that are ever alive at once, this one included, surges during an update
    /// too; 0 for none. From it follows the quorum, `cluster_size / 2 + 1`. Default 0.
    pub cluster_size: u32,

    /// The most members. About 750 bytes each, once used; 550 more under a key, 600 more for one
    /// that has told a name or metadata, and up to 16 KiB for one whose requests are lost by the
    /// thousand. 1 to 65,536; default 4,096.
    pub max_peers: u32,

    /// The most addresses that discovery may name, members among them. Up to half of them may be
    /// addresses that it does not name: of members that fell silent, and those that peers have told.
    /// About 120 bytes each, once used. 1 to 65,536; default 4,096.
    pub max_candidates: u32,

    /// The most requests of this node that wait for an answer. About 150 bytes each, once used.
    /// 1 to 1,048,576; default 65,536.
    pub max_requests: u32,

    /// The most lock keys known at once, for this node and for others that ask it, and the most
    /// denied peers that are remembered for all keys together. About 500 bytes each, once used. 1 to
    /// 1,048,576; default 65,536.
    pub max_locks: u32,

    /// The most callers of this node that wait for one key, and the most denied peers that are
    /// remembered for one key. 1 to 65,536; default 1,024.
    pub max_lock_waiters: u32,

    /// The most keys longer than 255 bytes, which only classic peers use, at up to `buffer_size`
    /// bytes each. 0 to 65,536; default 64.
    pub max_long_lock_keys: u32,

    /// What a source that is no member may cost in a second: datagrams, and key trials beyond the
    /// first of each. What comes beyond is dropped unread and counted. A source is an IPv4 address
    /// or an IPv6 /64. 10 to 1,000,000; default 2,000.
    pub stranger_budget: u32,

    /// Whether peers that send no session block, as the Go library's nodes, are served. Without
    /// them nothing that was recorded can be replayed, and nobody becomes a member whose address
    /// is not its own. Default `true`.
    pub classic_peers: bool,

    /// Whether this node behaves like a classic one: sends no session block and looks at none. For
    /// tests of mixed clusters. Default `false`.
    pub speak_classic: bool,

    /// Whether this node is an observer: it may do everything, but counts for no quorum and votes
    /// for no lock. Fixed for its life. Default `false`.
    pub observer: bool,

    /// By how much the rate of a clock may be off, in parts per million: what a lease is shortened
    /// by. All voters must agree on it. 0 to 200,000; default 10,000 (1 %).
    pub drift_bound_ppm: u32,

    /// What to call this node, for people: at most 64 bytes. Default empty.
    pub name: String,

    /// What else this node tells its peers about itself: at most 512 bytes. Default empty.
    pub metadata: Vec<u8>,

    /// Which defects of the Go library's lock algorithm are repaired: all of them by default. Only
    /// a simulation has a reason to change this.
    pub lock_repairs: Repairs,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 5000,
            buffer_size: 4_096,
            heartbeat_interval: Duration::from_secs(5),
            heartbeat_timeout: Duration::from_secs(15),
            timeout: Duration::from_secs(5),
            join_interval: Duration::from_secs(30),
            cluster_size: 0,
            max_peers: 4_096,
            max_candidates: 4_096,
            max_requests: 65_536,
            max_locks: 65_536,
            max_lock_waiters: 1_024,
            max_long_lock_keys: 64,
            stranger_budget: 2_000,
            classic_peers: true,
            speak_classic: false,
            observer: false,
            drift_bound_ppm: 10_000,
            name: String::new(),
            metadata: Vec::new(),
            lock_repairs: Repairs::ALL,
        }
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

impl Config {
    /// Checks every field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        number("port", self.port, 1..=65_535, "1 to 65535")?;
        number("buffer_size", self.buffer_size as u64, 1_280..=65_507, "1280 to 65507 bytes")?;
        duration("heartbeat_interval", self.heartbeat_interval, MILLISECOND..=HOUR, "1ms to 1h")?;
        duration(
            "heartbeat_timeout",
            self.heartbeat_timeout,
            self.heartbeat_interval * 6 / 5..=DAY,
            "at least 1.2 times heartbeat_interval, and at most 24h",
        )?;
        duration("timeout", self.timeout, MILLISECOND..=HOUR, "1ms to 1h")?;
        duration("join_interval", self.join_interval, 200 * MILLISECOND..=DAY, "200ms to 24h")?;
        number("cluster_size", self.cluster_size, 0..=65_536, "0 to 65536")?;
        number("max_peers", self.max_peers, 1..=65_536, "1 to 65536")?;
        number("max_candidates", self.max_candidates, 1..=65_536, "1 to 65536")?;
        number("max_requests", self.max_requests, 1..=1_048_576, "1 to 1048576")?;
        number("max_locks", self.max_locks, 1..=1_048_576, "1 to 1048576")?;
        number("max_lock_waiters", self.max_lock_waiters, 1..=65_536, "1 to 65536")?;
        number("max_long_lock_keys", self.max_long_lock_keys, 0..=65_536, "0 to 65536")?;
        number("stranger_budget", self.stranger_budget, 10..=1_000_000, "10 to 1000000")?;
        number("drift_bound_ppm", self.drift_bound_ppm, 0..=200_000, "0 to 200000")?;
        number("name", self.name.len() as u64, 0..=MAX_NAME as u64, "at most 64 bytes long")?;
        let metadata = self.metadata.len() as u64;
        number("metadata", metadata, 0..=MAX_METADATA as u64, "at most 512 bytes long")
    }
}

fn number(
    field: &'static str,
    value: impl Into<u64>,
    range: core::ops::RangeInclusive<u64>,
    permitted: &'static str,
) -> Result<(), ConfigError> {
    let value = value.into();
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConfigError { field, value: ConfigValue::Number(value), permitted })
}

fn duration(
    field: &'static str,
    value: Duration,
    range: core::ops::RangeInclusive<Duration>,
    permitted: &'static str,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConfigError { field, value: ConfigValue::Duration(value), permitted })
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
    }

    #[test]
    fn an_error_names_the_field_the_value_and_the_range() {
        let config = Config { buffer_size: 100, ..Config::default() };
        let error = config.validate().expect_err("too small");
        assert_eq!(error.to_string(), "buffer_size is 100, but must be 1280 to 65507 bytes");
    }

    #[test]
    fn the_timeout_must_exceed_the_interval() {
        let interval = Duration::from_secs(20);
        let config = Config { heartbeat_interval: interval, ..Config::default() };
        let error = config.validate().expect_err("15 s of silence is less than one interval");
        assert_eq!(error.field, "heartbeat_timeout");
        assert_eq!(
            error.to_string(),
            "heartbeat_timeout is 15s, but must be at least 1.2 times heartbeat_interval, and at \
             most 24h"
        );
    }
}
