//! The rows, in the order in which they run and are printed.

mod aead;
mod session;
mod core_data;
mod round_trip;
mod one_way;
mod lock;

use crate::Failure;
use crate::ground::{Smol, Sync, Tokio};
use crate::statistics::Sample;

/// Runs both sides so many times by turns.
type Run = fn(u32) -> Result<Vec<Sample>, Failure>;

/// One comparison.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What the baseline is.
    pub(crate) against: &'static str,
    pub(crate) unit: Unit,
    pub(crate) run: Run,
}

/// What an operation's cost is counted in.
#[derive(Clone, Copy)]
pub(crate) struct Unit {
    pub(crate) name: &'static str,
    nanoseconds: f64,
}

impl Unit {
    pub(crate) fn of_nanoseconds(self, nanoseconds: f64) -> f64 {
        nanoseconds / self.nanoseconds
    }
}

pub(crate) const NANOSECONDS_PER_DATAGRAM: Unit = Unit { name: "ns/datagram", nanoseconds: 1.0 };
pub(crate) const MICROSECONDS_PER_ROUND_TRIP: Unit =
    Unit { name: "µs/round-trip", nanoseconds: 1e3 };
const MICROSECONDS_PER_LOCK: Unit = Unit { name: "µs/lock+release", nanoseconds: 1e3 };

pub(crate) const ALL: &[Row] = &[
    per_datagram("aead-64", "ring, ChaCha20-Poly1305", aead::run::<64>),
    per_datagram("aead-1200", "ring, ChaCha20-Poly1305", aead::run::<1_200>),
    per_datagram("session-64", "the same without a session", session::run::<64>),
    per_datagram("session-1200", "the same without a session", session::run::<1_200>),
    per_datagram("core-data-plain", "XChaCha20-Poly1305 alone", core_data::plain),
    per_datagram("core-data-sealed", "XChaCha20-Poly1305 alone", core_data::sealed),
    per_round_trip("tokio-batch-echo", "tokio UDP echo", round_trip::batch_echo::<Tokio>),
    per_round_trip("tokio-round-trip-plain", "tokio UDP echo", round_trip::plain::<Tokio>),
    per_round_trip(
        "tokio-round-trip-plain-timeout",
        "tokio UDP echo",
        round_trip::with_timeout::<Tokio>,
    ),
    per_round_trip("tokio-round-trip-sealed", "tokio UDP echo", round_trip::sealed::<Tokio>),
    per_round_trip(
        "tokio-round-trip-sealed-aead",
        "tokio UDP echo that seals and opens",
        round_trip::sealed_against_sealed::<Tokio>,
    ),
    per_datagram("tokio-one-way-64-plain", BATCHES, one_way::plain::<Tokio, 64>),
    per_datagram("tokio-one-way-64-sealed", SEALED_BATCHES, one_way::sealed::<Tokio, 64>),
    per_datagram("tokio-one-way-1200-plain", BATCHES, one_way::plain::<Tokio, 1_200>),
    per_datagram("tokio-one-way-1200-sealed", SEALED_BATCHES, one_way::sealed::<Tokio, 1_200>),
    Row {
        name: "tokio-lock-uncontended",
        against: "one request and reply of alan",
        unit: MICROSECONDS_PER_LOCK,
        run: lock::uncontended::<Tokio>,
    },
    per_round_trip("smol-round-trip-plain", "async-io UDP echo", round_trip::plain::<Smol>),
    per_round_trip("smol-round-trip-sealed", "async-io UDP echo", round_trip::sealed::<Smol>),
    per_datagram("smol-one-way-64-plain", BATCHES, one_way::plain::<Smol, 64>),
    per_datagram("smol-one-way-64-sealed", SEALED_BATCHES, one_way::sealed::<Smol, 64>),
    per_datagram("smol-one-way-1200-plain", BATCHES, one_way::plain::<Smol, 1_200>),
    per_datagram("smol-one-way-1200-sealed", SEALED_BATCHES, one_way::sealed::<Smol, 1_200>),
    per_round_trip("sync-round-trip-plain", "blocking UDP echo", round_trip::plain::<Sync>),
    per_round_trip("sync-round-trip-sealed", "blocking UDP echo", round_trip::sealed::<Sync>),
    per_datagram("sync-one-way-64-plain", BATCHES, one_way::plain::<Sync, 64>),
    per_datagram("sync-one-way-64-sealed", SEALED_BATCHES, one_way::sealed::<Sync, 64>),
    per_datagram("sync-one-way-1200-plain", BATCHES, one_way::plain::<Sync, 1_200>),
    per_datagram("sync-one-way-1200-sealed", SEALED_BATCHES, one_way::sealed::<Sync, 1_200>),
];

const BATCHES: &str = "bare batches";
const SEALED_BATCHES: &str = "bare batches, sealed and opened";

const fn per_datagram(name: &'static str, against: &'static str, run: Run) -> Row {
    Row { name, against, unit: NANOSECONDS_PER_DATAGRAM, run }
}

const fn per_round_trip(name: &'static str, against: &'static str, run: Run) -> Row {
    Row { name, against, unit: MICROSECONDS_PER_ROUND_TRIP, run }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own() {
        for (index, row) in ALL.iter().enumerate() {
            assert!(ALL[..index].iter().all(|before| before.name != row.name), "{}", row.name);
        }
    }

    #[test]
    fn every_row_runs() {
        for row in ALL {
            let samples = (row.run)(1).unwrap_or_else(|failure| panic!("{}: {failure}", row.name));
            assert_eq!(samples.len(), 1, "{}", row.name);
        }
    }
}
