//! Addresses from wherever you keep them: here a file, read again every half second.
//!
//! `cargo run --example custom_discovery`

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use alan_tokio::Node;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::temp_dir().join(format!("alan-nodes-{}", std::process::id()));
    std::fs::write(&file, "127.0.14.1:5000\n")?;

    // Any closure that gives addresses will do; it runs on a thread of its own, so it may block.
    let source = {
        let file = file.clone();
        move || -> io::Result<Vec<SocketAddr>> {
            let text = std::fs::read_to_string(&file)?;
            text.lines().map(|line| line.parse().map_err(io::Error::other)).collect()
        }
    };
    let first: IpAddr = "127.0.14.1".parse()?;
    let second: IpAddr = "127.0.14.2".parse()?;
    let watching = Node::builder()
        .discover(source)
        .refresh_interval(Duration::from_millis(500))
        .bind(first)
        .start()
        .await?;
    watching.ready().await?;
    println!("the file names this node only: {} peers", watching.peer_count());

    // A node that knows nobody and waits to be found.
    let hidden = Node::builder().peers([] as [&str; 0]).bind(second).start().await?;
    let mut events = watching.events();
    std::fs::write(&file, "127.0.14.1:5000\n127.0.14.2:5000\n")?;
    println!("the file names {} now", hidden.local_addr());
    if let Some(event) = events.recv().await {
        println!("{}: {event:?}", watching.local_addr());
    }
    std::fs::remove_file(&file)?;
    Ok(())
}
