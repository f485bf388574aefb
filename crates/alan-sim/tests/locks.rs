//! What the lock algorithms do in each scenario: where the Go library's fails it is seen to fail,
//! and the repaired one holds where it says that it does.

use alan_sim::check::Invariant;
use alan_sim::plan::Locks;
use alan_sim::scenario::{ALL, Scenario, Variant};
use alan_sim::{Explored, explore};

fn seeds(name: &str, sized: bool, locks: Locks, count: u64) -> impl Iterator<Item = Explored> {
    let scenario = Scenario::find(name).expect("it is there");
    explore(scenario, Variant::new(sized, locks), 0..count)
}

#[test]
fn the_go_librarys_algorithm_fails_wherever_it_is_known_to() {
    let rows = ALL.iter().filter(|scenario| scenario.classic_fails);
    for (scenario, sized) in rows.flat_map(|scenario| [(scenario, false), (scenario, true)]) {
        let mut explored = seeds(scenario.name, sized, Locks::Classic, 100);
        let failure = explored.find_map(|explored| explored.violation);
        let failure = failure.map(|violation| violation.invariant());
        assert!(
            matches!(failure, Some(Invariant::Exclusion | Invariant::Progress)),
            "{}, sized {sized}: {failure:?}",
            scenario.name
        );
    }
}

#[test]
fn two_nodes_hold_a_lock_of_the_go_librarys_algorithm_in_each_of_these() {
    for (name, sized) in [
        ("startup-race", false),
        ("startup-race", true),
        ("partition", false),
        ("partition", true),
        ("crash-restart", false),
        ("replacement", false),
        ("replacement", true),
        ("pause", true),
        ("asymmetric", true),
    ] {
        let clashed = seeds(name, sized, Locks::Classic, 100).any(|explored| {
            explored
                .violation
                .is_some_and(|violation| violation.invariant() == Invariant::Exclusion)
        });
        assert!(clashed, "{name}, sized {sized}");
    }
}

/// What the repaired algorithm promises it keeps; see `docs/guarantees.md`.
#[test]
fn the_repaired_algorithm_holds_where_all_nodes_that_matter_see_each_other() {
    for (name, sized) in [
        ("startup-race", true),
        ("reorder", false),
        ("reorder", true),
        ("partial-visibility", false),
        ("partial-visibility", true),
        ("drift", false),
        ("drift", true),
        ("surge", true),
        ("churn", true),
    ] {
        for explored in seeds(name, sized, Locks::Repaired, 60) {
            let Explored { seed, violation, .. } = explored;
            assert_eq!(violation, None, "{name}, sized {sized}, seed {seed}");
        }
    }
}

/// What it does not promise it does not keep, and the simulator sees that. Nothing else breaks:
/// who waits is served in the end even so.
#[test]
fn the_repaired_algorithm_fails_in_exclusion_only_where_it_does_not_promise_it() {
    for (name, sized) in [
        ("startup-race", false),
        ("partition", false),
        ("partition", true),
        ("crash-restart", false),
        ("replacement", false),
        ("pause", false),
        ("pause", true),
        ("asymmetric", false),
        ("asymmetric", true),
        ("chaos", false),
        ("chaos", true),
    ] {
        let violations: Vec<_> = seeds(name, sized, Locks::Repaired, 100)
            .filter_map(|explored| Some((explored.seed, explored.violation?)))
            .collect();
        assert!(!violations.is_empty(), "{name}, sized {sized} holds");
        for (seed, violation) in violations {
            let invariant = violation.invariant();
            assert_eq!(invariant, Invariant::Exclusion, "{name} {seed}: {violation}");
        }
    }
}
