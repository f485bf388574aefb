//! The baselines: what the same sockets and ciphers do with no library in between.

mod cipher;
mod echo;
mod flow;
mod socket;

pub(crate) use cipher::{Cover, Ring, XChaCha};
pub(crate) use echo::{BatchEcho, Echo};
pub(crate) use flow::{BURST, Credits, Flow};
