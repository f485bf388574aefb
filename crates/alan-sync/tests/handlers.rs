//! Handlers and callbacks on threads: what is stuck delays its own peer only, up to the bound.

mod stage;

use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use alan_sync::{LeaveReason, Message, Node, Threads, Wait};

use stage::{PATIENCE, builder, cluster, echo, next, until};

/// What a node's handler has begun and ended, and a gate in its way.
struct Watched {
    log: Receiver<(&'static str, SocketAddr)>,
    gate: SyncSender<()>,
}

/// Serves a node with a handler that stops at the gate for messages that say so.
fn serve_with_gate(node: &Node) -> Watched {
    let (gate, passes) = sync_channel(0);
    let (sender, log) = sync_channel(100);
    let passes = Mutex::new(passes);
    node.serve(move |message| {
        sender.send(("begins", message.from())).expect("the test listens");
        if message.payload() == "wait" {
            let passes = passes.lock().expect("only one waits at a time");
            passes.recv().expect("the test opens the gate");
        }
        sender.send(("ends", message.from())).expect("the test listens");
    })
    .expect("nobody else reads");
    Watched { log, gate }
}

#[test]
fn a_stuck_handler_delays_no_other_peer_and_no_control_traffic() {
    let nodes = cluster(20, 3);
    let [served, stuck, free] = [0, 1, 2].map(|index| nodes[index].local_addr());
    let watched = serve_with_gate(&nodes[0]);
    nodes[1].send_to(served, "wait").expect("it leaves");
    assert_eq!(next(&watched.log), ("begins", stuck));
    nodes[1].send_to(served, "behind").expect("it leaves");
    until("it is queued", || nodes[0].usage().queued_messages == 1);

    for _ in 0..10 {
        nodes[2].send_to(served, "not stuck").expect("it leaves");
        assert_eq!(next(&watched.log), ("begins", free));
        assert_eq!(next(&watched.log), ("ends", free));
    }
    let guard = nodes[1].lock("key").timeout(PATIENCE).wait().expect("the stuck node grants it");
    guard.release().wait().expect("it is held");

    watched.gate.send(()).expect("the handler waits for it");
    assert_eq!(next(&watched.log), ("ends", stuck));
    assert_eq!(next(&watched.log), ("begins", stuck));
    assert_eq!(next(&watched.log), ("ends", stuck));
}

#[test]
fn at_the_bound_a_peer_waits_in_its_queue_and_is_then_served() {
    let one = Threads::new().handlers(NonZero::<usize>::MIN);
    let served = builder(21, 1).start_on(one).expect("the address is free");
    let others = [2, 3].map(|number| builder(21, number).start().wait().expect("it is free"));
    for node in others.iter().chain([&served]) {
        until("the nodes know each other", || node.peer_count() == 2);
    }
    let (address, stuck, waiting) =
        (served.local_addr(), others[0].local_addr(), others[1].local_addr());
    let watched = serve_with_gate(&served);
    others[0].send_to(address, "wait").expect("it leaves");
    assert_eq!(next(&watched.log), ("begins", stuck));
    others[1].send_to(address, "waits for a thread").expect("it leaves");
    until("it is queued", || served.usage().queued_messages == 1);
    let guard = others[1].lock("key").timeout(PATIENCE).wait().expect("locks don't wait");
    guard.release().wait().expect("it is held");

    watched.gate.send(()).expect("the handler waits for it");
    assert_eq!(next(&watched.log), ("ends", stuck));
    assert_eq!(next(&watched.log), ("begins", waiting));
    assert_eq!(next(&watched.log), ("ends", waiting));
}

#[test]
fn a_handler_that_panics_costs_its_message_and_no_thread() {
    let one = Threads::new().handlers(NonZero::<usize>::MIN);
    let served = builder(22, 1).start_on(one).expect("the address is free");
    let other = builder(22, 2).start().wait().expect("the address is free");
    served
        .serve(|message| {
            assert_ne!(message.payload(), "panic", "this panic is a part of the test");
            if let Message::Request(request) = message {
                request.reply("well").expect("it fits");
            }
        })
        .expect("nobody else reads");
    for _ in 0..3 {
        other.send_to(served.local_addr(), "panic").expect("it leaves");
        let reply = other.request(served.local_addr(), "how are you?").timeout(PATIENCE).wait();
        assert_eq!(&reply.expect("it is served")[..], b"well");
    }
}

#[test]
fn a_handler_may_shut_its_own_node_down() {
    let nodes = cluster(23, 2);
    let mut events = nodes[1].events();
    // The handler must not keep its own node alive.
    let to_shut_down = Mutex::new(Some(nodes[0].clone()));
    let (sender, done) = sync_channel(1);
    nodes[0]
        .serve(move |_| {
            let node = to_shut_down.lock().expect("it is called once").take();
            node.expect("it is called once").shutdown().wait();
            sender.send(()).expect("the test listens");
        })
        .expect("nobody else reads");
    nodes[1].send_to(nodes[0].local_addr(), "stop").expect("it leaves");
    next(&done);
    assert!(nodes[0].has_ended());
    while nodes[1].peer_count() > 0 {
        stage::next_change(&mut events);
    }
}

#[test]
fn a_callback_may_shut_its_own_node_down() {
    let nodes = cluster(24, 2);
    let node = Mutex::new(Some(nodes[0].clone()));
    let (sender, done) = sync_channel(1);
    nodes[0].on_peer_leave(move |_, why| {
        assert_eq!(why, LeaveReason::SaidGoodbye);
        if let Some(node) = node.lock().expect("no other thread has it").take() {
            node.shutdown().wait();
            sender.send(()).expect("the test listens");
        }
    });
    nodes[1].shutdown().wait();
    next(&done);
    assert!(nodes[0].has_ended());
}

#[test]
fn a_handler_may_wait_for_other_nodes() {
    let nodes = cluster(25, 3);
    echo(&nodes[2]);
    let (middle, last) = (nodes[1].clone(), nodes[2].local_addr());
    nodes[1]
        .serve(move |message| {
            if let Message::Request(request) = message {
                let reply = middle.request(last, request.payload()).timeout(PATIENCE).wait();
                request.reply(reply.expect("it is served")).expect("it fits");
            }
        })
        .expect("nobody else reads");
    let reply = nodes[0].request(nodes[1].local_addr(), "passed on").timeout(PATIENCE).wait();
    assert_eq!(&reply.expect("it is served")[..], b"passed on");
    // The handler holds a handle of its own node, which would keep it in the cluster.
    nodes[1].shutdown().wait();
}

#[test]
fn what_was_queued_is_handled_although_the_node_is_shut_down() {
    let nodes = cluster(26, 2);
    let watched = serve_with_gate(&nodes[0]);
    let (served, peer) = (nodes[0].local_addr(), nodes[1].local_addr());
    nodes[1].send_to(served, "wait").expect("it leaves");
    assert_eq!(next(&watched.log), ("begins", peer));
    nodes[1].send_to(served, "behind").expect("it leaves");
    until("it is queued", || nodes[0].usage().queued_messages == 1);
    // It does not wait for the handler, which waits for the test.
    nodes[0].shutdown().wait();
    watched.gate.send(()).expect("the handler waits for it");
    for what in ["ends", "begins", "ends"] {
        assert_eq!(next(&watched.log), (what, peer));
    }
    assert!(watched.log.recv_timeout(PATIENCE).is_err(), "the handler is dropped");
}

#[test]
fn requests_of_many_peers_are_handled_at_the_same_time() {
    const PEERS: u8 = 6;
    let server = builder(27, 1).start().wait().expect("the address is free");
    // Nobody gets past it before all are there.
    let barrier = Arc::new(std::sync::Barrier::new(PEERS.into()));
    server
        .serve(move |message| {
            barrier.wait();
            if let Message::Request(request) = message {
                request.reply("all at once").expect("it fits");
            }
        })
        .expect("nobody else reads");
    let peers: Vec<_> = (11..11 + PEERS)
        .map(|number| builder(27, number).start().wait().expect("the address is free"))
        .collect();
    until("all are members", || server.peer_count() == peers.len());
    thread::scope(|scope| {
        for peer in &peers {
            scope.spawn(|| {
                let reply = peer.request(server.local_addr(), "?").timeout(PATIENCE).wait();
                assert_eq!(&reply.expect("it is served")[..], b"all at once");
            });
        }
    });
}
