//! Who comes and goes: in order, once, for everybody, however slow.

use std::time::Duration;

use alan_driver::{Event, LeaveReason};
use alan_workspace::loopback_addresses;
use tokio::sync::mpsc;

use crate::adapter::Adapter;
use crate::stage::{NewNode, Stage, addr, next_change};
use crate::waiting::{eventually, now, until};

/// After so much silence a peer is dead: soon, and yet no node is late by as much on a machine that
/// is busy with all these tests.
pub(super) const SHORT_LIFE: Duration = Duration::from_secs(3);

/// Heartbeats that make it short to wait for a death.
pub(super) fn short_of_patience<A: Adapter>(node: NewNode<A>) -> NewNode<A> {
    node.heartbeat_interval(Duration::from_millis(200)).heartbeat_timeout(SHORT_LIFE)
}

pub(crate) async fn joins_leaves_and_silence_are_told_in_order_and_once<A: Adapter>(
    stage: Stage<A>,
) {
    let addresses = loopback_addresses(3);
    let watcher = stage.start(short_of_patience::<A>(stage.node_at(&addresses, 0))).await;
    let mut events = watcher.events();
    let mut expected = Vec::new();
    let mut others = Vec::new();
    for own in [1, 2] {
        let other = stage.start(short_of_patience::<A>(stage.node_at(&addresses, own))).await;
        stage.wait_for_peers(&watcher, own).await;
        let incarnation = Some(other.incarnation());
        expected.push(Event::Joined { peer: addr(&other), incarnation });
        others.push(other);
    }
    eventually("the shutdown", others[0].shutdown()).await;
    stage.wait_for_peers(&watcher, 1).await;
    expected.push(Event::Left { peer: addr(&others[0]), why: LeaveReason::SaidGoodbye });
    eventually("the crash", others[1].abort()).await;
    stage.wait_for_peers(&watcher, 0).await;
    expected.push(Event::Left { peer: addr(&others[1]), why: LeaveReason::Silent });

    eventually("the shutdown", watcher.shutdown()).await;
    let mut told = Vec::new();
    while let Some(Some(event)) = now(events.recv()) {
        told.push(event);
    }
    // The watcher's own end is nobody's leaving.
    assert_eq!(told, expected);
}

pub(crate) async fn callbacks_tell_of_joins_and_leaves_also_of_those_that_were_here_before<
    A: Adapter,
>(
    stage: Stage<A>,
) {
    let mut nodes = stage.cluster(2).await;
    let (told, mut changes) = mpsc::channel(1_000);
    let tell = told.clone();
    nodes[0].on_peer_join(move |peer, incarnation| {
        tell.try_send((peer, incarnation, None)).expect("the test waits for it");
    });
    let peer = addr(&nodes[1]);
    let incarnation = Some(nodes[1].incarnation());
    let change = eventually("the join", changes.recv()).await;
    assert_eq!(change, Some((peer, incarnation, None)));

    nodes[0].on_peer_leave(move |peer, why| {
        told.try_send((peer, None, Some(why))).expect("the test waits for it");
    });
    eventually("the shutdown", nodes.remove(1).shutdown()).await;
    let change = eventually("the leave", changes.recv()).await;
    assert_eq!(change, Some((peer, None, Some(LeaveReason::SaidGoodbye))));
}

pub(crate) async fn every_subscriber_gets_every_event<A: Adapter>(stage: Stage<A>) {
    let mut nodes = stage.cluster(3).await;
    let mut subscribers = [nodes[0].events(), nodes[0].events(), nodes[0].events()];
    let peer = addr(&nodes[2]);
    eventually("the shutdown", nodes.remove(2).shutdown()).await;
    for events in &mut subscribers {
        let mut joined = Vec::new();
        loop {
            match next_change(events).await {
                Event::Joined { peer, .. } => joined.push(peer),
                left => {
                    assert_eq!(left, Event::Left { peer, why: LeaveReason::SaidGoodbye });
                    break;
                }
            }
        }
        joined.sort();
        assert_eq!(joined, [addr(&nodes[1]), peer]);
    }
}

pub(crate) async fn what_a_peer_sent_before_it_left_is_delivered_before_its_left<A: Adapter>(
    stage: Stage<A>,
) {
    let mut nodes = stage.cluster(2).await;
    let mut incoming = nodes[0].incoming().expect("nobody else reads");
    let mut events = nodes[0].events();
    assert!(matches!(next_change(&mut events).await, Event::Joined { .. }));
    let leaver = nodes.remove(1);
    for payload in ["first", "last"] {
        leaver.send_to(addr(&nodes[0]), payload).expect("it leaves");
    }
    eventually("the shutdown", leaver.shutdown()).await;
    until("it is known to be gone", || nodes[0].peer_count() == 0).await;
    until("both have arrived", || nodes[0].usage().queued_messages == 2).await;

    let mut seen = Vec::new();
    for _ in 0..2 {
        assert_eq!(now(events.recv()), None, "no Left while a message of its waits");
        let message = eventually("a message", incoming.recv()).await.expect("the node runs");
        seen.push(message.payload().clone());
    }
    assert_eq!(seen, ["first", "last"]);
    let left = Event::Left { peer: addr(&leaver), why: LeaveReason::SaidGoodbye };
    assert_eq!(now(events.recv()), Some(Some(left)), "and not a moment later");
    assert_eq!(nodes[0].usage().queues, 0);
}

pub(crate) async fn a_subscriber_that_lags_is_told_so_and_then_what_is_true<A: Adapter>(
    stage: Stage<A>,
) {
    let addresses = loopback_addresses(2);
    let watcher = stage.start(stage.node_at(&addresses, 0).event_queue(2)).await;
    let (mut slow, mut quick) = (watcher.events(), watcher.events());
    let mut last = None;
    for _ in 0..3 {
        let visitor = stage.start(stage.node_at(&addresses, 1)).await;
        assert!(matches!(next_change(&mut quick).await, Event::Joined { .. }));
        stage.wait_for_peers(&visitor, 1).await;
        eventually("the shutdown", visitor.shutdown()).await;
        assert!(matches!(next_change(&mut quick).await, Event::Left { .. }));
        last = Some(addr(&visitor));
    }
    let stayer = stage.start(stage.node_at(&addresses, 1)).await;
    assert!(matches!(next_change(&mut quick).await, Event::Joined { .. }));

    let mut seen = Vec::new();
    while let Some(Some(event)) = now(slow.recv()) {
        seen.push(event);
    }
    let peer = last.expect("there were three");
    assert!(matches!(seen[0], Event::Joined { .. }), "{seen:?}");
    assert!(matches!(seen[1], Event::Left { .. }), "{seen:?}");
    assert_eq!(seen[2], Event::Lagged(5), "{seen:?}");
    let incarnation = Some(stayer.incarnation());
    assert_eq!(seen[3..], [Event::Joined { peer, incarnation }]);
}
