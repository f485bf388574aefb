//! Histories that were found once, each as the few lines that lead to it.

use std::time::Duration;

use alan_sim::check::{Breach, Violation, Waiting};
use alan_sim::plan::{Cut, Event, FirstToRun, Key, Locks};
use alan_sim::{Moment, Place, Plan, run};

const LOCK: Key = Key::new('a');

fn clash(at: Option<Violation>) -> [u16; 2] {
    match at.map(|violation| violation.breach) {
        Some(Breach::TwoHolders { key: LOCK, holders }) => holders.map(|place| place.0),
        other => panic!("expected two holders, not {other:?}"),
    }
}

fn stuck(at: Option<Violation>) -> Vec<(u16, Moment)> {
    match at.map(|violation| violation.breach) {
        Some(Breach::Stuck { pending }) => pending
            .into_iter()
            .map(|pending| {
                assert_eq!(pending.what, Waiting::Lock(LOCK));
                (pending.node.0, pending.since)
            })
            .collect(),
        other => panic!("expected somebody to be stuck, not {other:?}"),
    }
}

#[test]
fn two_nodes_of_the_go_library_that_ask_at_the_same_moment_both_hold() {
    let plan = Plan::new(2).at(1_000).lock(0, 'a', 500).at(1_000).lock(1, 'a', 500);
    assert_eq!(clash(run(&plan.clone().locks(Locks::Classic)).violation), [0, 1]);
    assert_eq!(run(&plan).violation, None);
}

#[test]
fn in_the_go_library_who_gives_up_leaves_a_grant_behind_that_blocks_the_grantor_for_ever() {
    let plan = Plan::new(3).at(1_000).cut(Cut::Mute(Place(2)), 500);
    let plan = plan.at(1_100).lock(0, 'a', 100).at(1_200).cancel(0, 'a');
    let plan = plan.at(3_000).lock(1, 'a', 100);
    let waits = [(1, Moment::from_millis(3_000))];
    assert_eq!(stuck(run(&plan.clone().locks(Locks::Classic)).violation), waits);
    assert_eq!(run(&plan).violation, None);
}

#[test]
fn a_side_with_a_quorum_takes_the_lock_that_the_other_side_still_holds() {
    let plan = Plan::new(3).cluster_size(3).at(1_000).lock(0, 'a', 10_000);
    let plan = plan.at(1_500).partition(&[&[0], &[1, 2]], 8_000);
    let plan = plan.at(2_000).lock(1, 'a', 100);
    assert_eq!(clash(run(&plan).violation), [0, 1]);
}

#[test]
fn a_grantor_that_restarts_takes_what_another_holds_before_it_knows_anybody() {
    let plan = Plan::new(3).at(1_000).lock(0, 'a', 8_000);
    let plan = plan.at(1_500).restart(1, 100);
    let plan = plan.at(1_601).lock(1, 'a', 100);
    assert_eq!(clash(run(&plan).violation), [0, 1]);
}

#[test]
fn with_a_quorum_it_takes_two_grantors_that_restart_and_meet_before_they_meet_the_holder() {
    let plan = Plan::new(3).cluster_size(3).at(1_000).lock(0, 'a', 8_000);
    let plan = plan.at(1_500).restart(1, 100).at(1_500).restart(2, 100);
    let plan = plan.at(1_550).cut(Cut::Mute(Place(0)), 500);
    let plan = plan.at(1_650).lock(1, 'a', 100);
    assert_eq!(clash(run(&plan).violation), [0, 1]);
}

#[test]
fn a_holder_that_stops_for_too_long_goes_on_as_if_it_still_held() {
    let plan = Plan::new(3).cluster_size(3).at(1_000).lock(0, 'a', 20_000);
    let plan = plan.at(1_500).pause(0, 6_000);
    let plan = plan.at(2_000).lock(1, 'a', 10_000);
    let violation = run(&plan).violation;
    assert_eq!(violation.as_ref().map(|v| v.at), Some(Moment::from_millis(7_500)));
    assert_eq!(clash(violation), [0, 1]);
}

#[test]
fn a_driver_that_runs_first_after_the_pause_does_not_save_it() {
    let (node, lasts, first) = (Place(0), Duration::from_secs(6), FirstToRun::Driver);
    let plan = Plan::new(3).at(1_000).lock(0, 'a', 20_000);
    let plan = plan.at(1_500).event(Event::Pause { node, lasts, first });
    let plan = plan.at(2_000).lock(1, 'a', 10_000);
    assert_eq!(clash(run(&plan).violation), [0, 1]);
}

#[test]
fn a_lock_that_was_taken_and_released_during_the_pause_is_held_by_one_at_a_time() {
    let plan = Plan::new(3).at(1_000).lock(0, 'a', 20_000);
    let plan = plan.at(1_500).pause(0, 12_000);
    let plan = plan.at(2_000).lock(1, 'a', 100);
    assert_eq!(run(&plan).violation, None);
}

/// A cut-off node thinks that it is alone, while another still knows it, so that the other's
/// request reaches it as a stranger's. Then they meet again, and the release is lost. Once nobody
/// asked about such a grant.
#[test]
fn who_waits_because_of_a_grant_to_a_stranger_is_served_when_its_release_is_lost() {
    let plan = Plan::new(3).cluster_size(3).at(1_000).cut(Cut::Deaf(Place(0)), 5_000);
    let plan = plan.at(5_000).lock(0, 'a', 100);
    let plan = plan.at(6_001).lock(1, 'a', 1_500);
    let plan = plan.at(7_400).cut(Cut::OneWay(Place(1), Place(0)), 300);
    let outcome = run(&plan);
    assert_eq!(outcome.violation, None);
    assert_eq!(outcome.stats.grants, 2);
}
