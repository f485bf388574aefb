//! The socket on loopback: what goes in comes out, whole, in order, and from whom.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

use alan_driver::socket::{BatchSent, ReceiveBuffers, SendFailureKind, Socket};

const PATIENCE: Duration = Duration::from_secs(30);

fn bind(address: &str) -> Socket {
    Socket::bind(address.parse().expect("an address")).expect("loopback can be bound")
}

/// Receives until `count` datagrams have come.
fn receive(socket: &Socket, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
    let deadline = Instant::now() + PATIENCE;
    let mut buffers = ReceiveBuffers::new();
    let mut received = Vec::new();
    while received.len() < count {
        match socket.receive(&mut buffers) {
            Ok(_) => {
                received.extend(buffers.datagrams().map(|(from, bytes)| (from, bytes.to_vec())));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                assert!(Instant::now() < deadline, "{} of {count} came", received.len());
                thread::yield_now();
            }
            Err(error) => panic!("{error}"),
        }
    }
    received
}

fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|index| u8::try_from((index * 7 + seed) % 251).expect("below 251")).collect()
}

#[test]
fn datagrams_of_any_length_arrive_whole_with_their_sender() {
    let sender = bind("127.0.20.1:0");
    let receiver = bind("127.0.20.2:0");
    for len in [0, 1, 1_200, 1_472, 1_473, 4_096, 9_000, 65_507] {
        let datagram = pattern(len, len);
        sender.send(receiver.local_addr(), &datagram).expect("loopback takes it");
        assert_eq!(receive(&receiver, 1), [(sender.local_addr(), datagram)], "{len} bytes");
    }
}

#[test]
fn ipv6_carries_datagrams_of_any_length_too() {
    let sender = bind("[::1]:0");
    let receiver = bind("[::1]:0");
    for len in [1, 4_096, 65_507] {
        let datagram = pattern(len, len);
        sender.send(receiver.local_addr(), &datagram).expect("loopback takes it");
        assert_eq!(receive(&receiver, 1), [(sender.local_addr(), datagram)], "{len} bytes");
    }
}

#[test]
fn a_burst_arrives_as_the_datagrams_it_was_made_of() {
    for len in [1, 64, 1_200, 1_232, 1_233, 4_096] {
        let sender = bind("127.0.20.1:0");
        let receiver = bind("127.0.20.2:0");
        let mut expected: Vec<_> = (0..20).map(|seed| pattern(len, seed)).collect();
        if len > 1 {
            expected.push(pattern(len / 2, 99));
        }
        let burst = expected.concat();

        let length = NonZeroUsize::new(len).expect("not zero");
        let outcome = sender.send_batch(receiver.local_addr(), &burst, length);
        assert_eq!(outcome, BatchSent { sent: expected.len(), lost: 0, failure: None });
        let arrived: Vec<_> =
            receive(&receiver, expected.len()).into_iter().map(|(_, bytes)| bytes).collect();
        assert_eq!(arrived, expected, "{len} bytes");
    }
}

#[test]
fn a_dual_stack_socket_shows_and_reaches_ipv4_peers_by_their_ipv4_address() {
    let both = bind("[::]:0");
    let port = both.local_addr().port();
    let v4 = bind("127.0.20.3:0");
    let v6 = bind("[::1]:0");

    v4.send(SocketAddr::from(([127, 0, 0, 1], port)), b"from IPv4").expect("sent");
    let from = receive(&both, 1)[0].0;
    assert_eq!(from, v4.local_addr());
    both.send(from, b"to IPv4").expect("sent");
    assert_eq!(receive(&v4, 1)[0].1, b"to IPv4");

    v6.send(format!("[::1]:{port}").parse().expect("an address"), b"from IPv6").expect("sent");
    let from = receive(&both, 1)[0].0;
    assert_eq!(from, v6.local_addr());
    both.send(from, b"to IPv6").expect("sent");
    assert_eq!(receive(&v6, 1)[0].1, b"to IPv6");

    assert!(both.carries(v4.local_addr()) && both.carries(v6.local_addr()));
    assert!(v4.carries(v4.local_addr()) && !v4.carries(v6.local_addr()));
    assert!(!v6.carries(v4.local_addr()) && v6.carries(v6.local_addr()));
}

#[test]
fn a_failed_send_costs_one_datagram_and_tells_why() {
    let sender = bind("127.0.20.4:0");
    let receiver = bind("127.0.20.5:0");
    let to = receiver.local_addr();

    let too_long = sender.send(to, &vec![0; 65_508]).expect_err("above UDP's limit");
    assert_eq!(too_long.kind, SendFailureKind::TooLong);
    let wrong_family = sender.send("[::1]:9".parse().expect("an address"), b"x");
    assert_eq!(wrong_family.expect_err("IPv6 from IPv4").kind, SendFailureKind::Unreachable);

    sender.send(to, b"still works").expect("sent");
    assert_eq!(receive(&receiver, 1), [(sender.local_addr(), b"still works".to_vec())]);
}

#[test]
fn a_burst_counts_what_it_lost() {
    let sender = bind("127.0.20.4:0");
    let length = NonZeroUsize::new(100).expect("not zero");
    let outcome = sender.send_batch("[::1]:9".parse().expect("an address"), &[0; 250], length);
    assert_eq!((outcome.sent, outcome.lost), (0, 3));
    assert_eq!(outcome.failure.map(|failure| failure.kind), Some(SendFailureKind::Unreachable));
}

#[test]
fn nobody_listening_is_not_the_end_of_the_socket() {
    let sender = bind("127.0.20.6:0");
    let gone = bind("127.0.20.7:0").local_addr();
    for _ in 0..3 {
        // Whether the refusal is reported, and when, is the system's choice; it may only cost
        // the datagram.
        let _ = sender.send(gone, b"anybody?");
    }
    let peer = bind("127.0.20.7:0");
    peer.send(sender.local_addr(), b"here").expect("sent");
    assert_eq!(receive(&sender, 1), [(peer.local_addr(), b"here".to_vec())]);
}

#[test]
fn an_idle_socket_would_block() {
    let socket = bind("127.0.20.8:0");
    let error = socket.receive(&mut ReceiveBuffers::new()).expect_err("nothing has come");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_port_in_use_cannot_be_bound_and_the_error_names_it() {
    let first = bind("127.0.20.9:0");
    let address = first.local_addr();
    let error = Socket::bind(address).expect_err("it is taken");
    assert_eq!(error.addr, address);
    assert_eq!(error.source.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().starts_with(&format!("cannot bind {address}: ")), "{error}");
}

#[test]
fn the_kernel_buffers_are_not_smaller_than_a_plain_sockets() {
    let socket = bind("127.0.20.10:0");
    let plain = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)
        .expect("a plain socket");
    let receive = socket.receive_buffer_size().expect("it can be read");
    assert!(receive >= plain.recv_buffer_size().expect("it can be read"));
    let send = socket.send_buffer_size().expect("it can be read");
    assert!(send >= plain.send_buffer_size().expect("it can be read"));
}
