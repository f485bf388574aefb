//! Finding each other: by a seed, by a name, and again.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alan_driver::Event;
use alan_driver::discovery::HickoryDns;
use alan_workspace::loopback_addresses;
use tokio::sync::mpsc;

use crate::adapter::Adapter;
use crate::name_server::NameServer;
use crate::stage::{Stage, addr, known};
use crate::waiting::eventually;

pub(crate) async fn one_seed_that_knows_nobody_is_enough<A: Adapter>(stage: Stage<A>) {
    let addresses = loopback_addresses(3);
    let seed = stage.start(stage.waiting_node_at(addresses[0])).await;
    eventually("the first round", seed.ready()).await.expect("it runs");
    let mut others = Vec::new();
    for &own in &addresses[1..] {
        let other = stage.node().peers([addresses[0]]).bind(own);
        others.push(stage.start(other).await);
    }
    // Nobody names the others to each other but the seed, which tells its members who is there.
    for node in others.iter().chain([&seed]) {
        stage.wait_for_peers(node, 2).await;
    }
    assert!(known(&others[0], addr(&others[1])).is_some());
}

pub(crate) async fn the_addresses_of_a_dns_name_are_found_and_found_again<A: Adapter>(
    stage: Stage<A>,
) {
    let addresses = loopback_addresses(4);
    let server = NameServer::start(addresses[3]);
    server.set("cluster.test.", &addresses[..2]);
    let by_name = |own: IpAddr| {
        let host = "cluster.test.".parse().expect("a name");
        let dns = HickoryDns::addresses(host, 5000).name_servers([server.address()]);
        stage.node().discover(dns).bind(own).refresh_interval(Duration::from_secs(600))
    };
    let first = stage.start(by_name(addresses[0])).await;
    let second = stage.start(by_name(addresses[1])).await;
    stage.wait_for_peers(&first, 1).await;
    stage.wait_for_peers(&second, 1).await;

    // The third one does not look for anybody: the name is asked again when its answer has expired.
    let third = stage.start(stage.waiting_node_at(addresses[2])).await;
    server.set("cluster.test.", &addresses[..3]);
    stage.wait_for_peers(&third, 2).await;
    stage.wait_for_peers(&first, 2).await;
    stage.wait_for_peers(&second, 2).await;
}

pub(crate) async fn a_failed_first_round_is_told_and_the_node_is_ready_and_usable<A: Adapter>(
    stage: Stage<A>,
) {
    let addresses = loopback_addresses(2);
    let found = addresses.clone().into_iter().map(|address| SocketAddr::new(address, 5000));
    let found: Vec<_> = found.collect();
    let awake = Arc::new(AtomicBool::new(false));
    let name_server = Arc::clone(&awake);
    let source = move || {
        let awake = name_server.load(Ordering::SeqCst);
        awake.then(|| found.clone()).ok_or_else(|| io::Error::other("name server asleep"))
    };
    let node = stage.start(stage.node().discover(source).bind(addresses[0])).await;
    let mut events = node.events();
    eventually("the first round", node.ready()).await.expect("it runs");
    let event = eventually("a failure", events.recv()).await.expect("the node runs");
    let Event::DiscoveryFailed { error } = event else { panic!("{event:?}") };
    assert!(error.contains("name server asleep"), "{error}");

    awake.store(true, Ordering::SeqCst);
    let other = stage.start(stage.waiting_node_at(addresses[1])).await;
    stage.wait_for_peers(&other, 1).await;
    loop {
        match eventually("the other", events.recv()).await.expect("the node runs") {
            Event::Joined { peer, .. } => break assert_eq!(peer, addr(&other)),
            event => assert!(matches!(event, Event::DiscoveryFailed { .. }), "{event:?}"),
        }
    }
}

pub(crate) async fn refresh_asks_discovery_again<A: Adapter>(stage: Stage<A>) {
    let addresses = loopback_addresses(1);
    let (asked, mut rounds) = mpsc::channel(1_000);
    let source = move || {
        asked.try_send(()).map_err(io::Error::other)?;
        Ok(Vec::new())
    };
    let node = stage.node().discover(source).refresh_interval(None).bind(addresses[0]);
    let node = stage.start(node).await;
    eventually("the first round", rounds.recv()).await.expect("the source is alive");
    // Not during the first round, of which the refresh would be a part.
    eventually("the first answer", node.ready()).await.expect("it runs");
    node.refresh();
    eventually("the second round", rounds.recv()).await.expect("the source is alive");
}
