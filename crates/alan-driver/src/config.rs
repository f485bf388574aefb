//! Everything that can be set about a node: in code, in the environment, in a file.
//!
//! [`Settings`] has the defaults and a setter for each setting. A [`Layer`] holds some settings
//! from one place, such as the environment or a file, and is laid over what is there. At the end
//! [`Settings::validate`] checks everything once; what passes is a [`Configuration`].
//!
//! | setting | variable | default |
//! | --- | --- | --- |
//! | `dns` | `ALAN_DNS` | one of `dns`, `peers` and `discover` must be set |
//! | `peers` | `ALAN_PEERS`, separated by commas | |
//! | `port` | `ALAN_PORT` | 5000 |
//! | `bind` | `ALAN_BIND` | 0.0.0.0 |
//! | `key` | `ALAN_KEY`, in base64 or hexadecimal | none: plain text |
//! | `key_file` | `ALAN_KEY_FILE` | |
//! | `passphrase` (feature `passphrase`) | `ALAN_PASSPHRASE`, in place of a key | |
//! | `cluster_name` (feature `passphrase`) | `ALAN_CLUSTER_NAME`, needed with a passphrase | |
//! | `also_open_with` | `ALAN_ALSO_OPEN_WITH`, keys separated by commas | none |
//! | `security_enabled` | `ALAN_SECURITY_ENABLED` | whether there is a key |
//! | `name` | `ALAN_NAME` | empty |
//! | `metadata` | `ALAN_METADATA`, as text | empty |
//! | `observer` | `ALAN_OBSERVER` | false |
//! | `classic_peers` | `ALAN_CLASSIC_PEERS` | true |
//! | `cluster_size` | `ALAN_CLUSTER_SIZE` | 0: no quorum |
//! | `buffer_size` | `ALAN_BUFFER_SIZE` | 4,096 bytes |
//! | `heartbeat_interval` | `ALAN_HEARTBEAT_INTERVAL` | 5s |
//! | `heartbeat_timeout` | `ALAN_HEARTBEAT_TIMEOUT` | 15s |
//! | `timeout` | `ALAN_TIMEOUT` | 5s |
//! | `drift_bound_ppm` | `ALAN_DRIFT_BOUND_PPM` | 10,000: 1 % |
//! | `refresh_interval` | `ALAN_REFRESH_INTERVAL`, a duration or `off` | 30s |
//! | `queue_size` | `ALAN_QUEUE_SIZE` | 256 messages per peer |
//! | `queue_bytes` | `ALAN_QUEUE_BYTES` | 67,108,864 bytes of all peers together |
//! | `queue_full` | `ALAN_QUEUE_FULL`, `refuse` or `block` | `refuse` |
//! | `response_cache` | `ALAN_RESPONSE_CACHE` | 4,096 answers |
//! | `response_cache_bytes` | `ALAN_RESPONSE_CACHE_BYTES` | 8,388,608 bytes |
//! | `event_queue` | `ALAN_EVENT_QUEUE` | 256 events per subscriber |
//! | `kernel_buffer` | `ALAN_KERNEL_BUFFER` | 4,194,304 bytes |
//! | `stranger_budget` | `ALAN_STRANGER_BUDGET` | 2,000 datagrams a second |
//! | `max_peers` and so on | `ALAN_MAX_PEERS` and so on | see [`alan_proto::Config`] |

mod environment;
mod key;
mod layer;
#[cfg(feature = "passphrase")]
pub mod passphrase;
mod problem;
mod settings;
mod value;

use std::fmt;
use std::net::SocketAddr;

use alan_proto::envelope::Keyring;
use alan_proto::{Config, ResponseLimits};

use crate::discovery::{Discover, Schedule};

pub use key::{KeyTextError, key_from_text};
pub use layer::Layer;
pub use problem::ConfigProblem;
pub use settings::Settings;
pub use value::{QueueFull, Refresh};

/// Settings that have been checked: all that it takes to start a node.
#[non_exhaustive]
pub struct Configuration {
    /// The core's part.
    pub core: Config,
    /// The address to bind, with the port.
    pub bind: SocketAddr,
    /// Where to ask for other nodes.
    pub discover: Box<dyn Discover>,
    /// When to ask there, and how much of the answer to keep.
    pub schedule: Schedule,
    /// The key to seal with, and those that open, too; `None` for plain text.
    pub keyring: Option<Keyring>,
    /// How many answers are kept for requests that come again.
    pub response_cache: ResponseLimits,
    /// The most messages that wait in one peer's queue.
    pub queue_size: usize,
    /// The most bytes of payload that wait in all queues together.
    pub queue_bytes: usize,
    /// What happens to a message whose queue is full.
    pub queue_full: QueueFull,
    /// The most events that wait for one subscriber.
    pub event_queue: usize,
    /// The bytes that the kernel is asked to hold in each direction.
    pub kernel_buffer: usize,
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configuration")
            .field("core", &self.core)
            .field("bind", &self.bind)
            .field("schedule", &self.schedule)
            .field("keyring", &self.keyring)
            .field("response_cache", &self.response_cache)
            .field("queue_size", &self.queue_size)
            .field("queue_bytes", &self.queue_bytes)
            .field("queue_full", &self.queue_full)
            .field("event_queue", &self.event_queue)
            .field("kernel_buffer", &self.kernel_buffer)
            .finish_non_exhaustive()
    }
}
