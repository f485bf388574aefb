//! Keys: the same, different, off, and missing.

use alan_tokio::config::ConfigProblem;
use alan_tokio::{Event, Key, Node, Rejection, Warning};
use alan_workspace::loopback_addresses;

use crate::cluster::{addr, builder, cluster_of, echo, eventually, until, wait_for_peers};

fn key(byte: u8) -> Key {
    Key::from_bytes(&[byte; 32]).expect("32 bytes")
}

/// Waits for the warning that datagrams of this source don't open.
async fn warned_of(node: &Node, source: std::net::SocketAddr) {
    let mut events = node.events();
    loop {
        let event = eventually("the warning", events.recv()).await.expect("the node runs");
        if let Event::Warning(Warning::Unopened { source: named, count }) = event {
            assert_eq!(named, source);
            assert!(count >= 1);
            return;
        }
    }
}

#[tokio::test]
async fn nodes_with_the_same_key_talk_and_lock() {
    let nodes = cluster_of(2, |builder| builder.key(key(1))).await;
    assert!(nodes.iter().all(Node::is_secure));
    echo(&nodes[1]);
    let longest = vec![3; nodes[0].max_request_payload()];
    let reply = eventually("the reply", nodes[0].request(addr(&nodes[1]), &longest)).await;
    assert_eq!(reply.expect("it is served")[..], longest[..]);
    let guard = eventually("the lock", nodes[0].lock("key")).await.expect("it is free");
    guard.release().await.expect("it is held");
    assert_eq!(nodes[0].max_payload(), 4_096 - 41);
}

#[tokio::test]
async fn another_key_is_counted_and_warned_of_with_its_source() {
    let addresses = loopback_addresses(2);
    let node = builder(&addresses, 0).key(key(1)).start().await.expect("it is free");
    let mut events = node.events();
    let other = builder(&addresses, 1).key(key(2)).start().await.expect("it is free");
    loop {
        let event = eventually("the warning", events.recv()).await.expect("the node runs");
        if let Event::Warning(Warning::Unopened { source, .. }) = event {
            assert_eq!(source, addr(&other));
            break;
        }
    }
    until("it is counted", || node.stats().protocol.rejected(Rejection::Unopened) > 0).await;
    assert_eq!((node.peer_count(), other.peer_count()), (0, 0), "neither learns of the other");
}

#[tokio::test]
async fn a_plain_node_and_a_sealed_one_do_not_understand_each_other() {
    let addresses = loopback_addresses(2);
    let sealed = builder(&addresses, 0).key(key(1)).start().await.expect("it is free");
    let plain = Node::builder().peers::<&str>([]).bind(addresses[1]).start().await;
    let plain = plain.expect("it is free");
    let warned = warned_of(&sealed, addr(&plain));
    plain.send_to(addr(&sealed), vec![1; 100]).expect("it leaves");
    warned.await;
    until("the joins are rejected", || plain.stats().protocol.rejected_in_all() > 0).await;
    assert_eq!((sealed.peer_count(), plain.peer_count()), (0, 0));
}

#[tokio::test]
async fn a_key_that_is_switched_off_leaves_the_cluster_in_plain_text() {
    let addresses = loopback_addresses(2);
    let ready = builder(&addresses, 0).key(key(1)).security_enabled(false).start().await;
    let ready = ready.expect("it is free");
    let plain = builder(&addresses, 1).start().await.expect("it is free");
    assert!(!ready.is_secure());
    wait_for_peers(&ready, 1).await;
    wait_for_peers(&plain, 1).await;
}

#[tokio::test]
async fn security_without_a_key_is_a_configuration_error() {
    let addresses = loopback_addresses(1);
    let error = builder(&addresses, 0).security_enabled(true).start().await;
    let error = error.expect_err("there is no key").to_string();
    assert!(error.contains("key"), "{error}");
    let missing: ConfigProblem = builder(&addresses, 0)
        .key_from_env("ALAN_A_VARIABLE_THAT_NOBODY_SETS")
        .expect_err("it is not set");
    assert!(missing.to_string().contains("ALAN_A_VARIABLE_THAT_NOBODY_SETS"), "{missing}");
}
