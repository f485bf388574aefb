//! Keys from passphrases: Argon2id, with parameters that are the same everywhere and for ever.
//!
//! # What is derived
//!
//! The key is the 32 bytes of Argon2id (version 0x13) over the passphrase's bytes in UTF-8, as
//! they are, with
//!
//! | parameter | value |
//! | --- | --- |
//! | memory | 64 MiB |
//! | passes | 3 |
//! | lanes | 4 |
//! | salt | `alan passphrase v1:` and the cluster's name |
//!
//! That is the second option that RFC 9106 recommends: the first one's 2 GiB are more than many a
//! container has, and a node has to derive its key wherever it starts. It takes a fraction of a
//! second of one processor, once in a node's life.
//!
//! # Why a name
//!
//! All nodes must come to the same key before they have exchanged a word, so the salt can't be
//! random. The cluster's name takes its place: it is no secret, but a different one gives a
//! different key, so that two clusters with one passphrase stay strangers, and guesses that were
//! computed for one cluster are worth nothing against another. Use a name that nobody else uses
//! (`orders.prod.example.com` rather than `prod`).
//!
//! # What it is worth
//!
//! No more than the passphrase. Whoever has recorded a single sealed datagram can try guesses at
//! leisure, on machines of his own. Six random words stand that; a password that a person made up
//! may not. Where nobody has to remember the key, make a random one.

use std::fmt;

use alan_proto::envelope::Key;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use super::ConfigProblem;

const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;

/// Keeps these keys apart from whatever else somebody derives from the same passphrase, and makes
/// the salt long enough for any name.
const SALT_PREFIX: &str = "alan passphrase v1:";

const MIN_PASSPHRASE: usize = 8;
const MAX_PASSPHRASE: usize = 1_024;
const MAX_CLUSTER_NAME: usize = 255;

/// What a passphrase must be, in the words of a [`ConfigProblem`].
const A_PASSPHRASE: &str = "8 to 1024 bytes of UTF-8";
const A_CLUSTER_NAME: &str = "1 to 255 bytes where there is a passphrase, the same at all nodes";

/// A secret text that all nodes of a cluster share, in place of a key.
///
/// It is overwritten when it is dropped, and `Debug` output does not show it.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// From a place that holds one line: what ends the line is no part of it.
    #[must_use]
    pub fn from_line(line: &str) -> Self {
        line.trim_end_matches(['\r', '\n']).into()
    }
}

impl From<String> for Passphrase {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

/// The caller's copy stays the caller's to erase.
impl From<&str> for Passphrase {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(redacted)")
    }
}

/// Why no key can be derived.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PassphraseError {
    /// The passphrase is too short to be a secret, or too long to be one that somebody typed.
    #[error("the passphrase is {given} bytes long, but must be {A_PASSPHRASE}")]
    Passphrase {
        /// How many bytes there are.
        given: usize,
    },
    /// There is no name, or one that is too long.
    #[error("the cluster's name is {given} bytes long, but must be 1 to {MAX_CLUSTER_NAME}")]
    ClusterName {
        /// How many bytes there are.
        given: usize,
    },
}

/// Derives the bytes of a key from a passphrase (8 to 1,024 bytes) and the cluster's name (1 to
/// 255 bytes), as described [above](self); for those who write the key down. A node is given both
/// by [`Settings::key_from_passphrase`](super::Settings::key_from_passphrase).
///
/// It works for a fraction of a second, and uses 64 MiB of memory meanwhile.
pub fn derive_key(
    passphrase: &Passphrase,
    cluster_name: &str,
) -> Result<Zeroizing<[u8; Key::LEN]>, PassphraseError> {
    let secret = passphrase.0.as_bytes();
    if !(MIN_PASSPHRASE..=MAX_PASSPHRASE).contains(&secret.len()) {
        return Err(PassphraseError::Passphrase { given: secret.len() });
    }
    if !(1..=MAX_CLUSTER_NAME).contains(&cluster_name.len()) {
        return Err(PassphraseError::ClusterName { given: cluster_name.len() });
    }
    let salt = [SALT_PREFIX, cluster_name].concat();
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(Key::LEN));
    let params = params.expect("RFC 9106 recommends them");
    let mut key = Zeroizing::new([0; Key::LEN]);
    // Whoever finds the last blocks has the key.
    let mut memory = Zeroizing::new(Memory(vec![Block::new(); params.block_count()]));
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(secret, salt.as_bytes(), &mut *key, &mut *memory.0)
        .expect("all lengths are in range");
    Ok(key)
}

struct Memory(Vec<Block>);

impl Zeroize for Memory {
    fn zeroize(&mut self) {
        self.0.iter_mut().for_each(Block::zeroize);
    }
}

/// The key of a node that was given a passphrase.
pub(super) fn key(
    passphrase: &Passphrase,
    cluster_name: Option<&str>,
) -> Result<Key, ConfigProblem> {
    let Some(cluster_name) = cluster_name else {
        return Err(ConfigProblem::new("cluster_name", "not set", A_CLUSTER_NAME));
    };
    let bytes = derive_key(passphrase, cluster_name).map_err(|error| match error {
        PassphraseError::Passphrase { given } => {
            ConfigProblem::new("passphrase", format!("{given} bytes long"), A_PASSPHRASE)
        }
        PassphraseError::ClusterName { given } => {
            ConfigProblem::new("cluster_name", format!("{given} bytes long"), A_CLUSTER_NAME)
        }
    })?;
    Ok(Key::from_bytes(&*bytes).expect("a key's length was derived"))
}

/// The passphrase as a problem of its setting, when it is no text.
pub(super) fn not_text() -> ConfigProblem {
    ConfigProblem::new("passphrase", "in another encoding", A_PASSPHRASE)
}

#[cfg(test)]
mod tests {
    use argon2::{AssociatedData, ParamsBuilder};
    use data_encoding::HEXLOWER;

    use super::*;

    #[test]
    fn argon2id_gives_the_tag_of_rfc_9106() {
        let mut params = ParamsBuilder::new();
        params.m_cost(32).t_cost(3).p_cost(4).output_len(32);
        params.data(AssociatedData::new(&[4; 12]).expect("12 bytes"));
        let params = params.build().expect("the RFC has them");
        let mut memory = vec![Block::new(); params.block_count()];
        let mut tag = [0; 32];
        Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params)
            .expect("the secret is short")
            .hash_password_into_with_memory(&[1; 32], &[2; 16], &mut tag, &mut memory)
            .expect("the RFC has them");
        let expected = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659";
        assert_eq!(HEXLOWER.encode(&tag), expected);
    }

    /// What the reference implementation gives. A cluster in which these change falls apart.
    #[test]
    fn the_same_passphrase_and_name_give_the_same_key_for_ever() {
        let table = [
            (
                "correct horse battery staple",
                "alan-test",
                "36346c50eaca2fd7164500ba905fe14ca57ae08c09f61822cdb39f2420583b53",
            ),
            (
                "correct horse battery staple",
                "other",
                "bd1edcdeddd8ab342712800d1d162a058f60c39cf5b49fcf65acfc52c47f8534",
            ),
            (
                "Zwölf Boxkämpfer",
                "größe",
                "5817567e8f40d636d27602713bda8a35ce6648ed6451165bc46ae7001ca8f0cd",
            ),
        ];
        for (passphrase, cluster_name, expected) in table {
            let key = derive_key(&passphrase.into(), cluster_name).expect("in range");
            assert_eq!(HEXLOWER.encode(&*key), expected, "{passphrase} {cluster_name}");
        }
    }

    #[test]
    fn what_is_too_short_or_too_long_is_refused() {
        let error = |length: usize, name: usize| {
            let passphrase = Passphrase::from("x".repeat(length));
            derive_key(&passphrase, &"n".repeat(name)).expect_err("out of range")
        };
        assert_eq!(error(7, 1), PassphraseError::Passphrase { given: 7 });
        assert_eq!(error(1_025, 1), PassphraseError::Passphrase { given: 1_025 });
        assert_eq!(error(8, 0), PassphraseError::ClusterName { given: 0 });
        assert_eq!(error(1_024, 256), PassphraseError::ClusterName { given: 256 });
    }

    #[test]
    fn the_end_of_a_line_is_no_part_of_a_passphrase_and_a_space_is() {
        let lines = ["open sesame\n", "open sesame\r\n", "open sesame"];
        assert!(lines.iter().all(|line| *Passphrase::from_line(line).0 == "open sesame"));
        assert_eq!(*Passphrase::from_line(" open sesame \n").0, " open sesame ");
        assert!(!format!("{:?}", Passphrase::from("open sesame")).contains("sesame"));
    }
}
