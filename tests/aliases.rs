//! One node with several addresses is one member.
//!
//! A node of both families is tried on loopback. One with two interfaces needs two links: the test
//! makes network namespaces, and runs itself once more inside each. Where that is not permitted, it
//! says so and is skipped.

use std::future::Future;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use alan_tokio::{Message, Node};

const PATIENCE: Duration = Duration::from_secs(60);

/// Often enough that nobody waits for a heartbeat for long.
const HEARTBEAT: Duration = Duration::from_millis(100);

/// After so much silence a node is dead; at two thirds of it, it is looked for.
const SILENCE: Duration = Duration::from_secs(3);

/// Between two looks at what is waited for.
const TICK: Duration = Duration::from_millis(5);

fn run(part: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(async {
        tokio::time::timeout(PATIENCE, part).await.expect("it ends in time");
    });
}

async fn start(bind: impl Into<IpAddr>, port: u16, peers: &[SocketAddr]) -> Node {
    let node = Node::builder().peers(peers).bind(bind).port(port);
    let node = node.heartbeat_interval(HEARTBEAT).heartbeat_timeout(SILENCE);
    node.start().await.expect("the address is here and free")
}

/// Waits until the node has this many members, and one of them an alias.
async fn wait_for_alias(node: &Node, members: usize) {
    loop {
        let peers = node.peers();
        if peers.len() == members && peers.iter().any(|peer| !peer.aliases.is_empty()) {
            return;
        }
        tokio::time::sleep(TICK).await;
    }
}

/// Ports that are free for sockets of both families.
fn free_ports() -> [u16; 2] {
    let sockets = [0, 1].map(|_| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)));
    sockets.map(|socket| {
        let socket = socket.expect("the system has ports");
        socket.local_addr().expect("it is bound").port()
    })
}

/// All members' addresses and aliases, in order.
fn addresses(node: &Node) -> Vec<SocketAddr> {
    let mut all: Vec<_> = node
        .peers()
        .into_iter()
        .flat_map(|peer| [vec![peer.addr], peer.aliases].concat())
        .collect();
    all.sort();
    all
}

#[test]
fn a_node_with_an_ipv4_and_an_ipv6_address_is_one_member() {
    run(async {
        let [one_port, two_port] = free_ports();
        let both =
            |port| [SocketAddr::from(([127, 0, 0, 1], port)), (Ipv6Addr::LOCALHOST, port).into()];
        let one = start(Ipv6Addr::UNSPECIFIED, one_port, &[]).await;
        let two = start(Ipv6Addr::UNSPECIFIED, two_port, &both(one_port)).await;
        wait_for_alias(&two, 1).await;
        assert_eq!(addresses(&two), both(one_port));
        assert_eq!(two.peers()[0].incarnation, Some(one.incarnation()));
        wait_for_alias(&one, 1).await;

        // Whichever address it is spoken to at, it is the one that is spoken to.
        let mut incoming = one.incoming().expect("nobody else reads");
        for to in both(one_port) {
            two.send_to(to, "hello").expect("it leaves");
            let message = incoming.recv().await.expect("the node runs");
            assert_eq!(message.from(), one.peers()[0].addr);
            assert_eq!(two.peer(to).map(|peer| peer.incarnation), Some(Some(one.incarnation())));
        }
        assert_eq!(two.broadcast("once").await.expect("no quorum is needed").len(), 1);
        let message = incoming.recv().await.expect("the node runs");
        assert!(matches!(message, Message::Data { .. }), "{message:?}");
        assert_eq!((one.peer_count(), two.peer_count()), (1, 1));
    });
}

#[cfg(target_os = "linux")]
mod interfaces {
    use std::task::{Context, Poll, Waker};

    use alan_tokio::Event;
    use alan_workspace::namespace::{self, Namespaces, Part};

    use super::*;

    const PORT: u16 = 5_000;

    /// How long a question may wait for its answer before the next one is tried.
    const SHORT: Duration = Duration::from_millis(100);

    /// The two links between the hosts: the near and the far end of each.
    const LINKS: [[&str; 2]; 2] = [["10.79.0.1", "10.79.0.2"], ["10.79.1.1", "10.79.1.2"]];

    fn end(link: usize, end: usize) -> SocketAddr {
        SocketAddr::new(LINKS[link][end].parse().expect("an address"), PORT)
    }

    #[test]
    fn a_node_with_two_interfaces_is_one_member_and_stays_when_one_link_fails() {
        let test =
            "interfaces::a_node_with_two_interfaces_is_one_member_and_stays_when_one_link_fails";
        match namespace::part().as_deref() {
            Some("wait") => return run(wait()),
            Some("find") => return run(find()),
            Some(part) => panic!("there is no part {part}"),
            None => {}
        }
        let [near, far] = LINKS[0];
        let Some(namespaces) = Namespaces::new(test, near, far, 24) else { return };
        namespaces.add_link(LINKS[1][0], LINKS[1][1], 24);
        let mut wait = Part::start(&namespaces.names[1], test, "wait");
        wait.wait_until_ready();
        let status = Part::start(&namespaces.names[0], test, "find").wait();
        assert!(status.success(), "{status}");
    }

    /// A node at all addresses of the far host, until it is killed.
    async fn wait() {
        let node = start([0, 0, 0, 0], PORT, &[]).await;
        println!("\nready");
        let mut incoming = node.incoming().expect("nobody else reads");
        while let Some(message) = incoming.recv().await {
            if let Message::Request(request) = message {
                request.reply("here").expect("a link takes it");
            }
        }
    }

    /// A node at all addresses of the near host, that looks for the other at both of its.
    async fn find() {
        let far = [end(0, 1), end(1, 1)];
        let node = start([0, 0, 0, 0], PORT, &far).await;
        wait_for_alias(&node, 1).await;
        assert_eq!(addresses(&node), far);
        let mut events = node.events();
        let peer = node.peers()[0].addr;

        // The link over which it is spoken to goes down. It is found over the other one, before its
        // silence is taken for death.
        let path = usize::from(peer == far[1]);
        namespace::set_link_down(&format!("link{path}"));
        while node.request(peer, "where are you?").timeout(SHORT).await.is_err() {
            tokio::time::sleep(TICK).await;
        }
        while let Some(event) = now(events.recv()) {
            assert!(!matches!(event, Some(Event::Left { .. })), "{event:?}");
        }
        assert_eq!(node.peer_count(), 1);
    }

    /// What a future gives without waiting.
    fn now<F: Future>(future: F) -> Option<F::Output> {
        let mut context = Context::from_waker(Waker::noop());
        match std::pin::pin!(future).poll(&mut context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}
