//! Datagrams under way, and every one that ever was.

use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Datagrams under way; beyond that the oldest are lost.
const UNDER_WAY: usize = 64;
/// Datagrams that the attacker has recorded.
const RECORDED: usize = 256;

const NONCE: usize = 24;

#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Network {
    under_way: Vec<Flight>,
    recorded: Vec<Flight>,
    /// What was sealed under each nonce.
    nonces: BTreeMap<[u8; NONCE], Vec<u8>>,
}

impl Network {
    pub(super) fn send(&mut self, flight: Flight) {
        let nonce = *flight.bytes.first_chunk().expect("it is sealed");
        // A broadcast is sealed once: only the same bytes may have the same nonce.
        let sealed = self.nonces.entry(nonce).or_insert_with(|| flight.bytes.clone());
        assert_eq!(*sealed, flight.bytes, "a nonce was used twice");
        if self.recorded.len() < RECORDED {
            self.recorded.push(flight.clone());
        }
        if self.under_way.len() == UNDER_WAY {
            self.under_way.remove(0);
        }
        self.under_way.push(flight);
    }

    /// Takes the `number`th datagram off the wire.
    pub(super) fn take(&mut self, number: usize) -> Option<Flight> {
        let count = self.under_way.len();
        (count > 0).then(|| self.under_way.remove(number % count))
    }

    /// A copy of the `number`th datagram on the wire.
    pub(super) fn copy(&self, number: usize) -> Option<Flight> {
        self.under_way.get(number % self.under_way.len().max(1)).cloned()
    }

    /// A copy of the `number`th datagram ever recorded.
    pub(super) fn recording(&self, number: usize) -> Option<Flight> {
        self.recorded.get(number % self.recorded.len().max(1)).cloned()
    }
}
