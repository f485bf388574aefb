//! Members whose views differ tell each other whom they know.

use std::net::SocketAddr;

use alan_proto::Config;
use alan_proto::wire::{Message, PeerEntry, PeerPageBuffer};

use super::support::{Cluster, HandMadePeer, addr, encoded, plain, sealed};
use super::{SECOND, is_full_mesh, peer_events};

const PEERS_ASK: u8 = 0x06;

#[test]
fn a_chain_of_seeds_becomes_a_full_mesh() {
    for envelope in [plain, || sealed(7)] {
        let mut cluster = Cluster::new(1);
        for last in 1..=10 {
            cluster.start_with(addr(last), Config::default(), envelope());
        }
        for last in 1..10 {
            cluster.discover(addr(last), &[addr(last + 1)]);
        }
        cluster.run_until("everybody knows everybody", is_full_mesh);
        cluster.run_for(60 * SECOND);
        for at in (1..=10).map(addr) {
            assert_eq!(peer_events(&cluster, at).len(), 9, "each joined once, and stayed");
        }
    }
}

#[test]
fn one_reachable_seed_makes_a_full_mesh_of_those_who_come_one_after_the_other() {
    let mut cluster = Cluster::new(2);
    for last in 1..=20 {
        cluster.start(addr(last));
        cluster.discover(addr(last), &[addr(1)]);
        cluster.run_for(SECOND);
    }
    cluster.run_for(20 * SECOND);
    assert!(is_full_mesh(&cluster));
}

#[test]
fn a_list_longer_than_a_datagram_goes_page_by_page() {
    let mut cluster = Cluster::new(3);
    cluster.start(addr(1));
    let mut peers: Vec<_> =
        (3..=250).map(|last| HandMadePeer::new(addr(last), last.into())).collect();
    for peer in &mut peers {
        cluster.introduce(peer, addr(1));
    }
    cluster.start(addr(2));
    cluster.discover(addr(2), &[addr(1)]);
    cluster.run_for(2 * SECOND);
    let asked = |at: SocketAddr| {
        cluster.sent.iter().any(|sent| (sent.from, sent.to, sent.bytes[0]) == (addr(2), at, 1))
    };
    for peer in &peers {
        assert!(asked(peer.addr), "{} was not asked", peer.addr);
    }
    assert!(cluster.sent.iter().all(|sent| sent.bytes.len() <= 1_200));
}

#[test]
fn views_that_differ_because_a_link_was_cut_are_made_equal() {
    let mut cluster = Cluster::new(4);
    // 1 and 2 do not find each other, since the link between them was down for too long.
    cluster.passes = Box::new(|datagram| {
        let ends = [datagram.from, datagram.to];
        !(ends.contains(&addr(1)) && ends.contains(&addr(2)))
    });
    for last in 1..=3 {
        cluster.start(addr(last));
        cluster.discover(addr(last), &[addr(3)]);
    }
    cluster.run_for(100 * SECOND);
    assert_eq!(cluster.members(addr(1)), [addr(3)]);
    cluster.passes = Box::new(|_| true);
    cluster.run_until("they find each other through 3", is_full_mesh);
}

#[test]
fn whose_views_are_equal_ask_nothing() {
    let mut cluster = Cluster::new(5);
    cluster.start_mesh(5, &Config::default());
    cluster.run_for(10 * SECOND);
    assert!(is_full_mesh(&cluster));
    let before = cluster.sent.len();
    cluster.run_for(600 * SECOND);
    let others = cluster.sent[before..].iter().filter(|sent| sent.to != sent.from);
    assert!(others.map(|sent| sent.bytes[0]).all(|kind| kind == 3), "heartbeats only");
}

#[test]
fn views_that_can_not_be_made_equal_cost_less_and_less() {
    let mut cluster = Cluster::new(6);
    cluster.start_mesh(3, &Config::default());
    cluster.passes = Box::new(|datagram| {
        let ends = [datagram.from, datagram.to];
        !(ends.contains(&addr(1)) && ends.contains(&addr(2)))
    });
    cluster.run_for(3_600 * SECOND);
    let before = cluster.sent.len();
    cluster.run_for(3_600 * SECOND);
    let sent = cluster.sent[before..].iter();
    let asked = sent.filter(|sent| sent.bytes[0] == PEERS_ASK).count();
    assert!((1..=200).contains(&asked), "{asked} questions in an hour");
}

/// Answers each question for the list with a page of invented members.
fn lie(cluster: &mut Cluster, liar: &mut HandMadePeer, pages: u32) {
    let mut page = PeerPageBuffer::new();
    let ip = [10, 9, pages.to_be_bytes()[2], pages.to_be_bytes()[3]];
    for port in 1..=60 {
        let incarnation = alan_proto::Incarnation::new(u64::from(pages) << 16 | port);
        let incarnation = incarnation.expect("not zero");
        let port = u16::try_from(port).expect("a few");
        let entry = PeerEntry { incarnation, addr: SocketAddr::from((ip, port)) };
        page.push(&entry).expect("there is room");
    }
    let datagram = encoded(&Message::Peers(page.page(pages)));
    cluster.speak(liar, addr(1), &datagram);
}

#[test]
fn a_liar_has_the_addresses_that_it_names_asked_a_few_times_and_then_forgotten() {
    let mut cluster = Cluster::new(7);
    let mut config = Config::default();
    config.max_candidates = 500;
    cluster.start_with(addr(1), config, plain());
    let mut liar = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut liar, addr(1));
    let mut before = 0;
    let mut pages = 0;
    for _ in 0..2_000 {
        if cluster.sent[before..].iter().any(|sent| sent.bytes[0] == PEERS_ASK) && pages < 100 {
            before = cluster.sent.len();
            pages += 1;
            lie(&mut cluster, &mut liar, pages);
        } else {
            let heartbeat = liar.heartbeat();
            cluster.speak(&mut liar, addr(1), &heartbeat);
        }
        assert!(cluster.node(addr(1)).usage().named <= 500);
    }
    assert!(pages > 10, "{pages} pages were asked for");
    let mut asked = std::collections::BTreeMap::new();
    for sent in cluster.sent.iter().filter(|sent| sent.from == addr(1) && sent.to != addr(9)) {
        *asked.entry(sent.to).or_insert(0) += 1;
    }
    assert_eq!(asked.len(), 250, "no more than are kept");
    cluster.run_for(20 * SECOND);
    assert_eq!(cluster.node(addr(1)).usage().named, 1, "but the liar, which fell silent");
    for sent in cluster.sent.iter().filter(|sent| sent.to.port() < 5_000) {
        *asked.entry(sent.to).or_insert(0) += 1;
    }
    assert!(asked.values().all(|count| *count <= 12), "each a few times");
}

#[test]
fn a_list_that_nobody_asked_for_is_not_looked_at() {
    let mut cluster = Cluster::new(8);
    cluster.start(addr(1));
    let mut liar = HandMadePeer::new(addr(9), 7);
    // Its view is the node's own, so it is asked nothing.
    cluster.introduce(&mut liar, addr(1));
    cluster.run_for(5 * SECOND);
    let heartbeat = liar.heartbeat();
    cluster.speak(&mut liar, addr(1), &heartbeat);
    lie(&mut cluster, &mut liar, 0);
    let asked = cluster.sent.len();
    lie(&mut cluster, &mut liar, 0);
    cluster.run_for(SECOND);
    let joins = cluster.sent[asked..].iter().filter(|sent| sent.bytes[0] == 1).count();
    let unmatched = alan_proto::Rejection::UnmatchedResponse;
    assert!(cluster.node(addr(1)).stats().rejected(unmatched) >= 1);
    assert!(joins <= 240, "{joins}");
}

#[test]
fn addresses_that_can_not_be_of_one_host_are_never_asked() {
    let mut cluster = Cluster::new(9);
    cluster.start(addr(1));
    let mut liar = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut liar, addr(1));
    let heartbeat = liar.heartbeat();
    cluster.speak(&mut liar, addr(1), &heartbeat);
    assert!(cluster.sent.iter().any(|sent| sent.bytes[0] == PEERS_ASK));
    let mut page = PeerPageBuffer::new();
    let odd =
        ["0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:1", "10.0.0.1:0", "[ff02::1]:1", "[::]:1"];
    for (number, text) in odd.into_iter().enumerate() {
        let incarnation = alan_proto::Incarnation::new(100 + number as u64).expect("not zero");
        let addr = text.parse().expect("an address");
        page.push(&PeerEntry { incarnation, addr }).expect("there is room");
    }
    let before = cluster.sent.len();
    let datagram = encoded(&Message::Peers(page.page(0)));
    cluster.speak(&mut liar, addr(1), &datagram);
    cluster.run_for(SECOND);
    assert_eq!(cluster.sent.len(), before + 1, "but for what the liar said");
}

#[test]
fn strangers_are_not_told_who_is_a_member() {
    let mut cluster = Cluster::new(10);
    cluster.start_mesh(3, &Config::default());
    let before = cluster.sent.len();
    cluster.inject(addr(9), addr(1), &encoded(&Message::PeersAsk { cursor: 0 }));
    cluster.inject(addr(9), addr(1), &encoded(&Message::ProfileAsk));
    cluster.run_for(2 * cluster.latency);
    assert_eq!(cluster.sent.len(), before + 2);
}

#[test]
fn what_a_liar_names_leaves_room_for_what_discovery_names() {
    let mut cluster = Cluster::new(9);
    let mut config = Config::default();
    config.max_candidates = 100;
    cluster.start_with(addr(1), config, plain());
    let mut liar = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut liar, addr(1));
    lie(&mut cluster, &mut liar, 10);
    let named: Vec<_> = (100..150).map(addr).collect();
    cluster.discover(addr(1), &named);
    let asked = named.iter().filter(|&&at| cluster.sent.iter().any(|sent| sent.to == at)).count();
    assert_eq!(asked, 50, "each is asked to join");
}
