//! The recorded conversations, as `tests/vectors/classic-conversations.json` has them.
//!
//! Every field of the file is named here, and an unknown one is an error: nothing in it can go
//! unread by mistake.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use alan_proto::Instant;
use data_encoding::HEXLOWER;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recording {
    #[serde(rename = "about")]
    _about: String,
    #[serde(rename = "entry_kinds")]
    _entry_kinds: BTreeMap<String, String>,
    #[serde(rename = "caveats")]
    _caveats: Vec<String>,
    pub(crate) port: u16,
    pub(crate) conversations: Vec<Conversation>,
}

impl Recording {
    pub(crate) fn read() -> Self {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/classic-conversations.json");
        let text = std::fs::read_to_string(path).expect("the recording is in the repository");
        serde_json::from_str(&text).expect("the recording has the fields that its README names")
    }
}

/// One run of recorded Go nodes and scripted peers.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Conversation {
    pub(crate) name: String,
    #[serde(rename = "title")]
    _title: String,
    #[serde(rename = "nodes")]
    _nodes: BTreeMap<SocketAddr, String>,
    /// Of the recorded nodes; scripted peers have none.
    pub(crate) config: BTreeMap<SocketAddr, Settings>,
    #[serde(rename = "observed")]
    _observed: String,
    #[serde(rename = "caveat")]
    _caveat: Option<String>,
    pub(crate) entries: Vec<Entry>,
}

/// What a recorded node was configured with.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) peers_from_dns: Vec<IpAddr>,
    heartbeat_interval_ms: u64,
    heartbeat_timeout_ms: u64,
    #[serde(default, deserialize_with = "optional_duration")]
    pub(crate) timeout: Option<Duration>,
    #[serde(default, deserialize_with = "optional_duration")]
    pub(crate) refresh: Option<Duration>,
    pub(crate) quorum: Option<u32>,
    #[serde(rename = "key_hex")]
    pub(crate) key: Option<Hex>,
}

impl Settings {
    pub(crate) const fn heartbeat_interval(&self) -> Duration {
        Duration::from_millis(self.heartbeat_interval_ms)
    }

    pub(crate) const fn heartbeat_timeout(&self) -> Duration {
        Duration::from_millis(self.heartbeat_timeout_ms)
    }
}

/// One line of a conversation.
#[derive(Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Entry {
    Datagram(Box<Datagram>),
    Call {
        #[serde(rename = "t_ms", deserialize_with = "moment")]
        moment: Instant,
        at: SocketAddr,
        call: String,
    },
    Event(Box<Event>),
}

impl Entry {
    pub(crate) fn moment(&self) -> Instant {
        match self {
            Self::Datagram(datagram) => datagram.moment,
            Self::Call { moment, .. } => *moment,
            Self::Event(event) => event.moment,
        }
    }

    /// The node that did, was asked or told this.
    pub(crate) fn actor(&self) -> SocketAddr {
        match self {
            Self::Datagram(datagram) => datagram.from,
            Self::Call { at, .. } => *at,
            Self::Event(event) => event.at,
        }
    }
}

/// A datagram as it was captured.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Datagram {
    #[serde(rename = "t_ms", deserialize_with = "moment")]
    moment: Instant,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    hex: Option<Hex>,
    hex_prefix: Option<Hex>,
    len: Option<usize>,
    sha256: Option<Hex>,
    #[serde(rename = "plain_hex")]
    plain: Option<Hex>,
    #[serde(rename = "meaning")]
    _meaning: String,
    #[serde(rename = "note")]
    _note: Option<String>,
}

impl Datagram {
    /// The UDP payload.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let Some(hex) = &self.hex else {
            return self.assembled();
        };
        hex.0.clone()
    }

    /// A datagram that is too long for the file ends in the last byte of its prefix, repeated.
    fn assembled(&self) -> Vec<u8> {
        let part = "a datagram without its hex has prefix, length and hash";
        let mut bytes = self.hex_prefix.as_ref().expect(part).0.clone();
        let fill = *bytes.last().expect("the prefix is not empty");
        bytes.resize(self.len.expect(part), fill);
        let hash = Sha256::digest(&bytes);
        assert_eq!(hash[..], self.sha256.as_ref().expect(part).0);
        bytes
    }

    /// The message in it, opened where the conversation is sealed.
    pub(crate) fn message(&self) -> Vec<u8> {
        match &self.plain {
            Some(plain) => plain.0.clone(),
            None => self.bytes(),
        }
    }
}

/// A callback of a recorded node, or the result of a call.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Event {
    #[serde(rename = "t_ms", deserialize_with = "moment")]
    moment: Instant,
    pub(crate) at: SocketAddr,
    #[serde(rename = "event")]
    pub(crate) name: String,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) peers: Option<Vec<SocketAddr>>,
    pub(crate) from: Option<SocketAddr>,
    pub(crate) data_hex: Option<String>,
    pub(crate) data_len: Option<usize>,
    pub(crate) error: Option<String>,
    pub(crate) results: Option<Vec<String>>,
    pub(crate) replies: Option<Vec<String>>,
    pub(crate) key: Option<String>,
    pub(crate) ok: Option<bool>,
    pub(crate) n: Option<usize>,
}

/// Bytes that stand as hex in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        HEXLOWER.decode(text.as_bytes()).map(Self).map_err(D::Error::custom)
    }
}

/// Milliseconds with one decimal.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Instant, D::Error> {
    let millis = f64::deserialize(deserializer)?;
    Ok(Instant::EPOCH + Duration::from_secs_f64(millis / 1_000.0))
}

fn optional_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration(&text).map(Some).ok_or_else(|| D::Error::custom("neither seconds nor milliseconds"))
}

/// `1500ms` or `2s`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(millis) => millis.parse().ok().map(Duration::from_millis),
        None => text.strip_suffix('s')?.parse().ok().map(Duration::from_secs),
    }
}
