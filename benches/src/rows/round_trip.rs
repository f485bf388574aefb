//! A request of 64 bytes and its reply, against a datagram of 64 bytes there and back.

use std::net::SocketAddr;
use std::time::Duration;

use alan_driver::{Node, Runtime};

use crate::bare;
use crate::cluster::Places;
use crate::ground::{Ground, PATIENCE};
use crate::one_core::OneCore;
use crate::statistics::Sample;
use crate::{Failure, measure};

const OPERATIONS: u32 = 500;
static PAYLOAD: [u8; 64] = [1; 64];

pub(super) fn plain<G: Ground>(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    run::<G>(repetitions, false, false, None)
}

/// With a deadline, as most requests have one.
pub(super) fn with_timeout<G: Ground>(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    run::<G>(repetitions, false, false, Some(Duration::from_secs(1)))
}

/// Against an echo in clear text: what it takes to have a cluster that is sealed.
pub(super) fn sealed<G: Ground>(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    run::<G>(repetitions, true, false, None)
}

/// Against an echo that seals too: what is ours of that.
pub(super) fn sealed_against_sealed<G: Ground>(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    run::<G>(repetitions, true, true, None)
}

fn run<G: Ground>(
    repetitions: u32,
    sealed: bool,
    baseline_sealed: bool,
    limit: Option<Duration>,
) -> Result<Vec<Sample>, Failure> {
    let _one_core = OneCore::enter()?;
    let ground = G::new()?;
    let places = Places::new(2)?;
    let _echo = places.spawn_echo::<G>(2, sealed);
    let node = places.join(1, sealed, &ground)?;
    let bare = bare::echo(&ground, baseline_sealed)?;
    measure::interleave(
        repetitions,
        OPERATIONS,
        |count| ground.run(PATIENCE, ask(node.clone(), places.node(2), limit, count)),
        |count| bare.send(&ground, count, &PAYLOAD),
    )
}

/// Asks `peer` so many times, and waits for each reply.
pub(super) async fn ask<R: Runtime>(
    node: Node<R>,
    peer: SocketAddr,
    limit: Option<Duration>,
    count: u32,
) -> Result<(), Failure> {
    for _ in 0..count {
        let request = node.request(peer, &PAYLOAD);
        let reply = match limit {
            Some(limit) => request.timeout(limit).await?,
            None => request.await?,
        };
        if reply[..] != PAYLOAD {
            return Err("the reply is not what was asked".into());
        }
    }
    Ok(())
}

/// What of the ratio is due to the system calls that alan makes: both sides are bare.
pub(super) fn batch_echo<G: Ground>(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    let _one_core = OneCore::enter()?;
    let ground = G::new()?;
    let batches = bare::batch_echo(&ground)?;
    let bare = bare::echo(&ground, false)?;
    measure::interleave(
        repetitions,
        OPERATIONS,
        |count| batches.send(&ground, count, &PAYLOAD),
        |count| bare.send(&ground, count, &PAYLOAD),
    )
}
