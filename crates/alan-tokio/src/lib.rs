//! A cluster of nodes that find each other, talk and share locks over UDP, under tokio.
//!
//! ```no_run
//! use alan_tokio::Node;
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
//! [`Node`] does it all; [`alan_driver::api`] lists what, and where. What else is on this page are
//! the types that it takes and gives.
//!
//! Operations that wait are builders, with a `timeout` each; they begin when they are awaited, and
//! are cancelled completely by being dropped. So `tokio::time::timeout`, `select!` and aborted
//! tasks leave nothing behind.
//!
//! # A service
//!
//! ```
//! use std::time::Duration;
//!
//! use alan_tokio::{Message, Node};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let [first, second] = ["127.90.1.1", "127.90.1.2"];
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
//! # }
//! ```
//!
//! # How it runs
//!
//! A node is one task, which receives and keeps time; it works under the current-thread and the
//! multi-thread runtime, and any number of nodes can live in one process. Sending and sealing
//! happen on the task that asks for it. The runtime needs its time and IO drivers. When the runtime
//! goes away, so does the node, without a goodbye: its peers notice after their heartbeat timeout.
#![forbid(unsafe_code)]

mod readiness;
mod task;

use std::io;

use alan_driver::{AsyncRuntime, Driver, Runtime, Task};
use readiness::Readiness;
use tokio::runtime::Handle;

#[doc(inline)]
pub use alan_driver::api::*;

/// A node whose loop and tasks run under tokio.
pub type Node = alan_driver::Node<Tokio>;

/// Describes a [`Node`] before it starts.
pub type Builder = alan_driver::Builder<Tokio>;

/// The tokio runtime that a node runs in: the one that [`Builder::start`] is awaited in, or one
/// that is named.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
/// let builder = alan_tokio::Node::builder().dns("my-cluster.local");
/// # let builder = alan_tokio::Node::builder().peers::<&str>([]).bind([127, 90, 2, 1]);
/// let node = builder.start_on(runtime.handle().clone().into())?; // not inside of it
/// runtime.block_on(node.shutdown());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Tokio(Handle);

impl From<Handle> for Tokio {
    fn from(runtime: Handle) -> Self {
        Self(runtime)
    }
}

impl AsyncRuntime for Tokio {}

impl Runtime for Tokio {
    fn current() -> io::Result<Self> {
        Handle::try_current().map(Self).map_err(io::Error::other)
    }

    fn spawn(&self, task: Task) {
        drop(self.0.spawn(task));
    }

    fn drive(&self, driver: Driver) -> io::Result<()> {
        let context = self.0.enter();
        let socket = Readiness::of(&driver)?;
        drop(context);
        drop(self.0.spawn(task::run(driver, socket)));
        Ok(())
    }
}
