//! Starting, being ready, leaving.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, UdpSocket};

use alan_tokio::config::ConfigProblem;
use alan_tokio::{
    BroadcastError, Event, LeaveReason, LockError, LockLost, Node, QuorumError, RequestAllError,
    RequestError, SendError, StartError,
};
use alan_workspace::loopback_addresses;

use crate::cluster::{addr, builder, cluster, cluster_of, eventually, next_change, wait_for_peers};

#[tokio::test]
async fn a_port_in_use_is_a_bind_error_that_names_the_address() {
    let addresses = loopback_addresses(1);
    let first = builder(&addresses, 0).start().await.expect("the address is free");
    let error = builder(&addresses, 0).start().await.expect_err("it is taken");
    let StartError::Bind { addr: named, source } = error else { panic!("{error:?}") };
    assert_eq!((named, source.kind()), (addr(&first), io::ErrorKind::AddrInUse));
}

#[tokio::test]
async fn a_node_without_a_place_to_look_for_others_does_not_start() {
    let error = Node::builder().start().await.expect_err("nothing was said");
    let StartError::Config(ConfigProblem { field, .. }) = error else { panic!("{error:?}") };
    assert_eq!(field, "discovery");
}

#[tokio::test]
async fn a_setting_out_of_range_is_named_with_its_value_and_the_range() {
    let addresses = loopback_addresses(1);
    let error = builder(&addresses, 0).buffer_size(7).start().await.expect_err("too small");
    let text = error.to_string();
    for part in ["buffer_size", "7", "1280 to 65507"] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn nobody_to_look_for_is_a_legal_way_to_wait_to_be_found() {
    let addresses = loopback_addresses(2);
    let waiting = Node::builder().peers::<&str>([]).bind(addresses[0]).start().await;
    let waiting = waiting.expect("it is legal");
    eventually("the first round", waiting.ready()).await.expect("it runs");
    let finder = builder(&addresses, 1).start().await.expect("the address is free");
    wait_for_peers(&waiting, 1).await;
    wait_for_peers(&finder, 1).await;
}

#[tokio::test]
async fn a_failed_first_round_is_told_and_the_node_is_ready_and_usable() {
    let addresses = loopback_addresses(2);
    let mut rounds = 0;
    let found = SocketAddr::new(addresses[1], 5000);
    let source = move || {
        rounds += 1;
        if rounds < 3 { Err(io::Error::other("name server asleep")) } else { Ok(vec![found]) }
    };
    let node = Node::builder().discover(source).bind(addresses[0]).start().await;
    let node = node.expect("the address is free");
    let mut events = node.events();
    eventually("the first round", node.ready()).await.expect("it runs");
    let other = Node::builder().peers::<&str>([]).bind(addresses[1]).start().await;
    let other = other.expect("the address is free");
    wait_for_peers(&other, 1).await;
    let mut failures = 0;
    loop {
        match eventually("an event", events.recv()).await.expect("the node runs") {
            Event::DiscoveryFailed { error } => {
                assert!(error.contains("name server asleep"), "{error}");
                failures += 1;
            }
            Event::Joined { peer, .. } => {
                assert_eq!(peer, addr(&other));
                break;
            }
            _ => {}
        }
    }
    assert!(failures >= 1, "the second failure comes after the subscription");
}

#[tokio::test]
async fn refresh_asks_discovery_again() {
    let addresses = loopback_addresses(1);
    let (asked, mut rounds) = tokio::sync::mpsc::channel(1_000);
    let source = move || {
        asked.try_send(()).map_err(io::Error::other)?;
        Ok(Vec::new())
    };
    let node = Node::builder().discover(source).refresh_interval(None).bind(addresses[0]);
    let node = node.start().await.expect("the address is free");
    eventually("the first round", rounds.recv()).await.expect("the source is alive");
    node.refresh();
    eventually("the second round", rounds.recv()).await.expect("the source is alive");
}

#[tokio::test]
async fn a_node_knows_itself_and_its_settings() {
    let nodes = cluster_of(2, |builder| builder.cluster_size(2)).await;
    let node = &nodes[0];
    assert_eq!(node.local_addr().port(), node.config().port);
    assert_eq!(node.config().cluster_size, 2);
    assert!(!node.is_secure());
    let peer = node.peer(addr(&nodes[1])).expect("they know each other");
    assert_eq!(peer.incarnation, Some(nodes[1].incarnation()));
    assert_eq!(node.peers(), [peer]);
    assert_eq!(node.peer_count(), 1);
    assert_eq!(node.peer(addr(node)), None, "a node is no peer of itself");
}

#[tokio::test]
async fn shutdown_says_goodbye_and_frees_the_port_although_a_handle_is_left() {
    let mut nodes = cluster(2).await;
    let leaver = nodes.remove(0);
    let mut events = nodes[0].events();
    assert!(matches!(next_change(&mut events).await, Event::Joined { .. }));
    eventually("the shutdown", leaver.shutdown()).await;
    assert!(leaver.has_ended());
    UdpSocket::bind(addr(&leaver)).expect("the port is free");
    let (peer, why) = (addr(&leaver), LeaveReason::SaidGoodbye);
    assert_eq!(next_change(&mut events).await, Event::Left { peer, why });
    eventually("a second shutdown", leaver.shutdown()).await;
}

#[tokio::test]
async fn dropping_the_last_handle_leaves_the_cluster() {
    let mut nodes = cluster(2).await;
    let leaver = nodes.remove(0);
    let mut events = nodes[0].events();
    assert!(matches!(next_change(&mut events).await, Event::Joined { .. }));
    let other_handle = leaver.clone();
    let peer = addr(&leaver);
    drop(leaver);
    other_handle.send_to(addr(&nodes[0]), b"still here").expect("one handle is left");
    drop(other_handle);
    let why = LeaveReason::SaidGoodbye;
    assert_eq!(next_change(&mut events).await, Event::Left { peer, why });
}

#[tokio::test]
async fn every_operation_on_a_node_that_has_left_says_so() {
    let nodes = cluster(2).await;
    let (node, peer) = (&nodes[0], addr(&nodes[1]));
    let mut events = node.events();
    let mut incoming = node.incoming().expect("nobody else reads");
    eventually("the shutdown", node.shutdown()).await;

    assert!(matches!(node.send_to(peer, b"x"), Err(SendError::Closed(_))));
    assert!(matches!(node.broadcast(b"x").await, Err(BroadcastError::Closed(_))));
    assert!(matches!(node.request(peer, b"x").await, Err(RequestError::Closed(_))));
    assert!(matches!(node.request_all(b"x").await, Err(RequestAllError::Closed(_))));
    assert!(matches!(node.lock("key").await, Err(LockError::Closed(_))));
    assert!(matches!(node.try_lock("key").await, Err(LockError::Closed(_))));
    assert!(matches!(node.wait_for_quorum().await, Err(QuorumError::Closed(_))));
    assert!(eventually("the end of messages", incoming.recv()).await.is_none());
    while eventually("the end of events", events.recv()).await.is_some() {}
}

#[tokio::test]
async fn operations_that_wait_when_the_node_leaves_end_with_closed() {
    let nodes = cluster_of(2, |builder| builder.cluster_size(3)).await;
    let lonely = cluster_of(1, |builder| builder.cluster_size(3)).await.remove(0);
    let holder = nodes[1].lock("key").await.expect("it is free");
    let mine = nodes[0].lock("mine").await.expect("it is free");
    let lost = mine.lost();
    let peer = addr(&nodes[1]);

    let (with_peers, alone) = (nodes[0].clone(), lonely.clone());
    let waiting = tokio::spawn(async move {
        tokio::join!(
            with_peers.request(peer, b"never answered").into_future(),
            with_peers.request_all(b"never answered").into_future(),
            with_peers.lock("key").into_future(),
            alone.wait_for_quorum().into_future(),
            alone.broadcast(b"never sent").into_future(),
            alone.request_all(b"never sent").into_future(),
            alone.lock("key").into_future(),
        )
    });
    crate::cluster::until("all of them wait", || {
        let (here, there) = (nodes[0].usage(), lonely.usage());
        (here.requests, here.locks, there.quorum_waiters, there.locks) == (2, 2, 3, 1)
    })
    .await;
    eventually("the shutdown", nodes[0].shutdown()).await;
    eventually("the shutdown", lonely.shutdown()).await;
    let ended = eventually("the end of all", waiting).await.expect("none panics");

    assert!(matches!(ended.0, Err(RequestError::Closed(_))), "{:?}", ended.0);
    assert!(matches!(ended.1, Err(RequestAllError::Closed(_))), "{:?}", ended.1);
    assert!(matches!(ended.2, Err(LockError::Closed(_))), "{:?}", ended.2);
    assert!(matches!(ended.3, Err(QuorumError::Closed(_))), "{:?}", ended.3);
    assert!(matches!(ended.4, Err(BroadcastError::Closed(_))), "{:?}", ended.4);
    assert!(matches!(ended.5, Err(RequestAllError::Closed(_))), "{:?}", ended.5);
    assert!(matches!(ended.6, Err(LockError::Closed(_))), "{:?}", ended.6);
    assert_eq!(eventually("the loss", lost).await, LockLost::LeftCluster);
    assert!(!mine.is_valid());
    assert_eq!(mine.release().await, Err(LockLost::LeftCluster));
    crate::cluster::assert_idle(&nodes[0]);
    crate::cluster::assert_idle(&lonely);
    drop(holder);
}

#[test]
fn a_node_ends_with_its_runtime_and_nothing_hangs() {
    let addresses = loopback_addresses(1);
    let runtime = tokio::runtime::Runtime::new().expect("the system has threads");
    let node = runtime
        .block_on(builder(&addresses, 0).cluster_size(3).start().into_future())
        .expect("the address is free");
    let waiting = node.wait_for_quorum().into_future();
    drop(runtime);
    assert!(node.has_ended());
    let other = tokio::runtime::Runtime::new().expect("the system has threads");
    assert!(matches!(other.block_on(waiting), Err(QuorumError::Closed(_))));
    other.block_on(node.shutdown());
}

#[test]
fn many_nodes_share_one_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("the system has threads").block_on(async {
        let nodes = cluster(12).await;
        crate::cluster::echo(&nodes[0]);
        for node in &nodes[1..] {
            let reply = node.request(addr(&nodes[0]), b"one thread");
            let reply = eventually("the reply", reply).await.expect("it is served");
            assert_eq!(&reply[..], b"one thread");
        }
        for node in &nodes {
            eventually("the shutdown", node.shutdown()).await;
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_nodes_share_many_threads() {
    let nodes = cluster(12).await;
    for node in &nodes {
        crate::cluster::echo(node);
    }
    let mut asking = Vec::new();
    for node in &nodes {
        let node = node.clone();
        asking.push(tokio::spawn(async move { node.request_all(b"all of you").await }));
    }
    for asked in asking {
        let replies = eventually("the replies", asked).await.expect("none panics");
        let replies = replies.expect("no quorum is needed");
        assert_eq!((replies.replies.len(), replies.missing.len()), (11, 0), "{replies:?}");
    }
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

#[tokio::test]
async fn nodes_meet_over_ipv6() {
    let Some(ports) = free_ports::<2>() else { return };
    let peers = ports.map(|port| format!("[::1]:{port}"));
    let mut nodes = Vec::new();
    for port in ports {
        let address = Ipv6Addr::LOCALHOST;
        let node = Node::builder().peers(&peers).bind(address).port(port).start().await;
        nodes.push(node.expect("the port is free"));
    }
    wait_for_peers(&nodes[0], 1).await;
    wait_for_peers(&nodes[1], 1).await;
    crate::cluster::echo(&nodes[1]);
    let reply = eventually("the reply", nodes[0].request(addr(&nodes[1]), b"six")).await;
    assert_eq!(&reply.expect("it is served")[..], b"six");
    let guard = eventually("the lock", nodes[0].lock("six")).await.expect("it is free");
    guard.release().await.expect("it is held");
}

#[tokio::test]
async fn an_address_of_both_families_meets_ipv4_nodes() {
    let addresses = loopback_addresses(1);
    let Some([port]) = free_ports() else { return };
    let both = Node::builder().peers::<&str>([]).bind(Ipv6Addr::UNSPECIFIED).port(port);
    let both = both.start().await.expect("the port is free");
    let four = Node::builder().peers([format!("127.0.0.1:{port}")]).bind(addresses[0]);
    let four = four.start().await.expect("the address is free");
    wait_for_peers(&both, 1).await;
    wait_for_peers(&four, 1).await;
    let peer = both.peers()[0].addr;
    assert!(peer.is_ipv4(), "{peer}");
    crate::cluster::echo(&four);
    let reply = eventually("the reply", both.request(peer, b"four")).await;
    assert_eq!(&reply.expect("it is served")[..], b"four");
}
