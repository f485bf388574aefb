//! What is wrong in the world is seen, not only what is wrong in a node.

use std::time::Duration;

use alan_sim::check::{Breach, Invariant};
use alan_sim::plan::{Event, Knows, Name};
use alan_sim::{Place, Plan, run};

fn invariant(plan: &Plan) -> Option<Invariant> {
    run(plan).violation.map(|violation| violation.invariant())
}

#[test]
fn nodes_that_never_hear_of_each_other_do_not_agree() {
    let mut plan = Plan::new(2);
    for node in &mut plan.nodes {
        node.knows = Knows::These(vec![Name::Dead(1)]);
    }
    let breach = run(&plan).violation.expect("they never meet").breach;
    assert!(matches!(breach, Breach::ViewsDiffer { missing: true, .. }), "{breach}");
}

#[test]
fn who_waits_where_no_majority_is_left_is_stuck() {
    let plan = Plan::new(3).cluster_size(3).at(1_000).crash(0).at(1_000).crash(1);
    let plan = plan.at(6_000).lock(2, 'a', 100);
    assert_eq!(invariant(&plan), Some(Invariant::Progress));
}

#[test]
fn a_bound_that_is_too_short_for_silence_to_show_leaves_a_member_that_is_gone() {
    let mut plan = Plan::new(3).at(1_000).crash(0);
    plan.bound = Some(Duration::from_millis(10));
    plan.calm = Duration::from_millis(1_500);
    let breach = run(&plan).violation.expect("it is still a member").breach;
    assert!(matches!(breach, Breach::ViewsDiffer { missing: false, .. }), "{breach}");
}

#[test]
fn whatever_is_taken_out_of_a_plan_the_rest_can_be_run() {
    let plan = Plan::new(4).at(1_000).lock(0, 'a', 500).at(1_100).restart(1, 300);
    let plan = plan.at(1_200).pause(0, 2_000).at(1_300).partition(&[&[0, 1], &[2, 3]], 900);
    let plan = plan.at(1_400).leave(2).at(1_500).broadcast(0).at(1_600).request(0, 3, 100);
    let to = Place(0);
    let plan = plan.at(1_700).event(Event::Replay { to, count: 9 });
    for left_out in 0..plan.schedule.len() {
        let mut fewer = plan.clone();
        let entry = fewer.schedule.remove(left_out);
        let outcome = run(&fewer);
        assert!(
            outcome.end
                > fewer
                    .schedule
                    .iter()
                    .map(|e| alan_sim::Moment::START + e.at)
                    .max()
                    .expect("entries are left"),
            "without {entry:?}"
        );
    }
}
