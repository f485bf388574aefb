//! Three nodes find each other, and one says hello to the others.
//!
//! `cargo run --example hello_cluster`
//!
//! In real life each node is a process of its own, and `.dns("my-cluster.local")` stands where
//! the addresses are here.

use alan_tokio::{Message, Node};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hosts = ["127.0.10.1", "127.0.10.2", "127.0.10.3"];
    let mut nodes = Vec::new();
    for host in hosts {
        let address: std::net::IpAddr = host.parse()?;
        let node = Node::builder().peers(hosts).bind(address).cluster_size(3).start().await?;
        println!("{} has started", node.local_addr());
        nodes.push(node);
    }

    let first = &nodes[0];
    let mut events = first.events();
    while first.peer_count() < 2 {
        let Some(event) = events.recv().await else { break };
        println!("{}: {event:?}", first.local_addr());
    }
    for peer in first.peers() {
        println!("{} knows {}", first.local_addr(), peer.addr);
    }

    let sent = first.broadcast("hello").await?;
    println!("{} said hello to {} nodes", first.local_addr(), sent.len());
    for node in &nodes[1..] {
        if let Some(Message::Data { from, payload }) = node.incoming()?.recv().await {
            let said = String::from_utf8_lossy(&payload);
            println!("{} hears \"{said}\" from {from}", node.local_addr());
        }
    }

    for node in nodes {
        node.shutdown().await;
    }
    Ok(())
}
