//! Whatever comes in: counted, bounded, and the same every time.

use alan_proto::envelope::Plain;
use alan_proto::{Action, Config, HybridTime, Instant, Node, QuorumEvent, Refusal, Rejection};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::support::{Cluster, addr, join, plain};
use super::{SECOND, rejected};

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
    let cases: [(&[u8], Rejection); 8] = [
        (&[], Rejection::Malformed),
        (&[0x01], Rejection::Malformed),
        (&[0x20, 1, 2, 3], Rejection::Malformed),
        (&[0x41, 1, 2, 3], Rejection::Malformed),
        (&[0x40, 1, 2, 3], Rejection::Unproven),
        (&[0x99, 1, 2, 3], Rejection::UnknownType),
        (&oversize.clone(), Rejection::Oversize),
        (&[0x02, 0x13, 0x88], Rejection::NotMember),
    ];
    let usage = cluster.node(addr(1)).usage();
    for (bytes, why) in cases {
        let before = rejected(&cluster, addr(1), why);
        cluster.inject(addr(9), addr(1), bytes);
        cluster.run_for(cluster.latency);
        assert_eq!(rejected(&cluster, addr(1), why), before + 1, "{why:?}");
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

    let generator = ChaCha8Rng::seed_from_u64(1);
    let wall = HybridTime::from_micros(1);
    let mut node = Node::new(Config::default(), Plain, generator, Instant::EPOCH, wall)
        .expect("a valid configuration");
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
    let generator = ChaCha8Rng::seed_from_u64(1);
    let mut config = Config::default();
    config.max_peers = 16;
    config.max_candidates = 16;
    let wall = HybridTime::from_micros(1);
    let mut node = Node::new(config, plain(), generator, Instant::EPOCH, wall).expect("valid");
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
