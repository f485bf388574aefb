//! Where nodes are, and the addresses that the simulated world has.
//!
//! | addresses | whose |
//! | --- | --- |
//! | 10.0.x.y | the node at place 256 x + y |
//! | 10.m.x.y | the same, after it was replaced m times at another address |
//! | 10.(100 + m).x.y | the same: its second address, where it has two |
//! | 10.200.x.y | strangers |
//! | 10.250.x.y | nobody, ever |

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The port of every node.
pub(crate) const PORT: u16 = 5000;

/// One machine of the cluster, by number from 0. A node that is replaced keeps its place, not its
/// address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u16);

impl Place {
    /// The place as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const SECOND: u8 = 100;
const STRANGERS: u8 = 200;
const DEAD: u8 = 250;

const fn address(second: u8, number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, second, high, low)), PORT)
}

/// The address of the node at `place` after it has moved so many times.
#[must_use]
pub const fn address_of(place: Place, moves: u8) -> SocketAddr {
    assert!(moves < SECOND, "a place is replaced at most 99 times");
    address(moves, place.0)
}

/// The second address of the node at `place` after it has moved so many times.
#[must_use]
pub const fn second_address_of(place: Place, moves: u8) -> SocketAddr {
    assert!(moves < SECOND, "a place is replaced at most 99 times");
    address(SECOND + moves, place.0)
}

/// The address of a stranger.
#[must_use]
pub const fn stranger(number: u16) -> SocketAddr {
    address(STRANGERS, number)
}

/// An address at which nobody lives.
#[must_use]
pub const fn dead(number: u16) -> SocketAddr {
    address(DEAD, number)
}

/// Whose address this is, and after how many moves; `None` for strangers, the dead and others.
#[must_use]
pub fn place_of(addr: SocketAddr) -> Option<(Place, u8)> {
    let SocketAddr::V4(v4) = addr else { return None };
    let [first, moves, high, low] = v4.ip().octets();
    (first == 10 && moves < STRANGERS && v4.port() == PORT)
        .then_some((Place(u16::from_be_bytes([high, low])), moves % SECOND))
}

/// Whether it is a node's second address.
#[must_use]
pub fn is_second(addr: SocketAddr) -> bool {
    let SocketAddr::V4(v4) = addr else { return false };
    place_of(addr).is_some() && v4.ip().octets()[1] >= SECOND
}

/// The first address of the node that has this one; others as they are.
#[must_use]
pub fn first_of(addr: SocketAddr) -> SocketAddr {
    place_of(addr).map_or(addr, |(place, moves)| address_of(place, moves))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_its_place() {
        assert_eq!(place_of(address_of(Place(300), 2)), Some((Place(300), 2)));
        assert_eq!(place_of(second_address_of(Place(300), 2)), Some((Place(300), 2)));
        assert_eq!(first_of(second_address_of(Place(1), 0)), address_of(Place(1), 0));
        assert!(is_second(second_address_of(Place(1), 0)) && !is_second(address_of(Place(1), 0)));
        assert_eq!(place_of(stranger(3)), None);
        assert!(!is_second(stranger(3)));
        assert_eq!(place_of(dead(3)), None);
    }
}
