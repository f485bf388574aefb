//! What else runs under the same runtime gets its turns.

use std::future::poll_fn;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use alan_tokio::Node;

const MESSAGES: usize = 100;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first byte of a plain message without anything in it.
const DATA: u8 = 0x10;

#[tokio::test(flavor = "current_thread")]
async fn a_queue_full_of_messages_is_not_handled_in_one_go() {
    let probe = UdpSocket::bind("127.0.0.1:0").expect("the system has ports");
    let port = probe.local_addr().expect("it is bound").port();
    drop(probe);
    let node = Node::builder().peers::<&str>([]).bind([127, 0, 0, 1]).port(port).start().await;
    let node = node.expect("the port is free");
    let handled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&handled);
    node.serve(move |_message| {
        count.fetch_add(1, Ordering::Relaxed);
        std::future::ready(())
    })
    .expect("nobody else reads");

    // They all wait in the socket before the loop gets to run.
    let peer = UdpSocket::bind("127.0.0.1:0").expect("the system has ports");
    for _ in 0..MESSAGES {
        peer.send_to(&[DATA], node.local_addr()).expect("loopback takes it");
    }
    let all_are_handled = async move {
        let (mut seen, mut longest) = (0, 0);
        while seen < MESSAGES {
            back_of_the_queue().await;
            let now = handled.load(Ordering::Relaxed);
            longest = longest.max(now - seen);
            seen = now;
        }
        longest
    };
    let longest = tokio::time::timeout(PATIENCE, tokio::spawn(all_are_handled)).await;
    let longest = longest.expect("no message was lost").expect("it does not panic");
    assert!(longest < MESSAGES / 2, "{longest} messages in a row, with nobody else in between");
    node.shutdown().await;
}

/// Goes on when every task that could run has had a turn. tokio's own `yield_now` takes longer: it
/// looks for events of the system first.
async fn back_of_the_queue() {
    let mut waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
