//! The settings, their defaults and setters, and the one check of them all.

mod apply;
mod faulty;
mod validate;

use std::collections::BTreeSet;
use std::env;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use alan_proto::Config;
use alan_proto::envelope::Key;

use super::environment::key_from_variable;
use super::key::{A_KEY, key_from_text, key_problem, read_key_file};
#[cfg(feature = "passphrase")]
use super::passphrase::Passphrase;
use super::{ConfigProblem, QueueFull};
use crate::discovery::Discover;
use crate::socket::KERNEL_BUFFER;

/// How a node is to be: the defaults, and what was set instead.
///
/// Setters take any value; [`validate`](Self::validate) refuses what a node can't start with. A
/// later call wins over an earlier one, also between `dns`, `peers` and `discover`.
pub struct Settings {
    core: Config,
    bind: IpAddr,
    places: Option<Places>,
    refresh_interval: Option<Duration>,
    secret: Option<Secret>,
    #[cfg(feature = "passphrase")]
    cluster_name: Option<String>,
    also_open_with: Vec<Key>,
    security_enabled: Option<bool>,
    response_cache: usize,
    response_cache_bytes: usize,
    queue_size: usize,
    queue_bytes: usize,
    queue_full: QueueFull,
    event_queue: usize,
    kernel_buffer: usize,
    /// The fields whose present value came from an environment variable.
    from_environment: BTreeSet<&'static str>,
}

/// What to seal with.
#[derive(Debug)]
enum Secret {
    Key(Key),
    #[cfg(feature = "passphrase")]
    Passphrase(Passphrase),
}

/// Where other nodes may be.
enum Places {
    Dns(String),
    Peers(Vec<String>),
    Discover(Box<dyn Discover>),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            core: Config::default(),
            bind: Ipv4Addr::UNSPECIFIED.into(),
            places: None,
            refresh_interval: Some(Duration::from_secs(30)),
            secret: None,
            #[cfg(feature = "passphrase")]
            cluster_name: None,
            also_open_with: Vec::new(),
            security_enabled: None,
            response_cache: 4_096,
            response_cache_bytes: 8 * 1024 * 1024,
            queue_size: 256,
            queue_bytes: 64 * 1024 * 1024,
            queue_full: QueueFull::default(),
            event_queue: 256,
            kernel_buffer: KERNEL_BUFFER,
            from_environment: BTreeSet::new(),
        }
    }
}

/// Where the node is, and where others may be.
impl Settings {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Finds other nodes by a name, through the platform's resolver. They are at the port that
    /// the name has (`my-cluster.local:5001`), else at this node's own.
    #[must_use]
    pub fn dns(mut self, name: impl Into<String>) -> Self {
        self.places = Some(Places::Dns(name.into()));
        self.set_in_code("dns")
    }

    /// Finds other nodes by a list of addresses and names, each with or without a port. This
    /// node's own address may be among them. With an empty list, `peers::<&str>([])`, the node
    /// waits to be found.
    #[must_use]
    pub fn peers<P: ToString>(mut self, peers: impl IntoIterator<Item = P>) -> Self {
        let peers = peers.into_iter().map(|peer| peer.to_string()).collect();
        self.places = Some(Places::Peers(peers));
        self.set_in_code("peers")
    }

    /// Finds other nodes through a source of one's own: a closure or any other [`Discover`].
    #[must_use]
    pub fn discover(mut self, source: impl Discover) -> Self {
        self.places = Some(Places::Discover(Box::new(source)));
        self.set_in_code("discover")
    }

    /// How often the source is asked again; `None` to ask only on demand. 1 ms to 1 day; default
    /// 30 s. Repeated JOINs to an address that does not answer are as far apart, at least 200 ms.
    #[must_use]
    pub fn refresh_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.refresh_interval = interval.into();
        self.set_in_code("refresh_interval")
    }

    /// The UDP port of this node, and of all others that are named without one. 1 to 65,535;
    /// default 5000.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.core.port = port;
        self.set_in_code("port")
    }

    /// The address to bind. Default 0.0.0.0, all of IPv4; `::` is all of IPv6 and IPv4.
    #[must_use]
    pub fn bind(mut self, address: impl Into<IpAddr>) -> Self {
        self.bind = address.into();
        self.set_in_code("bind")
    }
}

/// What the node is.
impl Settings {
    /// What to call this node, for people: at most 64 bytes. Default empty.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.core.name = name.into();
        self.set_in_code("name")
    }

    /// What else this node tells its peers about itself: at most 512 bytes. Default empty. It can be
    /// replaced while the node runs, by [`Node::set_metadata`](crate::Node::set_metadata).
    #[must_use]
    pub fn metadata(mut self, metadata: impl Into<Vec<u8>>) -> Self {
        self.core.metadata = metadata.into();
        self.set_in_code("metadata")
    }

    /// Whether this node is an observer: it may do everything, but counts for no quorum and votes
    /// for no lock. For command-line tools and batch jobs. Default `false`.
    #[must_use]
    pub fn observer(mut self, observer: bool) -> Self {
        self.core.observer = observer;
        self.set_in_code("observer")
    }
}

/// Encryption.
impl Settings {
    /// Seals all datagrams with this key, and opens with it. Nodes with another key, or with none,
    /// are strangers.
    #[must_use]
    pub fn key(mut self, key: Key) -> Self {
        self.secret = Some(Secret::Key(key));
        self.set_in_code("key")
    }

    /// Seals with the key in an environment variable, in base64 or hexadecimal. A variable that
    /// is not set is an error: a node that was to be sealed must not start in plain text.
    pub fn key_from_env(self, variable: &str) -> Result<Self, ConfigProblem> {
        let Some(value) = env::var_os(variable) else {
            return Err(ConfigProblem::new("key", "not set", A_KEY).in_variable(variable));
        };
        Ok(self.key(key_from_variable(variable, value)?))
    }

    /// Seals with the key in a file, in base64 or hexadecimal.
    pub fn key_from_file(self, path: impl AsRef<Path>) -> Result<Self, ConfigProblem> {
        let path = path.as_ref();
        let unreadable = |error| {
            let value = format!("{} ({error})", path.display());
            ConfigProblem::new("key_file", value, "a file that can be read and holds a key")
        };
        let text = read_key_file(path).map_err(unreadable)?;
        Ok(self.key(key_from_text(&text).map_err(key_problem)?))
    }

    /// Seals with a key that is derived from a passphrase, 8 to 1,024 bytes, and the cluster's
    /// name, 1 to 255 bytes: [how, and what it is worth](super::passphrase). Nodes with another
    /// passphrase, or another name, are strangers.
    ///
    /// [`validate`](Self::validate), and so the start of a node, derives it: that takes a fraction
    /// of a second and 64 MiB.
    #[cfg(feature = "passphrase")]
    #[must_use]
    pub fn key_from_passphrase(
        self,
        passphrase: impl Into<Passphrase>,
        cluster_name: impl Into<String>,
    ) -> Self {
        self.passphrase(passphrase.into()).cluster_name(cluster_name.into())
    }

    #[cfg(feature = "passphrase")]
    fn passphrase(mut self, passphrase: Passphrase) -> Self {
        self.secret = Some(Secret::Passphrase(passphrase));
        self.set_in_code("passphrase")
    }

    #[cfg(feature = "passphrase")]
    fn cluster_name(mut self, name: String) -> Self {
        self.cluster_name = Some(name);
        self.set_in_code("cluster_name")
    }

    /// Opens with this key, too, beside the one that seals: called for each of up to four keys. For
    /// a cluster whose key is being changed, see [`Node::rotate_keys`](crate::Node::rotate_keys).
    #[must_use]
    pub fn also_open_with(mut self, key: Key) -> Self {
        self.also_open_with.push(key);
        self.set_in_code("also_open_with")
    }

    /// Whether to seal. `false` is plain text although there is a key, for a cluster that is to be
    /// encrypted later; `true` makes a missing key an error. Default: whether there is a key.
    #[must_use]
    pub fn security_enabled(mut self, enabled: bool) -> Self {
        self.security_enabled = Some(enabled);
        self.set_in_code("security_enabled")
    }
}

/// The protocol.
impl Settings {
    /// See [`Config::cluster_size`].
    #[must_use]
    pub fn cluster_size(mut self, nodes: u32) -> Self {
        self.core.cluster_size = nodes;
        self.set_in_code("cluster_size")
    }

    /// See [`Config::buffer_size`].
    #[must_use]
    pub fn buffer_size(mut self, bytes: usize) -> Self {
        self.core.buffer_size = bytes;
        self.set_in_code("buffer_size")
    }

    /// See [`Config::heartbeat_interval`].
    #[must_use]
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.core.heartbeat_interval = interval;
        self.set_in_code("heartbeat_interval")
    }

    /// See [`Config::heartbeat_timeout`].
    #[must_use]
    pub fn heartbeat_timeout(mut self, timeout: Duration) -> Self {
        self.core.heartbeat_timeout = timeout;
        self.set_in_code("heartbeat_timeout")
    }

    /// See [`Config::timeout`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.core.timeout = timeout;
        self.set_in_code("timeout")
    }

    /// See [`Config::drift_bound_ppm`].
    #[must_use]
    pub fn drift_bound_ppm(mut self, parts: u32) -> Self {
        self.core.drift_bound_ppm = parts;
        self.set_in_code("drift_bound_ppm")
    }

    /// See [`Config::classic_peers`].
    #[must_use]
    pub fn classic_peers(mut self, served: bool) -> Self {
        self.core.classic_peers = served;
        self.set_in_code("classic_peers")
    }

    /// See [`Config::speak_classic`]: for tests of mixed clusters, hence in code only.
    #[must_use]
    pub fn speak_classic(mut self, classic: bool) -> Self {
        self.core.speak_classic = classic;
        self.set_in_code("speak_classic")
    }
}

/// Limits.
impl Settings {
    /// The most messages of one peer that wait to be taken, each at most `buffer_size` bytes. 1 to
    /// 1,048,576; default 256.
    #[must_use]
    pub fn queue_size(mut self, messages: usize) -> Self {
        self.queue_size = messages;
        self.set_in_code("queue_size")
    }

    /// The most bytes of payload that wait in the queues of all peers together. Beyond, every
    /// queue counts as full: what a node keeps for a slow reader is bounded by this, however many
    /// peers there are. 65,536 to 1,073,741,824; default 67,108,864 (64 MiB).
    #[must_use]
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self.set_in_code("queue_bytes")
    }

    /// What happens to a message whose peer's queue is full. Default: it is refused.
    #[must_use]
    pub fn queue_full(mut self, policy: QueueFull) -> Self {
        self.queue_full = policy;
        self.set_in_code("queue_full")
    }

    /// The most answers that are kept after they were given, for members whose request comes again
    /// because the answer got lost; about 200 bytes each, beside the payload. The oldest goes first.
    /// A request whose answer is gone is not handled again: it ends with
    /// [`RequestError::ResponseGone`](crate::RequestError::ResponseGone). 0 to 1,048,576; default
    /// 4,096.
    #[must_use]
    pub fn response_cache(mut self, answers: usize) -> Self {
        self.response_cache = answers;
        self.set_in_code("response_cache")
    }

    /// The most bytes of payload in all kept answers together. 0 to 1,073,741,824; default 8,388,608
    /// (8 MiB).
    #[must_use]
    pub fn response_cache_bytes(mut self, bytes: usize) -> Self {
        self.response_cache_bytes = bytes;
        self.set_in_code("response_cache_bytes")
    }

    /// The most events that wait for one subscriber, about 100 bytes each. 1 to 1,048,576; default
    /// 256.
    #[must_use]
    pub fn event_queue(mut self, events: usize) -> Self {
        self.event_queue = events;
        self.set_in_code("event_queue")
    }

    /// The bytes of datagrams that the kernel is asked to hold for this node, in each direction.
    /// It may give less. 65,536 to 1,073,741,824; default 4,194,304.
    #[must_use]
    pub fn kernel_buffer(mut self, bytes: usize) -> Self {
        self.kernel_buffer = bytes;
        self.set_in_code("kernel_buffer")
    }

    /// See [`Config::max_peers`].
    #[must_use]
    pub fn max_peers(mut self, peers: u32) -> Self {
        self.core.max_peers = peers;
        self.set_in_code("max_peers")
    }

    /// See [`Config::max_candidates`].
    #[must_use]
    pub fn max_candidates(mut self, candidates: u32) -> Self {
        self.core.max_candidates = candidates;
        self.set_in_code("max_candidates")
    }

    /// See [`Config::max_requests`]. The payload of a request to members, at most `buffer_size`
    /// bytes, is kept beside it until the request ends.
    #[must_use]
    pub fn max_requests(mut self, requests: u32) -> Self {
        self.core.max_requests = requests;
        self.set_in_code("max_requests")
    }

    /// See [`Config::stranger_budget`].
    #[must_use]
    pub fn stranger_budget(mut self, datagrams: u32) -> Self {
        self.core.stranger_budget = datagrams;
        self.set_in_code("stranger_budget")
    }

    /// See [`Config::max_locks`].
    #[must_use]
    pub fn max_locks(mut self, locks: u32) -> Self {
        self.core.max_locks = locks;
        self.set_in_code("max_locks")
    }

    /// See [`Config::max_lock_waiters`].
    #[must_use]
    pub fn max_lock_waiters(mut self, waiters: u32) -> Self {
        self.core.max_lock_waiters = waiters;
        self.set_in_code("max_lock_waiters")
    }

    /// See [`Config::max_long_lock_keys`].
    #[must_use]
    pub fn max_long_lock_keys(mut self, keys: u32) -> Self {
        self.core.max_long_lock_keys = keys;
        self.set_in_code("max_long_lock_keys")
    }
}

impl Settings {
    fn set_in_code(mut self, field: &'static str) -> Self {
        self.from_environment.remove(field);
        self
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("core", &self.core)
            .field("bind", &self.bind)
            .field("places", &self.places)
            .field("refresh_interval", &self.refresh_interval)
            .field("secret", &self.secret)
            .field("also_open_with", &self.also_open_with)
            .field("security_enabled", &self.security_enabled)
            .field("response_cache", &self.response_cache)
            .field("response_cache_bytes", &self.response_cache_bytes)
            .field("queue_size", &self.queue_size)
            .field("queue_bytes", &self.queue_bytes)
            .field("queue_full", &self.queue_full)
            .field("event_queue", &self.event_queue)
            .field("kernel_buffer", &self.kernel_buffer)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.debug_tuple("Dns").field(name).finish(),
            Self::Peers(peers) => f.debug_tuple("Peers").field(peers).finish(),
            Self::Discover(_) => f.write_str("Discover"),
        }
    }
}
