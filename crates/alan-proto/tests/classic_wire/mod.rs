//! Reads `tests/vectors/classic-wire.json`, the messages recorded from the Go library.
//!
//! Every field of the file is named here, and an unknown one is an error: nothing in it can go
//! unread by mistake.

use data_encoding::HEXLOWER;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClassicWire {
    #[serde(rename = "about")]
    _about: String,
    #[serde(rename = "envelope")]
    _envelope: String,
    pub(crate) keys: Keys,
    pub(crate) vectors: Vec<Vector>,
    pub(crate) crypto_cases: Vec<CryptoCase>,
    pub(crate) key_sizes: Vec<KeySize>,
}

impl ClassicWire {
    pub(crate) fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/classic-wire.json");
        let text = std::fs::read_to_string(path).expect("the vectors are in the repository");
        serde_json::from_str(&text).expect("the vectors have the fields that their README names")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    pub key1: Hex,
    pub key2: Hex,
}

/// A message, what a decoder must make of it, and its sealed form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    pub(crate) name: String,
    #[serde(rename = "note")]
    _note: Option<String>,
    pub(crate) origin: Origin,
    /// What the encoder was given; `decoded` says the same in the decoder's words.
    #[serde(rename = "message")]
    _message: Option<String>,
    #[serde(rename = "port")]
    _port: Option<u32>,
    #[serde(rename = "request_id_hex")]
    _request_id: Option<Hex>,
    #[serde(rename = "lock_key_hex")]
    _lock_key: Option<Hex>,
    #[serde(rename = "data_hex")]
    _data: Option<Hex>,
    #[serde(rename = "plain_hex")]
    plain: Option<Hex>,
    plain_len: usize,
    #[serde(rename = "plain_prefix_hex")]
    plain_prefix: Option<Hex>,
    #[serde(rename = "plain_fill_hex")]
    plain_fill: Option<Hex>,
    plain_fill_from: Option<usize>,
    #[serde(rename = "plain_sha256")]
    pub(crate) plain_hash: Option<Hex>,
    #[serde(rename = "sealed_with")]
    _sealed_with: String,
    #[serde(rename = "key_hex")]
    pub(crate) key: Hex,
    #[serde(rename = "nonce_hex")]
    pub(crate) nonce: Hex,
    #[serde(rename = "sealed_hex")]
    pub(crate) sealed: Option<Hex>,
    pub(crate) sealed_len: usize,
    #[serde(rename = "sealed_sha256")]
    pub(crate) sealed_hash: Option<Hex>,
    #[serde(rename = "tag_hex")]
    pub(crate) tag: Option<Hex>,
    pub(crate) accepted: bool,
    pub(crate) reject: Option<String>,
    pub(crate) decoded: Option<Decoded>,
}

impl Vector {
    /// The message, put together where the file has it in parts.
    pub(crate) fn plain(&self) -> Vec<u8> {
        let plain = self.plain.as_ref().map_or_else(|| self.assembled(), |plain| plain.0.clone());
        assert_eq!(plain.len(), self.plain_len, "{}", self.name);
        plain
    }

    fn assembled(&self) -> Vec<u8> {
        let part = "a message without its hex has prefix, fill and offset";
        let mut plain = self.plain_prefix.as_ref().expect(part).0.clone();
        let fill = self.plain_fill.as_ref().expect(part).0[0];
        plain.truncate(self.plain_fill_from.expect(part));
        plain.resize(self.plain_len, fill);
        plain
    }
}

#[derive(Deserialize, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    #[serde(rename = "encoder")]
    Encoder,
    #[serde(rename = "hand-built")]
    HandBuilt,
}

/// What the Go library's decoder made of a message.
#[derive(Deserialize, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decoded {
    #[serde(rename = "type", deserialize_with = "type_byte")]
    pub(crate) kind: u8,
    pub(crate) port: Option<u16>,
    #[serde(rename = "request_id_hex")]
    pub(crate) request_id: Option<Hex>,
    #[serde(rename = "lock_key_hex")]
    pub(crate) lock_key: Option<Hex>,
    pub(crate) lock_key_len: Option<usize>,
    #[serde(rename = "data_hex")]
    pub(crate) data: Option<Hex>,
    pub(crate) data_len: Option<usize>,
    pub(crate) ignored_trailing_len: Option<usize>,
}

impl Decoded {
    /// A message of this type without any field.
    pub(crate) fn empty(kind: u8) -> Self {
        Self {
            kind,
            port: None,
            request_id: None,
            lock_key: None,
            lock_key_len: None,
            data: None,
            data_len: None,
            ignored_trailing_len: None,
        }
    }
}

/// A datagram, and whether it opens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CryptoCase {
    pub(crate) name: String,
    #[serde(rename = "note")]
    _note: Option<String>,
    #[serde(rename = "key_hex")]
    pub(crate) key: Hex,
    #[serde(rename = "datagram_hex")]
    pub(crate) datagram: Hex,
    pub(crate) datagram_len: usize,
    pub(crate) opened: Option<bool>,
    #[serde(rename = "error")]
    _error: Option<String>,
    #[serde(rename = "reject")]
    _reject: Option<String>,
    pub(crate) accepted: bool,
    #[serde(rename = "plain_hex")]
    pub(crate) plain: Option<Hex>,
    pub(crate) decoded: Option<Decoded>,
}

/// A key length, and whether a node takes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeySize {
    pub(crate) key_len: usize,
    pub(crate) accepted: bool,
    pub(crate) error: Option<String>,
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

fn type_byte<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits = text.strip_prefix("0x").ok_or_else(|| D::Error::custom("no 0x"))?;
    u8::from_str_radix(digits, 16).map_err(D::Error::custom)
}
