//! Some settings from one place, to be laid over others.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use alan_proto::envelope::Key;

#[cfg(feature = "passphrase")]
use super::passphrase::Passphrase;
use super::{QueueFull, Refresh};
use crate::discovery::Host;

/// The settings that one place has an opinion on: the environment, a file, a command line. What
/// each field means stands at the setter of the same name in [`Settings`](super::Settings).
///
/// With the feature `serde` it can be deserialized; durations are texts such as `"1m 30s"`, an
/// unknown field is an error.
#[non_exhaustive]
#[derive(Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(default, deny_unknown_fields))]
#[allow(missing_docs, reason = "each field is documented at its setter")]
pub struct Layer {
    #[cfg_attr(feature = "serde", serde(deserialize_with = "text::parse"))]
    pub dns: Option<Host>,
    #[cfg_attr(feature = "serde", serde(deserialize_with = "text::parse_each"))]
    pub peers: Option<Vec<Host>>,
    pub port: Option<u16>,
    pub bind: Option<IpAddr>,
    #[cfg_attr(feature = "serde", serde(deserialize_with = "text::key"))]
    pub key: Option<Key>,
    pub key_file: Option<PathBuf>,
    #[cfg(feature = "passphrase")]
    #[cfg_attr(feature = "serde", serde(deserialize_with = "text::passphrase"))]
    pub passphrase: Option<Passphrase>,
    #[cfg(feature = "passphrase")]
    pub cluster_name: Option<String>,
    #[cfg_attr(feature = "serde", serde(deserialize_with = "text::keys"))]
    pub also_open_with: Option<Vec<Key>>,
    pub security_enabled: Option<bool>,
    pub name: Option<String>,
    pub metadata: Option<String>,
    pub observer: Option<bool>,
    pub classic_peers: Option<bool>,
    pub cluster_size: Option<u32>,
    pub buffer_size: Option<usize>,
    #[cfg_attr(feature = "serde", serde(deserialize_with = "text::duration"))]
    pub heartbeat_interval: Option<Duration>,
    #[cfg_attr(feature = "serde", serde(deserialize_with = "text::duration"))]
    pub heartbeat_timeout: Option<Duration>,
    #[cfg_attr(feature = "serde", serde(deserialize_with = "text::duration"))]
    pub timeout: Option<Duration>,
    pub drift_bound_ppm: Option<u32>,
    #[cfg_attr(feature = "serde", serde(deserialize_with = "text::parse"))]
    pub refresh_interval: Option<Refresh>,
    pub queue_size: Option<usize>,
    pub queue_bytes: Option<usize>,
    pub queue_full: Option<QueueFull>,
    pub response_cache: Option<usize>,
    pub response_cache_bytes: Option<usize>,
    pub event_queue: Option<usize>,
    pub kernel_buffer: Option<usize>,
    pub stranger_budget: Option<u32>,
    pub max_peers: Option<u32>,
    pub max_candidates: Option<u32>,
    pub max_requests: Option<u32>,
    pub max_locks: Option<u32>,
    pub max_lock_waiters: Option<u32>,
    pub max_long_lock_keys: Option<u32>,

    /// The fields were read from `ALAN_*` variables, so problems name those.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) from_environment: bool,
}

/// Values that are written as text.
#[cfg(feature = "serde")]
mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::{Deserialize, Deserializer, Error};
    use zeroize::Zeroizing;

    #[cfg(feature = "passphrase")]
    use super::Passphrase;
    use super::{Duration, Key};
    use crate::config::key_from_text;

    pub(super) fn parse<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: FromStr<Err: Display>,
    {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Some).map_err(D::Error::custom)
    }

    pub(super) fn parse_each<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
    where
        D: Deserializer<'de>,
        T: FromStr<Err: Display>,
    {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let values: Result<_, _> = texts.iter().map(|text| text.parse()).collect();
        values.map(Some).map_err(D::Error::custom)
    }

    pub(super) fn duration<'de, D>(deserializer: D) -> Result<Option<Duration>, D::Error>
    where
        D: Deserializer<'de>,
    {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map(Some).map_err(D::Error::custom)
    }

    pub(super) fn key<'de, D>(deserializer: D) -> Result<Option<Key>, D::Error>
    where
        D: Deserializer<'de>,
    {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        key_from_text(&text).map(Some).map_err(D::Error::custom)
    }

    #[cfg(feature = "passphrase")]
    pub(super) fn passphrase<'de, D>(deserializer: D) -> Result<Option<Passphrase>, D::Error>
    where
        D: Deserializer<'de>,
    {
        Ok(Some(String::deserialize(deserializer)?.into()))
    }

    pub(super) fn keys<'de, D>(deserializer: D) -> Result<Option<Vec<Key>>, D::Error>
    where
        D: Deserializer<'de>,
    {
        let texts = Zeroizing::new(Vec::<String>::deserialize(deserializer)?);
        let keys: Result<_, _> = texts.iter().map(|text| key_from_text(text)).collect();
        keys.map(Some).map_err(D::Error::custom)
    }
}
