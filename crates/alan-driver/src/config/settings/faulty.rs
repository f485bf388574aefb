//! What faults make of the settings: see [`crate::fault`].

use std::time::Duration;

use super::{Places, Settings};
use crate::config::QueueFull;

impl Settings {
    pub(super) fn with_faults(mut self) -> Self {
        if fault!(OverlookMissingDiscovery) {
            self.places.get_or_insert(Places::Peers(Vec::new()));
        }
        if fault!(NeverBlock) {
            self.queue_full = QueueFull::Refuse;
        }
        if fault!(SealAnyway) {
            self.security_enabled = self.security_enabled.filter(|enabled| *enabled);
        }
        self.core.observer &= !fault!(CountObservers);
        self.core.classic_peers |= fault!(ServeClassic);
        if fault!(FewPeers) {
            self.core.max_peers = self.core.max_peers.min(40);
        }
        if fault!(TrustSilence) {
            self.core.heartbeat_timeout = Duration::from_secs(86_400);
        }
        self
    }
}
