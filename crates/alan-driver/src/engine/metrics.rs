//! The node's counters, for whatever recorder the program has installed.

use alan_proto::{Refusal, Rejection};
use metrics::{counter, gauge};

use super::Engine;

impl Engine {
    /// Brings the recorder up to date. Costs nothing on a datagram's way: the counters are kept
    /// anyway.
    #[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
    pub(crate) fn record_metrics(&self) {
        let node = self.local_addr().to_string();
        let (stats, usage) = (self.stats(), self.usage());

        let totals = [
            ("alan_datagrams_received_total", stats.protocol.received),
            ("alan_datagrams_transmitted_total", stats.protocol.transmitted),
            ("alan_requests_retransmitted_total", stats.protocol.retransmitted),
            ("alan_send_failures_total", stats.send_failures),
            ("alan_receive_failures_total", stats.receive_failures),
            ("alan_messages_refused_total", stats.messages_refused),
            ("alan_messages_discarded_total", stats.messages_discarded),
        ];
        for (name, total) in totals {
            counter!(name, "node" => node.clone()).absolute(total);
        }
        for why in Rejection::ALL {
            let total = stats.protocol.rejected(why);
            counter!("alan_datagrams_rejected_total", "node" => node.clone(), "reason" => why.name())
                .absolute(total);
        }
        for what in Refusal::ALL {
            let total = stats.protocol.refused(what);
            counter!("alan_refused_total", "node" => node.clone(), "limit" => what.name())
                .absolute(total);
        }

        let present = [
            ("alan_peers", usage.protocol.peers),
            ("alan_requests", usage.requests),
            ("alan_open_requests", usage.open_requests),
            ("alan_kept_answers", usage.kept_answers),
            ("alan_kept_bytes", usage.kept_bytes),
            ("alan_locks", usage.protocol.locks),
            ("alan_queued_messages", usage.queued_messages),
            ("alan_queued_bytes", usage.queued_bytes),
            ("alan_quorum", usize::from(self.has_quorum())),
        ];
        for (name, value) in present {
            gauge!(name, "node" => node.clone()).set(value as f64);
        }
    }
}
