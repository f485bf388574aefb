//! Lays what the environment or a file says over what is there.

use alan_proto::envelope::Key;

use super::Settings;
use crate::config::environment::variable;
use crate::config::{ConfigProblem, Layer};

impl Settings {
    /// Lays `layer` over these settings: what it has wins. So apply a file first, then the
    /// environment, then the command line.
    ///
    /// An error is one of the layer itself: an unreadable key file, or two settings of which there
    /// can be only one.
    pub fn apply(self, layer: Layer) -> Result<Self, ConfigProblem> {
        let laid = Laid { settings: self, from_environment: layer.from_environment };
        laid.one_secret(&layer)?;
        let laid = laid.places(&layer)?.key(layer.key, layer.key_file)?;
        #[cfg(feature = "passphrase")]
        let laid = laid.lay("passphrase", layer.passphrase, Self::passphrase).lay(
            "cluster_name",
            layer.cluster_name,
            Self::cluster_name,
        );
        let laid = laid
            .lay("port", layer.port, Self::port)
            .lay("bind", layer.bind, Self::bind)
            .lay("also_open_with", layer.also_open_with, |mut settings, keys| {
                settings.also_open_with.clear();
                keys.into_iter().fold(settings, Self::also_open_with)
            })
            .lay("security_enabled", layer.security_enabled, Self::security_enabled)
            .lay("name", layer.name, Self::name)
            .lay("metadata", layer.metadata, Self::metadata)
            .lay("observer", layer.observer, Self::observer)
            .lay("classic_peers", layer.classic_peers, Self::classic_peers)
            .lay("cluster_size", layer.cluster_size, Self::cluster_size)
            .lay("buffer_size", layer.buffer_size, Self::buffer_size)
            .lay("heartbeat_interval", layer.heartbeat_interval, Self::heartbeat_interval)
            .lay("heartbeat_timeout", layer.heartbeat_timeout, Self::heartbeat_timeout)
            .lay("timeout", layer.timeout, Self::timeout)
            .lay("drift_bound_ppm", layer.drift_bound_ppm, Self::drift_bound_ppm)
            .lay("refresh_interval", layer.refresh_interval, |settings, refresh| {
                settings.refresh_interval(refresh.interval())
            })
            .lay("queue_size", layer.queue_size, Self::queue_size)
            .lay("queue_bytes", layer.queue_bytes, Self::queue_bytes)
            .lay("queue_full", layer.queue_full, Self::queue_full)
            .lay("response_cache", layer.response_cache, Self::response_cache)
            .lay("response_cache_bytes", layer.response_cache_bytes, Self::response_cache_bytes)
            .lay("event_queue", layer.event_queue, Self::event_queue)
            .lay("kernel_buffer", layer.kernel_buffer, Self::kernel_buffer)
            .lay("stranger_budget", layer.stranger_budget, Self::stranger_budget)
            .lay("max_peers", layer.max_peers, Self::max_peers)
            .lay("max_candidates", layer.max_candidates, Self::max_candidates)
            .lay("max_requests", layer.max_requests, Self::max_requests)
            .lay("max_locks", layer.max_locks, Self::max_locks)
            .lay("max_lock_waiters", layer.max_lock_waiters, Self::max_lock_waiters)
            .lay("max_long_lock_keys", layer.max_long_lock_keys, Self::max_long_lock_keys);
        Ok(laid.settings)
    }
}

struct Laid {
    settings: Settings,
    from_environment: bool,
}

impl Laid {
    fn lay<T>(
        mut self,
        field: &'static str,
        value: Option<T>,
        set: impl FnOnce(Settings, T) -> Settings,
    ) -> Self {
        let Some(value) = value else {
            return self;
        };
        self.settings = set(self.settings, value);
        if self.from_environment {
            self.settings.from_environment.insert(field);
        }
        self
    }

    fn places(self, layer: &Layer) -> Result<Self, ConfigProblem> {
        if layer.dns.is_some() && layer.peers.is_some() {
            return Err(self.both("peers", "dns", "set only where dns is not"));
        }
        Ok(self
            .lay("dns", layer.dns.as_ref(), |settings, host| settings.dns(host.to_string()))
            .lay("peers", layer.peers.as_ref(), Settings::peers))
    }

    fn one_secret(&self, layer: &Layer) -> Result<(), ConfigProblem> {
        if layer.key.is_some() && layer.key_file.is_some() {
            return Err(self.both("key_file", "key", "set only where key is not"));
        }
        #[cfg(feature = "passphrase")]
        if layer.passphrase.is_some() {
            if layer.key.is_some() {
                return Err(self.both("passphrase", "key", "set only where key is not"));
            }
            if layer.key_file.is_some() {
                return Err(self.both("passphrase", "key_file", "set only where key_file is not"));
            }
        }
        Ok(())
    }

    fn key(
        self,
        key: Option<Key>,
        key_file: Option<std::path::PathBuf>,
    ) -> Result<Self, ConfigProblem> {
        let Some(path) = key_file else {
            return Ok(self.lay("key", key, Settings::key));
        };
        let from_environment = self.from_environment;
        let settings = self.settings.key_from_file(path).map_err(|problem| {
            if from_environment { named(problem, "key_file") } else { problem }
        })?;
        Ok(Self { settings, from_environment })
    }

    fn both(
        &self,
        field: &'static str,
        other: &'static str,
        permitted: &'static str,
    ) -> ConfigProblem {
        let problem = ConfigProblem::new(field, format!("set together with {other}"), permitted);
        if self.from_environment { named(problem, field) } else { problem }
    }
}

fn named(problem: ConfigProblem, field: &str) -> ConfigProblem {
    problem.in_variable(variable(field))
}
