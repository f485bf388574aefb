//! Nodes with the same key talk; one with another key is not heard, and learns nothing.
//!
//! `cargo run --example encryption`
//!
//! In real life the key comes from `alan keygen` by way of `ALAN_KEY` or a file:
//! `.key_from_env("ALAN_KEY")?` or `.key_from_file("/run/secrets/alan")?`.

use std::net::IpAddr;

use alan_tokio::{Event, Key, Node, Warning};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hosts = ["127.0.15.1", "127.0.15.2", "127.0.15.3"];
    let start = |host: &str, key: &Key| {
        let address: IpAddr = host.parse().expect("an address");
        Node::builder().peers(hosts).bind(address).key(key.clone()).start()
    };
    let key = Key::from_bytes(b"a key has thirty-two bytes, this")?;
    let wrong = Key::from_bytes(b"and here is quite another key...")?;
    println!("a key is never printed: {key:?}");
    println!("too short: {}", Key::from_bytes(b"hunter2").expect_err("seven bytes"));

    let first = start(hosts[0], &key).await?;
    let mut events = first.events();
    let second = start(hosts[1], &key).await?;
    let third = start(hosts[2], &wrong).await?;
    println!("{} is sealed: {}", first.local_addr(), first.is_secure());

    let (mut joined, mut warned) = (false, false);
    while !(joined && warned) {
        match events.recv().await {
            Some(Event::Joined { peer, .. }) => {
                println!("{peer} has joined");
                joined = true;
            }
            Some(Event::Warning(Warning::Unopened { source, .. })) => {
                println!("{source} sends what does not open: another key?");
                warned = true;
            }
            Some(_) => {}
            None => break,
        }
    }
    println!("{} knows {} node", second.local_addr(), second.peer_count());
    println!("{} knows {} nodes", third.local_addr(), third.peer_count());
    Ok(())
}
