//! Settings from environment variables: `ALAN_` and the setting's name in capitals.

use std::env;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use alan_proto::envelope::Key;
use zeroize::Zeroizing;

use super::key::{KeyTextError, key_from_text, key_problem};
#[cfg(feature = "passphrase")]
use super::passphrase::{self, Passphrase};
use super::{ConfigProblem, Layer};
use crate::discovery::Host;

/// The variable that sets a field.
pub(super) fn variable(field: &str) -> String {
    format!("ALAN_{}", field.to_ascii_uppercase())
}

impl Layer {
    /// What the process's `ALAN_*` variables say.
    pub fn from_environment() -> Result<Self, ConfigProblem> {
        Self::from_variables(|name| env::var_os(name))
    }

    /// What the variables say that `lookup` knows; for tests, and for variables from elsewhere.
    pub fn from_variables(
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigProblem> {
        let variables = Variables { lookup };
        let mut layer = Self { from_environment: true, ..Self::default() };
        variables.read_places(&mut layer)?;
        variables.read_key(&mut layer)?;
        variables.read_identity(&mut layer)?;
        variables.read_times(&mut layer)?;
        variables.read_sizes(&mut layer)?;
        Ok(layer)
    }
}

struct Variables<L> {
    lookup: L,
}

const A_DURATION: &str = "a duration such as 500ms, 5s or 1m 30s";
const A_NUMBER: &str = "a whole number in the setting's range";

impl<L: Fn(&str) -> Option<OsString>> Variables<L> {
    fn read_places(&self, layer: &mut Layer) -> Result<(), ConfigProblem> {
        let host = "a host name or an address, with or without a port";
        layer.dns = self.read("dns", host, |text| text.parse().ok())?;
        let hosts = "addresses or host names, with or without ports, separated by commas";
        layer.peers = self.read("peers", hosts, parse_hosts)?;
        layer.port = self.read("port", "1 to 65535", |text| text.parse().ok())?;
        let address = "an IP address of this machine, without a port";
        layer.bind = self.read("bind", address, |text| text.parse::<IpAddr>().ok())?;
        Ok(())
    }

    fn read_key(&self, layer: &mut Layer) -> Result<(), ConfigProblem> {
        if let Some(text) = (self.lookup)(&variable("key")) {
            layer.key = Some(key_from_variable(&variable("key"), text)?);
        }
        if let Some(texts) = (self.lookup)(&variable("also_open_with")) {
            layer.also_open_with = Some(keys_from_variable(&variable("also_open_with"), texts)?);
        }
        layer.key_file = (self.lookup)(&variable("key_file")).map(PathBuf::from);
        self.read_passphrase(layer)?;
        layer.security_enabled =
            self.read("security_enabled", "true or false", |text| text.parse().ok())?;
        Ok(())
    }

    #[cfg(feature = "passphrase")]
    fn read_passphrase(&self, layer: &mut Layer) -> Result<(), ConfigProblem> {
        let name = variable("passphrase");
        if let Some(text) = (self.lookup)(&name) {
            layer.passphrase = Some(passphrase_from_variable(&name, text)?);
        }
        let text = "UTF-8";
        layer.cluster_name = self.read("cluster_name", text, |name| Some(name.to_owned()))?;
        Ok(())
    }

    /// A node that was to be sealed must not start in plain text.
    #[cfg(not(feature = "passphrase"))]
    fn read_passphrase(&self, _layer: &mut Layer) -> Result<(), ConfigProblem> {
        let name = variable("passphrase");
        if (self.lookup)(&name).is_none() {
            return Ok(());
        }
        let permitted = "unset in a program that was built without the feature `passphrase`";
        Err(ConfigProblem::new("passphrase", "set", permitted).in_variable(name))
    }

    fn read_identity(&self, layer: &mut Layer) -> Result<(), ConfigProblem> {
        let text = |text: &str| Some(text.to_owned());
        layer.name = self.read("name", "a name in UTF-8", text)?;
        layer.metadata = self.read("metadata", "a text in UTF-8", text)?;
        let either = "true or false";
        layer.observer = self.read("observer", either, |text| text.parse().ok())?;
        layer.classic_peers = self.read("classic_peers", either, |text| text.parse().ok())?;
        Ok(())
    }

    fn read_times(&self, layer: &mut Layer) -> Result<(), ConfigProblem> {
        layer.heartbeat_interval = self.read_duration("heartbeat_interval")?;
        layer.heartbeat_timeout = self.read_duration("heartbeat_timeout")?;
        layer.timeout = self.read_duration("timeout")?;
        let refresh = "a duration such as 30s, or off";
        layer.refresh_interval =
            self.read("refresh_interval", refresh, |text| text.parse().ok())?;
        Ok(())
    }

    fn read_sizes(&self, layer: &mut Layer) -> Result<(), ConfigProblem> {
        layer.cluster_size = self.read_number("cluster_size")?;
        layer.buffer_size = self.read_number("buffer_size")?;
        layer.queue_size = self.read_number("queue_size")?;
        layer.queue_bytes = self.read_number("queue_bytes")?;
        layer.queue_full = self.read("queue_full", "refuse or block", |text| text.parse().ok())?;
        layer.response_cache = self.read_number("response_cache")?;
        layer.response_cache_bytes = self.read_number("response_cache_bytes")?;
        layer.event_queue = self.read_number("event_queue")?;
        layer.kernel_buffer = self.read_number("kernel_buffer")?;
        layer.drift_bound_ppm = self.read_number("drift_bound_ppm")?;
        layer.stranger_budget = self.read_number("stranger_budget")?;
        layer.max_peers = self.read_number("max_peers")?;
        layer.max_candidates = self.read_number("max_candidates")?;
        layer.max_requests = self.read_number("max_requests")?;
        layer.max_locks = self.read_number("max_locks")?;
        layer.max_lock_waiters = self.read_number("max_lock_waiters")?;
        layer.max_long_lock_keys = self.read_number("max_long_lock_keys")?;
        Ok(())
    }

    fn read_duration(&self, field: &'static str) -> Result<Option<Duration>, ConfigProblem> {
        self.read(field, A_DURATION, |text| humantime::parse_duration(text).ok())
    }

    fn read_number<T: std::str::FromStr>(
        &self,
        field: &'static str,
    ) -> Result<Option<T>, ConfigProblem> {
        self.read(field, A_NUMBER, |text| text.parse().ok())
    }

    fn read<T>(
        &self,
        field: &'static str,
        permitted: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigProblem> {
        let variable = variable(field);
        let Some(value) = (self.lookup)(&variable) else {
            return Ok(None);
        };
        let parsed = value.to_str().and_then(|text| parse(text.trim()));
        let problem = || {
            let value = format!("{:?}", value.to_string_lossy());
            ConfigProblem::new(field, value, permitted).in_variable(variable)
        };
        parsed.map(Some).ok_or_else(problem)
    }
}

/// An empty list is one, too: a node that waits to be found.
fn parse_hosts(text: &str) -> Option<Vec<Host>> {
    let texts = text.split(',').map(str::trim).filter(|text| !text.is_empty());
    texts.map(|text| text.parse().ok()).collect()
}

/// Reads a key from a variable's value, and erases our copy of it.
pub(super) fn key_from_variable(variable: &str, value: OsString) -> Result<Key, ConfigProblem> {
    let bytes = Zeroizing::new(value.into_encoded_bytes());
    str::from_utf8(&bytes)
        .map_or(Err(KeyTextError::Encoding), key_from_text)
        .map_err(|error| key_problem(error).in_variable(variable))
}

/// Reads a passphrase from a variable's value, and erases our copy of that.
#[cfg(feature = "passphrase")]
fn passphrase_from_variable(variable: &str, value: OsString) -> Result<Passphrase, ConfigProblem> {
    let bytes = Zeroizing::new(value.into_encoded_bytes());
    str::from_utf8(&bytes)
        .map(Passphrase::from_line)
        .map_err(|_not_shown| passphrase::not_text().in_variable(variable))
}

/// Reads keys that are separated by commas from a variable's value, and erases our copy of it.
fn keys_from_variable(variable: &str, value: OsString) -> Result<Vec<Key>, ConfigProblem> {
    let bytes = Zeroizing::new(value.into_encoded_bytes());
    let problem = |error| {
        let ConfigProblem { value, permitted, .. } = key_problem(error);
        ConfigProblem::new("also_open_with", value, permitted).in_variable(variable)
    };
    let text = str::from_utf8(&bytes).map_err(|_binary| problem(KeyTextError::Encoding))?;
    let texts = text.split(',').map(str::trim).filter(|text| !text.is_empty());
    texts.map(|text| key_from_text(text).map_err(problem)).collect()
}
