//! One cluster on which nothing goes wrong: what even a node with a bug in it gets right.

mod support;

use std::time::Duration;

use alan_proto::{Action, Config, LockEvent, LockId, PeerEvent};
use support::{Cluster, Delivered, addr, sealed};

fn granted(cluster: &Cluster, at: u8, lock: LockId) -> bool {
    cluster.nodes[&addr(at)].actions.contains(&Action::Lock(LockEvent::Granted { lock }))
}

#[test]
fn three_nodes_meet_talk_pass_a_lock_on_and_part() {
    let mut cluster = Cluster::new(1);
    let all = [1, 2, 3].map(addr);
    for at in all {
        let mut config = Config::default();
        config.cluster_size = 3;
        cluster.start_with(at, config, sealed(7));
    }
    for at in all {
        cluster.discover(at, &all);
    }
    cluster.run_until("they meet", |cluster| {
        all.iter().all(|&at| cluster.members(at).len() == 2 && cluster.node(at).has_quorum())
    });

    cluster.send_to(addr(1), addr(2), b"hello");
    let request = cluster.request(addr(1), addr(3), b"how are you?", None);
    cluster.run_for(Duration::from_millis(10));
    let message = Delivered::Message { from: addr(1), payload: b"hello".to_vec() };
    assert_eq!(cluster.nodes[&addr(2)].deliveries, [message]);
    cluster.reply(addr(3), addr(1), request, b"well");
    cluster.run_for(Duration::from_millis(10));
    let (from, payload) = (addr(3), b"well".to_vec());
    let response = Delivered::Response { request, from, payload, finished: true };
    assert_eq!(cluster.nodes[&addr(1)].deliveries, [response]);

    let lock = |cluster: &mut Cluster, at| {
        cluster.with(addr(at), |node, now, _| node.lock(now, "key", None).expect("there is room"))
    };
    let first = lock(&mut cluster, 1);
    cluster.run_until("1 gets the lock", |cluster| granted(cluster, 1, first));
    let second = lock(&mut cluster, 2);
    cluster.run_for(Duration::from_secs(20));
    assert!(!granted(&cluster, 2, second), "1 holds it");
    cluster.with(addr(1), |node, now, _| node.release(now, first).expect("it holds it"));
    cluster.run_until("2 gets the lock", |cluster| granted(cluster, 2, second));

    cluster.with(addr(3), |node, now, _| node.leave(now));
    cluster.run_for(Duration::from_secs(1));
    assert_eq!(cluster.members(addr(1)), [addr(2)]);
    let left = cluster.nodes[&addr(1)].actions.iter();
    let left = left.filter(|action| matches!(action, Action::Peer(PeerEvent::Left { .. })));
    assert_eq!(left.count(), 1);
}
