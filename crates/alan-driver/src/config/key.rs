//! Keys as text: base64 or hexadecimal, never shown, erased after use.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use alan_proto::KeyLengthError;
use alan_proto::envelope::Key;
use data_encoding::{
    BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, Encoding, HEXLOWER_PERMISSIVE,
};
use thiserror::Error;
use zeroize::Zeroizing;

use super::ConfigProblem;

/// What a key must be, in the words of a [`ConfigProblem`].
pub(super) const A_KEY: &str = "32 bytes in base64 or hexadecimal";

/// A key's text is far shorter than this; a longer file is not a key.
const MAX_KEY_FILE: usize = 4_096;

/// Why a text is no key.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum KeyTextError {
    /// It is neither base64 nor hexadecimal.
    #[error("the key is neither base64 nor hexadecimal")]
    Encoding,
    /// It does not hold 32 bytes.
    #[error(transparent)]
    Length(#[from] KeyLengthError),
}

/// Reads a key of 32 bytes from base64 (either alphabet, padded or not) or hexadecimal text, with
/// white space around it permitted. The caller's text stays the caller's to erase.
pub fn key_from_text(text: &str) -> Result<Key, KeyTextError> {
    let text = text.trim_ascii().as_bytes();
    let bytes = if is_hexadecimal(text) {
        decode(&HEXLOWER_PERMISSIVE, text)
    } else {
        [BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD]
            .iter()
            .find_map(|encoding| decode(encoding, text))
    };
    Ok(Key::from_bytes(&bytes.ok_or(KeyTextError::Encoding)?)?)
}

/// A text that could be either is hexadecimal: 64 such digits are what a key of 32 bytes has.
fn is_hexadecimal(text: &[u8]) -> bool {
    !text.is_empty() && text.len().is_multiple_of(2) && text.iter().all(u8::is_ascii_hexdigit)
}

fn decode(encoding: &Encoding, text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    encoding.decode(text).ok().map(Zeroizing::new)
}

/// The error as a problem of the setting `key`, which tells the length but never the text.
pub(super) fn key_problem(error: KeyTextError) -> ConfigProblem {
    let value = match error {
        KeyTextError::Encoding => "in another encoding".to_owned(),
        KeyTextError::Length(KeyLengthError { given }) => format!("{given} bytes long"),
    };
    ConfigProblem::new("key", value, A_KEY)
}

/// Reads a file's text, erased when dropped.
pub(super) fn read_key_file(path: &Path) -> io::Result<Zeroizing<String>> {
    // Read into one allocation: one that grows would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_FILE));
    let length = File::open(path)?.take(MAX_KEY_FILE as u64).read_to_string(&mut text)?;
    if length == MAX_KEY_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too long for a key"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> KeyTextError {
        key_from_text(text).expect_err("not a key")
    }

    #[test]
    fn a_key_is_read_from_base64_of_either_alphabet_and_from_hexadecimal() {
        let bytes = [0xfb; 32];
        let texts = [
            BASE64.encode(&bytes),
            BASE64_NOPAD.encode(&bytes),
            BASE64URL.encode(&bytes),
            BASE64URL_NOPAD.encode(&bytes),
            "fb".repeat(32),
            "FB".repeat(32),
            format!(" {}\n", BASE64.encode(&bytes)),
        ];
        for text in texts {
            assert!(key_from_text(&text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_key_of_another_length_says_how_many_bytes_were_given() {
        let length = |given| KeyTextError::Length(KeyLengthError { given });
        assert_eq!(error(&BASE64.encode(&[7; 31])), length(31));
        assert_eq!(error(&BASE64.encode(&[7; 33])), length(33));
        assert_eq!(error(&"07".repeat(31)), length(31));
        assert_eq!(error(""), length(0));
    }

    #[test]
    fn a_text_that_is_neither_is_refused_without_being_shown() {
        let secret = "correct horse battery staple";
        assert_eq!(error(secret), KeyTextError::Encoding);
        assert!(!error(secret).to_string().contains("horse"));
    }
}
