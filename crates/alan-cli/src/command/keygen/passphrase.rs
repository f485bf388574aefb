//! A passphrase from the standard input: asked for twice at a terminal, without showing it, else
//! one line.

use std::io::{self, BufRead, IsTerminal};

use alan_tokio::config::passphrase::Passphrase;
use rpassword::{ConfigBuilder, prompt_password_with_config};
use zeroize::Zeroizing;

use super::KeygenError;

/// No passphrase that could be used is as long, in bytes.
const MAX_LINE: usize = 4_096;

pub(super) fn read() -> Result<Passphrase, KeygenError> {
    if !io::stdin().is_terminal() {
        return read_line(io::stdin().lock()).map_err(KeygenError::Read);
    }
    let passphrase = ask("Passphrase: ")?;
    // Nobody saw it being typed, and no node tells a mistyped one from another cluster's.
    if passphrase != ask("The same again: ")? {
        return Err(KeygenError::Mistyped);
    }
    Ok(passphrase.as_str().into())
}

fn read_line(input: impl BufRead) -> io::Result<Passphrase> {
    // Read into one allocation: one that grows would leave copies behind.
    let mut line = Zeroizing::new(String::with_capacity(MAX_LINE));
    input.take(MAX_LINE as u64).read_line(&mut line)?;
    Ok(Passphrase::from_line(&line))
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, KeygenError> {
    let config = ConfigBuilder::new().output_writer(io::stderr());
    // By default it asks the terminal that the process belongs to, which may be another.
    #[cfg(unix)]
    let config = config.input_file_path("/dev/stdin");
    let text = prompt_password_with_config(prompt, config.build()).map_err(KeygenError::Read)?;
    Ok(Zeroizing::new(text))
}
