//! `alan agent`: runs a node and prints what happens, until Ctrl-C or a request to terminate.

use std::io::{self, Write};
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
    });
    let mut printed = print(json, &started);
    while printed.is_ok() {
        let line = tokio::select! {
            signal = &mut stopped => {
                signal?;
                break;
            }
            event = events.recv() => match event {
                Some(event) => describe(&event),
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

fn describe(event: &Event) -> Value {
    match event {
        Event::Joined { peer, incarnation } => json!({
            "event": "joined",
            "peer": peer.to_string(),
            "incarnation": incarnation.map(|life| life.to_string()),
        }),
        Event::Left { peer, why } => {
            json!({ "event": "left", "peer": peer.to_string(), "why": why.to_string() })
        }
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
        Event::Lagged(missed) => json!({ "event": "lagged", "missed": missed }),
        other => json!({ "event": "other", "what": format!("{other:?}") }),
    }
}

fn describe_message(message: &Message) -> Value {
    let event = match message {
        Message::Request(_) => "request (not answered)",
        _ => "message",
    };
    let from = message.from().to_string();
    json!({ "event": event, "from": from, "payload": String::from_utf8_lossy(message.payload()) })
}

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
                Some(text) if name == "payload" => write!(out, "  {name}: {text:?}")?,
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
