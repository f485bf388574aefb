//! One name, asked of the platform's resolver.

use std::io;
use std::net::SocketAddr;

use super::{Discover, DiscoverError, Discovered, Host};

/// All addresses of one name, from the platform's resolver: `/etc/hosts`, DNS, or whatever else
/// the machine is set up to use. The usual choice, for instance with a headless service's name.
#[derive(Clone, Debug)]
pub struct SystemDns {
    host: Host,
    default_port: u16,
}

impl SystemDns {
    /// Looks up `host`; nodes are at the port that it names, else at `default_port`.
    pub fn new(host: Host, default_port: u16) -> Self {
        Self { host, default_port }
    }
}

impl Discover for SystemDns {
    fn discover(&mut self) -> Result<Discovered, DiscoverError> {
        answer(&self.host, self.host.resolve(self.default_port))
    }
}

fn answer(host: &Host, resolved: io::Result<Vec<SocketAddr>>) -> Result<Discovered, DiscoverError> {
    match resolved {
        Ok(addresses) => Ok(Discovered::from(addresses)),
        Err(source) => Err(DiscoverError::Resolve { name: host.to_string(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_found_at_the_default_port() {
        let host = "localhost".parse().expect("a name");
        let found = SystemDns::new(host, 5000).discover().expect("every machine knows it");
        let expected = [
            SocketAddr::from(([127, 0, 0, 1], 5000)),
            SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 5000)),
        ];
        assert!(!found.addresses.is_empty());
        assert!(found.addresses.iter().all(|address| expected.contains(address)), "{found:?}");
    }

    #[test]
    fn a_name_that_does_not_resolve_is_named_in_the_error() {
        let host = "my-cluster.local".parse().expect("a name");
        let failure = Err(io::Error::new(io::ErrorKind::NotFound, "no such name"));
        let error = answer(&host, failure).expect_err("it failed");
        assert_eq!(error.to_string(), "cannot resolve my-cluster.local: no such name");
    }
}
