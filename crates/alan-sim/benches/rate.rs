//! How many simulated datagrams a second one core does, invariants on: at 5 nodes whose users keep
//! them busy, and at 1,000 that meet and then send each other heartbeats.
//!
//! `cargo bench -p alan-sim`

use std::time::{Duration, Instant};

use alan_sim::plan::{Event, Key};
use alan_sim::{Options, Place, Plan, run_with};

fn main() {
    println!("{:>6}  {:>12}  {:>9}  {:>12}  per second", "nodes", "datagrams", "seconds", "steps");
    measure(5, &busy(5));
    measure(100, &meeting(100, 30));
    measure(1_000, &meeting(1_000, 6));
}

fn measure(nodes: usize, plan: &Plan) {
    let start = Instant::now();
    let outcome = run_with(plan, Options::FAST);
    let took = start.elapsed().as_secs_f64();
    assert_eq!(outcome.violation, None, "a network without faults");
    let (sent, steps) = (outcome.stats.sent, outcome.stats.steps);
    #[allow(clippy::cast_precision_loss, reason = "a rate to look at")]
    let rate = sent as f64 / took;
    println!("{nodes:>6}  {sent:>12}  {took:>9.2}  {steps:>12}  {rate:.0}");
}

/// Each node's user locks, sends to all and asks in turn, a hundred times a second.
fn busy(nodes: u16) -> Plan {
    let mut plan = Plan::new(nodes).cluster_size(nodes.into());
    for turn in 0..100_000u64 {
        let node = Place(u16::try_from(turn % u64::from(nodes)).expect("few nodes"));
        let to = Place((node.0 + 1) % nodes);
        let patience = Some(Duration::from_secs(1));
        let event = match turn % 3 {
            0 => Event::Lock { node, key: Key::new('a'), hold: Duration::ZERO, patience },
            1 => Event::Broadcast { node },
            _ => Event::Request { node, to, patience },
        };
        plan.add(Duration::from_millis(1_000 + turn * 2), event);
    }
    plan
}

/// All start at once, meet, and stay for so many seconds.
fn meeting(nodes: u16, seconds: u64) -> Plan {
    let mut plan = Plan::new(nodes).without_liveness();
    plan.cluster.heartbeat_interval = Duration::from_secs(5);
    plan.cluster.heartbeat_timeout = Duration::from_secs(15);
    plan.cluster.refresh = Duration::from_secs(30);
    plan.calm = Duration::from_secs(seconds);
    plan
}
