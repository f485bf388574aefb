//! The whole API on real sockets: on smol's global executor, on one of the program's own, on
//! async-std's.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alan_smol::config::QueueFull;
use alan_smol::{
    Builder, Event, Events, LeaveReason, LockError, Message, Node, RequestError, Smol,
};
use smol::channel::{Sender, unbounded};
use smol::future::{or, poll_fn, yield_now};
use smol::{Executor, Timer};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node on the loopback address `127.91.<cluster>.<number>`, with the first two as its peers.
fn builder(cluster: u8, number: u8) -> Builder {
    let address = |number| IpAddr::from([127, 91, cluster, number]);
    Node::builder().peers([address(1), address(2)]).bind(address(number)).cluster_size(2)
}

/// Everything that a node does, between two of them that `start` starts.
async fn walk(cluster: u8, start: impl AsyncFn(Builder) -> Node) {
    let first = start(builder(cluster, 1)).await;
    let mut events = first.events();
    let (sender, callbacks) = unbounded();
    first.on_peer_join(move |peer, _| sender.try_send(peer).expect("the test listens"));
    first.ready().await.expect("it runs");
    let second = start(builder(cluster, 2)).await;
    for node in [&first, &second] {
        node.wait_for_quorum().timeout(PATIENCE).await.expect("both are here");
    }
    let peer = second.local_addr();
    assert!(matches!(next_of_peers(&mut events).await, Event::Joined { .. }));
    assert_eq!(callbacks.recv().await, Ok(peer));

    let (sender, heard) = unbounded();
    second.serve(answer(sender)).expect("nobody reads yet");
    exchange(&first, &second).await;
    assert_eq!(heard.recv().await.as_deref(), Ok(&b"hello"[..]));
    share_a_lock(&first, &second).await;

    // A node whose last handle is dropped leaves; one that shuts down has left.
    drop(second);
    let why = LeaveReason::SaidGoodbye;
    assert_eq!(next_of_peers(&mut events).await, Event::Left { peer, why });
    let again = start(builder(cluster, 3)).await;
    assert!(matches!(next_of_peers(&mut events).await, Event::Joined { .. }));
    again.shutdown().await;
    let peer = again.local_addr();
    assert_eq!(next_of_peers(&mut events).await, Event::Left { peer, why });

    let silent = first.request(peer, "anybody?").into_future();
    first.shutdown().await;
    assert!(matches!(silent.await, Err(RequestError::Closed(_))));
    assert!(first.has_ended());
    std::net::UdpSocket::bind(first.local_addr()).expect("its port is free");
}

/// The next event that is about a peer.
async fn next_of_peers(events: &mut Events) -> Event {
    loop {
        let event = events.recv().await.expect("the node runs");
        if matches!(event, Event::Joined { .. } | Event::Left { .. }) {
            return event;
        }
    }
}

/// A handler that answers in capitals, and passes on what needs no answer.
fn answer(heard: Sender<Vec<u8>>) -> impl Fn(Message) -> std::future::Ready<()> + Send + Sync {
    move |message| {
        match message {
            Message::Request(request) => {
                let reply = request.payload().to_ascii_uppercase();
                request.reply(reply).expect("it leaves");
            }
            Message::Data { payload, .. } => drop(heard.try_send(payload.to_vec())),
            other => panic!("unexpected: {other:?}"),
        }
        std::future::ready(())
    }
}

/// Messages and requests from the first to the second, and one back.
async fn exchange(first: &Node, second: &Node) {
    let peer = second.local_addr();
    let sent = first.broadcast("hello").timeout(PATIENCE).await.expect("the quorum is here");
    assert_eq!(sent.len(), 1);
    let reply = first.request(peer, "ping").timeout(PATIENCE).await.expect("it answers");
    assert_eq!(&reply[..], b"PING");
    let all = first.request_all("all").timeout(PATIENCE).await.expect("the quorum is here");
    assert_eq!(&all.replies[0].payload[..], b"ALL");
    assert!(all.missing.is_empty());

    let mut incoming = first.incoming().expect("nobody reads yet");
    second.send_to(first.local_addr(), "back").expect("it leaves");
    let message = incoming.recv().await.expect("the node runs");
    let Message::Data { from, payload } = message else { panic!("unexpected: {message:?}") };
    assert_eq!((from, &payload[..]), (peer, &b"back"[..]));

    let unheard = second.request(first.local_addr(), "unread").timeout(Duration::from_millis(1));
    assert_eq!(unheard.await, Err(RequestError::Timeout));
}

/// A lock that one holds, the other waits for, and gets.
async fn share_a_lock(first: &Node, second: &Node) {
    let guard = first.lock("key").timeout(PATIENCE).await.expect("it is free");
    let tried = second.try_lock("key").timeout(PATIENCE).await;
    assert!(matches!(tried, Err(LockError::Held { .. })), "{tried:?}");
    let waits = async { second.lock("key").timeout(PATIENCE).await.expect("it becomes free") };
    let releases = async { guard.release().await.expect("it is held") };
    let (guard, ()) = smol::future::zip(waits, releases).await;
    drop(guard);
    drop(first.lock("key").timeout(PATIENCE).await.expect("dropping the guard freed it"));
}

/// An executor with a thread that runs it until the sender is dropped.
fn executor_with_a_thread() -> (Arc<Executor<'static>>, Sender<()>) {
    let executor = Arc::new(Executor::new());
    let (stop, stopped) = smol::channel::bounded(1);
    let running = Arc::clone(&executor);
    std::thread::spawn(move || {
        let _stopped = smol::block_on(running.run(stopped.recv()));
    });
    (executor, stop)
}

#[test]
fn everything_works_on_smols_global_executor() {
    smol::block_on(walk(1, async |builder| builder.start().await.expect("it starts")));
}

#[test]
fn everything_works_on_an_executor_of_ones_own() {
    let (executor, _stop) = executor_with_a_thread();
    let here = Smol::on(&executor);
    smol::block_on(walk(2, async |builder| builder.start_on(here.clone()).expect("it starts")));
    assert_eq!(Arc::strong_count(&executor), 2, "nodes don't hold on to it");
}

#[test]
fn everything_works_on_async_std() {
    let here = Smol::spawning(|task| drop(async_std::task::spawn(task)));
    let walk = walk(3, async move |builder| builder.start_on(here.clone()).expect("it starts"));
    async_std::task::block_on(walk);
}

#[test]
fn an_async_std_program_can_leave_nodes_to_smols_global_executor() {
    let walk = walk(4, async |builder| builder.start().await.expect("it starts"));
    async_std::task::block_on(walk);
}

#[test]
fn a_node_goes_with_its_executor_and_leaves_nothing_waiting() {
    let executor = Arc::new(Executor::new());
    let node = builder(5, 1).start_on(Smol::on(&executor)).expect("it starts");
    node.serve(|_message| async {}).expect("nobody reads yet");
    let mut waiting = node.wait_for_quorum().into_future();
    smol::block_on(executor.run(async {
        node.ready().await.expect("it runs");
        poll_fn(|context| {
            let polled = std::pin::Pin::new(&mut waiting).poll(context);
            assert!(polled.is_pending(), "nobody else is here");
            std::task::Poll::Ready(())
        })
        .await;
    }));
    drop(executor);
    assert!(node.has_ended());
    smol::block_on(waiting).expect_err("the node has ended");
    smol::block_on(node.shutdown());

    let late = builder(5, 2).start_on(Smol::on(&Arc::new(Executor::new()))).expect("it starts");
    assert!(late.has_ended(), "nor does one start on an executor that is gone");
}

#[test]
fn a_panic_in_a_handler_leaves_executor_and_node_running() {
    let (executor, _stop) = executor_with_a_thread();
    let start = |number| builder(6, number).start_on(Smol::on(&executor)).expect("it starts");
    let (asks, answers) = (start(1), start(2));
    let (sender, _heard) = unbounded();
    let answer = answer(sender);
    let served = move |message: Message| {
        let asked = matches!(&message, Message::Request(request) if request.payload() != "panic");
        assert!(asked, "as the test wants it");
        answer(message)
    };
    answers.serve(served).expect("nobody reads yet");
    let reply = smol::block_on(async {
        asks.wait_for_quorum().timeout(PATIENCE).await.expect("both are here");
        let peer = answers.local_addr();
        asks.send_to(peer, "panic").expect("it leaves");
        asks.request(peer, "still there?").timeout(PATIENCE).await
    });
    assert_eq!(&reply.expect("it is")[..], b"STILL THERE?");
}

#[test]
fn a_queue_that_was_full_is_received_into_again_once_it_is_read() {
    smol::block_on(async {
        let slow = builder(7, 1).queue_size(1).queue_full(QueueFull::Block);
        let slow = slow.start().await.expect("it starts");
        let quick = builder(7, 2).start().await.expect("it starts");
        quick.wait_for_quorum().timeout(PATIENCE).await.expect("both are here");
        let mut incoming = slow.incoming().expect("nobody reads yet");
        for number in 0..50_u8 {
            quick.send_to(slow.local_addr(), [number]).expect("it leaves");
        }
        while slow.usage().queued_messages == 0 {
            yield_now().await;
        }
        for number in 0..50_u8 {
            let message = incoming.recv().await.expect("the node runs");
            let Message::Data { payload, .. } = message else { panic!("unexpected: {message:?}") };
            assert_eq!(payload[..], [number]);
        }
    });
}

#[test]
fn a_deadline_is_kept_that_is_set_while_the_loop_sleeps_until_a_later_one() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let start = async |number| {
        let builder = builder(9, number).heartbeat_interval(HOUR).heartbeat_timeout(3 * HOUR);
        builder.start().await.expect("it starts")
    };
    smol::block_on(async {
        let (node, other) = (start(1).await, start(2).await);
        node.wait_for_quorum().timeout(PATIENCE).await.expect("both are here");
        let _unread = other.incoming().expect("nobody reads yet");
        for _ in 0..3 {
            let request = node.request(other.local_addr(), "?").timeout(Duration::from_millis(5));
            let late = async {
                Timer::after(PATIENCE).await;
                panic!("the loop sleeps on");
            };
            assert_eq!(or(request.into_future(), late).await, Err(RequestError::Timeout));
        }
    });
}

#[test]
fn the_loop_turns_when_something_happens_and_not_otherwise() {
    const ROUND_TRIPS: usize = 200;
    let polls = Arc::new(AtomicUsize::new(0));
    let total = Arc::clone(&polls);
    let here = Smol::spawning(move |mut task| {
        let total = Arc::clone(&total);
        let counting = poll_fn(move |context| {
            total.fetch_add(1, Ordering::Relaxed);
            task.as_mut().poll(context)
        });
        smol::spawn(counting).detach();
    });
    smol::block_on(async {
        let server = builder(8, 1).start_on(here).expect("it starts");
        let client = builder(8, 2).start().await.expect("it starts");
        client.wait_for_quorum().timeout(PATIENCE).await.expect("both are here");
        let mut incoming = server.incoming().expect("nobody reads yet");
        let before = polls.load(Ordering::Relaxed);
        for _ in 0..ROUND_TRIPS {
            let asks = client.request(server.local_addr(), "?").timeout(PATIENCE).into_future();
            let answers = async {
                let message = incoming.recv().await.expect("the node runs");
                let Message::Request(request) = message else { panic!("it asks") };
                request.reply("!").expect("it leaves");
            };
            let (reply, ()) = smol::future::zip(asks, answers).await;
            assert_eq!(&reply.expect("it answers")[..], b"!");
        }
        let polls = polls.load(Ordering::Relaxed) - before;
        // One per datagram, and a few for heartbeats.
        assert!(polls < ROUND_TRIPS + ROUND_TRIPS / 2, "{polls} for {ROUND_TRIPS} round trips");
        assert!(polls > ROUND_TRIPS / 2, "{polls} polls: they are not the loop's");
    });
}
