//! A fixed list of places.

use std::io;
use std::net::SocketAddr;

use super::{Discover, DiscoverError, Discovered, Host};

/// A fixed list of addresses and host names. It may be empty, for a node that waits to be found.
///
/// Names are looked up anew each time, with the platform's resolver. While one can't be, its
/// latest addresses stand in for it. Addresses don't wait for the first lookup of a name.
#[derive(Clone, Debug)]
pub struct StaticPeers {
    peers: Vec<Peer>,
    default_port: u16,
}

#[derive(Clone, Debug)]
struct Peer {
    host: Host,
    addresses: Vec<SocketAddr>,
}

impl StaticPeers {
    /// Nodes are at the port that each of `hosts` names, else at `default_port`.
    pub fn new(hosts: impl IntoIterator<Item = Host>, default_port: u16) -> Self {
        let peers = hosts.into_iter().map(|host| Peer { host, addresses: Vec::new() }).collect();
        Self { peers, default_port }
    }

    fn discover_with(
        &mut self,
        mut resolve: impl FnMut(&Host, u16) -> io::Result<Vec<SocketAddr>>,
    ) -> Result<Discovered, DiscoverError> {
        let mut found = Discovered::default();
        for peer in &mut self.peers {
            match resolve(&peer.host, self.default_port) {
                Ok(addresses) => peer.addresses = addresses,
                Err(source) => {
                    let name = peer.host.to_string();
                    found.incomplete = Some(DiscoverError::Resolve { name, source });
                }
            }
            found.addresses.extend_from_slice(&peer.addresses);
        }
        match found.incomplete {
            Some(error) if found.addresses.is_empty() => Err(error),
            incomplete => Ok(Discovered { incomplete, ..found }),
        }
    }
}

impl Discover for StaticPeers {
    fn discover(&mut self) -> Result<Discovered, DiscoverError> {
        self.discover_with(Host::resolve)
    }

    fn known(&self) -> Vec<SocketAddr> {
        let hosts = || self.peers.iter().map(|peer| &peer.host);
        if hosts().all(|host| host.name().is_none()) {
            return Vec::new(); // The whole answer takes no longer.
        }
        hosts().filter_map(|host| host.address(self.default_port)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(texts: &[&str]) -> Vec<Host> {
        texts.iter().map(|text| text.parse().expect(text)).collect()
    }

    fn no_such_name() -> io::Error {
        io::Error::new(io::ErrorKind::NotFound, "no such name")
    }

    #[test]
    fn addresses_are_given_in_the_order_of_the_list() {
        let mut peers = StaticPeers::new(hosts(&["10.0.0.2", "10.0.0.1:6000", "::1"]), 5000);
        let found = peers.discover().expect("nothing to look up");
        let expected = ["10.0.0.2:5000", "10.0.0.1:6000", "[::1]:5000"]
            .map(|address| address.parse::<SocketAddr>().expect(address));
        assert_eq!(found.addresses, expected);
        assert!(found.incomplete.is_none());
    }

    #[test]
    fn addresses_among_names_are_known_before_these_are_looked_up() {
        let known = |texts: &[&str]| StaticPeers::new(hosts(texts), 5000).known();
        let expected = [SocketAddr::from(([10, 0, 0, 2], 5000))];
        assert_eq!(known(&["slow.example", "10.0.0.2"]), expected);
        assert_eq!(known(&["10.0.0.2"]), [], "nothing is to be looked up");
        assert_eq!(known(&["slow.example"]), []);
    }

    #[test]
    fn an_empty_list_is_a_complete_answer() {
        let found = StaticPeers::new([], 5000).discover().expect("nothing can go wrong");
        assert!(found.addresses.is_empty() && found.incomplete.is_none());
    }

    #[test]
    fn a_name_that_fails_later_keeps_its_addresses_and_is_reported() {
        let mut peers = StaticPeers::new(hosts(&["10.0.0.2", "b"]), 5000);
        let b = SocketAddr::from(([10, 0, 0, 3], 5000));
        let works = |host: &Host, port| Ok(vec![host.address(port).unwrap_or(b)]);
        let fails =
            |host: &Host, port| host.address(port).map(|a| vec![a]).ok_or_else(no_such_name);

        let before = peers.discover_with(works).expect("both are known");
        assert!(before.incomplete.is_none());
        let after = peers.discover_with(fails).expect("one is known");
        assert_eq!(after.addresses, before.addresses);
        let error = after.incomplete.expect("b failed").to_string();
        assert_eq!(error, "cannot resolve b: no such name");
    }

    #[test]
    fn nothing_found_at_all_is_an_error() {
        let mut peers = StaticPeers::new(hosts(&["a", "b"]), 5000);
        let error = peers.discover_with(|_, _| Err(no_such_name())).expect_err("both failed");
        assert_eq!(error.to_string(), "cannot resolve b: no such name");
    }
}
