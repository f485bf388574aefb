//! A service that answers requests, asked by one node: first one replica, then all of them.
//!
//! `cargo run --example request_reply`

use std::time::Duration;

use alan_tokio::{Message, Node, RequestError};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hosts = ["127.0.11.1", "127.0.11.2", "127.0.11.3"];
    let start = |host: &str| {
        let address: std::net::IpAddr = host.parse().expect("an address");
        Node::builder().peers(hosts).bind(address).start()
    };
    let client = start(hosts[0]).await?;
    let replicas = [start(hosts[1]).await?, start(hosts[2]).await?];

    // Each peer's messages are handled in order, different peers' at the same time.
    for replica in &replicas {
        let name = replica.local_addr().ip();
        replica.serve(move |message| async move {
            if let Message::Request(request) = message {
                let answer = match &request.payload()[..] {
                    b"add 2 3" => format!("{name} says 5"),
                    _ => return, // a request that is dropped is not answered
                };
                if let Err(error) = request.reply(answer) {
                    eprintln!("{name} could not reply: {error}");
                }
            }
        })?;
    }
    let mut events = client.events();
    while client.peer_count() < replicas.len() && events.recv().await.is_some() {}

    let one = replicas[0].local_addr();
    let reply = client.request(one, "add 2 3").timeout(Duration::from_secs(2)).await?;
    println!("one:  {}", String::from_utf8_lossy(&reply));

    let all = client.request_all("add 2 3").timeout(Duration::from_secs(2)).await?;
    for reply in &all.replies {
        println!("all:  {}", String::from_utf8_lossy(&reply.payload));
    }
    println!("missing: {}", all.missing.len());

    // Nobody answers this one: it ends at its deadline, and says so.
    match client.request(one, "what is love").timeout(Duration::from_millis(200)).await {
        Err(RequestError::Timeout) => println!("no answer in 200 ms"),
        other => println!("unexpected: {other:?}"),
    }

    // A peer that goes ends the requests to it at once.
    let waiting = tokio::spawn(client.request(one, "what is love").into_future());
    replicas[0].shutdown().await;
    match waiting.await? {
        Err(RequestError::PeerDisconnected { peer, why }) => println!("{peer} is gone: {why}"),
        other => println!("unexpected: {other:?}"),
    }
    Ok(())
}
