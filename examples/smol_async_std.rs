//! Under async-std: the smol adapter, with nodes as tasks of async-std's.
//!
//! `cargo run --example smol_async_std`
//!
//! async-std was discontinued in 2025; this is for programs that are not there yet. A new one
//! should begin with smol or tokio.

use std::net::IpAddr;
use std::time::Duration;

use alan_smol::{Event, Node, Smol, StartError};
use async_std::task;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    task::block_on(async {
        let (keeper, heir) = (start("127.0.17.1")?, start("127.0.17.2")?);
        heir.wait_for_quorum().timeout(Duration::from_secs(10)).await?;
        let guard = keeper.lock("the-house").timeout(Duration::from_secs(10)).await?;
        println!("{} keeps the house", keeper.local_addr());

        let inherits = task::spawn(async move {
            let guard = heir.lock("the-house").await?;
            println!("{} has it now", heir.local_addr());
            guard.release().await?;
            Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
        });
        let mut events = keeper.events();
        guard.release().await?;
        inherits.await.map_err(|error| error as Box<dyn std::error::Error>)?;

        // The task has dropped its node, which said goodbye.
        while let Some(event) = events.recv().await {
            if let Event::Left { peer, why } = event {
                println!("{peer} has left: {why}");
                break;
            }
        }
        keeper.shutdown().await;
        Ok(())
    })
}

/// A node whose loop and handlers are tasks of async-std's. Started with `.start().await`, it would
/// run on a thread of smol's.
fn start(host: &str) -> Result<Node, StartError> {
    let address: IpAddr = host.parse().expect("an address");
    Node::builder()
        .peers(["127.0.17.1", "127.0.17.2"])
        .bind(address)
        .cluster_size(2)
        .start_on(Smol::spawning(|task| drop(task::spawn(task))))
}
