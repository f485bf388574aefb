//! What a node's life looks like in `tracing`.

use alan_proto::{LockEvent, PeerEvent, QuorumEvent, Warning};

pub(super) fn peer(event: PeerEvent) {
    match event {
        PeerEvent::Joined { peer, incarnation } => {
            tracing::info!(%peer, ?incarnation, "peer joined");
        }
        PeerEvent::Left { peer, why } => tracing::info!(%peer, %why, "peer left"),
        PeerEvent::Updated { peer } => tracing::debug!(%peer, "peer has a new name or metadata"),
        // A warning says so, too, but at most once a minute for all peers together.
        PeerEvent::ConfigMismatch { peer, settings, .. } => {
            tracing::debug!(%peer, ?settings, "peer is configured otherwise");
        }
        other => tracing::debug!(?other, "peer changed"),
    }
}

pub(super) fn quorum(event: QuorumEvent) {
    match event {
        QuorumEvent::Reached { have, need } => tracing::info!(have, need, "quorum reached"),
        QuorumEvent::Lost { have, need } => tracing::warn!(have, need, "quorum lost"),
        other => tracing::info!(?other, "quorum changed"),
    }
}

pub(super) fn lock(event: LockEvent) {
    match event {
        LockEvent::Granted { lock } => tracing::debug!(lock = lock.get(), "lock granted"),
        LockEvent::Failed { lock, why } => {
            tracing::debug!(lock = lock.get(), ?why, "lock not granted");
        }
        LockEvent::Lost { lock, why } => tracing::warn!(lock = lock.get(), ?why, "lock lost"),
        other => tracing::debug!(?other, "lock changed"),
    }
}

pub(super) fn warning(warning: Warning) {
    match warning {
        Warning::Unopened { source, count } => tracing::warn!(
            %source,
            count,
            "datagrams do not open: another key, or a plain node among sealed ones?"
        ),
        Warning::PeersFull { source, limit } => {
            tracing::warn!(%source, limit, "a peer was turned away: the peer table is full");
        }
        Warning::ClockAhead { peer, by } => {
            tracing::warn!(%peer, ?by, "a peer's clock is far ahead, and is not followed");
        }
        Warning::ConfigMismatch { peer, theirs, ours } => tracing::warn!(
            %peer,
            ?theirs,
            ?ours,
            "a peer is configured otherwise, in what all nodes must agree on"
        ),
        Warning::ClusterLarger { have, cluster_size } => tracing::warn!(
            have,
            cluster_size,
            "more nodes are here than cluster_size says: two majorities could exist"
        ),
        other => tracing::warn!(?other, "warning"),
    }
}
