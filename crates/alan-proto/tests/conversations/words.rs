//! What a node did, in words: the common language of the recording and of our node.
//!
//! Two things are the same if their words are. Messages are compared by their bytes first.

use std::fmt::Write as _;
use std::net::SocketAddr;

use alan_proto::wire::{LockMessageKind, Message};
use data_encoding::HEXLOWER;

use super::recording::Event;

/// The port that every recorded node listens on, not written out.
const PORT: u16 = 15_000;

/// How much of a payload is written out. The recording shows as much of a long one.
const SHOWN: usize = 32;

pub(crate) fn address(addr: SocketAddr) -> String {
    if addr.port() == PORT { addr.ip().to_string() } else { addr.to_string() }
}

/// A message without what differs from run to run.
pub(crate) fn message(bytes: &[u8]) -> String {
    match Message::decode(bytes) {
        Ok(Message::Join(_)) => "JOIN".to_owned(),
        Ok(Message::Leave(_)) => "LEAVE".to_owned(),
        Ok(Message::Heartbeat(_)) => "HEARTBEAT".to_owned(),
        Ok(Message::Data(data)) => format!("DATA {}", payload(data)),
        Ok(Message::Request { body, .. }) => format!("REQUEST {}", payload(body)),
        Ok(Message::Response { body, .. }) => format!("RESPONSE {}", payload(body)),
        Ok(Message::Lock(lock)) => {
            let kind = match lock.kind {
                LockMessageKind::Request => "LOCK_REQUEST",
                LockMessageKind::Grant => "LOCK_GRANT",
                LockMessageKind::Deny => "LOCK_DENY",
                LockMessageKind::Release => "LOCK_RELEASE",
                _ => panic!("a lock message that is new here: {lock:?}"),
            };
            format!("{kind} {}", payload(lock.key))
        }
        Ok(other) => panic!("a message that is new here: {other:?}"),
        Err(error) => format!("{} ({error})", HEXLOWER.encode(bytes)),
    }
}

pub(crate) fn payload(bytes: &[u8]) -> String {
    shortened(bytes, bytes.len())
}

/// A payload of `len` bytes that begins with `bytes`.
fn shortened(bytes: &[u8], len: usize) -> String {
    let shown = &bytes[..bytes.len().min(SHOWN)];
    let mut words = match std::str::from_utf8(shown) {
        Ok(text) if text.chars().all(|letter| (' '..='~').contains(&letter)) => {
            format!("\"{text}\"")
        }
        _ => HEXLOWER.encode(shown),
    };
    if len > SHOWN {
        write!(words, "… ({len} bytes)").expect("a string takes all");
    }
    words
}

/// The words for a recorded event; `None` for one that only says how far the recorder was.
pub(crate) fn event(event: &Event) -> Option<String> {
    Some(match event.name.as_str() {
        "ready" | "stopping" => return None,
        "stopped" => "stopped".to_owned(),
        "join" => join(event.peer?),
        "leave" => leave(event.peer?),
        "peers" => peers(event.peers.clone()?),
        "message" => received("message", event.from?, &recorded_payload(event)?),
        "request" => received("request", event.from?, &recorded_payload(event)?),
        "requestto_done" => match &event.error {
            Some(error) => request_failed(outcome(error)),
            None => request_answered(event.from?, &recorded_payload(event)?),
        },
        "request_done" => request_all_done(event.replies.as_ref()?),
        "lock_done" => lock_done(event.key.as_ref()?, outcome(event.error.as_ref()?)),
        "trylock_done" => try_lock_done(event.key.as_ref()?, event.ok?),
        "unlock_done" => unlock_done(event.key.as_ref()?, outcome(event.error.as_ref()?)),
        "sent" => match (&event.results, &event.error) {
            (Some(results), None) => {
                let counts = results.iter().map(|result| result.replace(" sent=", " "));
                sent_to_all(counts.collect())
            }
            (None, Some(error)) => sent(event.n?, outcome(error)),
            _ => panic!("sent to one or to all"),
        },
        other => panic!("an event that is new here: {other}"),
    })
}

fn recorded_payload(event: &Event) -> Option<String> {
    let hex = event.data_hex.as_ref()?.trim_end_matches('.');
    let bytes = HEXLOWER.decode(hex.as_bytes()).expect("payloads are hex");
    Some(shortened(&bytes, event.data_len.unwrap_or(bytes.len())))
}

/// The recorded error texts are Go's; these are the four cases among them.
fn outcome(error: &str) -> Option<&'static str> {
    if error.is_empty() {
        return None;
    }
    let known = [
        ("deadline exceeded", DEADLINE),
        ("disconnected", DISCONNECTED),
        ("not held", NOT_HELD),
        ("too long", TOO_LONG),
    ];
    let matching = known.iter().find(|(part, _)| error.contains(part));
    Some(matching.unwrap_or_else(|| panic!("an error that is new here: {error}")).1)
}

pub(crate) const DEADLINE: &str = "deadline exceeded";
pub(crate) const DISCONNECTED: &str = "peer left";
pub(crate) const NOT_HELD: &str = "not held";
pub(crate) const TOO_LONG: &str = "too long";

fn with_outcome(mut words: String, error: Option<&str>) -> String {
    if let Some(error) = error {
        write!(words, ": {error}").expect("a string takes all");
    }
    words
}

pub(crate) fn join(peer: SocketAddr) -> String {
    format!("join {}", address(peer))
}

pub(crate) fn leave(peer: SocketAddr) -> String {
    format!("leave {}", address(peer))
}

pub(crate) fn peers(mut peers: Vec<SocketAddr>) -> String {
    peers.sort();
    let words: Vec<_> = peers.into_iter().map(address).collect();
    format!("peers [{}]", words.join(", "))
}

pub(crate) fn received(what: &str, from: SocketAddr, payload: &str) -> String {
    format!("{what} from {}: {payload}", address(from))
}

pub(crate) fn request_answered(from: SocketAddr, payload: &str) -> String {
    format!("answer from {}: {payload}", address(from))
}

pub(crate) fn request_failed(error: Option<&str>) -> String {
    with_outcome("no answer".to_owned(), error)
}

/// Each reply as the recording writes it: address, space, payload in hex.
pub(crate) fn request_all_done(replies: &[String]) -> String {
    format!("answers [{}]", replies.join(", "))
}

pub(crate) fn lock_done(key: &str, error: Option<&str>) -> String {
    with_outcome(format!("lock \"{key}\" done"), error)
}

pub(crate) fn try_lock_done(key: &str, held: bool) -> String {
    let outcome = if held { "held" } else { "not got" };
    format!("try_lock \"{key}\" done: {outcome}")
}

pub(crate) fn unlock_done(key: &str, error: Option<&str>) -> String {
    with_outcome(format!("unlock \"{key}\" done"), error)
}

pub(crate) fn sent(len: usize, error: Option<&str>) -> String {
    with_outcome(format!("sent {len}"), error)
}

/// Each count as: address, space, bytes.
pub(crate) fn sent_to_all(mut counts: Vec<String>) -> String {
    counts.sort();
    format!("sent [{}]", counts.join(", "))
}
