//! A member of the cluster, as this node knows it.

use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::envelope::AnyEnvelope;
use alan_proto::wire::Role;
use alan_proto::{Incarnation, Instant, PeerInfo};
use bytes::Bytes;
use rand_chacha::ChaCha20Rng;

/// A member of the cluster, as this node knows it at this moment.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Peer {
    /// The address that names it, in events, messages and replies.
    pub addr: SocketAddr,
    /// Other addresses at which it is reached, such as those of its other network interfaces.
    pub aliases: Vec<SocketAddr>,
    /// What it calls itself, at most 64 bytes; empty if it does not, or has not yet.
    pub name: String,
    /// What else it tells about itself, at most 512 bytes.
    pub metadata: Bytes,
    /// Which life of the node it is; `None` for a classic peer.
    pub incarnation: Option<Incarnation>,
    /// The smoothed round-trip time to it; `None` before it was measured, and for a classic peer,
    /// with which it can't be.
    pub round_trip: Option<Duration>,
    /// When it became a member, on the [`LeaseClock`](crate::clock::LeaseClock).
    pub joined: Instant,
    /// When it was last heard, on the same clock.
    pub last_heard: Instant,
    /// Whether it is an observer: a node that counts for no quorum and votes for no lock.
    pub observer: bool,
}

impl Peer {
    pub(crate) fn new(node: &alan_proto::Node<AnyEnvelope, ChaCha20Rng>, info: &PeerInfo) -> Self {
        let (name, metadata) = node.profile(info.addr).unwrap_or_default();
        Self {
            addr: info.addr,
            aliases: node.aliases(info.addr).to_vec(),
            name: if fault!(HideNames) { String::new() } else { name.to_owned() },
            metadata: Bytes::copy_from_slice(metadata),
            incarnation: info.incarnation,
            round_trip: info.round_trip,
            joined: info.joined,
            last_heard: info.last_heard,
            observer: info.role == Role::Observer,
        }
    }

    /// Whether it is a node of the Go library, or one that behaves like it: without a session,
    /// names and round-trip times.
    pub fn is_classic(&self) -> bool {
        self.incarnation.is_none() && !fault!(DenyClassic)
    }

    /// What to call it: its name if it has one, else its address.
    pub fn label(&self) -> String {
        if self.name.is_empty() { self.addr.to_string() } else { self.name.clone() }
    }
}
