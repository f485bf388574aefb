//! `alan agent`: runs a node and prints what happens, until Ctrl-C or a request to terminate.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use alan_tokio::config::{Layer, Settings};
use alan_tokio::{Builder, Event, Message, Node, Warning};
use serde_json::{Value, json};

use super::Outcome;
use crate::args::AgentArgs;

pub(crate) fn run(args: &AgentArgs) -> Outcome {
    let settings = Settings::new().apply(Layer::from_environment()?)?.apply(flags(args))?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let node = Builder::from_settings(settings).start().await?;
        let printed = attend(&node, args.json).await;
        node.shutdown().await;
        printed
    })
}

fn flags(args: &AgentArgs) -> Layer {
    let mut layer = Layer::default();
    layer.dns.clone_from(&args.dns);
    layer.peers.clone_from(&args.peers);
    layer.bind = args.bind;
    layer.port = args.port;
    layer.cluster_size = args.cluster_size;
    layer.key_file.clone_from(&args.key_file);
    layer.name.clone_from(&args.name);
    layer.observer = args.observer.then_some(true);
    layer
}

/// Prints events and messages until the node is told to stop.
async fn attend(node: &Node, json: bool) -> Outcome {
    let mut events = node.events();
    let mut incoming = node.incoming()?;
    let mut stopped = std::pin::pin!(told_to_stop());
    let started = json!({
        "event": "started",
        "address": node.local_addr().to_string(),
        "incarnation": node.incarnation().to_string(),
        "sealed": node.is_secure(),
        "name": node.config().name,
        "observer": node.config().observer,
    });
    let mut printed = print(json, &started);
    while printed.is_ok() {
        let line = tokio::select! {
            signal = &mut stopped => {
                signal?;
                break;
            }
            event = events.recv() => match event {
                Some(event) => describe(node, &event),
                None => break,
            },
            message = incoming.recv() => match message {
                Some(message) => describe_message(&message),
                None => break,
            },
        };
        printed = print(json, &line);
    }
    match printed.and_then(|()| print(json, &json!({ "event": "leaving" }))) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}

fn describe(node: &Node, event: &Event) -> Value {
    match event {
        Event::Joined { peer, incarnation } => json!({
            "event": "joined",
            "peer": peer.to_string(),
            "incarnation": incarnation.map(|life| life.to_string()),
        }),
        Event::Left { peer, why } => {
            json!({ "event": "left", "peer": peer.to_string(), "why": why.to_string() })
        }
        Event::Updated { peer } => describe_peer(node, *peer),
        Event::ConfigMismatch { peer, theirs } => json!({
            "event": "configured otherwise",
            "peer": peer.to_string(),
            "cluster_size": theirs.cluster_size,
            "heartbeat_timeout_ms": theirs.lease_millis,
            "drift_bound_ppm": theirs.drift_ppm,
        }),
        Event::QuorumReached { have, need } => {
            json!({ "event": "quorum reached", "have": have, "need": need })
        }
        Event::QuorumLost { have, need } => {
            json!({ "event": "quorum lost", "have": have, "need": need })
        }
        Event::DiscoveryFailed { error } => {
            json!({ "event": "discovery failed", "error": error.to_string() })
        }
        Event::QueueFull { peer } => {
            json!({ "event": "queue full", "peer": peer.map(|peer| peer.to_string()) })
        }
        Event::Warning(Warning::Unopened { source, count }) => json!({
            "event": "datagrams that do not open",
            "source": source.to_string(),
            "count": count,
            "hint": "another key, or a key on one side only",
        }),
        Event::Warning(Warning::PeersFull { source, limit }) => json!({
            "event": "peer turned away",
            "source": source.to_string(),
            "hint": format!("the table of peers is full at {limit}"),
        }),
        Event::Warning(Warning::ClockAhead { peer, by }) => json!({
            "event": "clock ahead",
            "peer": peer.to_string(),
            "by_seconds": by.as_secs(),
            "hint": "it is not followed: set that machine's clock right",
        }),
        Event::Warning(Warning::ConfigMismatch { peer, .. }) => json!({
            "event": "configurations differ",
            "peer": peer.to_string(),
            "hint": "all nodes must agree on cluster_size, heartbeat_timeout and drift_bound_ppm",
        }),
        Event::Warning(Warning::ClusterLarger { have, cluster_size }) => json!({
            "event": "more nodes than configured",
            "have": have,
            "cluster_size": cluster_size,
            "hint": "two majorities could exist: raise cluster_size on all nodes",
        }),
        Event::Lagged(missed) => json!({ "event": "lagged", "missed": missed }),
        other => json!({ "event": "other", "what": format!("{other:?}") }),
    }
}

/// What a member tells about itself, and how far away it is.
fn describe_peer(node: &Node, addr: SocketAddr) -> Value {
    let peer = node.peer(addr);
    let peer = peer.as_ref();
    json!({
        "event": "updated",
        "peer": addr.to_string(),
        "name": peer.map(|peer| peer.name.clone()),
        "metadata": peer.map(|peer| String::from_utf8_lossy(&peer.metadata).into_owned()),
        "observer": peer.map(|peer| peer.observer),
        "round_trip_us": peer.and_then(|peer| peer.round_trip).map(|time| time.as_micros()),
    })
}

fn describe_message(message: &Message) -> Value {
    let event = match message {
        Message::Request(_) => "request (not answered)",
        _ => "message",
    };
    let from = message.from().to_string();
    json!({ "event": event, "from": from, "payload": String::from_utf8_lossy(message.payload()) })
}

/// Fields whose text others have sent.
const FROM_OTHERS: [&str; 3] = ["payload", "name", "metadata"];

/// One line: the object itself, or its event and its other fields in words.
fn print(json: bool, line: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{line}")?;
    } else {
        let fields = line.as_object().into_iter().flatten();
        let (event, rest): (Vec<_>, Vec<_>) = fields.partition(|(name, _)| *name == "event");
        for (_, event) in event {
            write!(out, "{}", event.as_str().unwrap_or_default())?;
        }
        for (name, value) in rest {
            match value.as_str() {
                // What others have sent must not get at the terminal.
                Some(text) if FROM_OTHERS.contains(&name.as_str()) => {
                    write!(out, "  {name}: {text:?}")?;
                }
                Some(text) => write!(out, "  {name}: {text}")?,
                None => write!(out, "  {name}: {value}")?,
            }
        }
        writeln!(out)?;
    }
    out.flush()
}

#[cfg(unix)]
async fn told_to_stop() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn told_to_stop() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
