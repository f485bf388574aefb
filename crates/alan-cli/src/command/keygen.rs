//! `alan keygen`: a new random key, or one derived from a passphrase, printed as base64 or written
//! to a file that only its owner reads.

mod passphrase;

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use alan_proto::envelope::Key;
use alan_tokio::config::passphrase::{PassphraseError, derive_key};
use data_encoding::BASE64;
use thiserror::Error;
use zeroize::Zeroizing;

use super::Outcome;
use crate::args::KeygenArgs;

#[derive(Debug, Error)]
enum KeygenError {
    #[error("the system gave no random bytes")]
    NoRandomness(#[source] getrandom::Error),
    #[error("the passphrase can't be read")]
    Read(#[source] io::Error),
    #[error("these are two different passphrases")]
    Mistyped,
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    #[error("{} exists already; --force replaces it", path.display())]
    Exists { path: PathBuf },
    #[error("{} can't be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("the key can't be printed")]
    Print(#[source] io::Error),
}

pub(crate) fn run(args: &KeygenArgs) -> Outcome {
    let key = match &args.cluster_name {
        Some(name) => derive_key(&passphrase::read()?, name).map_err(KeygenError::from)?,
        None => random_key()?,
    };
    let line = Zeroizing::new(BASE64.encode(&*key) + "\n");
    match &args.file {
        Some(path) => {
            write(path, args.force, line.as_bytes())?;
            eprintln!("the key is in {}; give each node a copy", path.display());
        }
        None => io::stdout().write_all(line.as_bytes()).map_err(KeygenError::Print)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn random_key() -> Result<Zeroizing<[u8; Key::LEN]>, KeygenError> {
    let mut key = Zeroizing::new([0; Key::LEN]);
    getrandom::fill(&mut *key).map_err(KeygenError::NoRandomness)?;
    Ok(key)
}

/// Never leaves the key readable by others, not even for a moment: a file that is replaced is
/// removed first, so that the new one has its own mode and nobody has it open.
fn write(path: &Path, force: bool, contents: &[u8]) -> Result<(), KeygenError> {
    let failed = |source| KeygenError::Write { path: path.to_owned(), source };
    if force {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeygenError::Exists { path: path.to_owned() },
        _ => failed(error),
    })?;
    file.write_all(contents).and_then(|()| file.sync_all()).map_err(failed)
}
