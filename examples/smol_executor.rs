//! Under smol: nodes on an executor of the program's own, which it gives two threads.
//!
//! `cargo run --example smol_executor`
//!
//! With `.start().await` in the place of `.start_on(…)`, nodes run on smol's global executor, and
//! there is nothing to set up.

use std::net::IpAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use alan_smol::{Message, Node, Smol};
use smol::stream::StreamExt;
use smol::{Executor, Timer, channel, future};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let executor = Arc::new(Executor::new());
    let (stop, stopped) = channel::bounded::<()>(1);
    thread::scope(|scope| {
        for _ in 0..2 {
            // Each runs until `stop` is dropped.
            scope.spawn(|| smol::block_on(executor.run(stopped.recv())));
        }
        let told = smol::block_on(tell_the_time(&executor));
        drop(stop);
        told
    })
}

/// One node ticks, and the other two listen until it has left.
async fn tell_the_time(
    executor: &Arc<Executor<'static>>,
) -> Result<(), Box<dyn std::error::Error>> {
    let hosts = ["127.0.16.1", "127.0.16.2", "127.0.16.3"];
    let start = |host: &str| {
        let address: IpAddr = host.parse().expect("an address");
        let builder = Node::builder().peers(hosts).bind(address).cluster_size(3);
        builder.start_on(Smol::on(executor))
    };
    let clock = start(hosts[0])?;
    let listeners = [start(hosts[1])?, start(hosts[2])?];
    let listening: Vec<_> =
        listeners.into_iter().map(|node| executor.spawn(listen(node))).collect();

    for tick in ["tick", "tock", "tick"] {
        clock.broadcast(tick).timeout(Duration::from_secs(10)).await?;
        Timer::after(Duration::from_millis(200)).await;
    }
    clock.shutdown().await;
    for listener in listening {
        println!("{}", listener.await?);
    }
    Ok(())
}

/// What a node hears until a second passes in silence. A wait that is dropped loses nothing,
/// so it can race against a timer.
async fn listen(node: Node) -> Result<String, alan_smol::IncomingTaken> {
    let mut incoming = node.incoming()?;
    let mut heard = format!("{} hears", node.local_addr());
    loop {
        let silence = async {
            Timer::after(Duration::from_secs(1)).await;
            None
        };
        match future::or(incoming.next(), silence).await {
            Some(Message::Data { payload, .. }) => {
                heard.push(' ');
                heard.push_str(&String::from_utf8_lossy(&payload));
            }
            Some(_) => {}
            None => return Ok(heard),
        }
    }
}
