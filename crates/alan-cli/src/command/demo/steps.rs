//! What the nodes of the demo do, and what must be seen for each step to count.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use alan_proto::LeaveReason;
use alan_tokio::{Event, LockError, LockGuard, Node, Peer};
use tokio::time::timeout;

use super::cast::{Cast, NODES, name};
use super::teller::{NotSeen, Teller};
use super::{PATIENCE, SILENCE};
use crate::args::Sabotage;

const LOCK: &str = "nightly-report";

/// Between two looks at what no event tells of.
const TICK: Duration = Duration::from_millis(5);

type Seen = Result<(), String>;

/// All steps, up to the first that fails.
pub(crate) async fn all(cast: &mut Cast, teller: &mut Teller) -> Result<(), NotSeen> {
    teller.begin("discovery", "The nodes find each other");
    let seen = discovery(cast, teller).await;
    teller.end(seen)?;

    teller.begin("broadcast", "Ada tells everybody something");
    let seen = broadcast(cast, teller).await;
    teller.end(seen)?;

    teller.begin("request", "Ada asks Bo");
    let seen = request(cast, teller).await;
    teller.end(seen)?;

    teller.begin("request-all", "Ada asks everybody");
    let seen = request_all(cast, teller).await;
    teller.end(seen)?;

    teller.begin("lock", "A lock goes from node to node");
    let seen = lock(cast, teller).await;
    teller.end(seen)?;

    teller.begin("restart", "Bo is restarted");
    let seen = restart(cast, teller).await;
    teller.end(seen)?;

    teller.begin("death", "Cleo dies with the lock in its hands");
    let seen = death(cast, teller).await;
    teller.end(seen)?;

    teller.begin("quorum-lost", "Bo dies too: one of three is no quorum");
    let seen = quorum_lost(cast, teller).await;
    teller.end(seen)?;

    teller.begin("quorum-regained", "Bo and Cleo are started again");
    let seen = quorum_regained(cast, teller).await;
    teller.end(seen)?;

    teller.begin("goodbye", "Cleo says goodbye");
    let seen = goodbye(cast, teller).await;
    teller.end(seen)
}

async fn discovery(cast: &mut Cast, teller: &mut Teller) -> Seen {
    for number in 1..=NODES {
        cast.start(number).await?;
    }
    for number in 1..=NODES {
        let mut others = BTreeSet::new();
        let actor = cast.actor(number)?;
        let name = name(number);
        let what = format!("that {name} finds both others");
        actor
            .sees(&what, |event| {
                if let Event::Joined { peer, .. } = event {
                    others.insert(*peer);
                }
                others.len() == NODES - 1
            })
            .await?;
        let known = introduced(&actor.node).await?;
        let rest: Vec<_> = known.iter().map(in_words).collect();
        teller.say(format_args!("{name} sees {}", rest.join(" and ")));
    }
    Ok(())
}

/// The members of a node, once it knows what they call themselves and how far away they are.
async fn introduced(node: &Node) -> Result<Vec<Peer>, String> {
    let known = async {
        loop {
            let mut peers = node.peers();
            if peers.iter().all(|peer| !peer.name.is_empty() && peer.round_trip.is_some()) {
                peers.sort_by_key(|peer| peer.addr);
                return peers;
            }
            tokio::time::sleep(TICK).await;
        }
    };
    let late = |_| "the nodes do not learn each other's names and distances".to_owned();
    timeout(PATIENCE, known).await.map_err(late)
}

fn in_words(peer: &Peer) -> String {
    let away = peer.round_trip.map(duration).unwrap_or_default();
    format!("{} ({away} away)", peer.label())
}

async fn broadcast(cast: &mut Cast, teller: &mut Teller) -> Seen {
    let said = "good morning";
    if !cast.is_sabotaged(Sabotage::NothingBroadcast) {
        let sender = &cast.actor(1)?.node;
        let sent = sender.broadcast(said).await.map_err(|error| error.to_string())?;
        teller.say(format_args!("Ada says \"{said}\" to {} nodes", sent.len()));
    }
    for number in 2..=NODES {
        let name = name(number);
        let heard = cast.actor(number)?.hears().await?;
        expect(heard == said, || format!("{name} heard \"{heard}\""))?;
        teller.say(format_args!("{name} hears \"{heard}\""));
    }
    Ok(())
}

async fn request(cast: &mut Cast, teller: &mut Teller) -> Seen {
    let peer = cast.addresses()[1];
    let asker = &cast.actor(1)?.node;
    let since = Instant::now();
    let reply =
        asker.request(peer, "hello").timeout(PATIENCE).await.map_err(|error| error.to_string())?;
    let reply = String::from_utf8_lossy(&reply).into_owned();
    expect(reply == "hello yourself, says Bo", || format!("the reply is \"{reply}\""))?;
    teller.say(format_args!("Ada asks \"hello\" and reads \"{reply}\" {}", micros(since)));
    Ok(())
}

async fn request_all(cast: &mut Cast, teller: &mut Teller) -> Seen {
    let asker = &cast.actor(1)?.node;
    let since = Instant::now();
    let outcome = asker.request_all("who are you").timeout(PATIENCE).await;
    let mut answers = outcome.map_err(|error| error.to_string())?;
    let took = micros(since);
    // They come in any order; the story has one.
    answers.replies.sort_by_key(|reply| reply.peer);
    for reply in &answers.replies {
        let said = String::from_utf8_lossy(&reply.payload);
        teller.say(format_args!("{} answers \"{said}\"", cast.name_of(reply.peer)));
    }
    let missing: Vec<_> = answers.missing.iter().map(|(peer, _)| cast.name_of(*peer)).collect();
    expect(missing.is_empty(), || format!("no answer from {}", missing.join(" and ")))?;
    expect(answers.replies.len() == NODES - 1, || {
        format!("{} answers instead of {}", answers.replies.len(), NODES - 1)
    })?;
    teller.say(format_args!("all answers were in {took}"));
    Ok(())
}

async fn lock(cast: &mut Cast, teller: &mut Teller) -> Seen {
    let mut held: Option<(&str, LockGuard)> = None;
    for number in 1..=NODES {
        let name = name(number);
        let node = cast.actor(number)?.node.clone();
        let Some((holder, guard)) = held.take() else {
            let guard = node.lock(LOCK).timeout(PATIENCE).await.map_err(|e| e.to_string())?;
            teller.say(format_args!("{name} holds the lock \"{LOCK}\""));
            held = Some((name, guard));
            continue;
        };
        let refused = node.try_lock(LOCK).await;
        expect(matches!(refused, Err(LockError::Held { .. })), || {
            format!("{name} was not refused while {holder} holds the lock")
        })?;
        teller.say(format_args!("{name} tries, and is refused: it is held"));
        let mut waiting = Box::pin(node.lock(LOCK).timeout(PATIENCE).into_future());
        let early = timeout(Duration::from_millis(150), &mut waiting).await;
        expect(early.is_err(), || format!("{name} did not wait for {holder}"))?;
        teller.say(format_args!("{name} waits"));
        let since = Instant::now();
        if cast.is_sabotaged(Sabotage::LockKept) {
            std::mem::forget(guard);
        } else {
            guard.release().await.map_err(|error| error.to_string())?;
            teller.say(format_args!("{holder} releases it"));
        }
        let guard = waiting.await.map_err(|error| format!("{name} waited: {error}"))?;
        teller.say(format_args!("{name} holds it {}", micros(since)));
        held = Some((name, guard));
    }
    let (_, guard) = held.ok_or("nobody holds the lock at the end")?;
    guard.release().await.map_err(|error| error.to_string())
}

async fn restart(cast: &mut Cast, teller: &mut Teller) -> Seen {
    let peer = cast.addresses()[1];
    cast.kill(2).await;
    teller.say("Bo is killed, and started again at once, at the same address");
    if cast.is_sabotaged(Sabotage::RestartedLate) {
        tokio::time::sleep(2 * SILENCE).await;
    }
    let since = Instant::now();
    cast.start(2).await?;
    let life = Some(cast.actor(2)?.node.incarnation());
    for number in [1, 3] {
        let name = name(number);
        let actor = cast.actor(number)?;
        let mut why = None;
        let what = format!("that {name} sees Bo again");
        actor
            .sees(&what, |event| {
                if let Event::Left { peer: gone, why: reason } = event
                    && *gone == peer
                {
                    why = Some(*reason);
                }
                *event == Event::Joined { peer, incarnation: life }
            })
            .await?;
        expect(why == Some(LeaveReason::Restarted), || {
            format!("{name} did not take the newcomer for a restart, but Bo for {why:?}")
        })?;
        let bo = introduced(&actor.node).await?.into_iter().find(|known| known.addr == peer);
        let bo = bo.map(|bo| bo.label()).unwrap_or_default();
        teller.say(format_args!("{name} sees that it is a new life of {bo} {}", micros(since)));
    }
    Ok(())
}

async fn death(cast: &mut Cast, teller: &mut Teller) -> Seen {
    let holder = cast.actor(3)?.node.clone();
    let guard = holder.lock(LOCK).timeout(PATIENCE).await.map_err(|error| error.to_string())?;
    teller.say("Cleo holds the lock, Ada waits for it");
    let node = cast.actor(1)?.node.clone();
    let waiting = tokio::spawn(node.lock(LOCK).timeout(PATIENCE).into_future());
    if !cast.is_sabotaged(Sabotage::NobodyKilled) {
        cast.kill(3).await;
        teller.say("Cleo is killed: no goodbye, no release");
    }
    let since = Instant::now();
    for number in 1..=2 {
        let peer = cast.addresses()[2];
        let name = name(number);
        let what = format!("that {name} misses Cleo");
        let silent = Event::Left { peer, why: LeaveReason::Silent };
        cast.actor(number)?.sees(&what, |event| *event == silent).await?;
        teller.say(format_args!("{name} has not heard of Cleo for too long: it is gone"));
    }
    let guard_of_the_living = waiting
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| format!("Ada waited for the lock: {error}"))?;
    teller.say(format_args!("its lock is free again: Ada holds it {}", micros(since)));
    drop(guard);
    guard_of_the_living.release().await.map_err(|error| error.to_string())
}

async fn quorum_lost(cast: &mut Cast, teller: &mut Teller) -> Seen {
    if !cast.is_sabotaged(Sabotage::QuorumKept) {
        cast.kill(2).await;
        teller.say("Bo is killed");
    }
    let actor = cast.actor(1)?;
    let lost = |event: &Event| matches!(event, Event::QuorumLost { have: 1, need: 2 });
    actor.sees("that Ada loses the quorum", lost).await?;
    teller.say("Ada is alone: 1 of 2 nodes that are needed");
    let refused = actor.node.try_lock(LOCK).await;
    expect(matches!(refused, Err(LockError::NoQuorum { have: 1, need: 2 })), || {
        "Ada was not refused the lock".to_owned()
    })?;
    teller.say("Ada asks for the lock, and is refused: no quorum");
    Ok(())
}

async fn quorum_regained(cast: &mut Cast, teller: &mut Teller) -> Seen {
    if !cast.is_sabotaged(Sabotage::NotRestarted) {
        cast.start(2).await?;
        cast.start(3).await?;
    }
    let actor = cast.actor(1)?;
    let reached = |event: &Event| matches!(event, Event::QuorumReached { .. });
    actor.sees("that Ada regains the quorum", reached).await?;
    teller.say("Ada has a quorum again");
    let guard = actor.node.lock(LOCK).timeout(PATIENCE).await.map_err(|error| error.to_string())?;
    teller.say("Ada asks for the lock, and gets it");
    guard.release().await.map_err(|error| error.to_string())?;
    for number in 1..=NODES {
        let name = name(number);
        let node = cast.actor(number)?.node.clone();
        let all_here = async {
            while node.peer_count() < NODES - 1 {
                tokio::time::sleep(TICK).await;
            }
        };
        let seen = timeout(PATIENCE, all_here).await;
        expect(seen.is_ok(), || format!("{name} does not see both others"))?;
    }
    teller.say("all three see each other");
    Ok(())
}

async fn goodbye(cast: &mut Cast, teller: &mut Teller) -> Seen {
    let leaving = cast.addresses()[2];
    if cast.is_sabotaged(Sabotage::NoGoodbye) {
        cast.kill(3).await;
    } else {
        cast.say_goodbye(3).await;
        teller.say("Cleo says goodbye");
    }
    for number in 1..=2 {
        let name = name(number);
        let what = format!("that {name} is told goodbye");
        let farewell = Event::Left { peer: leaving, why: LeaveReason::SaidGoodbye };
        cast.actor(number)?.sees(&what, |event| *event == farewell).await?;
        teller.say(format_args!("{name} knows at once that Cleo has left"));
    }
    Ok(())
}

fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Seen {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn micros(since: Instant) -> String {
    format!("after {}", duration(since.elapsed()))
}

fn duration(time: Duration) -> String {
    if time < Duration::from_millis(10) {
        format!("{} µs", time.as_micros())
    } else {
        format!("{} ms", time.as_millis())
    }
}
