//! The one check of all settings.

use std::mem;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use alan_proto::ResponseLimits;
use alan_proto::envelope::Keyring;

use super::{Places, Secret, Settings};
use crate::config::environment::variable;
use crate::config::key::A_KEY;
#[cfg(feature = "passphrase")]
use crate::config::passphrase;
use crate::config::{ConfigProblem, Configuration};
use crate::discovery::{Discover, Host, Schedule, StaticPeers, SystemDns};

const A_HOST: &str = "a host name or an address, with or without a port";
const SHORTEST_JOIN_INTERVAL: Duration = Duration::from_millis(200);
const DAY: Duration = Duration::from_secs(86_400);
const QUEUE: RangeInclusive<usize> = 1..=1_048_576;
const ANSWERS: RangeInclusive<usize> = 0..=1_048_576;
const ANSWER_BYTES: RangeInclusive<usize> = 0..=1_073_741_824;
/// Any datagram fits into the least of these.
const BYTES: RangeInclusive<usize> = 65_536..=1_073_741_824;

impl Settings {
    /// Checks everything, once. The error names the first setting that is out of its range, and
    /// the environment variable that it came from, if it did.
    pub fn validate(mut self) -> Result<Configuration, ConfigProblem> {
        let from_environment = mem::take(&mut self.from_environment);
        self.with_faults().check().map_err(|problem| {
            if problem.variable.is_none() && from_environment.contains(problem.field) {
                let variable = variable(problem.field);
                problem.in_variable(variable)
            } else {
                problem
            }
        })
    }

    fn check(mut self) -> Result<Configuration, ConfigProblem> {
        let interval = self.refresh_interval;
        if interval.is_some_and(|interval| !(Duration::from_millis(1)..=DAY).contains(&interval)) {
            let value = format!("{:?}", interval.unwrap_or_default());
            return Err(ConfigProblem::new("refresh_interval", value, "1ms to 24h, or off"));
        }
        let mut core = mem::take(&mut self.core);
        if let Some(interval) = interval {
            core.join_interval = interval.max(SHORTEST_JOIN_INTERVAL);
        }
        core.validate()?;
        within("queue_size", self.queue_size, QUEUE, "1 to 1048576 messages")?;
        within("event_queue", self.event_queue, QUEUE, "1 to 1048576 events")?;
        let permitted = "65536 to 1073741824 bytes";
        within("queue_bytes", self.queue_bytes, BYTES, permitted)?;
        within("kernel_buffer", self.kernel_buffer, BYTES, permitted)?;
        within("response_cache", self.response_cache, ANSWERS, "0 to 1048576 answers")?;
        let permitted = "0 to 1073741824 bytes";
        within("response_cache_bytes", self.response_cache_bytes, ANSWER_BYTES, permitted)?;
        let mut response_cache = ResponseLimits::default();
        response_cache.answers = self.response_cache;
        response_cache.bytes = self.response_cache_bytes;

        let discover = source(self.places.take(), core.port)?;
        // Last, because it may take a while.
        let keyring = self.take_keyring()?;
        let max_addresses = usize::try_from(core.max_candidates).expect("at most 65,536");
        Ok(Configuration {
            bind: SocketAddr::new(self.bind, core.port),
            discover,
            schedule: Schedule { interval, max_addresses },
            keyring,
            response_cache,
            queue_size: self.queue_size,
            queue_bytes: self.queue_bytes,
            queue_full: self.queue_full,
            event_queue: self.event_queue,
            kernel_buffer: self.kernel_buffer,
            core,
        })
    }

    /// The key to seal with, and others to open with. A node that was told to seal never starts in
    /// plain text.
    fn take_keyring(&mut self) -> Result<Option<Keyring>, ConfigProblem> {
        let also = mem::take(&mut self.also_open_with);
        let secret = match (self.secret.take(), self.security_enabled) {
            (None, Some(true)) => return Err(ConfigProblem::new("key", "not set", A_KEY)),
            (None, None) if !also.is_empty() => {
                let permitted = "set where also_open_with is: to seal with";
                return Err(ConfigProblem::new("key", "not set", permitted));
            }
            (None, None) | (_, Some(false)) => return Ok(None),
            (Some(secret), _) => secret,
        };
        #[cfg_attr(
            not(feature = "passphrase"),
            expect(
                clippy::infallible_destructuring_match,
                reason = "the feature has another kind"
            )
        )]
        let key = match secret {
            Secret::Key(key) => key,
            #[cfg(feature = "passphrase")]
            Secret::Passphrase(text) => passphrase::key(&text, self.cluster_name.as_deref())?,
        };
        let count = also.len();
        let keyring = also.into_iter().try_fold(Keyring::new(key), Keyring::with_opening);
        keyring.map(Some).map_err(|_full| {
            ConfigProblem::new("also_open_with", format!("{count} keys"), "at most 4 keys")
        })
    }
}

fn within(
    field: &'static str,
    value: usize,
    range: RangeInclusive<usize>,
    permitted: &'static str,
) -> Result<(), ConfigProblem> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConfigProblem::new(field, value, permitted))
}

fn source(places: Option<Places>, port: u16) -> Result<Box<dyn Discover>, ConfigProblem> {
    let host = |field, text: String| {
        text.parse::<Host>()
            .map_err(|invalid| ConfigProblem::new(field, format!("{:?}", invalid.given), A_HOST))
    };
    match places {
        Some(Places::Dns(name)) => Ok(Box::new(SystemDns::new(host("dns", name)?, port))),
        Some(Places::Peers(peers)) => {
            let hosts: Result<Vec<_>, _> =
                peers.into_iter().map(|peer| host("peers", peer)).collect();
            Ok(Box::new(StaticPeers::new(hosts?, port)))
        }
        Some(Places::Discover(source)) => Ok(source),
        None => Err(ConfigProblem::new("discovery", "not set", "one of dns, peers and discover")),
    }
}
