//! Measurements of a cluster: how fast it meets, what it costs to stay one, how soon a death is
//! seen, how often one is seen that is none, and what a flood of strangers does to it.
//!
//! All times are true time. Nodes have the library's default intervals: a heartbeat every 5 s,
//! death after 15 s of silence. Every datagram takes [`ONE_WAY`]. The same arguments give the same
//! numbers on every machine.

use std::time::Duration;

use crate::draw::PerMille;
use crate::outcome::{Options, RunStats};
use crate::place::Place;
use crate::plan::{Event, Flood, Plan, Weather};
use crate::time::Moment;
use crate::world::World;

/// How long each datagram takes.
pub const ONE_WAY: Duration = Duration::from_millis(20);

/// How long a cluster has to meet.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long it rests between two measurements, so that what was does not count.
const REST: Duration = Duration::from_secs(15);

/// How long its traffic is counted: four heartbeats.
const COUNTED: Duration = Duration::from_secs(20);

/// How long the others have to see a death: twice what silence takes.
const MOURNING: Duration = Duration::from_secs(30);

/// What a cluster of this size does on a network that loses this much.
#[must_use]
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Mesh {
    /// How many nodes, all started at the same moment.
    pub nodes: u16,
    /// How many datagrams are lost.
    pub lost: PerMille,
    /// How long after the start every node had every other as a member; `None` if that took longer
    /// than two minutes.
    pub met: Option<Duration>,
    /// Datagrams that a node sends in a second when nobody does anything, on average.
    pub datagrams: f64,
    /// Bytes of these, without IP and UDP headers.
    pub bytes: f64,
    /// How long after a crash the last of the others knew it; `None` if that took
    /// longer than half a minute. Who did not have it as a member does not count.
    pub crash_seen: Option<Duration>,
    /// How often a node that was there was declared dead, from the start until the crash was seen.
    pub false_deaths: u64,
}

/// Starts so many nodes at once, counts what they send, and lets one crash.
///
/// # Panics
/// If there are fewer than two nodes.
pub fn mesh(nodes: u16, lost: PerMille, seed: u64) -> Mesh {
    assert!(nodes >= 2, "one node has nobody to meet");
    let plan = still(nodes, lost, seed);
    let mut world = World::new(&plan, Options::FAST);
    let give_up = Moment::START + PATIENCE;
    while world.meter().met().is_none() && world.now() < give_up && world.step() {}
    let met = world.meter().met().map(|met| met.since(Moment::START));

    run_for(&mut world, REST);
    let before = *world.stats();
    run_for(&mut world, COUNTED);
    let after = *world.stats();

    let (victim, crash) = (Place(0), world.now());
    let mourners = world.kill(victim);
    let give_up = crash + MOURNING;
    let all_told = |world: &World<'_>| world.meter().all_told(victim, mourners);
    while all_told(&world).is_none() && world.now() < give_up && world.step() {}
    Mesh {
        nodes,
        lost,
        met,
        datagrams: per_node_second(after.sent - before.sent, nodes),
        bytes: per_node_second(after.bytes - before.bytes, nodes),
        crash_seen: all_told(&world).map(|told| told.since(crash)),
        false_deaths: world.stats().false_deaths,
    }
}

/// What happens to a cluster that nothing happens to.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deaths {
    /// How many nodes.
    pub nodes: u16,
    /// How many datagrams are lost.
    pub lost: PerMille,
    /// For how long.
    pub lasts: Duration,
    /// How many datagrams were sent.
    pub datagrams: u64,
    /// How often a node that was there was declared dead.
    pub false_deaths: u64,
}

/// Lets so many nodes be, for so long, on a network that loses this much.
pub fn deaths(nodes: u16, lost: PerMille, lasts: Duration, seed: u64) -> Deaths {
    let plan = still(nodes, lost, seed);
    let mut world = World::new(&plan, Options::FAST);
    run_for(&mut world, lasts);
    let RunStats { sent: datagrams, false_deaths, .. } = *world.stats();
    Deaths { nodes, lost, lasts, datagrams, false_deaths }
}

/// What a flood of strangers does to one of three nodes that send each other messages.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flooded {
    /// What it was flooded with.
    pub what: Flood,
    /// Whether the cluster has a key.
    pub sealed: bool,
    /// How many datagrams of the flood and of the nodes were sent.
    pub datagrams: u64,
    /// The most members that the node had at any time.
    pub most_members: usize,
    /// How often a node was declared dead that was there.
    pub false_deaths: u64,
    /// Messages that users sent to the node and from it while the flood went on.
    pub messages: u64,
    /// How many of these arrived.
    pub received: u64,
    /// Bytes that came from the strangers.
    pub from_strangers: u64,
    /// Bytes that nodes sent back to them.
    pub to_strangers: u64,
}

/// Floods a node of three with 100,000 datagrams a second for so long, while every hundredth of a
/// second one of the three sends another a message.
pub fn flooded(what: Flood, sealed: bool, lasts: Duration, seed: u64) -> Flooded {
    let mut plan = still(3, PerMille(0), seed);
    plan.cluster.sealed = sealed;
    let begins = Duration::from_secs(1);
    plan.add(begins, Event::Flood { to: Place(0), what, per_second: 100_000, lasts });
    let messages = u64::try_from(lasts.as_millis() / 10).expect("not for years");
    for number in 0..messages {
        let pair = [(0, 1), (1, 0), (0, 2), (2, 0)][usize::try_from(number % 4).expect("small")];
        let event = Event::Send { node: Place(pair.0), to: Place(pair.1) };
        plan.add(begins + Duration::from_millis(number * 10), event);
    }
    let mut world = World::new(&plan, Options::FAST);
    let (end, mut most_members) = (Moment::START + begins + lasts + ONE_WAY * 2, 0);
    while world.now() < end && world.step() {
        most_members = most_members.max(world.members(Place(0)));
    }
    let received = world.meter().messages();
    let RunStats { sent: datagrams, false_deaths, from_strangers, to_strangers, .. } =
        *world.stats();
    Flooded {
        what,
        sealed,
        datagrams,
        most_members,
        false_deaths,
        messages,
        received,
        from_strangers,
        to_strangers,
    }
}

/// Nodes to which nothing happens, for longer than anything is measured.
fn still(nodes: u16, lost: PerMille, seed: u64) -> Plan {
    let mut plan = Plan::new(nodes).seed(seed).without_liveness();
    plan.cluster.heartbeat_interval = Duration::from_secs(5);
    plan.cluster.heartbeat_timeout = Duration::from_secs(15);
    plan.cluster.join_interval = Duration::from_secs(30);
    plan.cluster.refresh = Duration::from_secs(30);
    plan.weather = Weather { lost, ..Weather::CALM };
    plan.weather.delay.least = ONE_WAY;
    let years = Duration::from_secs(u64::from(u32::MAX));
    (plan.calm, plan.audit_every) = (years, years);
    plan
}

fn run_for(world: &mut World<'_>, lasts: Duration) {
    let end = world.now() + lasts;
    while world.now() < end && world.step() {}
}

#[allow(clippy::cast_precision_loss, reason = "far fewer than 2^52 are counted")]
fn per_node_second(count: u64, nodes: u16) -> f64 {
    count as f64 / f64::from(nodes) / COUNTED.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_still_cluster_meets_in_a_few_journeys_and_sends_a_heartbeat_to_each_every_interval() {
        let mesh = mesh(5, PerMille(0), 1);
        assert!(mesh.met.expect("nothing is lost") <= ONE_WAY * 6, "{mesh:?}");
        assert!((0.5..2.0).contains(&mesh.datagrams), "four others, five seconds: {mesh:?}");
        assert!(mesh.bytes > mesh.datagrams * 3.0, "{mesh:?}");
        let seen = mesh.crash_seen.expect("silence shows");
        assert!((9..=31).contains(&seen.as_secs()), "{mesh:?}");
        assert_eq!(mesh.false_deaths, 0);
    }

    #[test]
    fn the_same_measurement_gives_the_same_numbers() {
        let once = || mesh(4, PerMille(200), 7);
        assert_eq!(once(), once());
    }

    #[test]
    fn where_nearly_everything_is_lost_nobody_meets_and_who_is_there_is_declared_dead() {
        let mesh = mesh(6, PerMille(900), 1);
        assert_eq!(mesh.met, None);
        let deaths = deaths(6, PerMille(700), Duration::from_secs(300), 1);
        assert!(deaths.false_deaths > 0 && deaths.datagrams > 100, "{deaths:?}");
    }

    #[test]
    fn noise_neither_disturbs_messages_nor_finds_its_way_into_the_members() {
        let flooded = flooded(Flood::Noise, true, Duration::from_millis(100), 1);
        assert!(flooded.datagrams > 10_000, "{flooded:?}");
        assert_eq!((flooded.messages, flooded.received), (10, 10));
        assert_eq!((flooded.most_members, flooded.false_deaths), (2, 0));
        assert_eq!(flooded.to_strangers, 0);
    }

    #[test]
    fn who_names_a_life_is_answered_with_fewer_bytes_than_came_and_becomes_no_member() {
        let flooded = flooded(Flood::Joins, false, Duration::from_millis(100), 1);
        assert_eq!((flooded.most_members, flooded.false_deaths), (2, 0));
        assert_eq!((flooded.messages, flooded.received), (10, 10));
        assert!(flooded.to_strangers > 0, "{flooded:?}");
        assert!(flooded.to_strangers < flooded.from_strangers, "{flooded:?}");
    }
}
