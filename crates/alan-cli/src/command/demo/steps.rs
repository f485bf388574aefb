//! What the nodes of the demo do, and what must be seen for each step to count.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use alan_proto::LeaveReason;
use alan_tokio::{Event, LockError, LockGuard};
use tokio::time::timeout;

use super::PATIENCE;
use super::cast::{Cast, NODES};
use super::teller::{NotSeen, Teller};
use crate::args::Sabotage;

const LOCK: &str = "nightly-report";

type Seen = Result<(), String>;

/// All steps, up to the first that fails.
pub(crate) async fn all(cast: &mut Cast, teller: &mut Teller) -> Result<(), NotSeen> {
    teller.begin("discovery", "The nodes find each other");
    let seen = discovery(cast, teller).await;
    teller.end(seen)?;

    teller.begin("broadcast", "Node 1 tells everybody something");
    let seen = broadcast(cast, teller).await;
    teller.end(seen)?;

    teller.begin("request", "Node 1 asks node 2");
    let seen = request(cast, teller).await;
    teller.end(seen)?;

    teller.begin("request-all", "Node 1 asks everybody");
    let seen = request_all(cast, teller).await;
    teller.end(seen)?;

    teller.begin("lock", "A lock goes from node to node");
    let seen = lock(cast, teller).await;
    teller.end(seen)?;

    teller.begin("death", "Node 3 dies with the lock in its hands");
    let seen = death(cast, teller).await;
    teller.end(seen)?;

    teller.begin("quorum-lost", "Node 2 dies too: one of three is no quorum");
    let seen = quorum_lost(cast, teller).await;
    teller.end(seen)?;

    teller.begin("quorum-regained", "Nodes 2 and 3 are started again");
    let seen = quorum_regained(cast, teller).await;
    teller.end(seen)?;

    teller.begin("goodbye", "Node 3 says goodbye");
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
        let what = format!("that node {number} finds both others");
        actor
            .sees(&what, |event| {
                if let Event::Joined { peer, .. } = event {
                    others.insert(*peer);
                }
                others.len() == NODES - 1
            })
            .await?;
        let rest: Vec<_> = others.into_iter().map(|peer| cast.name_of(peer)).collect();
        teller.say(format_args!("node {number} sees {}", rest.join(" and ")));
    }
    Ok(())
}

async fn broadcast(cast: &mut Cast, teller: &mut Teller) -> Seen {
    let said = "good morning";
    if !cast.is_sabotaged(Sabotage::NothingBroadcast) {
        let sender = &cast.actor(1)?.node;
        let sent = sender.broadcast(said).await.map_err(|error| error.to_string())?;
        teller.say(format_args!("node 1 says \"{said}\" to {} nodes", sent.len()));
    }
    for number in 2..=NODES {
        let heard = cast.actor(number)?.hears().await?;
        expect(heard == said, || format!("node {number} heard \"{heard}\""))?;
        teller.say(format_args!("node {number} hears \"{heard}\""));
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
    expect(reply == "hello yourself, says node 2", || format!("the reply is \"{reply}\""))?;
    teller.say(format_args!("node 1 asks \"hello\" and reads \"{reply}\" {}", micros(since)));
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
    let mut held: Option<(usize, LockGuard)> = None;
    for number in 1..=NODES {
        let node = cast.actor(number)?.node.clone();
        let Some((holder, guard)) = held.take() else {
            let guard = node.lock(LOCK).timeout(PATIENCE).await.map_err(|e| e.to_string())?;
            teller.say(format_args!("node {number} holds the lock \"{LOCK}\""));
            held = Some((number, guard));
            continue;
        };
        let refused = node.try_lock(LOCK).await;
        expect(matches!(refused, Err(LockError::Held { .. })), || {
            format!("node {number} was not refused while node {holder} holds the lock")
        })?;
        teller.say(format_args!("node {number} tries, and is refused: it is held"));
        let mut waiting = Box::pin(node.lock(LOCK).timeout(PATIENCE).into_future());
        let early = timeout(Duration::from_millis(150), &mut waiting).await;
        expect(early.is_err(), || format!("node {number} did not wait for node {holder}"))?;
        teller.say(format_args!("node {number} waits"));
        let since = Instant::now();
        if cast.is_sabotaged(Sabotage::LockKept) {
            std::mem::forget(guard);
        } else {
            guard.release().await.map_err(|error| error.to_string())?;
            teller.say(format_args!("node {holder} releases it"));
        }
        let guard = waiting.await.map_err(|error| format!("node {number} waited: {error}"))?;
        teller.say(format_args!("node {number} holds it {}", micros(since)));
        held = Some((number, guard));
    }
    let (_, guard) = held.ok_or("nobody holds the lock at the end")?;
    guard.release().await.map_err(|error| error.to_string())
}

async fn death(cast: &mut Cast, teller: &mut Teller) -> Seen {
    let holder = cast.actor(3)?.node.clone();
    let guard = holder.lock(LOCK).timeout(PATIENCE).await.map_err(|error| error.to_string())?;
    teller.say("node 3 holds the lock, node 1 waits for it");
    let node = cast.actor(1)?.node.clone();
    let waiting = tokio::spawn(node.lock(LOCK).timeout(PATIENCE).into_future());
    if !cast.is_sabotaged(Sabotage::NobodyKilled) {
        cast.kill(3).await;
        teller.say("node 3 is killed: no goodbye, no release");
    }
    let since = Instant::now();
    for number in 1..=2 {
        let peer = cast.addresses()[2];
        let what = format!("that node {number} misses node 3");
        let silent = Event::Left { peer, why: LeaveReason::Silent };
        cast.actor(number)?.sees(&what, |event| *event == silent).await?;
        teller.say(format_args!("node {number} has not heard of node 3 for too long: it is gone"));
    }
    let guard_of_the_living = waiting
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| format!("node 1 waited for the lock: {error}"))?;
    teller.say(format_args!("its lock is free again: node 1 holds it {}", micros(since)));
    drop(guard);
    guard_of_the_living.release().await.map_err(|error| error.to_string())
}

async fn quorum_lost(cast: &mut Cast, teller: &mut Teller) -> Seen {
    if !cast.is_sabotaged(Sabotage::QuorumKept) {
        cast.kill(2).await;
        teller.say("node 2 is killed");
    }
    let actor = cast.actor(1)?;
    let lost = |event: &Event| matches!(event, Event::QuorumLost { have: 1, need: 2 });
    actor.sees("that node 1 loses the quorum", lost).await?;
    teller.say("node 1 is alone: 1 of 2 nodes that are needed");
    let refused = actor.node.try_lock(LOCK).await;
    expect(matches!(refused, Err(LockError::NoQuorum { have: 1, need: 2 })), || {
        "node 1 was not refused the lock".to_owned()
    })?;
    teller.say("node 1 asks for the lock, and is refused: no quorum");
    Ok(())
}

async fn quorum_regained(cast: &mut Cast, teller: &mut Teller) -> Seen {
    if !cast.is_sabotaged(Sabotage::NotRestarted) {
        cast.start(2).await?;
        cast.start(3).await?;
    }
    let actor = cast.actor(1)?;
    let reached = |event: &Event| matches!(event, Event::QuorumReached { .. });
    actor.sees("that node 1 regains the quorum", reached).await?;
    teller.say("node 1 has a quorum again");
    let guard = actor.node.lock(LOCK).timeout(PATIENCE).await.map_err(|error| error.to_string())?;
    teller.say("node 1 asks for the lock, and gets it");
    guard.release().await.map_err(|error| error.to_string())?;
    for number in 1..=NODES {
        let node = cast.actor(number)?.node.clone();
        let all_here = async {
            while node.peer_count() < NODES - 1 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let seen = timeout(PATIENCE, all_here).await;
        expect(seen.is_ok(), || format!("node {number} does not see both others"))?;
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
        teller.say("node 3 says goodbye");
    }
    for number in 1..=2 {
        let what = format!("that node {number} is told goodbye");
        let farewell = Event::Left { peer: leaving, why: LeaveReason::SaidGoodbye };
        cast.actor(number)?.sees(&what, |event| *event == farewell).await?;
        teller.say(format_args!("node {number} knows at once that node 3 has left"));
    }
    Ok(())
}

fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Seen {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn micros(since: Instant) -> String {
    let elapsed = since.elapsed();
    if elapsed < Duration::from_millis(10) {
        format!("after {} µs", elapsed.as_micros())
    } else {
        format!("after {} ms", elapsed.as_millis())
    }
}
