//! Silence, probes before a verdict, and a node that knows when it was itself late.

use std::time::Duration;

use alan_proto::wire::Message;
use alan_proto::{Config, Instant, LeaveReason};

use super::support::{Cluster, Datagram, HandMadePeer, addr, heartbeat, join};
use super::{
    SECOND, is_full_mesh, is_plain_heartbeat, joined, kinds_sent, left, peer_events, sent_from,
};

/// When the member at `peer` left the node at `at`, counted from `since`.
fn leaves_after(cluster: &mut Cluster, at: u8, peer: u8, since: Instant) -> Duration {
    let (at, peer) = (addr(at), addr(peer));
    cluster.run_until("it is gone", |cluster| !cluster.members(at).contains(&peer));
    let last = peer_events(cluster, at).into_iter().rfind(|event| event.peer() == peer);
    assert_eq!(last, Some(left(peer, LeaveReason::Silent)));
    cluster.now.saturating_since(since)
}

fn is_between(datagram: &Datagram, one: u8, other: u8) -> bool {
    let ends = (datagram.from, datagram.to);
    ends == (addr(one), addr(other)) || ends == (addr(other), addr(one))
}

fn nobody_ever_left(cluster: &Cluster) -> bool {
    let others = cluster.nodes.len() - 1;
    let mut nodes = cluster.nodes.keys();
    nodes.all(|&at| peer_events(cluster, at).len() == others) && is_full_mesh(cluster)
}

#[test]
fn members_get_a_heartbeat_each_interval_give_or_take_a_tenth() {
    let mut cluster = Cluster::new(4);
    cluster.start(addr(1));
    cluster.inject(addr(9), addr(1), &join(None));
    for _ in 0..100 {
        cluster.inject(addr(9), addr(1), &heartbeat(None));
        cluster.run_for(SECOND);
    }
    let times: Vec<_> =
        sent_from(&cluster, addr(1)).iter().map(|datagram| datagram.at.as_micros()).collect();
    assert!(kinds_sent(&cluster, addr(1)).iter().all(|kind| *kind == 3));
    assert!((18..=22).contains(&times.len()), "{}", times.len());
    let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| (4_500_000..=5_500_000).contains(pause)), "{pauses:?}");
    assert!(pauses.windows(2).any(|pair| pair[0] != pair[1]), "there is jitter");
}

#[test]
fn nodes_that_started_in_step_do_not_beat_in_step() {
    let mut cluster = Cluster::new(4);
    cluster.start_mesh(5, &Config::default());
    cluster.run_for(60 * SECOND);
    let from = cluster.sent.len();
    cluster.run_for(10 * SECOND);
    let mut moments: Vec<_> = cluster.sent[from..].iter().map(|sent| sent.at).collect();
    moments.dedup();
    assert!(moments.len() >= 8, "{} moments in two intervals of five nodes", moments.len());
}

#[test]
fn a_live_mesh_stays_whole_for_an_hour() {
    let mut cluster = Cluster::new(7);
    cluster.start_mesh(5, &Config::default());
    cluster.run_for(3_600 * SECOND);
    assert!(nobody_ever_left(&cluster));
}

#[test]
fn a_silent_member_is_declared_gone_at_the_timeout_and_not_before() {
    let mut cluster = Cluster::new(5);
    cluster.start(addr(1));
    let mut peer = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut peer, addr(1));
    let heard = cluster.now;
    assert_eq!(leaves_after(&mut cluster, 1, 9, heard), 15 * SECOND);
    // It only fell silent: the same incarnation may come back.
    cluster.introduce(&mut peer, addr(1));
    assert_eq!(peer_events(&cluster, addr(1)).last(), Some(&joined(addr(9), 7)));
}

#[test]
fn a_member_that_crashed_is_missed_after_the_timeout_while_others_are_heard() {
    let mut cluster = Cluster::new(6);
    cluster.start_mesh(5, &Config::default());
    cluster.run_for(30 * SECOND);
    cluster.crash(addr(5));
    let heard = cluster.node(addr(1)).member(addr(5)).expect("it is a member").last_heard;
    assert_eq!(leaves_after(&mut cluster, 1, 5, heard), 15 * SECOND);
    let asked = cluster.sent.iter().filter(|sent| (sent.from, sent.to) == (addr(1), addr(5)));
    let asked = asked.filter(|sent| sent.bytes[0] == 1 && sent.at > heard);
    assert_eq!(asked.count(), 8, "it was asked before");
}

#[test]
fn classic_members_are_judged_at_the_timeout_without_a_probe() {
    let mut cluster = Cluster::new(6);
    cluster.start(addr(1));
    for last in 7..=9 {
        cluster.inject(addr(last), addr(1), &join(None));
    }
    cluster.run_for(cluster.latency);
    let heard = cluster.now;
    for last in 7..=9 {
        assert_eq!(leaves_after(&mut cluster, 1, last, heard), 15 * SECOND);
    }
    assert!(kinds_sent(&cluster, addr(1)).iter().all(|kind| *kind == 3), "nothing but heartbeats");
}

#[test]
fn a_member_whose_heartbeats_are_lost_is_kept_by_the_answers_to_probes() {
    let mut cluster = Cluster::new(8);
    cluster.start_mesh(3, &Config::default());
    cluster.run_for(SECOND);
    cluster.passes = Box::new(|datagram| {
        let lost = (datagram.from, datagram.to) == (addr(2), addr(1));
        !(lost && is_plain_heartbeat(datagram))
    });
    cluster.run_for(600 * SECOND);
    assert!(nobody_ever_left(&cluster));
}

#[test]
fn probes_begin_after_two_thirds_of_the_timeout_and_not_while_heartbeats_come() {
    let mut cluster = Cluster::new(8);
    cluster.start_mesh(3, &Config::default());
    cluster.run_for(20 * SECOND);
    let before = cluster.sent.len();
    cluster.run_for(60 * SECOND);
    let joins = |from: usize, cluster: &Cluster| -> Vec<_> {
        let sent = cluster.sent[from..].iter();
        let sent = sent.filter(|sent| sent.bytes[0] == 1 && sent.from != sent.to);
        sent.map(|sent| (sent.from, sent.to, sent.at)).collect()
    };
    assert_eq!(joins(before, &cluster), []);
    let before = cluster.sent.len();
    cluster.stop(addr(2));
    let heard = cluster.node(addr(1)).member(addr(2)).expect("it is a member").last_heard;
    cluster.run_for(14 * SECOND);
    let joins = joins(before, &cluster);
    let first = joins.iter().find(|join| (join.0, join.1) == (addr(1), addr(2)));
    let (.., at) = first.expect("it was asked");
    assert_eq!(at.saturating_since(heard), 10 * SECOND);
}

#[test]
fn a_member_that_others_reach_is_kept_for_two_timeouts_and_no_longer() {
    let mut cluster = Cluster::new(9);
    cluster.start_mesh(4, &Config::default());
    cluster.run_for(30 * SECOND);
    cluster.passes = Box::new(|datagram| !is_between(datagram, 1, 2));
    let heard = cluster.node(addr(1)).member(addr(2)).expect("it is a member").last_heard;
    let stayed = leaves_after(&mut cluster, 1, 2, heard);
    assert_eq!(stayed, 30 * SECOND);
    let asks = sent_from(&cluster, addr(1)).into_iter();
    let asks = asks.filter(|sent| sent.bytes.starts_with(&[0x08, 0x01]));
    let first = asks.map(|sent| sent.at).min().expect("others were asked");
    let silent_for = first.saturating_since(heard);
    assert!((12 * SECOND..=13 * SECOND).contains(&silent_for), "{silent_for:?}");
    // The others never missed anybody.
    for at in [3, 4].map(addr) {
        assert_eq!(peer_events(&cluster, at).len(), 3);
    }
}

#[test]
fn a_cut_that_heals_while_others_vouch_costs_no_membership() {
    let mut cluster = Cluster::new(10);
    cluster.start_mesh(4, &Config::default());
    cluster.run_for(30 * SECOND);
    cluster.passes = Box::new(|datagram| !is_between(datagram, 1, 2));
    cluster.run_for(22 * SECOND);
    cluster.passes = Box::new(|_| true);
    cluster.run_for(60 * SECOND);
    assert!(nobody_ever_left(&cluster));
}

#[test]
fn who_vouches_for_a_dead_member_is_not_found() {
    let mut cluster = Cluster::new(11);
    cluster.start_mesh(4, &Config::default());
    cluster.run_for(30 * SECOND);
    cluster.crash(addr(2));
    let heard = cluster.node(addr(1)).member(addr(2)).expect("it is a member").last_heard;
    assert_eq!(leaves_after(&mut cluster, 1, 2, heard), 15 * SECOND);
}

#[test]
fn who_hears_nobody_at_all_suspects_itself_and_waits_half_as_long_again() {
    let mut cluster = Cluster::new(12);
    cluster.start_mesh(4, &Config::default());
    cluster.run_for(30 * SECOND);
    cluster.passes = Box::new(|datagram| datagram.to != addr(1));
    let members: Vec<_> = cluster.node(addr(1)).members().collect();
    let last = members.iter().map(|peer| peer.last_heard).max().expect("it has members");
    let first = members.iter().map(|peer| peer.last_heard).min().expect("it has members");
    let now = cluster.now;
    cluster.run_for(first.saturating_since(now) + 15 * SECOND);
    assert_eq!(cluster.node(addr(1)).peer_count(), 3);
    cluster.run_until("all are gone", |cluster| cluster.node(addr(1)).peer_count() == 0);
    let waited = cluster.now.saturating_since(last);
    assert!(waited <= 15 * SECOND * 3 / 2, "{waited:?}");
    assert!(cluster.now.saturating_since(first) >= 15 * SECOND * 3 / 2);
}

#[test]
fn a_node_that_was_stopped_for_three_timeouts_declares_nobody_dead_by_what_waits() {
    let mut cluster = Cluster::new(13);
    cluster.start_mesh(4, &Config::default());
    cluster.run_for(30 * SECOND);
    cluster.stop(addr(1));
    cluster.run_for(45 * SECOND);
    cluster.resume(addr(1));
    assert_eq!(cluster.node(addr(1)).peer_count(), 3);
    cluster.run_for(60 * SECOND);
    assert!(is_full_mesh(&cluster), "the others had missed it, and took it back");
    assert_eq!(peer_events(&cluster, addr(1)).len(), 3, "it has never missed anybody");
}

#[test]
fn a_node_that_was_stopped_declares_nobody_dead_though_its_timers_fire_first() {
    for reads in [true, false] {
        let mut cluster = Cluster::new(14);
        cluster.start_mesh(4, &Config::default());
        cluster.run_for(30 * SECOND);
        cluster.stop(addr(1));
        cluster.run_for(45 * SECOND);
        if !reads {
            assert!(cluster.lose_waiting(addr(1)) > 0, "its socket had no room for what came");
        }
        cluster.with(addr(1), |node, now, _| node.handle_timeout(now));
        assert_eq!(cluster.node(addr(1)).peer_count(), 3);
        cluster.resume(addr(1));
        cluster.run_for(60 * SECOND);
        assert!(is_full_mesh(&cluster));
        assert_eq!(peer_events(&cluster, addr(1)).len(), 3, "it has never missed anybody");
    }
}

#[test]
fn a_node_that_was_stopped_still_finds_out_who_died_meanwhile() {
    let mut cluster = Cluster::new(15);
    cluster.start_mesh(3, &Config::default());
    cluster.run_for(30 * SECOND);
    cluster.stop(addr(1));
    cluster.run_for(5 * SECOND);
    cluster.crash(addr(3));
    cluster.run_for(40 * SECOND);
    cluster.resume(addr(1));
    let resumed = cluster.now;
    let waited = leaves_after(&mut cluster, 1, 3, resumed);
    assert!(waited <= 15 * SECOND, "{waited:?} after it went on");
    assert_eq!(cluster.members(addr(1)), [addr(2)]);
}

#[test]
fn the_round_trip_time_is_measured_and_shown() {
    let mut cluster = Cluster::new(16);
    cluster.latency = Duration::from_millis(10);
    cluster.start_mesh(3, &Config::default());
    cluster.run_for(30 * SECOND);
    cluster.inject(addr(9), addr(1), &join(None));
    cluster.run_for(SECOND);
    for peer in cluster.node(addr(1)).members() {
        let expected = (peer.addr != addr(9)).then_some(Duration::from_millis(20));
        assert_eq!(peer.round_trip, expected, "{}", peer.addr);
    }
    cluster.latency = Duration::from_millis(50);
    cluster.run_for(300 * SECOND);
    let round_trip = cluster.node(addr(1)).member(addr(2)).and_then(|peer| peer.round_trip);
    let millis = round_trip.expect("it was measured").as_millis();
    assert!((95..=100).contains(&millis), "{millis} ms");
}

#[test]
fn a_partition_longer_than_the_timeout_heals_by_itself() {
    let mut cluster = Cluster::new(16);
    cluster.start_mesh(4, &Config::default());
    let side = |at| at == addr(1) || at == addr(2);
    cluster.passes = Box::new(move |datagram| side(datagram.from) == side(datagram.to));
    cluster.run_for(60 * SECOND);
    assert_eq!(cluster.members(addr(1)), [addr(2)]);
    assert_eq!(cluster.members(addr(3)), [addr(4)]);
    cluster.passes = Box::new(|_| true);
    cluster.run_for(40 * SECOND);
    for at in (1..=4).map(addr) {
        assert_eq!(cluster.members(at).len(), 3, "{at}");
        let mut inside = std::collections::BTreeSet::new();
        for event in peer_events(&cluster, at) {
            let alternates = match event {
                alan_proto::PeerEvent::Joined { peer, .. } => inside.insert(peer),
                alan_proto::PeerEvent::Left { peer, .. } => inside.remove(&peer),
                other => panic!("{other:?}"),
            };
            assert!(alternates, "{event:?} twice in a row at {at}");
        }
    }
}

#[test]
fn a_member_that_fell_silent_is_looked_for_where_nobody_names_it() {
    let mut cluster = Cluster::new(17);
    cluster.start(addr(1));
    cluster.start(addr(2));
    cluster.discover(addr(1), &[addr(2)]);
    cluster.run_for(SECOND);
    cluster.discover(addr(1), &[]);
    cluster.passes = Box::new(|_| false);
    cluster.run_for(600 * SECOND);
    assert_eq!(cluster.node(addr(1)).peer_count(), 0);
    cluster.passes = Box::new(|_| true);
    cluster.run_for(40 * SECOND);
    assert!(is_full_mesh(&cluster));
}

#[test]
fn only_members_take_part_in_probes() {
    let mut cluster = Cluster::new(18);
    cluster.start_mesh(2, &Config::default());
    let about = cluster.node(addr(2)).incarnation();
    let before = cluster.sent.len();
    for stage in [1, 2, 3, 4] {
        let mut probe = vec![0x08, stage];
        probe.extend(about.get().to_be_bytes());
        assert!(matches!(Message::decode(&probe), Ok(Message::Probe(_))));
        cluster.inject(addr(9), addr(1), &probe);
    }
    cluster.run_for(2 * cluster.latency);
    assert_eq!(cluster.sent.len() - before, 4, "nobody answered");
    let stats = cluster.node(addr(1)).stats();
    assert_eq!(stats.rejected(alan_proto::Rejection::Unproven), 4);
}
