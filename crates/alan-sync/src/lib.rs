//! A cluster of nodes that find each other, talk and share locks over UDP, on plain threads.
//!
//! The API is that of the asynchronous adapters, with a blocking `.wait()` in the place of `.await`;
//! no asynchronous runtime is inside. (The optional feature `hickory` brings tokio, for the thread
//! that resolves names, because its resolver needs that.)
//!
//! ```no_run
//! use alan_sync::{Node, Wait};
//!
//! # fn write_report() {}
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::builder()
//!     .dns("my-cluster.local")     // or .peers(["10.0.0.2", "10.0.0.3"])
//!     .key_from_env("ALAN_KEY")?   // optional
//!     .cluster_size(3)
//!     .start()
//!     .wait()?;
//!
//! node.broadcast(b"hello").wait()?;
//!
//! let peer = node.peers()[0].addr;
//! let reply = node.request(peer, b"ping").wait()?;
//! println!("{reply:?}");
//!
//! let guard = node.lock("nightly-report").wait()?;
//! write_report();
//! guard.release().wait()?;
//! # Ok(())
//! # }
//! ```
//!
//! # What there is
//!
//! [`Node`] does it all; [`alan_driver::api`] lists what, and where. [`Wait`] and [`Iterate`] make
//! it block, and [`Threads`] says what runs where. What else is on this page are the types that
//! these take and give.
//!
//! Operations that wait are builders, with a `timeout` each; they begin with [`wait`](Wait::wait),
//! and at their deadline they end and leave nothing behind. What has no deadline of its own can be
//! given up with [`wait_timeout`](Wait::wait_timeout). Streams are iterated with
//! [`iter`](Iterate::iter), or read one by one with `recv().wait()`.
//!
//! # A service
//!
//! ```
//! use std::time::Duration;
//!
//! use alan_sync::{Message, Node, Wait};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let [first, second] = ["127.92.1.1", "127.92.1.2"];
//! let start = |address: &str| {
//!     Node::builder()
//!         .peers([first, second])
//!         .bind(address.parse::<std::net::IpAddr>().expect("an address"))
//!         .cluster_size(2)
//!         .start()
//!         .wait()
//! };
//! let (server, client) = (start(first)?, start(second)?);
//!
//! // Requests of one peer are handled one after the other, those of several at the same time.
//! server.serve(|message| {
//!     if let Message::Request(request) = message {
//!         let answer = request.payload().to_ascii_uppercase();
//!         if let Err(error) = request.reply(answer) {
//!             eprintln!("no reply: {error}");
//!         }
//!     }
//! })?;
//!
//! client.wait_for_quorum().timeout(Duration::from_secs(10)).wait()?;
//! let reply = client
//!     .request(server.local_addr(), "hello")
//!     .timeout(Duration::from_secs(10))
//!     .wait()?;
//! assert_eq!(&reply[..], b"HELLO");
//!
//! client.shutdown().wait();
//! server.shutdown().wait();
//! # Ok(())
//! # }
//! ```
//!
//! # From many threads
//!
//! A node can be used from any number of threads at once, by reference or by a clone of the handle;
//! each sends and seals on its own. It can live in a `static`:
//!
//! ```
//! use std::sync::LazyLock;
//! use std::thread;
//!
//! use alan_sync::{Node, Wait};
//!
//! static NODE: LazyLock<Node> = LazyLock::new(|| {
//!     Node::builder()
//!         .peers(["127.92.2.1"])
//!         .bind([127, 92, 2, 1])
//!         .start()
//!         .wait()
//!         .expect("the address is free")
//! });
//!
//! let work = |job: &'static str| {
//!     thread::spawn(move || {
//!         let guard = NODE.lock("printer").wait().expect("no deadline was set");
//!         println!("{job}");
//!         guard.release().wait().expect("it was held");
//!     })
//! };
//! for thread in [work("one at a time"), work("and in any order")] {
//!     thread.join().expect("it does not panic");
//! }
//!
//! // A static is never dropped, so it has to say goodbye by itself.
//! NODE.shutdown().wait();
//! ```
//!
//! To wait for several things at once, use a thread for each, or one channel:
//!
//! ```
//! use std::sync::mpsc;
//! use std::thread;
//!
//! use alan_sync::{Event, Iterate, Message, Node, Wait};
//!
//! enum Input {
//!     Message(Message),
//!     Event(Event),
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let nodes = ["127.92.3.1", "127.92.3.2"];
//! # let start = |address: &str| {
//! #     let address: std::net::IpAddr = address.parse().expect("an address");
//! #     Node::builder().peers(nodes).bind(address).start().wait()
//! # };
//! # let (node, other) = (start(nodes[0])?, start(nodes[1])?);
//! let (sender, inputs) = mpsc::sync_channel(16);
//! let (mut incoming, mut events) = (node.incoming()?, node.events());
//! thread::spawn({
//!     let sender = sender.clone();
//!     move || incoming.iter().try_for_each(|message| sender.send(Input::Message(message)))
//! });
//! thread::spawn(move || events.iter().try_for_each(|event| sender.send(Input::Event(event))));
//!
//! for input in inputs {
//!     match input {
//!         Input::Event(Event::Joined { peer, .. }) => {
//! #           other.send_to(node.local_addr(), "hello")?;
//!             println!("{peer} is here");
//!         }
//!         Input::Event(_) => {}
//!         Input::Message(message) => {
//!             println!("{} says {:?}", message.from(), message.payload());
//!             break;
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # How it runs
//!
//! A node has one thread of its own, which receives and keeps time, and sleeps in the system until
//! there is something to do. Handlers and callbacks have threads of theirs: [`Threads`] says which,
//! and how many. Any number of nodes can live in one process.
//!
//! [`Node::shutdown`] joins the node's thread, and may be called from anywhere, a handler or a
//! callback included: it does not wait for those.
//!
//! Nothing here needs a runtime, so the futures under the operations can be awaited instead, under
//! any. Only [`wait`](Wait::wait) must not be called there.
#![forbid(unsafe_code)]

mod wait;
mod iterate;
mod threads;
mod crew;
mod turns;

#[doc(inline)]
pub use alan_driver::api::*;
pub use iterate::{Iter, Iterate};
pub use threads::Threads;
pub use wait::{TimedOut, Wait};

/// A node whose loop, handlers and callbacks run on threads.
pub type Node = alan_driver::Node<Threads>;

/// Describes a [`Node`] before it starts.
pub type Builder = alan_driver::Builder<Threads>;
