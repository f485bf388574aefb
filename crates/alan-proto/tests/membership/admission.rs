//! How an extended peer becomes a member: by returning a challenge from its address.

use std::net::SocketAddr;
use std::time::Duration;

use alan_proto::wire::Challenge;
use alan_proto::{Config, Rejection};

use super::rejected_of_others;
use super::support::{Cluster, HandMadePeer, addr, heartbeat, join, sealed};
use super::{SECOND, block_of, is_full_mesh, joined, kinds_sent, life, peer_events, rejected};

#[test]
fn two_nodes_know_each_other_after_one_round_trip_and_a_half_and_four_datagrams() {
    let mut cluster = Cluster::new(1);
    cluster.start(addr(1));
    cluster.start(addr(2));
    let started = cluster.now;
    cluster.discover(addr(1), &[addr(2)]);
    cluster.run_until("1 knows 2", |cluster| cluster.members(addr(1)) == [addr(2)]);
    assert_eq!(cluster.now.saturating_since(started), 2 * cluster.latency);
    cluster.run_until("2 knows 1", |cluster| cluster.members(addr(2)) == [addr(1)]);
    assert_eq!(cluster.now.saturating_since(started), 3 * cluster.latency);
    cluster.run_for(SECOND);
    let kinds: Vec<_> = cluster.sent.iter().map(|sent| (sent.from, sent.bytes[0])).collect();
    assert_eq!(kinds, [(addr(1), 1), (addr(2), 3), (addr(1), 1), (addr(2), 3)]);
    for (at, peer) in [(addr(1), addr(2)), (addr(2), addr(1))] {
        let incarnation = cluster.node(peer).incarnation().get();
        assert_eq!(peer_events(&cluster, at), [joined(peer, incarnation)]);
        assert_eq!(rejected_of_others(&cluster, at), 0);
    }
}

#[test]
fn two_nodes_that_ask_each_other_at_once_are_members_once() {
    let mut cluster = Cluster::new(2);
    cluster.start_mesh(2, &Config::default());
    cluster.run_for(60 * SECOND);
    for (at, peer) in [(addr(1), addr(2)), (addr(2), addr(1))] {
        let incarnation = cluster.node(peer).incarnation().get();
        assert_eq!(peer_events(&cluster, at), [joined(peer, incarnation)]);
        assert_eq!(rejected_of_others(&cluster, at), 0);
    }
    let joins = cluster.sent.iter().filter(|sent| sent.bytes[0] == 1 && sent.to != sent.from);
    assert_eq!(joins.count(), 4, "a question and a proof of each");
}

#[test]
fn the_proof_is_repeated_until_its_receiver_is_known_to_have_got_it() {
    let mut cluster = Cluster::new(3);
    cluster.start(addr(1));
    cluster.start(addr(2));
    let mut proofs = 0;
    cluster.passes = Box::new(move |datagram| {
        let proves = block_of(datagram).is_some_and(|block| block.answer.is_some());
        if datagram.bytes[0] == 1 && proves {
            proofs += 1;
        }
        proofs == 0 || proofs > 5
    });
    cluster.discover(addr(1), &[addr(2)]);
    cluster.run_for(3 * SECOND);
    assert_eq!(cluster.members(addr(1)), [addr(2)]);
    assert!(cluster.members(addr(2)).is_empty(), "it has not got a proof");
    cluster.run_until("2 got one", |cluster| cluster.members(addr(2)) == [addr(1)]);
    cluster.run_for(SECOND);
    let sent = cluster.sent.len();
    cluster.run_for(3 * SECOND);
    let repeated = cluster.sent[sent..].iter().filter(|sent| sent.bytes[0] == 1).count();
    assert_eq!(repeated, 0, "and no more once that is known");
}

#[test]
fn members_meet_though_any_one_of_the_first_datagrams_is_lost() {
    for envelope in [super::support::plain, || sealed(7)] {
        for lost in 0..6 {
            let mut cluster = Cluster::new(4);
            let mut number = 0;
            cluster.passes = Box::new(move |_| {
                number += 1;
                number != lost + 1
            });
            cluster.start_mesh_of(2, &Config::default(), envelope);
            cluster.run_for(SECOND);
            assert!(is_full_mesh(&cluster), "without datagram {lost}");
        }
    }
}

#[test]
fn a_join_alone_makes_nobody_a_member_and_neither_does_a_heartbeat() {
    let mut cluster = Cluster::new(5);
    cluster.start(addr(1));
    cluster.inject(addr(9), addr(1), &join(Some(7)));
    cluster.inject(addr(9), addr(1), &heartbeat(Some(7)));
    cluster.run_for(SECOND);
    assert!(cluster.members(addr(1)).is_empty());
    assert_eq!(kinds_sent(&cluster, addr(1)), [3], "the JOIN is answered");
    assert_eq!(rejected(&cluster, addr(1), Rejection::Unproven), 1);
    assert_eq!(cluster.node(addr(1)).usage().named, 0, "and nothing is kept");
}

#[test]
fn a_challenge_for_another_address_admits_nobody() {
    let mut cluster = Cluster::new(6);
    cluster.start(addr(1));
    let mut peer = HandMadePeer::new(addr(9), 7);
    let join = peer.join();
    cluster.speak(&mut peer, addr(1), &join);
    for elsewhere in [addr(8), SocketAddr::from(([127, 0, 0, 9], 5001))] {
        let mut thief = peer.clone();
        thief.addr = elsewhere;
        let proof = thief.proof();
        cluster.speak(&mut thief, addr(1), &proof);
    }
    assert!(cluster.members(addr(1)).is_empty());
    let proof = peer.proof();
    cluster.speak(&mut peer, addr(1), &proof);
    assert_eq!(cluster.members(addr(1)), [addr(9)], "from its own address it is good");
}

#[test]
fn a_challenge_is_good_for_less_than_the_timeout() {
    for (wait, admits) in [(14, true), (15, false)] {
        let mut cluster = Cluster::new(7);
        cluster.start(addr(1));
        let mut peer = HandMadePeer::new(addr(9), 7);
        let join = peer.join();
        cluster.speak(&mut peer, addr(1), &join);
        cluster.run_for(wait * SECOND);
        let proof = peer.proof();
        cluster.speak(&mut peer, addr(1), &proof);
        assert_eq!(!cluster.members(addr(1)).is_empty(), admits, "after {wait} s");
        let proof = peer.proof();
        cluster.speak(&mut peer, addr(1), &proof);
        assert_eq!(cluster.members(addr(1)), [addr(9)], "the next one is new");
    }
}

#[test]
fn a_made_up_challenge_admits_nobody() {
    let mut cluster = Cluster::new(8);
    cluster.start(addr(1));
    let mut peer = HandMadePeer::new(addr(9), 7);
    let join = peer.join();
    cluster.speak(&mut peer, addr(1), &join);
    for number in 0..200 {
        let mut proof = peer.proof();
        let answer = block_of(&datagram(&proof)).and_then(|block| block.answer);
        let Challenge(tag) = answer.expect("a proof has one");
        let at = proof.windows(8).position(|bytes| bytes == tag.to_be_bytes()).expect("in it");
        proof[at + number / 8 % 8] ^= 1 << (number % 8);
        cluster.inject(peer.addr, addr(1), &proof);
    }
    cluster.run_for(SECOND);
    assert!(cluster.members(addr(1)).is_empty());
}

fn datagram(bytes: &[u8]) -> super::Datagram {
    let at = alan_proto::Instant::EPOCH;
    super::Datagram { at, from: addr(9), to: addr(1), bytes: bytes.to_vec() }
}

#[test]
fn a_lost_confirmation_makes_no_second_member_and_no_second_event() {
    let mut cluster = Cluster::new(9);
    cluster.start(addr(1));
    let mut peer = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut peer, addr(1));
    for _ in 0..5 {
        let proof = peer.proof();
        cluster.speak(&mut peer, addr(1), &proof);
        cluster.run_for(Duration::from_millis(200));
    }
    assert_eq!(peer_events(&cluster, addr(1)), [joined(addr(9), 7)]);
    let answers = kinds_sent(&cluster, addr(1)).into_iter().filter(|kind| *kind == 3).count();
    assert_eq!(answers, 7, "each is answered");
    assert_eq!(life(&cluster, addr(1), addr(9)), Some(7));
}

#[test]
fn sealed_nodes_with_one_key_meet_like_plain_ones() {
    let mut cluster = Cluster::new(15);
    cluster.start_mesh_of(2, &Config::default(), || sealed(1));
    cluster.run_for(SECOND);
    assert!(is_full_mesh(&cluster));
    assert_eq!(rejected_of_others(&cluster, addr(1)), 0);
}

#[test]
fn mapped_addresses_are_the_ipv4_peer() {
    let mut cluster = Cluster::new(12);
    cluster.start(addr(1));
    let mapped: SocketAddr = "[::ffff:127.0.0.9]:5000".parse().expect("an address");
    let mut peer = HandMadePeer::new(addr(9), 7);
    let join = peer.join();
    cluster.inject(mapped, addr(1), &join);
    cluster.run_for(cluster.latency);
    peer.hear(&cluster.sent.last().expect("it was answered").bytes.clone());
    let proof = peer.proof();
    cluster.inject(mapped, addr(1), &proof);
    cluster.run_for(cluster.latency);
    let heartbeat = peer.heartbeat();
    cluster.inject(addr(9), addr(1), &heartbeat);
    cluster.run_for(SECOND);
    assert_eq!(cluster.members(addr(1)), [addr(9)]);
    assert!(cluster.node(addr(1)).aliases(addr(9)).is_empty());
}

#[test]
fn an_advertised_port_names_an_extended_peer_too() {
    let mut cluster = Cluster::new(13);
    cluster.start(addr(1));
    // Behind a translator that changes its source port: it is reached at the one that it says.
    let outside = SocketAddr::from(([127, 0, 0, 9], 5_777));
    let mut peer = HandMadePeer::new(addr(9), 7);
    let join = peer.join();
    cluster.inject(outside, addr(1), &join);
    cluster.run_for(cluster.latency);
    let answer = cluster.sent.last().expect("it was answered").clone();
    assert_eq!(answer.to, addr(9));
    peer.hear(&answer.bytes);
    let proof = peer.proof();
    cluster.inject(outside, addr(1), &proof);
    cluster.run_for(cluster.latency);
    assert_eq!(cluster.members(addr(1)), [addr(9)]);
}
