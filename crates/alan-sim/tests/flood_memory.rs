//! A flood of strangers takes a bounded amount of memory, however long it lasts.

use std::time::Duration;

use alan_sim::measure::flooded;
use alan_sim::plan::Flood;

/// How many more the longer of two floods has.
const MORE_DATAGRAMS: u64 = 20_000;

/// The most bytes that a run of three nodes, one of them flooded, holds at any time.
fn most_bytes(what: Flood, sealed: bool, millis: u64) -> u64 {
    let run = || {
        let flooded = flooded(what, sealed, Duration::from_millis(millis), 1);
        assert!(flooded.datagrams >= millis * 100, "{flooded:?}");
        assert_eq!(flooded.false_deaths, 0, "{flooded:?}");
        assert_eq!(flooded.received, flooded.messages, "{flooded:?}");
    };
    allocation_counter::measure(run).bytes_max
}

#[test]
fn a_flood_that_lasts_three_times_as_long_takes_no_more_memory() {
    let floods = [Flood::Joins, Flood::ClassicJoins, Flood::Noise].map(|what| (what, false));
    for (what, sealed) in floods.into_iter().chain([(Flood::Noise, true)]) {
        // By then every table that it can fill is full.
        let short = most_bytes(what, sealed, 100);
        let long = most_bytes(what, sealed, 300);
        // Some noise happens to ask for locks, each of which is a row.
        let more = long.saturating_sub(short);
        assert!(more < MORE_DATAGRAMS * 8, "{what:?}, sealed {sealed}: {short}, then {long} bytes");
        assert!(long < 16 << 20, "{what:?}, sealed {sealed}: {long} bytes");
    }
}
