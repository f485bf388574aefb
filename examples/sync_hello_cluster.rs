//! Three nodes find each other, and one says hello to the others: on plain threads, without an
//! asynchronous runtime.
//!
//! `cargo run --example sync_hello_cluster`
//!
//! In real life each node is a process of its own, and `.dns("my-cluster.local")` stands where
//! the addresses are here.

use std::thread;

use alan_sync::{Iterate, Message, Node, Wait};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hosts = ["127.0.26.1", "127.0.26.2", "127.0.26.3"];
    let mut nodes = Vec::new();
    for host in hosts {
        let address: std::net::IpAddr = host.parse()?;
        let node = Node::builder().peers(hosts).bind(address).cluster_size(3).start().wait()?;
        println!("{} has started", node.local_addr());
        nodes.push(node);
    }

    // Events and messages are iterators that block until there is something.
    let first = &nodes[0];
    let mut events = first.events();
    for event in events.iter() {
        println!("{}: {event:?}", first.local_addr());
        if first.peer_count() == 2 {
            break;
        }
    }

    thread::scope(|scope| {
        for node in &nodes[1..] {
            let mut incoming = node.incoming().expect("nobody else reads");
            scope.spawn(move || {
                if let Some(Message::Data { from, payload }) = incoming.iter().next() {
                    let said = String::from_utf8_lossy(&payload);
                    println!("{} hears \"{said}\" from {from}", node.local_addr());
                }
            });
        }
        first.broadcast("hello").wait()
    })?;

    // Joins the node's thread.
    for node in &nodes {
        node.shutdown().wait();
    }
    Ok(())
}
