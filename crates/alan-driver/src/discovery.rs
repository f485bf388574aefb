//! Where other nodes may be: the sources of addresses, and the thread that asks them.
//!
//! A source implements [`Discover`] and may block; the [`Resolver`] asks it on a thread of its
//! own, so that a name server that takes its time never holds up a node.

mod host;
mod peers;
mod system;
#[cfg(feature = "hickory")]
mod hickory;
mod resolver;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;

#[cfg(feature = "hickory")]
pub use hickory::HickoryDns;
pub use host::{Host, InvalidHost};
pub use peers::StaticPeers;
pub(crate) use resolver::BEFORE_ALL_ROUNDS;
pub use resolver::{Resolver, Schedule};
pub use system::SystemDns;

/// A source of addresses at which other nodes may be.
///
/// A closure that returns the addresses is one too:
///
/// ```
/// use std::net::SocketAddr;
///
/// fn ask_the_orchestrator() -> std::io::Result<Vec<SocketAddr>> {
///     Ok(vec![SocketAddr::from(([10, 0, 0, 2], 5000))])
/// }
///
/// # fn accepts(_: impl alan_driver::discovery::Discover) {}
/// accepts(ask_the_orchestrator);
/// ```
pub trait Discover: Send + 'static {
    /// Finds out the full present answer: an address that is no longer in it is no longer asked to
    /// join. A node's own address may be among them; the node recognises it.
    ///
    /// This may block for as long as it takes. It is called from one thread, which has no
    /// asynchronous runtime, and a call under way is not waited for when the node stops.
    fn discover(&mut self) -> Result<Discovered, DiscoverError>;

    /// What it knows without asking anybody, if the whole answer may take longer: these are asked
    /// to join before the first question. A part of that question's answer, or none of it, which is
    /// the default. Must not block.
    fn known(&self) -> Vec<SocketAddr> {
        Vec::new()
    }
}

impl<F> Discover for F
where
    F: FnMut() -> io::Result<Vec<SocketAddr>> + Send + 'static,
{
    fn discover(&mut self) -> Result<Discovered, DiscoverError> {
        Ok(Discovered::from(self()?))
    }
}

/// A source's answer.
#[non_exhaustive]
#[derive(Debug, Default)]
pub struct Discovered {
    /// The addresses, in order of preference: beyond the configured limit, the last ones are cut.
    pub addresses: Vec<SocketAddr>,
    /// How long this answer holds, such as a DNS record's time to live. It is asked for again
    /// then, if the refresh interval has not passed earlier. With refreshing off, it is ignored.
    pub refresh_within: Option<Duration>,
    /// What could not be found out although the rest could; it is tried again soon.
    pub incomplete: Option<DiscoverError>,
}

impl From<Vec<SocketAddr>> for Discovered {
    fn from(addresses: Vec<SocketAddr>) -> Self {
        Self { addresses, ..Self::default() }
    }
}

/// Why a source could not answer. The node goes on with what it knew and asks again.
#[non_exhaustive]
#[derive(Debug, Error)]
pub enum DiscoverError {
    /// A name has no address, or no name server could tell.
    #[error("cannot resolve {name}: {source}")]
    Resolve {
        /// The name.
        name: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The source itself failed.
    #[error("discovery failed: {0}")]
    Failed(#[from] io::Error),
    /// The source panicked.
    #[error("the discovery source panicked")]
    Panicked,
}
