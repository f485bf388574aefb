//! The ciphers alone: XChaCha20-Poly1305 as alan uses it, and ring's ChaCha20-Poly1305.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use crate::Failure;

const KEY: [u8; 32] = [7; 32];
const TAG: usize = 16;

/// XChaCha20-Poly1305: `nonce ‖ ciphertext ‖ tag`, in place. The nonce is a counter, which costs
/// nothing; alan draws it at random.
pub(crate) struct XChaCha {
    cipher: XChaCha20Poly1305,
    counter: u64,
}

impl XChaCha {
    pub(crate) const PREFIX: usize = 24;
    pub(crate) const OVERHEAD: usize = Self::PREFIX + TAG;

    pub(crate) fn new() -> Self {
        Self { cipher: XChaCha20Poly1305::new(&KEY.into()), counter: 0 }
    }

    /// Seals what stands between prefix and tag.
    pub(crate) fn seal(&mut self, datagram: &mut [u8]) -> Result<(), Failure> {
        self.counter += 1;
        let (nonce, rest) =
            datagram.split_first_chunk_mut::<{ Self::PREFIX }>().ok_or("no room for the nonce")?;
        let (message, tag) = rest.split_last_chunk_mut::<TAG>().ok_or("no room for the tag")?;
        nonce[..8].copy_from_slice(&self.counter.to_le_bytes());
        *tag = self
            .cipher
            .encrypt_inout_detached(&XNonce::from(*nonce), &[], message.into())
            .map_err(|_opaque| "too long to seal")?
            .into();
        Ok(())
    }

    /// Opens a datagram, and gives the message in it.
    pub(crate) fn open<'d>(&self, datagram: &'d mut [u8]) -> Result<&'d mut [u8], Failure> {
        let (nonce, rest) =
            datagram.split_first_chunk_mut::<{ Self::PREFIX }>().ok_or("no nonce")?;
        let (message, tag) = rest.split_last_chunk_mut::<TAG>().ok_or("no tag")?;
        self.cipher
            .decrypt_inout_detached(
                &XNonce::from(*nonce),
                &[],
                (&mut *message).into(),
                &Tag::from(*tag),
            )
            .map_err(|_opaque| "the datagram does not open")?;
        Ok(message)
    }
}

/// ring's ChaCha20-Poly1305: `ciphertext ‖ tag`, in place, with a nonce of 12 bytes that is not
/// carried along.
pub(crate) struct Ring {
    key: LessSafeKey,
    counter: u64,
}

impl Ring {
    pub(crate) fn new() -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &KEY).expect("a key has 32 bytes");
        Self { key: LessSafeKey::new(key), counter: 0 }
    }

    fn nonce(&self) -> Nonce {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&self.counter.to_le_bytes());
        Nonce::assume_unique_for_key(nonce)
    }

    /// Seals what stands before the tag.
    pub(crate) fn seal(&mut self, datagram: &mut [u8]) -> Result<(), Failure> {
        self.counter += 1;
        let (message, tag) = datagram.split_last_chunk_mut::<TAG>().ok_or("no room for the tag")?;
        let computed = self
            .key
            .seal_in_place_separate_tag(self.nonce(), Aad::empty(), message)
            .map_err(|_opaque| "too long to seal")?;
        tag.copy_from_slice(computed.as_ref());
        Ok(())
    }

    /// Opens what was sealed last.
    pub(crate) fn open<'d>(&self, datagram: &'d mut [u8]) -> Result<&'d mut [u8], Failure> {
        self.key
            .open_in_place(self.nonce(), Aad::empty(), datagram)
            .map_err(|_opaque| "the datagram does not open".into())
    }
}

/// Clear text, or sealed.
pub(crate) enum Cover {
    Clear,
    Sealed(Box<XChaCha>),
}

impl Cover {
    pub(crate) fn new(sealed: bool) -> Self {
        if sealed { Self::Sealed(Box::new(XChaCha::new())) } else { Self::Clear }
    }

    /// Makes the datagram that carries `payload` in `buffer`, and gives its length.
    pub(crate) fn wrap(&mut self, payload: &[u8], buffer: &mut [u8]) -> Result<usize, Failure> {
        match self {
            Self::Clear => {
                buffer[..payload.len()].copy_from_slice(payload);
                Ok(payload.len())
            }
            Self::Sealed(cipher) => {
                let len = payload.len() + XChaCha::OVERHEAD;
                buffer[XChaCha::PREFIX..][..payload.len()].copy_from_slice(payload);
                cipher.seal(&mut buffer[..len])?;
                Ok(len)
            }
        }
    }

    /// The payload of a datagram.
    pub(crate) fn unwrap<'d>(&self, datagram: &'d mut [u8]) -> Result<&'d mut [u8], Failure> {
        match self {
            Self::Clear => Ok(datagram),
            Self::Sealed(cipher) => cipher.open(datagram),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_payload_comes_out_again_and_an_altered_one_does_not() {
        for sealed in [false, true] {
            let mut cover = Cover::new(sealed);
            let mut buffer = [0; 128];
            let len = cover.wrap(b"payload", &mut buffer).expect("there is room");
            assert_eq!(cover.unwrap(&mut buffer[..len]).expect("it is whole"), b"payload");
        }
        let mut cover = Cover::new(true);
        let mut buffer = [0; 128];
        let len = cover.wrap(b"payload", &mut buffer).expect("there is room");
        buffer[30] ^= 1;
        assert!(cover.unwrap(&mut buffer[..len]).is_err());
    }

    #[test]
    fn ring_opens_what_it_sealed() {
        let mut ring = Ring::new();
        let mut datagram = *b"payload                ";
        ring.seal(&mut datagram).expect("there is room for the tag");
        assert_eq!(ring.open(&mut datagram).expect("it is whole"), b"payload");
    }
}
