//! Handshakes that are lost, repeated, overtaken and cut in half: everybody is a member of
//! everybody in the end, and nobody talks in circles.

use std::net::SocketAddr;

use alan_proto::Config;
use alan_proto::wire::{Challenge, Message};

use super::support::{Cluster, Datagram, HandMadePeer, addr, encoded, plain, sealed};
use super::{SECOND, block_of, is_full_mesh, sent_from};

/// A draw that is the same in each run.
fn draws(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    }
}

/// The proofs that were sent to the peer: the tag that each returns.
fn proofs(cluster: &Cluster, from: SocketAddr) -> Vec<Option<Challenge>> {
    let joins = sent_from(cluster, from).into_iter().filter(|sent| sent.bytes[0] == 1);
    joins.map(|join: &Datagram| block_of(join).and_then(|block| block.answer)).collect()
}

/// What a node answers that does not have us as a member: with a challenge.
fn asks_for_proof(peer: &mut HandMadePeer, challenge: u64) -> Vec<u8> {
    let heartbeat = peer.heartbeat();
    let Ok(Message::Heartbeat(mut control)) = Message::decode(&heartbeat) else {
        panic!("it is a heartbeat");
    };
    control.block.as_mut().expect("it has a block").challenge = Some(Challenge(challenge));
    encoded(&Message::Heartbeat(control))
}

#[test]
fn a_proof_that_came_too_late_is_repeated_with_the_new_challenge() {
    let mut cluster = Cluster::new(1);
    cluster.start(addr(1));
    let mut peer = HandMadePeer::new(addr(9), 7);
    cluster.introduce(&mut peer, addr(1));
    // It has lost us meanwhile, and the proof that we return is too old for it, or overtaken.
    for challenge in [100, 200] {
        let question = asks_for_proof(&mut peer, challenge);
        cluster.speak(&mut peer, addr(1), &question);
        cluster.run_for(cluster.latency);
        let sent = cluster.sent.last().expect("the proof").clone();
        peer.hear(&sent.bytes);
    }
    cluster.run_for(SECOND);
    let proofs = proofs(&cluster, addr(1));
    assert_eq!(proofs.first(), Some(&Some(Challenge(100))));
    assert_eq!(proofs.last(), Some(&Some(Challenge(200))), "{proofs:?}");
    assert!(proofs.iter().all(Option::is_some), "a JOIN without it would prove nothing");
}

/// What happens to a cluster that loses half of everything, one thing after the other.
fn bring_trouble(cluster: &mut Cluster, all: &[SocketAddr], draw: &mut impl FnMut(u64) -> u64) {
    let some = all[usize::try_from(draw(all.len() as u64)).expect("small")];
    match draw(4) {
        0 => {
            let former = cluster.crash(some);
            let config = former.node.config().clone();
            let is_sealed = cluster.sent.iter().all(|datagram| datagram.bytes.len() >= 40);
            cluster.start_with(some, config, if is_sealed { sealed(7) } else { plain() });
            cluster.discover(some, all);
        }
        // Deaf for a while, but heard.
        1 => {
            cluster.passes = Box::new(move |datagram| datagram.to != some);
            cluster.run_for(SECOND * u32::try_from(10 + draw(30)).expect("small"));
        }
        2 => {
            for _ in 0..50 {
                let newest = cluster.sent.len() - 1;
                let back = usize::try_from(draw(200)).expect("small");
                let copy = cluster.sent[newest.saturating_sub(back)].clone();
                cluster.inject(copy.from, copy.to, &copy.bytes);
            }
        }
        _ => {}
    }
}

#[test]
fn after_any_trouble_everybody_is_a_member_of_everybody_and_it_is_quiet() {
    for seed in 0..12 {
        for envelope in [plain, || sealed(7)] {
            let mut cluster = Cluster::new(seed);
            let mut draw = draws(seed + 1);
            let all: Vec<_> = (1..=2 + u8::try_from(seed % 3).expect("small")).map(addr).collect();
            for &at in &all {
                cluster.start_with(at, Config::default(), envelope());
            }
            for &at in &all {
                cluster.discover(at, &all);
            }
            for round in 0..20 {
                let mut loss = draws(100 * seed + round);
                cluster.passes = Box::new(move |_| loss(2) == 1);
                cluster.run_for(SECOND * u32::try_from(1 + draw(6)).expect("small"));
                bring_trouble(&mut cluster, &all, &mut draw);
            }
            cluster.passes = Box::new(|_| true);
            cluster.run_for(60 * SECOND);
            assert!(is_full_mesh(&cluster), "seed {seed}");
            let before = cluster.sent.len();
            cluster.run_for(20 * SECOND);
            // Heartbeats, and nothing else.
            let most = all.len() * (all.len() - 1) * 5;
            let sent = cluster.sent.len() - before;
            assert!(sent <= most, "seed {seed}: {sent} datagrams");
        }
    }
}
