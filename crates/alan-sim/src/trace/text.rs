//! A step in words: one line, the same for the same step.

use std::fmt;
use std::net::SocketAddr;

use alan_proto::wire::{LockMessageKind, ProbeStage};
use alan_proto::{
    Action, LeaveReason, LockEvent, LockFailure, LockLoss, PeerEvent, QuorumEvent, RequestEvent,
    RequestId,
};

use super::{Command, Loss, Meaning, Occurrence, Step};
use crate::place::{Place, is_second, place_of};
use crate::plan::{Cut, FirstToRun, Key};

/// An address as its place, where it has one: `n2`, `n2'` after a move, `n2*` for its second one,
/// the address for others.
struct Who(SocketAddr);

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match place_of(self.0) {
            Some((place, moves)) => {
                write!(f, "{place}")?;
                (0..moves).try_for_each(|_| f.write_str("'"))?;
                f.write_str(if is_second(self.0) { "*" } else { "" })
            }
            None => write!(f, "{}", self.0),
        }
    }
}

/// The first bytes of an id: enough to tell one from another within a history.
struct Short(RequestId);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == RequestId::ZERO {
            return f.write_str("#0");
        }
        f.write_str("#")?;
        self.0.0[..5].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Something that may be missing.
struct Maybe<T>(&'static str, Option<T>);

impl<T: fmt::Display> fmt::Display for Maybe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.1 {
            Some(value) => write!(f, "{}{value}", self.0),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12}  {}", self.at.to_string(), self.what)
    }
}

impl fmt::Display for Occurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { node, address, incarnation } => {
                write!(f, "{node} starts at {address} as {incarnation}")
            }
            Self::Ended { node, crashed: true } => write!(f, "{node} dies"),
            Self::Ended { node, crashed: false } => write!(f, "{node} ends"),
            Self::Paused { node } => write!(f, "{node} stops"),
            Self::Resumed { node, first: FirstToRun::Application } => {
                write!(f, "{node} goes on, its application first")
            }
            Self::Resumed { node, first: FirstToRun::Driver } => {
                write!(f, "{node} goes on, its driver first")
            }
            Self::Cut { number, cut } => write!(f, "cut {number}: {cut}"),
            Self::Healed { number } => write!(f, "cut {number} heals"),
            Self::WallClockStepped { node, micros, shows } => {
                write!(f, "the wall clock of {node} steps by {micros:+} µs to {shows}")
            }
            Self::WeatherChanged => f.write_str("the network changes"),
            Self::Calm => f.write_str("the faults end"),
            Self::Discovered { node, named } => {
                write!(f, "{node} discovers {named} addresses")
            }
            Self::Sent { datagram, from, to, meaning } => {
                write!(f, "{} ──► {}  {meaning}  [{}]", Who(*from), Who(*to), datagram.0)
            }
            Self::Doubled { datagram, copy } => {
                write!(f, "[{}] is doubled as [{}]", datagram.0, copy.0)
            }
            Self::Corrupted { datagram } => write!(f, "[{}] is altered", datagram.0),
            Self::Lost { datagram, why } => write!(f, "[{}] is lost: {why}", datagram.0),
            Self::Delivered { datagram, node, meaning } => {
                write!(f, "{node} is handed {meaning}  [{}]", datagram.0)
            }
            Self::Received { node, from, tag } => {
                write!(f, "{node}'s user gets{} from {}", Maybe(" ", *tag), Who(*from))
            }
            Self::Timer { node, reason } => write!(f, "{node} wakes for {reason:?}"),
            Self::Command { node, command, refused } => {
                write!(f, "{node}'s user: {command}{}", if *refused { ": refused" } else { "" })
            }
            Self::Told { node, action, key } => write!(f, "{node} tells: {}", Told(*action, *key)),
            Self::GuardAsked { node, key, valid, lock } => write!(
                f,
                "{node}'s user asks the guard of call {} whether it holds {key}: {}",
                lock.get(),
                if *valid { "yes" } else { "no" }
            ),
            Self::Violated(breach) => write!(f, "✗ {}: {breach}", breach.invariant()),
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sides(sides) => {
                let mut numbers: Vec<u8> = sides.clone();
                numbers.sort_unstable();
                numbers.dedup();
                for (place, number) in numbers.into_iter().enumerate() {
                    f.write_str(if place == 0 { "" } else { " | " })?;
                    let on_it = (0u16..).zip(sides).filter(|(_, side)| **side == number);
                    let nodes: Vec<_> = on_it.map(|(node, _)| Place(node).to_string()).collect();
                    f.write_str(&nodes.join(" "))?;
                }
                Ok(())
            }
            Self::Between(a, b) => write!(f, "{a} ╳ {b}"),
            Self::OneWay(a, b) => write!(f, "{a} ─╳► {b}"),
            Self::Mute(node) => write!(f, "{node} ─╳► all"),
            Self::Deaf(node) => write!(f, "all ─╳► {node}"),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chance => "the network dropped it",
            Self::Cut => "a cut is in its way",
            Self::Congestion => "too much is sent",
            Self::SocketFull => "the socket is full",
            Self::NobodyThere => "nobody is there",
        })
    }
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Join(life) => write!(f, "JOIN{}", Maybe(" ", life)),
            Self::Leave(life) => write!(f, "LEAVE{}", Maybe(" ", life)),
            Self::Heartbeat(life) => write!(f, "HEARTBEAT{}", Maybe(" ", life)),
            Self::Data(tag) => write!(f, "DATA{}", Maybe(" ", tag)),
            Self::Request(id, tag) => write!(f, "REQUEST {}{}", Short(id), Maybe(" ", tag)),
            Self::Response(id, tag) => write!(f, "RESPONSE {}{}", Short(id), Maybe(" ", tag)),
            Self::Lock(kind, id, key) => {
                let kind = match kind {
                    LockMessageKind::Request => "LOCK_REQUEST",
                    LockMessageKind::Grant => "LOCK_GRANT",
                    LockMessageKind::Deny => "LOCK_DENY",
                    LockMessageKind::Release => "LOCK_RELEASE",
                    _ => "LOCK_…",
                };
                write!(f, "{kind} {}{}", Short(id), Maybe(" ", key))
            }
            Self::SessionData(tag) => write!(f, "SESSION_DATA{}", Maybe(" ", tag)),
            Self::SessionRequest(id, tag) => {
                write!(f, "SESSION_REQUEST {}{}", Short(id), Maybe(" ", tag))
            }
            Self::SessionResponse(id, tag) => {
                write!(f, "SESSION_RESPONSE {}{}", Short(id), Maybe(" ", tag))
            }
            Self::ResponseGone(id) => write!(f, "RESPONSE_GONE {}", Short(id)),
            Self::Profile => f.write_str("PROFILE"),
            Self::ProfileAsk => f.write_str("PROFILE_ASK"),
            Self::PeersAsk => f.write_str("PEERS_ASK"),
            Self::Peers => f.write_str("PEERS"),
            Self::Probe(stage, about) => {
                let stage = match stage {
                    ProbeStage::Ask => "ask",
                    ProbeStage::Ping => "ping",
                    ProbeStage::Pong => "pong",
                    ProbeStage::Alive => "alive",
                    _ => "…",
                };
                write!(f, "PROBE {stage} {about}")
            }
            Self::Noise => f.write_str("noise"),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Lock(key, call) => {
                write!(f, "lock {key}{}", Maybe(", call ", call.map(alan_proto::LockId::get)))
            }
            Self::TryLock(key, call) => {
                write!(f, "try lock {key}{}", Maybe(", call ", call.map(alan_proto::LockId::get)))
            }
            Self::Cancel(key, call) => write!(f, "give up lock {key}, call {}", call.get()),
            Self::Release(key, call) => write!(f, "release lock {key}, call {}", call.get()),
            Self::Unlock(key) => write!(f, "unlock {key}"),
            Self::Send(to, tag) => write!(f, "send {tag} to {}", Who(to)),
            Self::Broadcast(tag) => write!(f, "send {tag} to all"),
            Self::Request(to, id) => {
                write!(f, "ask {}{}", Who(to), Maybe(" ", id.map(Short)))
            }
            Self::RequestAll(id) => write!(f, "ask all{}", Maybe(" ", id.map(Short))),
            Self::CancelRequest(id) => write!(f, "give up request {}", Short(id)),
            Self::Reply(to, id) => write!(f, "answer {} {}", Who(to), Short(id)),
            Self::Leave => f.write_str("leave"),
        }
    }
}

/// What a node told, with the key of a lock event.
struct Told(Action, Option<Key>);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = Maybe(" ", self.1);
        match self.0 {
            Action::Peer(PeerEvent::Joined { peer, .. }) => write!(f, "{} joined", Who(peer)),
            Action::Peer(PeerEvent::Updated { peer }) => {
                write!(f, "{} has told about itself", Who(peer))
            }
            Action::Peer(PeerEvent::ConfigMismatch { peer, .. }) => {
                write!(f, "{} is configured otherwise", Who(peer))
            }
            Action::Peer(PeerEvent::Left { peer, why }) => {
                let why = match why {
                    LeaveReason::SaidGoodbye => "it said goodbye",
                    LeaveReason::Silent => "it is silent",
                    LeaveReason::Restarted => "it has restarted",
                    _ => "for another reason",
                };
                write!(f, "{} left: {why}", Who(peer))
            }
            Action::Quorum(QuorumEvent::Reached { have, need }) => {
                write!(f, "quorum reached, {have} of {need}")
            }
            Action::Quorum(QuorumEvent::Lost { have, need }) => {
                write!(f, "quorum lost, {have} of {need}")
            }
            Action::Request(RequestEvent::PeerLeft { request, peer, .. }) => {
                write!(f, "request {}: {} is gone", Short(request), Who(peer))
            }
            Action::Request(RequestEvent::ResponseGone { request, peer, .. }) => {
                write!(f, "request {}: {} has no answer any more", Short(request), Who(peer))
            }
            Action::Request(RequestEvent::TimedOut { request }) => {
                write!(f, "request {}: timed out", Short(request))
            }
            Action::Request(RequestEvent::Closed { request }) => {
                write!(f, "request {}: closed", Short(request))
            }
            Action::Lock(LockEvent::Granted { lock }) => {
                write!(f, "lock{key} granted to call {}", lock.get())
            }
            Action::Lock(LockEvent::Failed { lock, why }) => {
                write!(f, "lock{key} not got by call {}: {}", lock.get(), failure(why))
            }
            Action::Lock(LockEvent::Lost { lock, why }) => {
                let why = match why {
                    LockLoss::Left => "the node leaves",
                    LockLoss::Denied { .. } => "a stray denial",
                    _ => "for another reason",
                };
                write!(f, "lock{key} lost by call {}: {why}", lock.get())
            }
            Action::Closed => f.write_str("closed"),
            other => write!(f, "{other:?}"),
        }
    }
}

fn failure(why: LockFailure) -> String {
    match why {
        LockFailure::Held { by: Some(by) } => format!("held, says {}", Who(by)),
        LockFailure::Held { by: None } => "held here".into(),
        LockFailure::TimedOut => "timed out".into(),
        LockFailure::NoQuorum { have, need } => format!("no quorum, {have} of {need}"),
        LockFailure::Closed => "the node leaves".into(),
        _ => "for another reason".into(),
    }
}
