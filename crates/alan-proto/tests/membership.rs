//! Who becomes a member, who stays one, and who is declared gone.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::wire::{Control, Message};
use alan_proto::{
    Action, Config, Incarnation, Instant, LeaveReason, PeerEvent, QuorumEvent, Refusal, Rejection,
    Warning,
};
use support::{Cluster, Datagram, addr, encoded, heartbeat, join, leave, plain, sealed};

const SECOND: Duration = Duration::from_secs(1);

fn peer_events(cluster: &Cluster, at: SocketAddr) -> Vec<PeerEvent> {
    let peers = cluster.nodes[&at].actions.iter().filter_map(|action| match action {
        Action::Peer(event) => Some(*event),
        _ => None,
    });
    peers.collect()
}

fn sent_from(cluster: &Cluster, from: SocketAddr) -> Vec<&Datagram> {
    cluster.sent.iter().filter(|datagram| datagram.from == from).collect()
}

fn kinds_sent(cluster: &Cluster, from: SocketAddr) -> Vec<u8> {
    sent_from(cluster, from).iter().map(|datagram| datagram.bytes[0]).collect()
}

#[test]
fn two_nodes_know_each_other_after_one_round_trip() {
    let mut cluster = Cluster::new(1);
    cluster.start(addr(1));
    cluster.start(addr(2));
    let started = cluster.now;
    cluster.discover(addr(1), &[addr(2)]);
    cluster.run_until("1 knows 2", |cluster| cluster.members(addr(1)) == [addr(2)]);
    assert_eq!(cluster.now.saturating_since(started), 2 * cluster.latency);
    assert_eq!(cluster.members(addr(2)), [addr(1)]);
    let incarnation = cluster.node(addr(2)).incarnation();
    assert_eq!(
        peer_events(&cluster, addr(1)),
        [PeerEvent::Joined { peer: addr(2), incarnation: Some(incarnation) }]
    );
}

#[test]
fn a_join_without_a_block_admits_and_is_not_answered() {
    let mut cluster = Cluster::new(1);
    cluster.start(addr(1));
    cluster.inject(addr(9), addr(1), &join(None));
    cluster.run_for(SECOND);
    assert_eq!(
        peer_events(&cluster, addr(1)),
        [PeerEvent::Joined { peer: addr(9), incarnation: None }]
    );
    assert!(sent_from(&cluster, addr(1)).is_empty());
}

#[test]
fn a_flood_of_joins_is_answered_ten_times_a_second_and_with_no_more_bytes() {
    let mut cluster = Cluster::new(1);
    cluster.start(addr(1));
    let mut asked = 0;
    for _ in 0..1_000 {
        cluster.inject(addr(9), addr(1), &join(Some(7)));
        asked += join(Some(7)).len();
        cluster.run_for(Duration::from_millis(1));
    }
    let answers = sent_from(&cluster, addr(1));
    assert_eq!(answers.len(), 10);
    assert!(answers.iter().map(|datagram| datagram.bytes.len()).sum::<usize>() <= asked / 100);
}

#[test]
fn a_candidate_is_asked_with_doubling_pauses_and_is_no_member() {
    let mut cluster = Cluster::new(3);
    cluster.start(addr(1));
    let started = cluster.now;
    cluster.discover(addr(1), &[addr(9)]);
    cluster.run_for(100 * SECOND);
    let times: Vec<_> = sent_from(&cluster, addr(1))
        .iter()
        .map(|datagram| datagram.at.saturating_since(started).as_millis())
        .collect();
    assert_eq!(kinds_sent(&cluster, addr(1)), vec![1; times.len()], "JOINs only");
    let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let expected = [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000u128];
    assert_eq!(times[0], 0);
    for (pause, expected) in pauses.iter().zip(expected) {
        assert!((expected * 9 / 10..=expected * 11 / 10).contains(pause), "{pauses:?}");
    }
    assert!(pauses.len() >= 8, "{pauses:?}");
    assert_eq!(cluster.node(addr(1)).peer_count(), 0);
}

#[test]
fn a_candidate_that_is_named_no_longer_is_left_alone() {
    let mut cluster = Cluster::new(3);
    cluster.start(addr(1));
    cluster.discover(addr(1), &[addr(8), addr(9)]);
    cluster.discover(addr(1), &[addr(9)]);
    let before = cluster.sent.len();
    cluster.run_for(10 * SECOND);
    assert!(cluster.sent[before..].iter().all(|datagram| datagram.to == addr(9)));
    assert_eq!(cluster.node(addr(1)).usage().named, 1);
}

#[test]
fn candidates_beyond_the_limit_are_refused_and_counted() {
    let mut cluster = Cluster::new(3);
    let mut config = Config::default();
    config.max_candidates = 2;
    cluster.start_with(addr(1), config, plain());
    cluster.discover(addr(1), &[addr(7), addr(8), addr(9)]);
    assert_eq!(cluster.node(addr(1)).stats().refused(Refusal::CandidatesFull), 1);
    assert_eq!(cluster.sent.len(), 2);
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
fn a_silent_member_is_declared_gone_at_the_timeout_and_not_before() {
    let mut cluster = Cluster::new(5);
    cluster.start(addr(1));
    cluster.inject(addr(9), addr(1), &heartbeat(Some(7)));
    cluster.run_for(cluster.latency);
    let heard = cluster.now;
    cluster.run_until("the member is gone", |cluster| cluster.members(addr(1)).is_empty());
    assert_eq!(cluster.now.saturating_since(heard), 15 * SECOND);
    let last = peer_events(&cluster, addr(1)).pop();
    assert_eq!(last, Some(PeerEvent::Left { peer: addr(9), why: LeaveReason::Silent }));
    // It only fell silent: the same incarnation may come back.
    cluster.inject(addr(9), addr(1), &heartbeat(Some(7)));
    cluster.run_for(cluster.latency);
    assert_eq!(cluster.members(addr(1)), [addr(9)]);
}

#[test]
fn data_from_a_members_own_address_keeps_it_alive_and_from_another_port_does_not() {
    let mut cluster = Cluster::new(6);
    cluster.start(addr(1));
    let other_port = SocketAddr::from(([127, 0, 0, 9], 5_777));
    cluster.inject(addr(9), addr(1), &join(None));
    for _ in 0..4 {
        cluster.run_for(10 * SECOND);
        cluster.inject(addr(9), addr(1), &encoded(&Message::Data(b"here")));
    }
    assert_eq!(cluster.members(addr(1)), [addr(9)]);
    cluster.run_for(10 * SECOND);
    cluster.inject(other_port, addr(1), &encoded(&Message::Data(b"not me")));
    cluster.run_for(6 * SECOND);
    assert!(cluster.members(addr(1)).is_empty());
}

#[test]
fn a_live_mesh_stays_whole_for_an_hour() {
    let mut cluster = Cluster::new(7);
    cluster.start_mesh(5, &Config::default());
    cluster.run_for(3_600 * SECOND);
    for at in (1..=5).map(addr) {
        assert_eq!(cluster.members(at).len(), 4);
        assert_eq!(peer_events(&cluster, at).len(), 4, "nobody ever left");
    }
}

#[test]
fn goodbye_is_said_three_times_to_those_who_know_lives_apart_and_once_to_others() {
    let mut cluster = Cluster::new(8);
    cluster.start_mesh(2, &Config::default());
    cluster.inject(addr(9), addr(1), &join(None));
    cluster.run_for(cluster.latency);
    let before = cluster.sent.len();
    cluster.with(addr(1), |node, now, _| node.leave(now));
    cluster.run_for(SECOND);
    let sent = cluster.sent[before..].iter().filter(|datagram| datagram.from == addr(1));
    let mut goodbyes: Vec<_> = sent.map(|datagram| (datagram.bytes[0], datagram.to)).collect();
    goodbyes.sort();
    assert_eq!(goodbyes, [(2, addr(2)), (2, addr(2)), (2, addr(2)), (2, addr(9))]);
    assert_eq!(cluster.nodes[&addr(1)].actions.last(), Some(&Action::Closed));
    assert_eq!(
        peer_events(&cluster, addr(2)).last(),
        Some(&PeerEvent::Left { peer: addr(1), why: LeaveReason::SaidGoodbye })
    );
    assert_eq!(cluster.node(addr(2)).stats().rejected(Rejection::NotMember), 2, "the repeats");
}

#[test]
fn a_node_that_said_goodbye_does_not_come_back_by_a_late_heartbeat() {
    let mut cluster = Cluster::new(8);
    cluster.start(addr(1));
    for message in [join(Some(7)), leave(Some(7)), heartbeat(Some(7))] {
        cluster.inject(addr(9), addr(1), &message);
        cluster.run_for(cluster.latency);
    }
    assert!(cluster.members(addr(1)).is_empty());
    assert_eq!(cluster.node(addr(1)).stats().rejected(Rejection::FormerIncarnation), 1);
}

#[test]
fn a_restart_at_the_same_address_is_left_then_joined_and_the_former_life_is_refused() {
    let mut cluster = Cluster::new(9);
    cluster.start(addr(1));
    for message in [join(Some(7)), join(Some(8)), heartbeat(Some(7)), leave(Some(7))] {
        cluster.inject(addr(9), addr(1), &message);
        cluster.run_for(cluster.latency);
    }
    let life = |number| Incarnation::new(number);
    assert_eq!(
        peer_events(&cluster, addr(1)),
        [
            PeerEvent::Joined { peer: addr(9), incarnation: life(7) },
            PeerEvent::Left { peer: addr(9), why: LeaveReason::Restarted },
            PeerEvent::Joined { peer: addr(9), incarnation: life(8) },
        ]
    );
    assert_eq!(cluster.node(addr(1)).stats().rejected(Rejection::FormerIncarnation), 2);
    assert_eq!(cluster.members(addr(1)), [addr(9)]);
}

#[test]
fn control_messages_without_a_block_do_not_speak_for_a_peer_that_sends_them_with_one() {
    let mut cluster = Cluster::new(10);
    cluster.start(addr(1));
    for message in [join(Some(7)), heartbeat(None), leave(None)] {
        cluster.inject(addr(9), addr(1), &message);
        cluster.run_for(cluster.latency);
    }
    assert_eq!(cluster.members(addr(1)), [addr(9)]);
    assert_eq!(cluster.node(addr(1)).stats().rejected(Rejection::Downgrade), 2);
    // Once it has timed out, its address may be a classic peer's.
    cluster.run_for(20 * SECOND);
    cluster.inject(addr(9), addr(1), &heartbeat(None));
    cluster.run_for(cluster.latency);
    assert_eq!(cluster.members(addr(1)), [addr(9)]);
}

#[test]
fn a_node_knows_its_own_address_by_its_incarnation_and_asks_it_once_a_minute() {
    let mut cluster = Cluster::new(11);
    cluster.start(addr(1));
    cluster.discover(addr(1), &[addr(1)]);
    cluster.run_for(50 * SECOND);
    assert_eq!(cluster.sent.len(), 1, "one JOIN to itself");
    assert_eq!(cluster.node(addr(1)).peer_count(), 0);
    assert_eq!(cluster.node(addr(1)).stats().rejected(Rejection::OwnDatagram), 1);
    cluster.discover(addr(1), &[addr(1)]);
    cluster.run_for(5 * SECOND);
    assert_eq!(cluster.sent.len(), 1, "and none for the next answer of discovery");
    cluster.run_for(600 * SECOND);
    assert_eq!(cluster.sent.len(), 11);
}

#[test]
fn an_address_that_seemed_our_own_is_asked_again_after_a_minute() {
    let mut cluster = Cluster::new(11);
    cluster.start(addr(1));
    cluster.discover(addr(1), &[addr(9)]);
    // Somebody sends our own JOIN back to us, from the candidate's address.
    let stolen = cluster.sent[0].bytes.clone();
    cluster.inject(addr(9), addr(1), &stolen);
    cluster.run_for(50 * SECOND);
    assert_eq!(sent_from(&cluster, addr(1)).len(), 1);
    cluster.run_for(60 * SECOND);
    assert!(sent_from(&cluster, addr(1)).len() > 5, "with the usual pauses");
}

#[test]
fn who_got_a_join_and_has_not_answered_is_told_goodbye_once() {
    let mut cluster = Cluster::new(8);
    cluster.start(addr(1));
    cluster.start(addr(2));
    cluster.discover(addr(1), &[addr(2), addr(9)]);
    cluster.run_for(cluster.latency);
    // The answer of 2 is under way.
    cluster.with(addr(1), |node, now, _| node.leave(now));
    cluster.run_for(SECOND);
    assert_eq!(kinds_sent(&cluster, addr(1)), [1, 1, 2, 2]);
    assert!(cluster.members(addr(2)).is_empty(), "no ghost is left behind");
    assert_eq!(cluster.nodes[&addr(1)].actions.last(), Some(&Action::Closed));
}

#[test]
fn another_node_at_an_address_that_was_ours_is_asked_and_admitted() {
    let mut cluster = Cluster::new(11);
    cluster.start(addr(1));
    cluster.discover(addr(1), &[addr(1)]);
    cluster.run_for(SECOND);
    cluster.inject(addr(1), addr(1), &join(Some(99)));
    cluster.run_for(SECOND);
    assert_eq!(cluster.members(addr(1)), [addr(1)]);
}

#[test]
fn an_advertised_port_names_the_peer_and_port_zero_nobody() {
    let mut cluster = Cluster::new(12);
    cluster.start(addr(1));
    let from = SocketAddr::from(([127, 0, 0, 9], 5_777));
    cluster.inject(from, addr(1), &join(None));
    let nobody = Message::Join(Control { port: 0, block: None });
    cluster.inject(addr(8), addr(1), &encoded(&nobody));
    cluster.run_for(SECOND);
    assert_eq!(cluster.members(addr(1)), [addr(9)]);
    assert_eq!(cluster.node(addr(1)).stats().rejected(Rejection::NoPort), 1);
}

#[test]
fn mapped_addresses_are_the_ipv4_peer() {
    let mut cluster = Cluster::new(12);
    cluster.start(addr(1));
    let mapped: SocketAddr = "[::ffff:127.0.0.9]:5000".parse().expect("an address");
    cluster.inject(mapped, addr(1), &join(Some(7)));
    cluster.inject(addr(9), addr(1), &heartbeat(Some(7)));
    cluster.run_for(SECOND);
    assert_eq!(cluster.members(addr(1)), [addr(9)]);
}

#[test]
fn strangers_beyond_the_table_are_turned_away_and_evict_nobody() {
    let mut cluster = Cluster::new(13);
    let mut config = Config::default();
    config.max_peers = 3;
    cluster.start_with(addr(1), config, plain());
    for last in 2..=250 {
        cluster.inject(addr(last), addr(1), &join(Some(u64::from(last))));
    }
    cluster.run_for(SECOND);
    assert_eq!(cluster.members(addr(1)), [addr(2), addr(3), addr(4)]);
    assert_eq!(cluster.node(addr(1)).stats().rejected(Rejection::PeersFull), 246);
    let warnings =
        cluster.nodes[&addr(1)].actions.iter().filter(|a| matches!(a, Action::Warning(_)));
    assert_eq!(
        warnings.collect::<Vec<_>>(),
        [&Action::Warning(Warning::PeersFull { source: addr(5), limit: 3 })]
    );
    assert_eq!(sent_from(&cluster, addr(1)).len(), 3, "answers to those admitted only");
}

#[test]
fn another_key_learns_nothing_and_is_warned_about_once_a_minute() {
    let mut cluster = Cluster::new(14);
    cluster.start_with(addr(1), Config::default(), sealed(1));
    cluster.start_with(addr(2), Config::default(), sealed(2));
    cluster.start_with(addr(3), Config::default(), plain());
    cluster.discover(addr(2), &[addr(1)]);
    cluster.discover(addr(3), &[addr(1)]);
    cluster.run_for(59 * SECOND);
    let warnings = |cluster: &Cluster| -> Vec<Warning> {
        let actions = cluster.nodes[&addr(1)].actions.iter();
        let warnings = actions.filter_map(|action| match action {
            Action::Warning(warning) => Some(*warning),
            _ => None,
        });
        warnings.collect()
    };
    assert_eq!(warnings(&cluster).len(), 1);
    cluster.run_for(120 * SECOND);
    assert!((2..=4).contains(&warnings(&cluster).len()));
    assert!(sent_from(&cluster, addr(1)).is_empty(), "not a byte came back");
    assert!(cluster.members(addr(1)).is_empty());
    let sent = sent_from(&cluster, addr(2)).len() + sent_from(&cluster, addr(3)).len();
    assert_eq!(cluster.node(addr(1)).stats().rejected(Rejection::Unopened), sent as u64);
    let warned: u64 = warnings(&cluster)
        .iter()
        .map(|warning| match warning {
            Warning::Unopened { count, .. } => *count,
            _ => 0,
        })
        .sum();
    assert!(warned <= sent as u64);
}

#[test]
fn sealed_nodes_with_one_key_meet_like_plain_ones() {
    let mut cluster = Cluster::new(15);
    cluster.start_with(addr(1), Config::default(), sealed(1));
    cluster.start_with(addr(2), Config::default(), sealed(1));
    cluster.discover(addr(1), &[addr(2)]);
    cluster.run_for(SECOND);
    assert_eq!(cluster.members(addr(1)), [addr(2)]);
    assert_eq!(cluster.members(addr(2)), [addr(1)]);
    assert_eq!(cluster.node(addr(1)).stats().rejected_in_all(), 0);
}

#[test]
fn a_partition_longer_than_the_timeout_heals_by_itself() {
    let mut cluster = Cluster::new(16);
    cluster.start_mesh(4, &Config::default());
    let side = |at: SocketAddr| at == addr(1) || at == addr(2);
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
                PeerEvent::Joined { peer, .. } => inside.insert(peer),
                PeerEvent::Left { peer, .. } => inside.remove(&peer),
                other => panic!("{other:?}"),
            };
            assert!(alternates, "{event:?} twice in a row at {at}");
        }
    }
}

#[test]
fn the_quorum_is_told_when_it_is_reached_and_when_it_is_lost() {
    let mut config = Config::default();
    config.cluster_size = 3;
    let mut cluster = Cluster::new(17);
    cluster.start_mesh(2, &config);
    assert!(cluster.node(addr(1)).has_quorum());
    cluster.crash(addr(2));
    cluster.run_for(20 * SECOND);
    assert!(!cluster.node(addr(1)).has_quorum());
    let told = cluster.nodes[&addr(1)].actions.iter().filter_map(|action| match action {
        Action::Quorum(event) => Some(*event),
        _ => None,
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [QuorumEvent::Reached { have: 2, need: 2 }, QuorumEvent::Lost { have: 1, need: 2 }]
    );
    assert_eq!(cluster.node(addr(1)).quorum_size(), 2);
}

#[test]
fn any_bytes_at_any_time_are_counted_and_change_nothing() {
    let mut cluster = Cluster::new(18);
    cluster.start(addr(1));
    let mut oversize = vec![0x10; 4_097];
    let cases: [(&[u8], Rejection); 6] = [
        (&[], Rejection::Malformed),
        (&[0x01], Rejection::Malformed),
        (&[0x20, 1, 2, 3], Rejection::Malformed),
        (&[0x40, 1, 2, 3], Rejection::UnknownType),
        (&oversize.clone(), Rejection::Oversize),
        (&[0x02, 0x13, 0x88], Rejection::NotMember),
    ];
    let usage = cluster.node(addr(1)).usage();
    for (bytes, why) in cases {
        let before = cluster.node(addr(1)).stats().rejected(why);
        cluster.inject(addr(9), addr(1), bytes);
        cluster.run_for(cluster.latency);
        assert_eq!(cluster.node(addr(1)).stats().rejected(why), before + 1, "{why:?}");
    }
    assert_eq!(cluster.node(addr(1)).usage(), usage);
    assert!(cluster.nodes[&addr(1)].deliveries.is_empty());
    oversize.truncate(4_096);
    cluster.inject(addr(9), addr(1), &oversize);
    cluster.run_for(cluster.latency);
    assert_eq!(cluster.nodes[&addr(1)].deliveries.len(), 1, "the longest that is accepted");
}

#[test]
fn the_same_inputs_give_the_same_outputs_and_a_clone_goes_the_same_way() {
    let history = || {
        let mut cluster = Cluster::new(19);
        cluster.start_mesh(4, &Config::default());
        cluster.crash(addr(2));
        cluster.run_for(100 * SECOND);
        cluster
    };
    let (one, other) = (history(), history());
    assert_eq!(one.sent, other.sent);
    assert_eq!(one.node(addr(1)).fingerprint(), other.node(addr(1)).fingerprint());

    let generator = <rand_chacha::ChaCha8Rng as rand_core::SeedableRng>::seed_from_u64(1);
    let mut node = alan_proto::Node::new(
        Config::default(),
        alan_proto::envelope::Plain,
        generator,
        Instant::EPOCH,
    )
    .expect("valid");
    let mut fork = node.clone();
    let mut buffer = [0; 4_096];
    for node in [&mut node, &mut fork] {
        node.handle_discovery(Instant::from_millis(1), &[addr(2), addr(3)]);
        while node.poll_action(&mut buffer).is_some() {}
    }
    assert_eq!(node.fingerprint(), fork.fingerprint());
    fork.handle_discovery(Instant::from_millis(1), &[addr(2)]);
    assert_ne!(node.fingerprint(), fork.fingerprint());
}

#[test]
fn a_node_that_nobody_polls_takes_a_bounded_amount_of_input() {
    let generator = <rand_chacha::ChaCha8Rng as rand_core::SeedableRng>::seed_from_u64(1);
    let mut config = Config::default();
    config.max_peers = 16;
    config.max_candidates = 16;
    let mut node =
        alan_proto::Node::new(config, plain(), generator, Instant::EPOCH).expect("valid");
    for number in 1..20_000u64 {
        let now = Instant::from_millis(number * 200);
        let mut bytes = join(Some(number));
        let _ = node.handle_datagram(now, addr(9), &mut bytes);
        node.handle_timeout(now);
    }
    assert!(node.stats().refused(Refusal::OutboxFull) > 10_000);
    let mut buffer = [0; 4_096];
    let waiting = core::iter::from_fn(|| node.poll_action(&mut buffer)).count();
    assert!(waiting < 4_500, "{waiting}");
}
