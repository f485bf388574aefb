//! A name asked of name servers of one's own choice: A and AAAA, or SRV with ports, with TTLs.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::proto::rr::rdata::SRV;
use tokio::runtime::Runtime;

use super::{Discover, DiscoverError, Discovered, Host, InvalidHost};

/// The longest wait for one name server's answer, before the next attempt or server.
const PATIENCE: Duration = Duration::from_secs(2);

/// All addresses of one name, asked of DNS servers directly.
///
/// Unlike [`SystemDns`](super::SystemDns), it can ask servers that the machine does not use, take
/// the nodes' ports from SRV records, and it knows how long an answer holds, so that discovery
/// follows a record with a short time to live.
#[derive(Debug)]
pub struct HickoryDns {
    question: Question,
    servers: Vec<SocketAddr>,
    client: Option<Client>,
}

#[derive(Clone, Debug)]
enum Question {
    /// Addresses of a host, all at one port.
    Addresses { host: Host, default_port: u16 },
    /// Hosts and ports of a service.
    Service { name: String },
}

impl HickoryDns {
    /// Asks for the addresses (A and AAAA) of `host`; nodes are at the port that it names, else at
    /// `default_port`.
    pub fn addresses(host: Host, default_port: u16) -> Self {
        Self::new(Question::Addresses { host, default_port })
    }

    /// Asks for the SRV records of a service, such as `_alan._udp.my-cluster.example`; nodes are at
    /// the hosts and ports that these name, those of the best priority first.
    pub fn service(name: &str) -> Result<Self, InvalidHost> {
        let host: Host = name.parse()?;
        match (host.name(), host.port()) {
            (Some(name), None) => Ok(Self::new(Question::Service { name: name.to_owned() })),
            _ => Err(InvalidHost { given: name.to_owned() }),
        }
    }

    fn new(question: Question) -> Self {
        Self { question, servers: Vec::new(), client: None }
    }

    /// Asks these servers, by UDP, and by TCP for long answers. Without any, the machine's own
    /// (from `/etc/resolv.conf` or what stands in for it) are asked, and `/etc/hosts` is read.
    #[must_use]
    pub fn name_servers(mut self, servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.servers = servers.into_iter().collect();
        self.client = None;
        self
    }
}

impl Discover for HickoryDns {
    fn discover(&mut self) -> Result<Discovered, DiscoverError> {
        // Made here rather than earlier: a runtime must not be dropped where another one runs, and
        // this thread has none.
        let client = match &mut self.client {
            Some(client) => client,
            empty => empty.insert(Client::new(&self.servers)?),
        };
        match &self.question {
            Question::Addresses { host, default_port } => client.addresses(host, *default_port),
            Question::Service { name } => client.service(name),
        }
    }
}

/// A resolver and the runtime that it needs.
struct Client {
    runtime: Runtime,
    resolver: TokioResolver,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    fn new(servers: &[SocketAddr]) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let provider = TokioRuntimeProvider::default();
        let mut builder = if servers.is_empty() {
            TokioResolver::builder(provider).map_err(io::Error::other)?
        } else {
            let servers = servers.iter().copied().map(name_server).collect();
            let config = ResolverConfig::from_name_servers(servers);
            let mut builder = TokioResolver::builder_with_config(config, provider);
            builder.options_mut().use_hosts_file = ResolveHosts::Never;
            builder
        };
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.timeout = options.timeout.min(PATIENCE);
        // When to ask again is the schedule's affair; a question that is asked is meant.
        options.cache_size = 0;
        let resolver = builder.build().map_err(io::Error::other)?;
        Ok(Self { runtime, resolver })
    }

    fn addresses(&self, host: &Host, default_port: u16) -> Result<Discovered, DiscoverError> {
        let port = host.port().unwrap_or(default_port);
        let Some(name) = host.name() else {
            return Ok(Discovered::from(Vec::from_iter(host.address(default_port))));
        };
        let (ips, until) = self.lookup(name)?;
        let addresses: Vec<_> = ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        Ok(Discovered { refresh_within: Some(from_now(until)), ..Discovered::from(addresses) })
    }

    fn service(&self, name: &str) -> Result<Discovered, DiscoverError> {
        let answer = self
            .runtime
            .block_on(self.resolver.srv_lookup(name))
            .map_err(|error| unresolved(name, &error))?;
        let mut until = answer.valid_until();
        let mut services: Vec<&SRV> = Vec::new();
        for record in answer.answers() {
            if let RData::SRV(service) = &record.data {
                services.push(service);
            }
        }
        services.sort_by_key(|service| (service.priority, u16::MAX - service.weight));

        let mut found = Discovered::default();
        for service in services {
            // A target of "." says that the service is not there.
            if service.target.is_root() || service.port == 0 {
                continue;
            }
            match self.lookup(&service.target.to_utf8()) {
                Ok((ips, holds)) => {
                    until = until.min(holds);
                    found
                        .addresses
                        .extend(ips.into_iter().map(|ip| SocketAddr::new(ip, service.port)));
                }
                Err(error) => found.incomplete = Some(error),
            }
        }
        found.refresh_within = Some(from_now(until));
        match found.incomplete {
            Some(error) if found.addresses.is_empty() => Err(error),
            incomplete => Ok(Discovered { incomplete, ..found }),
        }
    }

    fn lookup(&self, name: &str) -> Result<(Vec<IpAddr>, Instant), DiscoverError> {
        let answer = self
            .runtime
            .block_on(self.resolver.lookup_ip(name))
            .map_err(|error| unresolved(name, &error))?;
        Ok((answer.iter().collect(), answer.valid_until()))
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let at_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(at_port);
    NameServerConfig::new(address.ip(), true, connections.into())
}

fn unresolved(name: &str, error: &NetError) -> DiscoverError {
    let kind = match error {
        _ if error.is_no_records_found() => io::ErrorKind::NotFound,
        NetError::Timeout => io::ErrorKind::TimedOut,
        _ => io::ErrorKind::Other,
    };
    DiscoverError::Resolve {
        name: name.to_owned(),
        source: io::Error::new(kind, error.to_string()),
    }
}

fn from_now(moment: Instant) -> Duration {
    moment.saturating_duration_since(Instant::now())
}
