//! One node in a `static`, used from many threads: it answers requests, asks, and shares locks.
//!
//! `cargo run --example sync_service`

use std::net::IpAddr;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use alan_sync::{LockError, Message, Node, RequestError, Wait};

const HOSTS: [&str; 2] = ["127.0.27.1", "127.0.27.2"];
const SECOND: Duration = Duration::from_secs(1);

/// This process's node. It starts when it is first used.
static NODE: LazyLock<Node> = LazyLock::new(|| start(HOSTS[0]));

fn start(host: &str) -> Node {
    let address: IpAddr = host.parse().expect("an address");
    let started = Node::builder().peers(HOSTS).bind(address).cluster_size(2).start().wait();
    started.unwrap_or_else(|error| panic!("{host} does not start: {error}"))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The other side, which would be a process of its own.
    let server = start(HOSTS[1]);
    server.serve(|message| {
        // A handler may block: each peer that has messages has a thread.
        let Message::Request(request) = message else { return };
        let answer = format!("{} characters", request.payload().len());
        if let Err(error) = request.reply(answer) {
            eprintln!("no reply: {error}");
        }
    })?;
    NODE.wait_for_quorum().timeout(10 * SECOND).wait()?;

    let asking = ["one", "fifteen", "a hundred and eleven"].map(|question| {
        thread::spawn(move || {
            let peer = NODE.peers()[0].addr;
            let reply = NODE.request(peer, question).timeout(SECOND).wait()?;
            println!("\"{question}\" has {}", String::from_utf8_lossy(&reply));
            Ok::<_, RequestError>(())
        })
    });
    for thread in asking {
        thread.join().expect("it does not panic")?;
    }

    // Threads of one process exclude each other, and other nodes, by the same lock.
    let guard = NODE.lock("printer").timeout(SECOND).wait()?;
    if let Err(LockError::Held { .. }) = server.try_lock("printer").wait() {
        println!("the printer is taken");
    }
    // What has no deadline of its own can be waited for with one.
    let lost = guard.lost();
    println!("still ours: {}", lost.wait_timeout(SECOND / 10).is_err());
    guard.release().wait()?;

    server.shutdown().wait();
    // A static is never dropped, so it has to say goodbye by itself.
    NODE.shutdown().wait();
    Ok(())
}
