//! What members tell about themselves: name and metadata, role, settings, clock.

use std::time::Duration;

use alan_proto::wire::{Message, Role, Settings};
use alan_proto::{Config, HybridTime, MetadataTooLong, PeerEvent, Warning};

use super::support::{Cluster, HandMadePeer, addr, encoded, plain, sealed};
use super::{SECOND, is_full_mesh, joined, peer_events, warnings};

fn named(name: &str, metadata: &[u8]) -> Config {
    let mut config = Config::default();
    config.name = name.into();
    config.metadata = metadata.into();
    config
}

fn sized(cluster_size: u32) -> Config {
    let mut config = Config::default();
    config.cluster_size = cluster_size;
    config
}

fn pair(cluster: &mut Cluster, one: Config, other: Config) {
    cluster.start_with(addr(1), one, plain());
    cluster.start_with(addr(2), other, plain());
    cluster.discover(addr(1), &[addr(2)]);
    cluster.run_for(SECOND);
    assert!(is_full_mesh(cluster));
}

#[test]
fn names_and_metadata_come_after_joined_as_an_update() {
    for envelope in [plain, || sealed(7)] {
        let mut cluster = Cluster::new(1);
        cluster.start_with(addr(1), named("one", b"rack 1"), envelope());
        cluster.start_with(addr(2), named("two", b"rack 2"), envelope());
        cluster.discover(addr(1), &[addr(2)]);
        cluster.run_for(SECOND);
        for (at, peer, name, metadata) in
            [(addr(1), addr(2), "two", b"rack 2"), (addr(2), addr(1), "one", b"rack 1")]
        {
            let incarnation = cluster.node(peer).incarnation().get();
            let events = [joined(peer, incarnation), PeerEvent::Updated { peer }];
            assert_eq!(peer_events(&cluster, at), events);
            assert_eq!(cluster.node(at).profile(peer), Some((name, &metadata[..])));
        }
    }
}

#[test]
fn who_has_nothing_to_tell_tells_nothing() {
    let mut cluster = Cluster::new(2);
    cluster.start_mesh(2, &Config::default());
    cluster.run_for(60 * SECOND);
    assert_eq!(cluster.node(addr(1)).profile(addr(2)), None);
    assert!(cluster.sent.iter().all(|sent| sent.bytes[0] <= 3), "control messages only");
}

#[test]
fn changed_metadata_arrive_at_once_and_are_told_once() {
    let mut cluster = Cluster::new(3);
    pair(&mut cluster, named("one", b"old"), Config::default());
    cluster.with(addr(1), |node, now, _| node.set_metadata(now, b"new")).expect("it is short");
    cluster.run_for(cluster.latency);
    assert_eq!(cluster.node(addr(2)).profile(addr(1)), Some(("one", &b"new"[..])));
    cluster.run_for(60 * SECOND);
    let updates = peer_events(&cluster, addr(2)).into_iter();
    let updates = updates.filter(|event| matches!(event, PeerEvent::Updated { .. }));
    assert_eq!(updates.count(), 2);
}

#[test]
fn a_lost_profile_is_asked_for_at_the_next_heartbeat() {
    let mut cluster = Cluster::new(4);
    let mut lost = 0;
    cluster.passes = Box::new(move |datagram| {
        let is_profile = datagram.bytes[0] == 0x04;
        lost += u32::from(is_profile);
        !is_profile || lost > 3
    });
    pair(&mut cluster, named("one", b""), Config::default());
    cluster.run_for(30 * SECOND);
    assert_eq!(cluster.node(addr(2)).profile(addr(1)), Some(("one", &b""[..])));
    let profiles = cluster.sent.iter().filter(|sent| sent.bytes[0] == 0x04).count();
    assert_eq!(profiles, 4, "and no more once it has come");
}

#[test]
fn metadata_of_512_bytes_arrive_and_longer_ones_are_refused() {
    let mut cluster = Cluster::new(5);
    pair(&mut cluster, Config::default(), Config::default());
    let set = |cluster: &mut Cluster, len| {
        cluster.with(addr(1), |node, now, _| node.set_metadata(now, &vec![7; len]))
    };
    assert_eq!(set(&mut cluster, 512), Ok(()));
    assert_eq!(set(&mut cluster, 513), Err(MetadataTooLong { len: 513, max: 512 }));
    cluster.run_for(cluster.latency);
    assert_eq!(cluster.node(addr(2)).profile(addr(1)), Some(("", &[7; 512][..])));
}

#[test]
fn a_restarted_node_has_its_own_profile() {
    let mut cluster = Cluster::new(6);
    pair(&mut cluster, named("one", b""), named("two", b"first life"));
    cluster.crash(addr(2));
    cluster.start_with(addr(2), named("two", b"second life"), plain());
    cluster.discover(addr(2), &[addr(1)]);
    cluster.run_for(SECOND);
    assert_eq!(cluster.node(addr(1)).profile(addr(2)), Some(("two", &b"second life"[..])));
    let last = peer_events(&cluster, addr(1)).pop();
    assert_eq!(last, Some(PeerEvent::Updated { peer: addr(2) }));
}

#[test]
fn observers_count_for_nobodys_quorum_and_not_for_their_own() {
    let mut cluster = Cluster::new(7);
    let all = [1, 2, 3].map(addr);
    for at in all {
        let mut config = sized(3);
        config.observer = at != addr(1);
        cluster.start_with(at, config, plain());
    }
    for at in all {
        cluster.discover(at, &all);
    }
    cluster.run_for(SECOND);
    assert!(is_full_mesh(&cluster), "they are members like others");
    for at in all {
        assert!(!cluster.node(at).has_quorum(), "one voter of three is none, at {at}");
    }
    let role = |peer| cluster.node(addr(1)).member(peer).map(|peer| peer.role);
    assert_eq!([addr(2), addr(3)].map(role), [Some(Role::Observer); 2]);
    cluster.start_with(addr(4), sized(3), plain());
    cluster.discover(addr(4), &all);
    cluster.run_for(SECOND);
    for at in [1, 2, 3, 4].map(addr) {
        assert!(cluster.node(at).has_quorum(), "two voters of three are one, at {at}");
    }
    cluster.crash(addr(4));
    cluster.run_for(30 * SECOND);
    for at in all {
        assert!(!cluster.node(at).has_quorum(), "and it goes with the second voter, at {at}");
    }
}

#[test]
fn members_that_are_configured_otherwise_are_told_and_warned_of() {
    let mut cluster = Cluster::new(8);
    let mut other = sized(5);
    other.drift_bound_ppm = 20_000;
    pair(&mut cluster, sized(3), other);
    let settings =
        |cluster_size, drift_ppm| Settings { cluster_size, lease_millis: 15_000, drift_ppm };
    let (ours, theirs) = (settings(3, 10_000), settings(5, 20_000));
    let incarnation = cluster.node(addr(2)).incarnation();
    let mismatch = PeerEvent::ConfigMismatch { peer: addr(2), incarnation, settings: theirs };
    assert_eq!(peer_events(&cluster, addr(1)), [joined(addr(2), incarnation.get()), mismatch]);
    let warning = Warning::ConfigMismatch { peer: addr(2), theirs, ours };
    assert_eq!(warnings(&cluster, addr(1)), [warning]);
    let warning = Warning::ConfigMismatch { peer: addr(1), theirs: ours, ours: theirs };
    assert_eq!(warnings(&cluster, addr(2)), [warning]);
}

#[test]
fn whose_clock_is_more_than_a_day_ahead_is_warned_of_and_not_followed() {
    let mut cluster = Cluster::new(9);
    cluster.start(addr(1));
    let two_days = 2 * 86_400 * 1_000_000;
    let wild = HybridTime::from_micros(cluster.wall().as_micros() + two_days);
    cluster.start_at(wild, addr(2), Config::default(), plain());
    cluster.discover(addr(1), &[addr(2)]);
    cluster.run_for(30 * SECOND);
    assert!(is_full_mesh(&cluster), "it is a member nevertheless");
    let told = warnings(&cluster, addr(1));
    let [Warning::ClockAhead { peer, by }] = told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(peer, addr(2));
    assert!((by.as_secs_f64() / 86_400.0 - 2.0).abs() < 0.01, "{by:?}");
    assert!(cluster.node(addr(1)).hybrid_time() <= cluster.wall());
    assert_eq!(warnings(&cluster, addr(2)), [], "the others are only behind");
}

#[test]
fn whose_clock_is_a_little_ahead_is_followed() {
    let mut cluster = Cluster::new(10);
    cluster.start(addr(1));
    let hour = 3_600 * 1_000_000;
    let ahead = HybridTime::from_micros(cluster.wall().as_micros() + hour);
    cluster.start_at(ahead, addr(2), Config::default(), plain());
    cluster.discover(addr(1), &[addr(2)]);
    cluster.run_for(SECOND);
    assert!(cluster.node(addr(1)).hybrid_time() >= ahead);
    assert_eq!(warnings(&cluster, addr(1)), []);
}

#[test]
fn more_voters_than_the_cluster_size_are_warned_of_and_observers_are_none() {
    let mut cluster = Cluster::new(11);
    cluster.start_mesh(3, &sized(3));
    let mut observer = sized(3);
    observer.observer = true;
    cluster.start_with(addr(4), observer, plain());
    cluster.discover(addr(4), &[addr(1), addr(2), addr(3)]);
    cluster.run_for(SECOND);
    assert_eq!(warnings(&cluster, addr(1)), []);
    cluster.start_with(addr(5), sized(3), plain());
    cluster.discover(addr(5), &[addr(1), addr(2), addr(3)]);
    cluster.run_for(SECOND);
    let warning = Warning::ClusterLarger { have: 4, cluster_size: 3 };
    assert_eq!(warnings(&cluster, addr(1)), [warning]);
}

#[test]
fn a_profile_from_a_stranger_is_not_taken_in() {
    let mut cluster = Cluster::new(12);
    cluster.start(addr(1));
    let profile = alan_proto::wire::Profile { version: 1, name: "mallory", metadata: b"" };
    let bytes = encoded(&Message::Profile(profile));
    cluster.inject(addr(9), addr(1), &bytes);
    let mut peer = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut peer, addr(1));
    assert_eq!(cluster.node(addr(1)).profile(addr(9)), None);
    cluster.inject(addr(9), addr(1), &bytes);
    cluster.run_for(cluster.latency);
    assert_eq!(cluster.node(addr(1)).profile(addr(9)), Some(("mallory", &b""[..])));
}

#[test]
fn who_asks_for_a_profile_again_and_again_gets_it_once_a_second() {
    let mut cluster = Cluster::new(12);
    cluster.start_with(addr(1), named("one", &[7; 512]), plain());
    let mut peer = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut peer, addr(1));
    let before = cluster.sent.len();
    for _ in 0..1_000 {
        cluster.inject(addr(9), addr(1), &encoded(&Message::ProfileAsk));
        cluster.run_for(Duration::from_millis(10));
    }
    let told = cluster.sent[before..].iter().filter(|sent| sent.from == addr(1));
    let told = told.filter(|sent| sent.bytes[0] == 4).count();
    assert_eq!(told, 10);
}

#[test]
fn metadata_that_nobody_fetches_fill_nothing() {
    let mut cluster = Cluster::new(13);
    cluster.start_mesh(2, &Config::default());
    let node = &mut cluster.nodes.get_mut(&addr(1)).expect("it runs").node;
    for number in 0..100_000u32 {
        node.set_metadata(cluster.now, &number.to_be_bytes()).expect("short");
    }
    let mut buffer = vec![0; 4_096];
    let queued = std::iter::from_fn(|| node.poll_action(&mut buffer)).count();
    assert!(queued < 20_000, "{queued}");
    cluster.run_for(11 * SECOND);
    let (_, metadata) = cluster.node(addr(2)).profile(addr(1)).expect("it was told");
    assert_eq!(metadata, 99_999u32.to_be_bytes());
}
