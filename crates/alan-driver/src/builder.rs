//! From settings to a running node.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use alan_proto::envelope::{AnyEnvelope, Key, Plain, Sealed};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use thiserror::Error;

use crate::clock::{self, LeaseClock};
#[cfg(feature = "passphrase")]
use crate::config::passphrase::Passphrase;
use crate::config::{ConfigProblem, Configuration, QueueFull, Settings};
use crate::delivery::InboxLimits;
use crate::discovery::{Discover, Resolver};
use crate::driver::Driver;
use crate::engine::{Engine, Parts, ProtocolNode};
use crate::node::Node;
use crate::runtime::Runtime;
use crate::socket::{BindError, Socket};

/// Why a node did not start.
#[non_exhaustive]
#[derive(Debug, Error)]
pub enum StartError {
    /// A setting is missing or out of its range.
    #[error(transparent)]
    Config(#[from] ConfigProblem),
    /// The address can't be bound: the port is taken, or the address is not this machine's.
    #[error("cannot bind {addr}: {source}")]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no thread, no random numbers, or no runtime to run in.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

impl From<BindError> for StartError {
    fn from(BindError { addr, source }: BindError) -> Self {
        Self::Bind { addr, source }
    }
}

/// What a node is to be like. Made by [`Node::builder`]; one of [`dns`](Self::dns),
/// [`peers`](Self::peers) and [`discover`](Self::discover) must be called, the rest has defaults.
#[must_use = "a node is started by `start`"]
pub struct Builder<R> {
    settings: Settings,
    runtime: PhantomData<fn() -> R>,
}

/// The setters of [`Settings`], on the builder.
macro_rules! setters {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        impl<R> Builder<R> {
            $(
                #[doc = concat!("See [`Settings::", stringify!($name), "`].")]
                pub fn $name(self, $($argument: $kind),*) -> Self {
                    Self { settings: self.settings.$name($($argument),*), ..self }
                }
            )*
        }
    };
}

setters! {
    dns(name: impl Into<String>);
    discover(source: impl Discover);
    refresh_interval(interval: impl Into<Option<Duration>>);
    port(port: u16);
    bind(address: impl Into<IpAddr>);
    name(name: impl Into<String>);
    metadata(metadata: impl Into<Vec<u8>>);
    observer(observer: bool);
    key(key: Key);
    also_open_with(key: Key);
    security_enabled(enabled: bool);
    cluster_size(nodes: u32);
    buffer_size(bytes: usize);
    heartbeat_interval(interval: Duration);
    heartbeat_timeout(timeout: Duration);
    timeout(timeout: Duration);
    drift_bound_ppm(parts: u32);
    classic_peers(served: bool);
    speak_classic(classic: bool);
    response_cache(answers: usize);
    response_cache_bytes(bytes: usize);
    queue_size(messages: usize);
    queue_bytes(bytes: usize);
    queue_full(policy: QueueFull);
    event_queue(events: usize);
    kernel_buffer(bytes: usize);
    max_peers(peers: u32);
    max_candidates(candidates: u32);
    max_requests(requests: u32);
    stranger_budget(datagrams: u32);
    max_locks(locks: u32);
    max_lock_waiters(waiters: u32);
    max_long_lock_keys(keys: u32);
}

impl<R> Builder<R> {
    /// A builder that starts from settings made elsewhere.
    pub const fn from_settings(settings: Settings) -> Self {
        Self { settings, runtime: PhantomData }
    }

    /// See [`Settings::peers`].
    pub fn peers<P: ToString>(self, peers: impl IntoIterator<Item = P>) -> Self {
        Self { settings: self.settings.peers(peers), ..self }
    }

    /// See [`Settings::key_from_passphrase`].
    #[cfg(feature = "passphrase")]
    pub fn key_from_passphrase(
        self,
        passphrase: impl Into<Passphrase>,
        cluster_name: impl Into<String>,
    ) -> Self {
        Self { settings: self.settings.key_from_passphrase(passphrase, cluster_name), ..self }
    }

    /// See [`Settings::key_from_env`].
    pub fn key_from_env(self, variable: &str) -> Result<Self, ConfigProblem> {
        Ok(Self { settings: self.settings.key_from_env(variable)?, ..self })
    }

    /// See [`Settings::key_from_file`].
    pub fn key_from_file(self, path: impl AsRef<Path>) -> Result<Self, ConfigProblem> {
        Ok(Self { settings: self.settings.key_from_file(path)?, ..self })
    }
}

impl<R: Runtime> Builder<R> {
    /// Starts the node under the runtime that this is polled in: checks the settings, binds the
    /// socket, and asks discovery for the first time. When this returns the node receives; it has
    /// found nobody yet (see [`Node::ready`]).
    #[expect(
        clippy::unused_async,
        reason = "the runtime is looked up when this is polled, which is inside of it"
    )]
    pub async fn start(self) -> Result<Node<R>, StartError> {
        let configuration = self.settings.validate()?;
        start(configuration, R::current()?)
    }

    /// As [`start`](Self::start), under a runtime that is named. It may be called from anywhere.
    pub fn start_on(self, runtime: R) -> Result<Node<R>, StartError> {
        start(self.settings.validate()?, runtime)
    }
}

fn start<R: Runtime>(configuration: Configuration, runtime: R) -> Result<Node<R>, StartError> {
    let Configuration { core, bind, discover, schedule, keyring, .. } = configuration;
    let clock = LeaseClock::new();
    let secure = keyring.is_some();
    let envelope = match keyring {
        Some(keyring) => AnyEnvelope::Sealed(Sealed::with_keyring(keyring)),
        None => AnyEnvelope::Plain(Plain),
    };
    let generator = seeded_by_the_system()?;
    let queues = 2 * core.max_peers as usize;
    let node = ProtocolNode::new(core, envelope, generator, clock.now(), clock::wall())
        .map_err(ConfigProblem::from)?;

    let engine = Arc::new(Engine::new(Parts {
        node,
        socket: Socket::bind_with(bind, configuration.kernel_buffer)?,
        clock,
        secure,
        inbox: InboxLimits {
            messages: configuration.queue_size,
            queues,
            bytes: configuration.queue_bytes,
            block: configuration.queue_full == QueueFull::Block,
        },
        responses: configuration.response_cache,
        event_queue: configuration.event_queue,
    }));
    let socket = engine.driver_socket().expect("it has just been bound");
    // Ends the engine when it is dropped, also when the rest of this fails.
    let driver = Driver::new(Arc::clone(&engine), socket);

    engine.trace_start();
    runtime.drive(driver)?;
    let weak: Weak<Engine> = Arc::downgrade(&engine);
    let node = Node::new(Arc::clone(&engine), runtime);
    engine.set_resolver(Resolver::spawn(discover, schedule, move |result, round| {
        if let Some(engine) = weak.upgrade() {
            engine.on_discovery(result, round);
        }
    })?);
    Ok(node)
}

fn seeded_by_the_system() -> io::Result<ChaCha20Rng> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    Ok(ChaCha20Rng::from_seed(seed))
}

impl<R> fmt::Debug for Builder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
