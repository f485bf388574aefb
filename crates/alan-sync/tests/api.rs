//! The whole API on real sockets, from threads.

mod stage;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use alan_sync::config::QueueFull;
use alan_sync::{
    BroadcastError, Event, Iterate, LeaveReason, LockError, LockLost, Message, Node, RequestError,
    StartError, TimedOut, Wait,
};

use stage::{PATIENCE, SHORT, builder, cluster, echo, next_change, until};

#[test]
fn everything_that_is_awaited_elsewhere_can_be_waited_for() {
    let first = builder(1, 1).start().wait().expect("the address is free");
    first.ready().wait_timeout(PATIENCE).expect("in time").expect("it runs");
    let mut events = first.events();
    let (sender, joined) = sync_channel(1);
    first.on_peer_join(move |peer, _| sender.send(peer).expect("the test listens"));
    let (sender, left) = sync_channel(1);
    first.on_peer_leave(move |peer, why| sender.send((peer, why)).expect("the test listens"));

    let second = builder(1, 2).start().wait().expect("the address is free");
    let peer = second.local_addr();
    for node in [&first, &second] {
        node.wait_for_quorum().timeout(PATIENCE).wait().expect("both are here");
    }
    assert!(matches!(next_change(&mut events), Event::Joined { peer: seen, .. } if seen == peer));
    assert_eq!(joined.recv_timeout(PATIENCE), Ok(peer));

    echo(&second);
    let mut incoming = first.incoming().expect("nobody else reads");
    assert_eq!(
        &first.request(peer, "to one").timeout(PATIENCE).wait().expect("served")[..],
        b"to one"
    );
    let all = first.request_all("to all").timeout(PATIENCE).wait().expect("the quorum is here");
    assert_eq!((all.replies.len(), all.missing.len()), (1, 0));
    let mut stream = first.request_all("one by one").timeout(PATIENCE).stream();
    let replies: Vec<_> = stream.iter().map(|reply| reply.expect("it runs").peer).collect();
    assert_eq!((replies, stream.missing().len()), (vec![peer], 0));

    let sent = second.broadcast("hello").wait().expect("the quorum is here");
    assert!(sent.len() == 1 && sent[0].result == Ok(5), "{sent:?}");
    second.send_to(first.local_addr(), "hello again").expect("it leaves");
    let heard: Vec<_> = incoming.iter().take(2).map(|message| message.payload().clone()).collect();
    assert_eq!(heard, ["hello", "hello again"]);

    let guard = first.lock("key").timeout(PATIENCE).wait().expect("it is free");
    let lost = guard.lost();
    assert!(matches!(second.try_lock("key").wait(), Err(LockError::Held { .. })));
    first.unlock("key").wait().expect("it is held");
    assert_eq!(lost.wait_timeout(PATIENCE), Ok(LockLost::Released));
    assert_eq!(guard.release().wait(), Err(LockLost::Released));

    second.shutdown().wait();
    assert!(second.has_ended());
    assert_eq!(left.recv_timeout(PATIENCE), Ok((peer, LeaveReason::SaidGoodbye)));
    first.shutdown().wait();
    assert!(incoming.iter().next().is_none());
    let rest: Vec<_> = events.iter().collect();
    assert!(rest.contains(&Event::Left { peer, why: LeaveReason::SaidGoodbye }), "{rest:?}");
}

#[test]
fn many_threads_use_one_node_at_once() {
    let nodes = cluster(2, 2);
    echo(&nodes[1]);
    let (node, peer) = (&nodes[0], nodes[1].local_addr());
    let inside = AtomicU32::new(0);
    thread::scope(|scope| {
        for thread in 0..8_u32 {
            let inside = &inside;
            scope.spawn(move || {
                for number in 0..20 {
                    let question = (thread * 1_000 + number).to_be_bytes();
                    let reply = node.request(peer, question).timeout(PATIENCE).wait();
                    assert_eq!(reply.expect("it is served")[..], question);
                }
                let guard = node.lock("key").timeout(PATIENCE).wait().expect("it comes free");
                assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0, "one at a time");
                thread::yield_now();
                inside.fetch_sub(1, Ordering::Relaxed);
                guard.release().wait().expect("it was held");
            });
        }
    });
    let usage = node.usage();
    assert_eq!((usage.requests, usage.locks), (0, 0), "{usage:?}");
}

#[test]
fn a_node_can_live_in_a_static() {
    static NODE: LazyLock<Node> =
        LazyLock::new(|| builder(3, 1).start().wait().expect("the address is free"));

    let other = builder(3, 2).start().wait().expect("the address is free");
    let threads = [(); 4].map(|()| {
        thread::spawn(|| {
            NODE.wait_for_quorum().timeout(PATIENCE).wait().map(|()| NODE.peer_count())
        })
    });
    for thread in threads {
        assert_eq!(thread.join().expect("it does not panic"), Ok(1));
    }
    NODE.shutdown().wait();
    until("the other one knows", || other.peer_count() == 0);
}

#[test]
fn dropping_the_last_handle_leaves_the_cluster() {
    let mut nodes = cluster(4, 2);
    let mut events = nodes[0].events();
    let second = nodes.remove(1);
    let (peer, why) = (second.local_addr(), LeaveReason::SaidGoodbye);
    let other_handle = second.clone();
    drop(second);
    other_handle.send_to(nodes[0].local_addr(), "still here").expect("one handle is left");
    drop(other_handle);
    assert!(matches!(next_change(&mut events), Event::Joined { .. }));
    assert_eq!(next_change(&mut events), Event::Left { peer, why });
}

#[test]
fn what_ends_at_a_deadline_leaves_nothing_behind() {
    let nodes = cluster(5, 2);
    let (node, peer) = (&nodes[0], nodes[1].local_addr());
    let mut incoming = node.incoming().expect("nobody else reads");
    let held = nodes[1].lock("key").timeout(PATIENCE).wait().expect("it is free");

    assert_eq!(node.request(peer, "?").timeout(SHORT).wait(), Err(RequestError::Timeout));
    assert_eq!(node.request(peer, "?").wait_timeout(SHORT), Err(TimedOut));
    let asked = node.request_all("?").timeout(SHORT).wait().expect("the quorum is here");
    assert_eq!((asked.replies.len(), asked.missing.len()), (0, 1));
    assert!(matches!(node.lock("key").timeout(SHORT).wait(), Err(LockError::Timeout)));
    assert!(matches!(node.lock("key").wait_timeout(SHORT), Err(TimedOut)));
    assert!(matches!(incoming.recv().wait_timeout(SHORT), Err(TimedOut)));

    let usage = node.usage();
    let rows = [usage.requests, usage.locks, usage.protocol.requests, usage.protocol.lock_callers];
    assert_eq!(rows, [0; 4], "{usage:?}");
    held.release().wait().expect("nobody has taken it away");
    drop(node.lock("key").timeout(PATIENCE).wait().expect("it is free again"));

    let alone = builder(10, 1).cluster_size(5).start().wait().expect("the address is free");
    let refused = alone.broadcast("?").timeout(SHORT).wait();
    assert!(matches!(refused, Err(BroadcastError::NoQuorum { need: 3, .. })), "{refused:?}");
}

#[test]
fn what_waits_ends_when_another_thread_shuts_the_node_down() {
    let nodes = cluster(6, 2);
    let (node, peer) = (&nodes[0], nodes[1].local_addr());
    let held = nodes[1].lock("key").timeout(PATIENCE).wait().expect("it is free");
    let (mut incoming, mut events) = (node.incoming().expect("nobody reads"), node.events());
    thread::scope(|scope| {
        let request = scope.spawn(|| node.request(peer, "never answered").wait());
        let lock = scope.spawn(|| node.lock("key").wait());
        let messages = scope.spawn(|| incoming.iter().count());
        let events = scope.spawn(|| events.iter().count());
        until("both are in the tables", || (node.usage().requests, node.usage().locks) == (1, 1));
        node.shutdown().wait();
        assert!(matches!(request.join(), Ok(Err(RequestError::Closed(_)))));
        assert!(matches!(lock.join(), Ok(Err(LockError::Closed(_)))));
        assert_eq!(messages.join().expect("it does not panic"), 0);
        events.join().expect("it does not panic");
    });
    drop(held);
}

#[test]
fn a_full_queue_that_blocks_lets_go_when_it_is_read() {
    let settings = |number| builder(7, number).queue_size(4).queue_full(QueueFull::Block);
    let [slow, noisy] = [1, 2].map(|number| settings(number).start().wait().expect("free"));
    noisy.wait_for_quorum().timeout(PATIENCE).wait().expect("both are here");
    let mut incoming = slow.incoming().expect("nobody else reads");
    for number in 0..100_u32 {
        while noisy.send_to(slow.local_addr(), number.to_be_bytes()).is_err() {
            thread::yield_now(); // the system's own buffer is full
        }
    }
    for number in 0..100_u32 {
        let message = incoming.recv().wait_timeout(PATIENCE).expect("in time").expect("it runs");
        assert_eq!(message.payload()[..], number.to_be_bytes());
    }
}

#[test]
fn a_port_in_use_is_an_error_that_names_the_address() {
    let first = builder(8, 1).start().wait().expect("the address is free");
    let error = builder(8, 1).start().wait().expect_err("it is taken");
    assert!(matches!(error, StartError::Bind { addr, .. } if addr == first.local_addr()));
    first.shutdown().wait();
    builder(8, 1).start().wait().expect("it is free again");
}

#[test]
fn messages_that_nobody_reads_wait_for_whoever_does() {
    let nodes = cluster(9, 2);
    nodes[1].send_to(nodes[0].local_addr(), "early").expect("it leaves");
    until("it has arrived", || nodes[0].usage().queued_messages == 1);
    let mut incoming = nodes[0].incoming().expect("nobody else reads");
    let message = incoming.recv().wait_timeout(SHORT).expect("it is here").expect("it runs");
    assert!(matches!(message, Message::Data { payload, .. } if payload == "early"));
}
