//! What members are: their names, their kind, what they are configured with.

use std::net::IpAddr;
use std::time::Duration;

use alan_driver::{Builder, Event, Message, Rejection, Runtime};
use alan_workspace::loopback_addresses;

use crate::adapter::Adapter;
use crate::stage::{NewNode, Node, Stage, addr, known};
use crate::waiting::{eventually, until};

pub(crate) async fn names_and_round_trip_times_of_members_are_known<A: Adapter>(stage: Stage<A>) {
    let addresses = loopback_addresses(2);
    let named = |own: usize, name| {
        stage.node_at(&addresses, own).name(name).heartbeat_interval(Duration::from_millis(100))
    };
    let one = stage.start(named(0, "one").metadata("rack 7")).await;
    let two = stage.start(named(1, "two")).await;
    for (node, other, name, metadata) in [(&two, &one, "one", "rack 7"), (&one, &two, "two", "")] {
        until("the other is known by its name and distance", || {
            let peer = known(node, addr(other));
            peer.is_some_and(|peer| peer.name == name && peer.round_trip.is_some())
        })
        .await;
        let peer = known(node, addr(other)).expect("it stays");
        assert_eq!((peer.label(), &peer.metadata[..]), (name.to_owned(), metadata.as_bytes()));
        assert_eq!(peer.incarnation, Some(other.incarnation()));
        assert!(!peer.observer && !peer.is_classic());
    }
}

pub(crate) async fn changed_metadata_is_told_and_known<A: Adapter>(stage: Stage<A>) {
    let nodes = stage.cluster(2).await;
    let mut events = nodes[1].events();
    for metadata in ["busy", "idle"] {
        nodes[0].set_metadata(metadata).expect("it is short enough");
        loop {
            let event = eventually("the news", events.recv()).await.expect("the node runs");
            if event == (Event::Updated { peer: addr(&nodes[0]) }) {
                break;
            }
        }
        let peer = known(&nodes[1], addr(&nodes[0])).expect("it stays");
        assert_eq!(peer.metadata, metadata);
    }
    let long = [0; 513];
    nodes[0].set_metadata(long).expect_err("it is too long");
}

pub(crate) async fn a_member_that_is_configured_otherwise_is_told<A: Adapter>(stage: Stage<A>) {
    let addresses = loopback_addresses(2);
    let three = stage.start(stage.node_at(&addresses, 0).cluster_size(3)).await;
    let mut events = three.events();
    let five = stage.start(stage.node_at(&addresses, 1).cluster_size(5)).await;
    loop {
        let event = eventually("the mismatch", events.recv()).await.expect("the node runs");
        if let Event::ConfigMismatch { peer, theirs } = event {
            assert_eq!((peer, theirs.cluster_size), (addr(&five), 5));
            return;
        }
    }
}

pub(crate) async fn an_observer_does_everything_and_counts_for_no_quorum<A: Adapter>(
    stage: Stage<A>,
) {
    let addresses = loopback_addresses(3);
    let voter = |own: usize| stage.node_at(&addresses, own).cluster_size(3);
    let one = stage.start(voter(0)).await;
    let observer = stage.start(voter(1).observer(true)).await;
    stage.wait_for_peers(&one, 1).await;
    stage.wait_for_peers(&observer, 1).await;
    assert!(!one.has_quorum() && !observer.has_quorum(), "two of three, but one has no vote");
    assert!(known(&one, addr(&observer)).is_some_and(|peer| peer.observer));

    let two = stage.start(voter(2)).await;
    for node in [&one, &two, &observer] {
        until("two of three with a vote", || node.has_quorum()).await;
    }
    stage.wait_for_peers(&observer, 2).await;
    stage.wait_for_peers(&two, 2).await;
    stage.echo(&one);
    let reply = eventually("the reply", observer.request(addr(&one), b"?")).await;
    assert_eq!(reply.expect("it is served"), "?");
    let guard = stage.lock(&observer, "key").await;
    guard.release().await.expect("it is held");
}

/// Often enough that nobody waits for a heartbeat for long.
fn often<R: Runtime>(node: Builder<R>) -> Builder<R> {
    node.heartbeat_interval(Duration::from_millis(200))
}

/// A node without sessions at one of the addresses. It does not look for others at its own, since
/// it can't tell itself from them.
fn classic_node_at<A: Adapter>(stage: Stage<A>, addresses: &[IpAddr], own: usize) -> NewNode<A> {
    let others = addresses.iter().filter(|&&other| other != addresses[own]);
    often(stage.waiting_node_at(addresses[own]).peers(others)).speak_classic(true)
}

/// Answers requests with what was asked, and hands on messages.
fn serve<A: Adapter>(stage: Stage<A>, node: &Node<A>) -> tokio::sync::mpsc::Receiver<Message> {
    let (tell, told) = tokio::sync::mpsc::channel(16);
    stage.serve(node, move |message| {
        let tell = tell.clone();
        async move {
            match message {
                Message::Request(request) => {
                    let payload = request.payload().clone();
                    request.reply(payload).expect("it fits, as it did on the way here");
                }
                message => tell.send(message).await.expect("the test waits for it"),
            }
        }
    });
    told
}

pub(crate) async fn nodes_with_and_without_sessions_share_a_cluster<A: Adapter>(stage: Stage<A>) {
    let addresses = loopback_addresses(3);
    let nodes = [
        stage.start(often(stage.node_at(&addresses, 0))).await,
        stage.start(classic_node_at(stage, &addresses, 1)).await,
        stage.start(often(stage.node_at(&addresses, 2))).await,
    ];
    for node in &nodes {
        stage.wait_for_peers(node, 2).await;
    }
    let is_classic = |node: &Node<A>| known(&nodes[0], addr(node)).map(|peer| peer.is_classic());
    assert_eq!([is_classic(&nodes[1]), is_classic(&nodes[2])], [Some(true), Some(false)]);

    let mut heard: Vec<_> = nodes.iter().map(|node| serve(stage, node)).collect();
    for (from, node) in nodes.iter().enumerate() {
        let sent = eventually("the broadcast", node.broadcast([7])).await.expect("no quorum");
        assert_eq!(sent.len(), 2);
        for (to, heard) in heard.iter_mut().enumerate().filter(|(to, _)| *to != from) {
            let message = eventually("the message", heard.recv()).await.expect("it is served");
            assert_eq!(message.from(), addr(&nodes[from]), "to node {to}");
        }
        let replies = eventually("the replies", node.request_all(b"?")).await.expect("no quorum");
        assert_eq!((replies.replies.len(), replies.missing), (2, vec![]));
        let guard = stage.lock(node, "key").await;
        guard.release().await.expect("it is held");
    }
}

pub(crate) async fn where_nodes_without_sessions_are_refused_they_are_no_members<A: Adapter>(
    stage: Stage<A>,
) {
    let addresses = loopback_addresses(3);
    let strict = |own: usize| often(stage.node_at(&addresses, own)).classic_peers(false);
    let classic = stage.start(classic_node_at(stage, &addresses, 0)).await;
    let one = stage.start(strict(1)).await;
    let two = stage.start(strict(2)).await;
    stage.wait_for_peers(&classic, 2).await;
    for node in [&one, &two] {
        let refused = || node.stats().protocol.rejected(Rejection::ClassicRefused) > 0;
        until("it is refused", refused).await;
        until("the others meet", || node.peer_count() > 0).await;
        assert!(node.peers().iter().all(|peer| !peer.is_classic()));
    }
    let refused = one.stats().protocol.rejected(Rejection::ClassicRefused);
    classic.send_to(addr(&one), b"?").expect("it leaves");
    let more = || one.stats().protocol.rejected(Rejection::ClassicRefused) > refused;
    until("its message is refused", more).await;
    assert_eq!(one.usage().queued_messages, 0);
}
