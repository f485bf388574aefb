//! Who comes and goes: in order, for everybody, however slow.

use std::time::Duration;

use alan_tokio::{Event, LeaveReason};
use alan_workspace::loopback_addresses;
use tokio::sync::mpsc;

use crate::cluster::{
    addr, builder, cluster, cluster_of, eventually, next_change, until, wait_for_peers,
};

#[tokio::test]
async fn callbacks_tell_of_joins_and_leaves_also_of_those_that_were_here_before() {
    let mut nodes = cluster(2).await;
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

#[tokio::test]
async fn a_crash_is_noticed_by_silence() {
    let mut nodes = cluster_of(2, |builder| {
        builder
            .heartbeat_interval(Duration::from_millis(200))
            .heartbeat_timeout(Duration::from_secs(2))
    })
    .await;
    let mut events = nodes[0].events();
    assert!(matches!(next_change(&mut events).await, Event::Joined { .. }));
    let crashed = nodes.remove(1);
    eventually("the crash", crashed.abort()).await;
    let left = Event::Left { peer: addr(&crashed), why: LeaveReason::Silent };
    assert_eq!(next_change(&mut events).await, left);
}

#[tokio::test]
async fn a_restart_is_a_left_and_a_joined() {
    let addresses = loopback_addresses(2);
    let watcher = builder(&addresses, 0).start().await.expect("it is free");
    let mut events = watcher.events();
    let first = builder(&addresses, 1).start().await.expect("it is free");
    let peer = addr(&first);
    let incarnation = Some(first.incarnation());
    assert_eq!(next_change(&mut events).await, Event::Joined { peer, incarnation });
    eventually("the crash", first.abort()).await;
    drop(first);

    let second = builder(&addresses, 1).start().await.expect("it is free again");
    let why = LeaveReason::Restarted;
    assert_eq!(next_change(&mut events).await, Event::Left { peer, why });
    let incarnation = Some(second.incarnation());
    assert_eq!(next_change(&mut events).await, Event::Joined { peer, incarnation });
}

#[tokio::test]
async fn what_a_peer_sent_before_it_left_is_delivered_before_its_left() {
    let mut nodes = cluster(2).await;
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

/// What a future gives without waiting.
fn now<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let context = &mut std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test]
async fn a_subscriber_that_lags_is_told_so_and_then_what_is_true() {
    let addresses = loopback_addresses(2);
    let watcher = builder(&addresses, 0).event_queue(2).start().await.expect("it is free");
    let (mut slow, mut quick) = (watcher.events(), watcher.events());
    let mut last = None;
    for _ in 0..3 {
        let visitor = builder(&addresses, 1).start().await.expect("it is free");
        assert!(matches!(next_change(&mut quick).await, Event::Joined { .. }));
        wait_for_peers(&visitor, 1).await;
        eventually("the shutdown", visitor.shutdown()).await;
        assert!(matches!(next_change(&mut quick).await, Event::Left { .. }));
        last = Some(addr(&visitor));
    }
    let stayer = builder(&addresses, 1).start().await.expect("it is free");
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

#[tokio::test]
async fn every_subscriber_gets_every_event() {
    let mut nodes = cluster(3).await;
    let mut subscribers = [nodes[0].events(), nodes[0].events()];
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
