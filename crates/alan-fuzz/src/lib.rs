//! The bodies of the fuzz targets: each takes any bytes and panics where something is wrong.
//!
//! | target | the bytes are | what must hold |
//! | --- | --- | --- |
//! | `decoder` | one message | no panic; the same verdict as a decoder written twice; encoding undoes decoding |
//! | `envelope` | a key, a message, and what is done to the datagram | only the datagram as it was sealed opens |
//! | `node` | datagrams, commands and times for one node | see [`watch`]; the same inputs, the same outputs |
//! | `pair` | the commands of two nodes, and the whims of a network that an attacker owns | see [`watch`] and [`pair`] |
//! | `config` | environment variables, or a file | no panic; errors name their variable and show no key |
//!
//! The directory `fuzz/` has the `cargo fuzz` targets over them, and the seeds. `tests/replay.rs`
//! runs each on its seeds and on some thousand random inputs, on a stable toolchain.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "not published; what a name does not say stands in its module")]

pub mod input;
pub mod watch;
pub mod decoder;
pub mod envelope;
pub mod node;
pub mod pair;
pub mod config;
pub mod seeds;

/// One fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub name: &'static str,
    /// Panics if the input shows a defect.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 5] = [
    Target { name: "decoder", run: decoder::run },
    Target { name: "envelope", run: envelope::run },
    Target { name: "node", run: node::run },
    Target { name: "pair", run: pair::run },
    Target { name: "config", run: config::run },
];
