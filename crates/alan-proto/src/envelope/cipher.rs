//! XChaCha20-Poly1305 in its two steps: a subkey per session and key, then ChaCha20-Poly1305.
//!
//! The only file that names the cipher, so that another implementation has one place to go.

use chacha20::{R20, hchacha};
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, Tag};
use zeroize::Zeroize;

use super::Key;
use crate::event::Incarnation;
use crate::mutant::{Mutant, planted};

/// Bytes of the nonce: the ones that make the subkey, then the ones that are used under it.
pub(super) const NONCE: usize = SUBKEY_NONCE + INNER_NONCE;
/// Bytes of the authentication tag.
pub(super) const TAG: usize = 16;

const SUBKEY_NONCE: usize = 16;
const INNER_NONCE: usize = 8;

/// What XChaCha20-Poly1305 makes of a key and the first 16 bytes of a nonce. Overwritten when it
/// is dropped.
pub(super) struct Subkey(ChaCha20Poly1305);

impl Subkey {
    pub(super) fn derive(key: &Key, nonce: &[u8; SUBKEY_NONCE]) -> Self {
        let mut derived = hchacha::<R20>(key.bytes().into(), nonce.into());
        let cipher = ChaCha20Poly1305::new(&derived);
        derived.zeroize();
        Self(cipher)
    }

    /// Seals `message` in place, for `receiver` alone or for whoever has the key. Gives the tag.
    pub(super) fn seal(
        &self,
        nonce: [u8; INNER_NONCE],
        receiver: Option<Incarnation>,
        message: &mut [u8],
    ) -> [u8; TAG] {
        let bytes = receiver.map(|own| own.get().to_be_bytes());
        self.0
            .encrypt_inout_detached(&inner(nonce), associated(bytes.as_ref()), message.into())
            .expect("a datagram is far shorter than the cipher's limit of 256 GiB")
            .into()
    }

    /// Opens `message` in place and says whether it did. The tag is checked before a byte is
    /// decrypted, so what fails is left as it was.
    pub(super) fn open(
        &self,
        nonce: [u8; INNER_NONCE],
        receiver: Option<Incarnation>,
        message: &mut [u8],
        tag: [u8; TAG],
    ) -> bool {
        let bytes = receiver.map(|own| own.get().to_be_bytes());
        let (nonce, associated) = (inner(nonce), associated(bytes.as_ref()));
        self.0.decrypt_inout_detached(&nonce, associated, message.into(), &Tag::from(tag)).is_ok()
    }
}

/// The nonce under a subkey: four zero bytes, then the end of the long one.
fn inner(nonce: [u8; INNER_NONCE]) -> Nonce {
    let mut padded = Nonce::default();
    padded[4..].copy_from_slice(&nonce);
    padded
}

/// The associated data: the receiver's incarnation, or nothing.
fn associated(receiver: Option<&[u8; 8]>) -> &[u8] {
    receiver.filter(|_| !planted(Mutant::Unbound)).map_or(&[], |bytes| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20poly1305::{XChaCha20Poly1305, XNonce};
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn a_subkey_seals_to_the_bytes_of_xchacha20_poly1305(
            key: [u8; 32],
            nonce: [u8; NONCE],
            receiver: Option<u64>,
            message: Vec<u8>,
        ) {
            let receiver = receiver.and_then(Incarnation::new);
            let secret = Key::from_bytes(&key).expect("32 bytes");
            let (outer, last) = nonce.split_first_chunk().expect("24 bytes");
            let last = *last.first_chunk().expect("8 bytes are left");
            let subkey = Subkey::derive(&secret, outer);
            let mut ours = message.clone();
            let tag = subkey.seal(last, receiver, &mut ours);

            let bytes = receiver.map(|own| own.get().to_be_bytes());
            let mut theirs = message.clone();
            let their_tag = XChaCha20Poly1305::new(&key.into())
                .encrypt_inout_detached(
                    &XNonce::from(nonce),
                    bytes.as_ref().map_or(&[], |bytes| bytes),
                    theirs.as_mut_slice().into(),
                )
                .expect("it is short");
            prop_assert_eq!((&ours, tag), (&theirs, their_tag.into()));

            prop_assert!(subkey.open(last, receiver, &mut ours, tag));
            prop_assert_eq!(ours, message);
        }
    }
}
