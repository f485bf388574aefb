//! XChaCha20-Poly1305 under the cluster's key, with a random nonce per datagram.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use core::fmt;
use rand_core::CryptoRng;

use super::{Envelope, Key, Unopened};
use crate::mutant::{Mutant, planted};

/// Bytes of the nonce, with which the datagram begins.
const NONCE: usize = 24;
/// Bytes of the authentication tag, with which it ends.
const TAG: usize = 16;

/// Seals and opens with XChaCha20-Poly1305 and no associated data: `nonce ‖ ciphertext ‖ tag`, 40
/// bytes more than the message.
///
/// The nonce has 24 bytes and is drawn from the node's generator for each datagram, so that no
/// two datagrams ever share one, whichever node they come from. Not `Clone`: a copy of a node
/// with a copy of its generator would draw the same nonces for other messages, which gives the
/// messages away. So this does not compile:
///
/// ```compile_fail,E0277
/// fn copies<T: Clone>() {}
/// copies::<alan_proto::envelope::Sealed>();
/// ```
///
/// Holds the key only (32 bytes, overwritten on drop): the subkey of a random nonce serves one
/// datagram, so there is nothing to be kept between two.
pub struct Sealed {
    cipher: XChaCha20Poly1305,
}

impl Sealed {
    /// The envelope of the cluster that shares `key`.
    #[must_use]
    pub fn new(key: &Key) -> Self {
        Self { cipher: XChaCha20Poly1305::new(key.bytes().into()) }
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(redacted)")
    }
}

impl Envelope for Sealed {
    fn prefix(&self) -> usize {
        NONCE
    }

    fn suffix(&self) -> usize {
        TAG
    }

    fn seal<R: CryptoRng>(&mut self, rng: &mut R, datagram: &mut [u8]) {
        let Parts { nonce, message, tag } =
            split(datagram).expect("the datagram has room for nonce and tag");
        if !planted(Mutant::NonceKept) || nonce.iter().all(|&byte| byte == 0) {
            rng.fill_bytes(nonce);
        }
        let computed = self
            .cipher
            .encrypt_inout_detached(&XNonce::from(*nonce), &[], message.into())
            .expect("a datagram is far shorter than the cipher's limit of 256 GiB");
        *tag = computed.into();
    }

    fn open<'d>(&mut self, datagram: &'d mut [u8]) -> Result<&'d mut [u8], Unopened> {
        if planted(Mutant::ShortIsPlain) && datagram.len() < NONCE + TAG {
            return Ok(datagram);
        }
        let Parts { nonce, message, tag } = split(datagram).ok_or(Unopened)?;
        // The tag is checked before a byte is decrypted, so what fails is left as it was.
        self.cipher
            .decrypt_inout_detached(
                &XNonce::from(*nonce),
                &[],
                (&mut *message).into(),
                &Tag::from(*tag),
            )
            .map_err(|_opaque| Unopened)?;
        Ok(message)
    }
}

/// A sealed datagram's parts, in the order in which they stand.
struct Parts<'d> {
    nonce: &'d mut [u8; NONCE],
    message: &'d mut [u8],
    tag: &'d mut [u8; TAG],
}

/// The parts, or `None` for a datagram that is too short to have them.
fn split(datagram: &mut [u8]) -> Option<Parts<'_>> {
    let (nonce, rest) = datagram.split_first_chunk_mut()?;
    let (message, tag) = rest.split_last_chunk_mut()?;
    Some(Parts { nonce, message, tag })
}
