//! The rows, in the order in which they run and are printed.

mod aead;
mod core_data;
mod round_trip;
mod one_way;
mod lock;

use crate::Failure;
use crate::statistics::Sample;

/// One comparison.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What the baseline is.
    pub(crate) against: &'static str,
    pub(crate) unit: Unit,
    /// Runs both sides so many times by turns.
    pub(crate) run: fn(u32) -> Result<Vec<Sample>, Failure>,
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
    Row {
        name: "aead-64",
        against: "ring, ChaCha20-Poly1305",
        unit: NANOSECONDS_PER_DATAGRAM,
        run: aead::run::<64>,
    },
    Row {
        name: "aead-1200",
        against: "ring, ChaCha20-Poly1305",
        unit: NANOSECONDS_PER_DATAGRAM,
        run: aead::run::<1_200>,
    },
    Row {
        name: "core-data-plain",
        against: "XChaCha20-Poly1305 alone",
        unit: NANOSECONDS_PER_DATAGRAM,
        run: core_data::plain,
    },
    Row {
        name: "core-data-sealed",
        against: "XChaCha20-Poly1305 alone",
        unit: NANOSECONDS_PER_DATAGRAM,
        run: core_data::sealed,
    },
    Row {
        name: "batch-echo",
        against: "tokio UDP echo",
        unit: MICROSECONDS_PER_ROUND_TRIP,
        run: round_trip::batch_echo,
    },
    Row {
        name: "round-trip-plain",
        against: "tokio UDP echo",
        unit: MICROSECONDS_PER_ROUND_TRIP,
        run: round_trip::plain,
    },
    Row {
        name: "round-trip-plain-timeout",
        against: "tokio UDP echo",
        unit: MICROSECONDS_PER_ROUND_TRIP,
        run: round_trip::with_timeout,
    },
    Row {
        name: "round-trip-sealed",
        against: "tokio UDP echo",
        unit: MICROSECONDS_PER_ROUND_TRIP,
        run: round_trip::sealed,
    },
    Row {
        name: "round-trip-sealed-aead",
        against: "tokio UDP echo that seals and opens",
        unit: MICROSECONDS_PER_ROUND_TRIP,
        run: round_trip::sealed_against_sealed,
    },
    Row {
        name: "one-way-64-plain",
        against: "bare batches",
        unit: NANOSECONDS_PER_DATAGRAM,
        run: one_way::plain::<64>,
    },
    Row {
        name: "one-way-64-sealed",
        against: "bare batches, sealed and opened",
        unit: NANOSECONDS_PER_DATAGRAM,
        run: one_way::sealed::<64>,
    },
    Row {
        name: "one-way-1200-plain",
        against: "bare batches",
        unit: NANOSECONDS_PER_DATAGRAM,
        run: one_way::plain::<1_200>,
    },
    Row {
        name: "one-way-1200-sealed",
        against: "bare batches, sealed and opened",
        unit: NANOSECONDS_PER_DATAGRAM,
        run: one_way::sealed::<1_200>,
    },
    Row {
        name: "lock-uncontended",
        against: "one request and reply of alan",
        unit: MICROSECONDS_PER_LOCK,
        run: lock::uncontended,
    },
];

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
