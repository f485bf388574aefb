//! Who becomes a member, who stays one, and who is declared gone.

#[path = "../support/mod.rs"]
mod support;

mod admission;
mod addresses;
mod candidates;
mod classic;
mod convergence;
mod exchange;
mod goodbye;
mod limits;
mod liveness;
mod profiles;
mod restarts;
mod rotation;
mod sealed;
mod strangers;

use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::wire::{Message, SessionBlock};
use alan_proto::{Action, Incarnation, LeaveReason, PeerEvent, Rejection, Warning};
use support::{Cluster, Datagram};

const SECOND: Duration = Duration::from_secs(1);

fn peer_events(cluster: &Cluster, at: SocketAddr) -> Vec<PeerEvent> {
    let peers = cluster.nodes[&at].actions.iter().filter_map(|action| match action {
        Action::Peer(event) => Some(*event),
        _ => None,
    });
    peers.collect()
}

fn warnings(cluster: &Cluster, at: SocketAddr) -> Vec<Warning> {
    let warnings = cluster.nodes[&at].actions.iter().filter_map(|action| match action {
        Action::Warning(warning) => Some(*warning),
        _ => None,
    });
    warnings.collect()
}

fn sent_from(cluster: &Cluster, from: SocketAddr) -> Vec<&Datagram> {
    cluster.sent.iter().filter(|datagram| datagram.from == from).collect()
}

fn kinds_sent(cluster: &Cluster, from: SocketAddr) -> Vec<u8> {
    sent_from(cluster, from).iter().map(|datagram| datagram.bytes[0]).collect()
}

fn rejected(cluster: &Cluster, at: SocketAddr, why: Rejection) -> u64 {
    cluster.node(at).stats().rejected(why)
}

/// How much was turned away, but for what discovery has a node send to itself.
fn rejected_of_others(cluster: &Cluster, at: SocketAddr) -> u64 {
    cluster.node(at).stats().rejected_in_all() - rejected(cluster, at, Rejection::OwnDatagram)
}

/// Which life of the peer is a member, if one is.
fn life(cluster: &Cluster, at: SocketAddr, peer: SocketAddr) -> Option<u64> {
    cluster.node(at).member(peer)?.incarnation.map(Incarnation::get)
}

fn joined(peer: SocketAddr, incarnation: impl Into<Option<u64>>) -> PeerEvent {
    let incarnation = incarnation.into().and_then(Incarnation::new);
    PeerEvent::Joined { peer, incarnation }
}

fn left(peer: SocketAddr, why: LeaveReason) -> PeerEvent {
    PeerEvent::Left { peer, why }
}

/// The block of a control message in clear text.
fn block_of(datagram: &Datagram) -> Option<SessionBlock> {
    match Message::decode(&datagram.bytes) {
        Ok(Message::Join(control) | Message::Heartbeat(control) | Message::Leave(control)) => {
            control.block
        }
        _ => None,
    }
}

/// Whether it is a heartbeat that answers nothing.
fn is_plain_heartbeat(datagram: &Datagram) -> bool {
    matches!(Message::decode(&datagram.bytes), Ok(Message::Heartbeat(control))
        if control.block.is_some_and(|block| block.answer.is_none()))
}

/// Everybody has everybody else as a member.
fn is_full_mesh(cluster: &Cluster) -> bool {
    let others = cluster.nodes.len() - 1;
    cluster.nodes.values().all(|running| running.node.peer_count() == others)
}
