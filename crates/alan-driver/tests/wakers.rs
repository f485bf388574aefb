//! Wakers are the user's code: none is dropped while the node holds one of its mutexes.

mod by_hand;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use alan_driver::Node;
use alan_driver::config::QueueFull;
use alan_proto::wire::Message;

use by_hand::{Bench, ByHand, PATIENCE, now};

/// Looks at the node when it is dropped, as the last reference to a task may well do that owns a
/// handle: under one of the node's mutexes it would wait for itself.
struct Curious(Node<ByHand>);

impl Wake for Curious {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Curious {
    fn drop(&mut self) {
        let _ = (self.0.usage(), self.0.stats(), now(self.0.ready()));
    }
}

fn curious(node: &Node<ByHand>) -> Waker {
    Waker::from(Arc::new(Curious(node.clone())))
}

/// Polls twice, each time with another waker, so that the second displaces the first.
fn poll_twice<T>(node: &Node<ByHand>, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) {
    for _ in 0..2 {
        let is_pending = poll(&mut Context::from_waker(&curious(node))).is_pending();
        assert!(is_pending, "this is to wait");
    }
}

/// Polls a future twice and gives it up.
fn cancel<F: IntoFuture>(node: &Node<ByHand>, future: F) {
    let mut future = pin!(future.into_future());
    poll_twice(node, |context| future.as_mut().poll(context));
}

/// Returns if that does not wait for itself.
fn ends(test: impl FnOnce(Bench, SocketAddr) + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let thread = thread::spawn(move || {
        // A source that has no answer yet, so that the node is not ready.
        let (_answer, question) = mpsc::channel::<Vec<SocketAddr>>();
        let bench = Bench::with(|builder| {
            let builder = builder.discover(move || question.recv().map_err(io::Error::other));
            let builder = builder.cluster_size(3).queue_size(1).queue_full(QueueFull::Block);
            builder.heartbeat_interval(PATIENCE).heartbeat_timeout(2 * PATIENCE)
        });
        let peer = bench.peer_addr();
        test(bench, peer);
        let _ = done.send(());
    });
    assert_ne!(is_done.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Timeout), "it hangs");
    thread.join().expect("it does not panic");
}

#[test]
fn operations_drop_their_wakers_outside() {
    ends(|Bench { node, .. }, peer| {
        cancel(&node, node.ready());
        cancel(&node, node.wait_for_quorum());
        cancel(&node, node.broadcast(b"news"));
        cancel(&node, node.request_all(b"?"));
        cancel(&node, node.request(peer, b"?"));
        cancel(&node, node.lock("key"));
    });
}

#[test]
fn readers_drop_their_wakers_outside() {
    ends(|Bench { node, .. }, _| {
        let (mut events, mut incoming) = (node.events(), node.incoming().expect("nobody reads"));
        cancel(&node, events.recv());
        cancel(&node, incoming.recv());
        drop((events, incoming));
    });
}

#[test]
fn the_loop_drops_its_wakers_outside() {
    ends(|mut bench, _| {
        let _incoming = bench.node.incoming().expect("nobody else reads");
        bench.send(&Message::Data(b"fills the queue"));
        let _ = bench.driver.receive();
        let (node, driver) = (&bench.node, &bench.driver);
        let _ = driver.poll_woken(&Context::from_waker(Waker::noop()));
        poll_twice(node, |context| driver.poll_woken(context));
        poll_twice(node, |context| driver.poll_room(context));
    });
}
