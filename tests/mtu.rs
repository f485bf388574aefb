//! Datagrams longer than the link's MTU arrive: they leave as IP fragments.
//!
//! Loopback's MTU is 65,536, so nothing about this shows there. The test makes two network
//! namespaces with a link of 1,500 bytes between them, and runs itself once more inside each.
//! Where that is not permitted, it says so and is skipped.
#![cfg(target_os = "linux")]

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use alan_driver::socket::{ReceiveBuffers, Socket};
use alan_tokio::Message;
use alan_workspace::namespace::{self, Namespaces, Part};
use rustix::net::sockopt::{
    Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
};

const PATIENCE: Duration = Duration::from_secs(30);
const PORT: u16 = 5000;
const PAYLOAD: usize = 4_096;
const V4: [&str; 2] = ["10.77.0.1", "10.77.0.2"];
const V6: [&str; 2] = ["fd77::1", "fd77::2"];

#[test]
fn payloads_of_4096_bytes_cross_a_link_of_1500_in_both_directions_over_ipv4() {
    cross("payloads_of_4096_bytes_cross_a_link_of_1500_in_both_directions_over_ipv4", V4, 24);
}

#[test]
fn payloads_of_4096_bytes_cross_a_link_of_1500_in_both_directions_over_ipv6() {
    cross("payloads_of_4096_bytes_cross_a_link_of_1500_in_both_directions_over_ipv6", V6, 64);
}

#[test]
fn sealed_requests_and_broadcasts_of_4096_bytes_cross_a_link_of_1500_between_nodes() {
    let test = "sealed_requests_and_broadcasts_of_4096_bytes_cross_a_link_of_1500_between_nodes";
    let [near, far] = V4;
    match namespace::part().as_deref() {
        Some("echo") => return run(answering_node(far, near)),
        Some("send") => return run(asking_node(near, far)),
        Some(part) => panic!("there is no part {part}"),
        None => {}
    }
    direct(test, V4, 24);
}

/// Plays the part that the environment names, or else directs the two that play them.
fn cross(test: &str, [near, far]: [&str; 2], prefix: u8) {
    let address = |ip: &str| SocketAddr::new(ip.parse().expect("an address"), PORT);
    match namespace::part().as_deref() {
        Some("echo") => return echo(address(far)),
        Some("send") => return send(address(near), address(far)),
        Some(part) => panic!("there is no part {part}"),
        None => {}
    }
    direct(test, [near, far], prefix);
}

/// Has one part echo and the other send, and holds the sender to its success.
fn direct(test: &str, [near, far]: [&str; 2], prefix: u8) {
    let Some(namespaces) = Namespaces::new(test, near, far, prefix) else { return };
    let mut echo = Part::start(&namespaces.names[1], test, "echo");
    echo.wait_until_ready();
    let status = Part::start(&namespaces.names[0], test, "send").wait();
    assert!(status.success(), "the datagram did not come back: {status}");
}

fn run(part: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(async {
        tokio::time::timeout(2 * PATIENCE, part).await.expect("it ends in time");
    });
}

async fn node(local: &str, peer: &str) -> alan_tokio::Node {
    let local: IpAddr = local.parse().expect("an address");
    let key = alan_tokio::Key::from_bytes(&[7; 32]).expect("32 bytes");
    let node = alan_tokio::Node::builder().peers([peer]).bind(local).key(key).buffer_size(8_192);
    node.start().await.expect("the namespace has this address")
}

/// Answers each request with its own bytes, and each message with a message, until it is killed.
async fn answering_node(local: &str, peer: &str) {
    let node = node(local, peer).await;
    let mut incoming = node.incoming().expect("nobody else reads");
    println!("\nready");
    while let Some(message) = incoming.recv().await {
        match message {
            Message::Request(request) => {
                let payload = request.payload().clone();
                request.reply(payload).expect("the link takes it");
            }
            Message::Data { from, payload } => {
                node.send_to(from, payload).expect("the link takes it");
            }
            other => panic!("{other:?}"),
        }
    }
}

async fn asking_node(local: &str, peer: &str) {
    let payload = payload();
    let node = node(local, peer).await;
    let mut events = node.events();
    while node.peer_count() == 0 && events.recv().await.is_some() {}
    let peer = node.peers()[0].addr;
    let reply = node.request(peer, &payload).timeout(PATIENCE).await.expect("it is answered");
    assert!(reply == payload, "the reply is another");
    let mut incoming = node.incoming().expect("nobody else reads");
    node.broadcast(&payload).await.expect("the link takes it");
    let message = incoming.recv().await.expect("the node runs");
    assert!(*message.payload() == payload, "the message is another");
}

fn payload() -> Vec<u8> {
    (0..PAYLOAD).map(|n| (n % 251).try_into().expect("small")).collect()
}

/// Sends back whatever comes, until it is killed.
fn echo(local: SocketAddr) {
    let socket = Socket::bind(local).expect("the namespace has this address");
    println!("\nready");
    let mut buffers = ReceiveBuffers::new();
    let deadline = Instant::now() + 2 * PATIENCE;
    while Instant::now() < deadline {
        receive(&socket, &mut buffers);
        for (from, datagram) in buffers.datagrams() {
            if let Err(failure) = socket.send(from, datagram) {
                eprintln!("echo: {failure}");
            }
        }
    }
}

/// Sends until the same comes back.
fn send(local: SocketAddr, to: SocketAddr) {
    assert_unfragmented_does_not_fit(local.ip(), to);
    let payload = payload();
    let socket = Socket::bind(local).expect("the namespace has this address");
    let mut buffers = ReceiveBuffers::new();
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        socket.send(to, &payload).expect("the link takes it");
        let again = Instant::now() + Duration::from_millis(200);
        while Instant::now() < again {
            receive(&socket, &mut buffers);
            if buffers.datagrams().any(|(from, datagram)| from == to && *datagram == payload) {
                return;
            }
        }
    }
    panic!("nothing came back from {to}");
}

/// Receives if something is there.
fn receive(socket: &Socket, buffers: &mut ReceiveBuffers) {
    match socket.receive(buffers) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
        Err(error) => panic!("{error}"),
    }
}

/// Proves that the link is as narrow as it should be, and this test worth something.
fn assert_unfragmented_does_not_fit(ip: IpAddr, to: SocketAddr) {
    let socket = UdpSocket::bind((ip, 0)).expect("the namespace has this address");
    match ip {
        IpAddr::V4(_) => set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::DO),
        IpAddr::V6(_) => set_ipv6_mtu_discover(&socket, Ipv6PathMtuDiscovery::DO),
    }
    .expect("the option can be set");
    let error = socket.send_to(&[0; PAYLOAD], to).expect_err("it needs fragments");
    assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::MSGSIZE.raw_os_error()));
}
