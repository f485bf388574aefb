//! One place where a node may be, as people write it: an address or a name, with a port or not.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use thiserror::Error;

/// An IP address or a host name, perhaps with a port: `10.0.0.2`, `10.0.0.2:5001`, `fd00::2`,
/// `[fd00::2]:5001`, `node-2.example`, `node-2.example:5001`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Host {
    name: Name,
    port: Option<u16>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Name {
    Address(IpAddr),
    /// An address that says more than its IP: an IPv6 scope.
    Scoped(SocketAddr),
    Host(String),
}

/// The longest host name that DNS can hold.
const MAX_NAME: usize = 253;

impl Host {
    /// The port that was given with it.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The name, if it is one that has to be looked up.
    pub fn name(&self) -> Option<&str> {
        match &self.name {
            Name::Host(name) => Some(name),
            Name::Address(_) | Name::Scoped(_) => None,
        }
    }

    /// The address, if it needs no looking up.
    pub fn address(&self, default_port: u16) -> Option<SocketAddr> {
        let port = self.port.unwrap_or(default_port);
        match &self.name {
            Name::Address(ip) => Some(SocketAddr::new(*ip, port)),
            Name::Scoped(address) => Some(*address),
            Name::Host(_) => None,
        }
    }

    /// Its addresses, asking the platform's resolver for a name's, which may block for long.
    pub(crate) fn resolve(&self, default_port: u16) -> io::Result<Vec<SocketAddr>> {
        let port = self.port.unwrap_or(default_port);
        match &self.name {
            Name::Host(name) => Ok((name.as_str(), port).to_socket_addrs()?.collect()),
            Name::Address(_) | Name::Scoped(_) => {
                Ok(self.address(default_port).into_iter().collect())
            }
        }
    }
}

/// What was given is neither an address nor a host name, with or without a port.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{given:?} is not an address or a host name, with or without a port of 1 to 65535")]
pub struct InvalidHost {
    /// What was given.
    pub given: String,
}

impl FromStr for Host {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        parse(text.trim()).ok_or_else(|| InvalidHost { given: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<Host> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        let name = match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => Name::Scoped(address),
            _ => Name::Address(address.ip()),
        };
        return (address.port() != 0).then_some(Host { name, port: Some(address.port()) });
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Some(Host { name: Name::Address(ip), port: None });
    }
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port.parse().ok().filter(|&port: &u16| port != 0)?)),
        None => (text, None),
    };
    is_host_name(name).then(|| Host { name: Name::Host(name.to_owned()), port })
}

/// Letters, digits, hyphens, underscores and dots. Names that DNS could hold beyond these are
/// mistakes far more often than names; so is an IPv4 address with a number too many or too large.
fn is_host_name(name: &str) -> bool {
    let labels = name.strip_suffix('.').unwrap_or(name);
    let permitted = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    labels.len() <= MAX_NAME
        && labels
            .split('.')
            .all(|label| (1..=63).contains(&label.len()) && label.bytes().all(permitted))
        && !labels.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.port) {
            (Name::Address(ip), Some(port)) => SocketAddr::new(*ip, port).fmt(f),
            (Name::Address(ip), None) => ip.fmt(f),
            (Name::Scoped(address), _) => address.fmt(f),
            (Name::Host(name), Some(port)) => write!(f, "{name}:{port}"),
            (Name::Host(name), None) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_read_with_and_without_a_port() {
        let table = [
            ("10.0.0.2", Some("10.0.0.2:5000")),
            ("10.0.0.2:6000", Some("10.0.0.2:6000")),
            ("fd00::2", Some("[fd00::2]:5000")),
            ("[fd00::2]", Some("[fd00::2]:5000")),
            ("[fd00::2]:6000", Some("[fd00::2]:6000")),
            ("[fe80::1%3]:6000", Some("[fe80::1%3]:6000")),
            (" 10.0.0.2 ", Some("10.0.0.2:5000")),
            ("node-2", None),
            ("node_2.example.", None),
            ("node-2.example:6000", None),
        ];
        for (text, address) in table {
            let host: Host = text.parse().expect(text);
            let expected = address.map(|address| address.parse().expect(address));
            assert_eq!(host.address(5000), expected, "{text}");
            assert_eq!(host.to_string().parse(), Ok(host), "{text}");
        }
        let named: Host = "node-2.example:6000".parse().expect("a name with a port");
        assert_eq!((named.name(), named.port()), (Some("node-2.example"), Some(6000)));
    }

    #[test]
    fn what_is_neither_is_refused_and_named() {
        let long = "a".repeat(64);
        let table = [
            "",
            " ",
            ":5000",
            "host:",
            "host:0",
            "host:65536",
            "host:x",
            "10.0.0.2:0",
            "10.0.0.256",
            "1.2.3",
            "a..b",
            ".",
            "a b",
            "http://host",
            "fe80::1%eth0",
            "host:1:2",
            "[::1",
            "ümlaut",
            long.as_str(),
        ];
        for text in table {
            let error = text.parse::<Host>().expect_err(text);
            assert_eq!(error, InvalidHost { given: text.to_owned() });
        }
    }

    #[test]
    fn an_address_resolves_to_itself_without_a_resolver() {
        let host: Host = "10.0.0.2".parse().expect("an address");
        let addresses = host.resolve(5000).expect("nothing to look up");
        assert_eq!(addresses, [SocketAddr::from(([10, 0, 0, 2], 5000))]);
    }
}
