//! Control datagrams survive a full send buffer.
//!
//! Loopback takes a datagram over at once, so its send buffer is never full. On a link, datagrams
//! to an address that nobody answers for stay in the buffer until the kernel gives that up, some
//! seconds later: enough of them fill it. The test makes a network namespace with a link, and runs
//! itself once more inside. Where that is not permitted, it says so and is skipped.
#![cfg(target_os = "linux")]

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use alan_driver::SendError;
use alan_sync::Wait;
use alan_workspace::namespace::{self, Namespaces, Part};

const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at what is waited for.
const TICK: Duration = Duration::from_millis(1);
const NEAR: &str = "10.78.0.1";
const FAR: &str = "10.78.0.2";
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 99);

#[test]
fn a_control_datagram_that_meets_a_full_send_buffer_leaves_when_there_is_room() {
    let test = "a_control_datagram_that_meets_a_full_send_buffer_leaves_when_there_is_room";
    match namespace::part().as_deref() {
        Some("fill") => return fill(),
        Some(part) => panic!("there is no part {part}"),
        None => {}
    }
    let Some(namespaces) = Namespaces::new(test, NEAR, FAR, 24) else { return };
    let status = Part::start(&namespaces.names[0], test, "fill").wait();
    assert!(status.success(), "{status}");
}

fn fill() {
    let node = alan_sync::Node::builder()
        .peers([FAR])
        .bind(NEAR.parse::<Ipv4Addr>().expect("an address"))
        .kernel_buffer(65_536)
        .refresh_interval(Duration::from_millis(200))
        .start()
        .wait()
        .expect("the namespace has this address");
    node.ready().wait().expect("the node runs");

    // Until a JOIN, which is due several times a second, has found no room.
    let nobody = SocketAddr::from((NOBODY, 5000));
    let mut lost = 0;
    until(|| {
        if let Err(error) = node.send_to(nobody, [0; 1_400]) {
            assert!(matches!(error, SendError::NotSent(_)), "{error}");
            lost += 1;
        }
        node.usage().unsent_datagrams > 0
    });
    until(|| node.usage().unsent_datagrams == 0);
    assert_eq!(node.stats().send_failures, lost, "none but those of this test");
}

fn until(mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "it does not come to that");
        thread::park_timeout(TICK);
    }
}
