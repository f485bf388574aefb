//! Warnings for operators, each kind at most once a minute, with the count since the last one.

use core::net::SocketAddr;
use core::time::Duration;

use crate::event::Warning;
use crate::time::Instant;
use crate::wire::Settings;

/// The pause between two warnings of one kind.
const PAUSE: Duration = Duration::from_secs(60);

/// One kind of warning.
#[derive(Clone, Copy, Default, Hash, Debug)]
struct Kind {
    last: Option<Instant>,
    count: u64,
}

impl Kind {
    /// One more case. Gives the number of cases since the last warning if it is time for another.
    fn count(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self.last.is_some_and(|last| now.saturating_since(last) < PAUSE) {
            return None;
        }
        self.last = Some(now);
        Some(core::mem::take(&mut self.count))
    }
}

/// The warnings of a node.
#[derive(Clone, Default, Hash, Debug)]
pub(crate) struct Warnings {
    unopened: Kind,
    peers_full: Kind,
    clock_ahead: Kind,
    config_mismatch: Kind,
    cluster_larger: Kind,
}

impl Warnings {
    pub(crate) fn unopened(&mut self, now: Instant, source: SocketAddr) -> Option<Warning> {
        self.unopened.count(now).map(|count| Warning::Unopened { source, count })
    }

    pub(crate) fn peers_full(
        &mut self,
        now: Instant,
        source: SocketAddr,
        limit: u32,
    ) -> Option<Warning> {
        self.peers_full.count(now).map(|_| Warning::PeersFull { source, limit })
    }

    pub(crate) fn clock_ahead(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        by: Duration,
    ) -> Option<Warning> {
        self.clock_ahead.count(now).map(|_| Warning::ClockAhead { peer, by })
    }

    pub(crate) fn config_mismatch(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        theirs: Settings,
        ours: Settings,
    ) -> Option<Warning> {
        self.config_mismatch.count(now).map(|_| Warning::ConfigMismatch { peer, theirs, ours })
    }

    pub(crate) fn cluster_larger(
        &mut self,
        now: Instant,
        have: usize,
        cluster_size: u32,
    ) -> Option<Warning> {
        self.cluster_larger.count(now).map(|_| Warning::ClusterLarger { have, cluster_size })
    }
}
