//! Nodes that start, and nodes that must not.

use std::io;
use std::net::{Ipv6Addr, UdpSocket};

use alan_driver::StartError;
use alan_driver::config::ConfigProblem;
use alan_workspace::loopback_addresses;

use crate::adapter::Adapter;
use crate::stage::{Node, Stage, addr};
use crate::waiting::eventually;

pub(crate) async fn settings_that_can_not_work_are_named_with_what_is_permitted<A: Adapter>(
    stage: Stage<A>,
) {
    let addresses = loopback_addresses(1);
    let error = A::start(stage.node().bind(addresses[0])).await;
    let error = error.expect_err("nothing was said");
    let StartError::Config(ConfigProblem { field, .. }) = error else { panic!("{error:?}") };
    assert_eq!(field, "discovery");

    let small = A::start(stage.node_at(&addresses, 0).buffer_size(7)).await;
    let text = small.expect_err("too small").to_string();
    for part in ["buffer_size", "7", "1280 to 65507"] {
        assert!(text.contains(part), "{text}");
    }

    let keyless = Node::<A>::builder().peers(&addresses).bind(addresses[0]);
    let error = A::start(keyless.security_enabled(true)).await.expect_err("there is no key");
    assert!(error.to_string().contains("key"), "{error}");
    let missing: ConfigProblem = stage
        .node_at(&addresses, 0)
        .key_from_env("ALAN_A_VARIABLE_THAT_NOBODY_SETS")
        .expect_err("it is not set");
    assert!(missing.to_string().contains("ALAN_A_VARIABLE_THAT_NOBODY_SETS"), "{missing}");
}

pub(crate) async fn a_port_in_use_is_a_bind_error_that_names_the_address<A: Adapter>(
    stage: Stage<A>,
) {
    let addresses = loopback_addresses(1);
    let first = stage.start(stage.node_at(&addresses, 0)).await;
    let error = A::start(stage.node_at(&addresses, 0)).await.expect_err("it is taken");
    let StartError::Bind { addr: named, source } = error else { panic!("{error:?}") };
    assert_eq!((named, source.kind()), (addr(&first), io::ErrorKind::AddrInUse));
}

pub(crate) async fn a_node_knows_itself_and_its_settings<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster_of(2, |builder| builder.cluster_size(2)).await;
    let node = &nodes[0];
    assert_eq!(node.local_addr().port(), node.config().port);
    assert_eq!(node.config().cluster_size, 2);
    assert_eq!(node.is_secure(), stage.sealed);
    let peer = node.peer(addr(&nodes[1])).expect("they know each other");
    assert_eq!(peer.incarnation, Some(nodes[1].incarnation()));
    assert_eq!(node.peers(), [peer]);
    assert_eq!(node.peer_count(), 1);
    assert_eq!(node.peer(addr(node)), None, "a node is no peer of itself");
}

/// Ports of `[::1]` that nobody has at present; `None`, loudly, where there is no IPv6.
fn free_ports<const COUNT: usize>() -> Option<[u16; COUNT]> {
    let Ok(_bound) = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)) else {
        eprintln!("SKIPPED: this machine has no IPv6");
        return None;
    };
    let sockets: [_; COUNT] = std::array::from_fn(|_| {
        UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).expect("the system has ports")
    });
    Some(sockets.map(|socket| socket.local_addr().expect("it is bound").port()))
}

pub(crate) async fn nodes_meet_over_ipv6<A: Adapter>(stage: Stage<A>) {
    let Some(ports) = free_ports::<2>() else { return };
    let peers = ports.map(|port| format!("[::1]:{port}"));
    let mut nodes = Vec::new();
    for port in ports {
        let node = stage.node().peers(&peers).bind(Ipv6Addr::LOCALHOST).port(port);
        nodes.push(stage.start(node).await);
    }
    stage.wait_for_peers(&nodes[0], 1).await;
    stage.wait_for_peers(&nodes[1], 1).await;
    stage.echo(&nodes[1]);
    let reply = eventually("the reply", nodes[0].request(addr(&nodes[1]), b"six")).await;
    assert_eq!(&reply.expect("it is served")[..], b"six");
    let guard = stage.lock(&nodes[0], "six").await;
    guard.release().await.expect("it is held");
}

pub(crate) async fn an_address_of_both_families_meets_ipv4_nodes<A: Adapter>(stage: Stage<A>) {
    let addresses = loopback_addresses(1);
    let Some([port]) = free_ports() else { return };
    let both = stage.node().peers::<&str>([]).bind(Ipv6Addr::UNSPECIFIED).port(port);
    let both = stage.start(both).await;
    let own = addresses[0].to_string();
    let four = stage.node().peers([format!("127.0.0.1:{port}"), own]).bind(addresses[0]);
    let four = stage.start(four).await;
    stage.wait_for_peers(&both, 1).await;
    stage.wait_for_peers(&four, 1).await;
    let peer = both.peers()[0].addr;
    assert!(peer.is_ipv4(), "{peer}");
    stage.echo(&four);
    let reply = eventually("the reply", both.request(peer, b"four")).await;
    assert_eq!(&reply.expect("it is served")[..], b"four");
}
