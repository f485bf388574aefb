//! A cluster of three does nothing that needs a majority until two are there, and stops when one
//! is left.
//!
//! `cargo run --example quorum`

use std::time::Duration;

use alan_tokio::{BroadcastError, Event, LockError, Node};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hosts = ["127.0.13.1", "127.0.13.2", "127.0.13.3"];
    let start = |host: &str| {
        let address: std::net::IpAddr = host.parse().expect("an address");
        Node::builder().peers(hosts).bind(address).cluster_size(3).start()
    };
    let first = start(hosts[0]).await?;
    println!("alone: {} of {} nodes", first.peer_count() + 1, first.quorum_size());

    let refused = first.broadcast("anybody?").timeout(Duration::from_millis(100)).await;
    if let Err(BroadcastError::NoQuorum { have, need }) = refused {
        println!("a broadcast waits, and gives up at its deadline: {have} of {need}");
    }
    if let Err(LockError::NoQuorum { have, need }) = first.try_lock("job").await {
        println!("try_lock does not wait: {have} of {need}");
    }

    // This one waits without a deadline, and goes through once the second node is there.
    let waiting = tokio::spawn(first.lock("job").into_future());
    let mut events = first.events();
    let second = start(hosts[1]).await?;
    first.wait_for_quorum().await?;
    println!("two are a quorum: {}", first.has_quorum());
    let guard = waiting.await??;
    println!("the lock that waited is held: {}", guard.is_valid());
    guard.release().await?;

    second.shutdown().await;
    while let Some(event) = events.recv().await {
        if let Event::QuorumLost { have, need } = event {
            println!("the second has left: {have} of {need}");
            break;
        }
    }
    Ok(())
}
