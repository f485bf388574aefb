//! A cluster of nodes that find each other, talk and share locks over UDP, under smol.
//!
//! ```no_run
//! use alan_smol::Node;
//!
//! # async fn write_report() {}
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::builder()
//!     .dns("my-cluster.local")     // or .peers(["10.0.0.2", "10.0.0.3"])
//!     .key_from_env("ALAN_KEY")?   // optional
//!     .cluster_size(3)
//!     .start()
//!     .await?;
//!
//! node.broadcast(b"hello").await?;
//!
//! let peer = node.peers()[0].addr;
//! let reply = node.request(peer, b"ping").await?;
//! println!("{reply:?}");
//!
//! let guard = node.lock("nightly-report").await?;
//! write_report().await;
//! guard.release().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What there is
//!
//! [`Node`] does it all; [`alan_driver::api`] lists what, and where. [`Smol`] says where a node
//! runs. What else is on this page are the types that these take and give.
//!
//! Operations that wait are builders, with a `timeout` each; they begin when they are awaited, and
//! are cancelled completely by being dropped. So `future::or`, `FutureExt::race` and cancelled
//! tasks leave nothing behind.
//!
//! # A service
//!
//! ```
//! use std::time::Duration;
//!
//! use alan_smol::{Message, Node};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # smol::block_on(async {
//! let [first, second] = ["127.91.1.1", "127.91.1.2"];
//! let start = |address: &str| {
//!     Node::builder()
//!         .peers([first, second])
//!         .bind(address.parse::<std::net::IpAddr>().expect("an address"))
//!         .cluster_size(2)
//!         .start()
//! };
//! let (server, client) = (start(first).await?, start(second).await?);
//!
//! // Requests of one peer are handled one after the other, those of several at the same time.
//! server.serve(|message| async move {
//!     if let Message::Request(request) = message {
//!         let answer = request.payload().to_ascii_uppercase();
//!         if let Err(error) = request.reply(answer) {
//!             eprintln!("no reply: {error}");
//!         }
//!     }
//! })?;
//!
//! client.wait_for_quorum().timeout(Duration::from_secs(10)).await?;
//! let reply = client
//!     .request(server.local_addr(), "hello")
//!     .timeout(Duration::from_secs(10))
//!     .await?;
//! assert_eq!(&reply[..], b"HELLO");
//!
//! client.shutdown().await;
//! server.shutdown().await;
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # How it runs
//!
//! A node is one task, which receives and keeps time; any number of nodes can live in one process.
//! [`Builder::start`] spawns it with [`smol::spawn`][global], [`Builder::start_on`] wherever a
//! [`Smol`] says. Handlers are tasks in the same place, so a handler that blocks its thread can
//! hold up heartbeats: give blocking work to `smol::unblock`, or the executor several threads.
//! Sending and sealing happen on the task that asks for it, which may belong to any executor.
//!
//! Sockets and timers are `async-io`'s. Its reactor starts by itself, when it is needed first.
//!
//! # Under async-std
//!
//! async-std has the same reactor, so its programs can use this crate as it is, with one thread of
//! smol's beside async-std's own. To have nodes run on async-std's threads instead:
//!
//! ```
//! use alan_smol::{Node, Smol};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let async_std = Smol::spawning(|task| drop(async_std::task::spawn(task)));
//! let builder = Node::builder().dns("my-cluster.local");
//! # let builder = Node::builder().peers::<&str>([]).bind([127, 91, 2, 1]);
//! let node = builder.start_on(async_std)?;
//! async_std::task::block_on(node.shutdown());
//! # Ok(())
//! # }
//! ```
//!
//! async-std was discontinued in 2025, and its authors name smol as the successor. A new program
//! should begin with smol and this crate, or with tokio and `alan-tokio`, which has the same API.
//!
//! # Features
//!
//! | feature | gives |
//! | --- | --- |
//! | `global` (default) | smol's global executor, and with it the `smol` crate and all that it depends on. Without it, [`Builder::start`] fails, and nodes are started by [`Builder::start_on`] |
//! | `hickory` | discovery through name servers of your own choice, with SRV records and TTLs |
//! | `passphrase` | keys from passphrases |
//! | `serde` | configuration from TOML, JSON and the like |
//! | `metrics` | a node's counters through the `metrics` facade |
//!
//! [global]: https://docs.rs/smol/2/smol/fn.spawn.html
#![forbid(unsafe_code)]

mod place;
mod task;

#[doc(inline)]
pub use alan_driver::api::*;
pub use place::Smol;

/// A node whose loop and tasks run under smol.
pub type Node = alan_driver::Node<Smol>;

/// Describes a [`Node`] before it starts.
pub type Builder = alan_driver::Builder<Smol>;
