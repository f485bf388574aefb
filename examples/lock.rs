//! Three nodes take turns: whoever holds the lock writes the report.
//!
//! `cargo run --example lock`

use std::time::Duration;

use alan_tokio::{LockError, Node};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hosts = ["127.0.12.1", "127.0.12.2", "127.0.12.3"];
    let mut nodes = Vec::new();
    for host in hosts {
        let address: std::net::IpAddr = host.parse()?;
        nodes.push(Node::builder().peers(hosts).bind(address).cluster_size(3).start().await?);
    }
    for node in &nodes {
        let mut events = node.events();
        while node.peer_count() < 2 && events.recv().await.is_some() {}
    }

    let mut work = Vec::new();
    for node in nodes.clone() {
        work.push(tokio::spawn(async move {
            let name = node.local_addr().ip();
            let guard = node.lock("nightly-report").timeout(Duration::from_secs(10)).await?;
            println!("{name} holds the lock and writes the report");
            if let Err(LockError::Held { .. }) = node.try_lock("nightly-report").await {
                println!("{name} tries it a second time: held, of course");
            }
            println!("{name} is done; the lock is still held: {}", guard.is_valid());
            guard.release().await.ok();
            Ok::<_, LockError>(())
        }));
    }
    for one in work {
        one.await??;
    }

    // By name, as in the Go library; a guard that is dropped releases in the background.
    let first = &nodes[0];
    let guard = first.lock("other").await?;
    first.unlock("other").await?;
    println!("unlocked by name; the guard knows: {}", !guard.is_valid());
    println!("unlocked twice: {}", first.unlock("other").await.expect_err("it is not held"));
    Ok(())
}
