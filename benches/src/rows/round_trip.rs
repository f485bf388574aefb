//! A request of 64 bytes and its reply, against a datagram of 64 bytes there and back.

use std::net::SocketAddr;
use std::time::Duration;

use alan_tokio::Node;

use crate::bare::{BatchEcho, Echo};
use crate::cluster::Places;
use crate::one_core::OneCore;
use crate::statistics::Sample;
use crate::{Failure, measure};

const OPERATIONS: u32 = 500;
static PAYLOAD: [u8; 64] = [1; 64];

pub(super) fn plain(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    run(repetitions, false, false, None)
}

/// With a deadline, as most requests have one.
pub(super) fn with_timeout(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    run(repetitions, false, false, Some(Duration::from_secs(1)))
}

/// Against an echo in clear text: what it takes to have a cluster that is sealed.
pub(super) fn sealed(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    run(repetitions, true, false, None)
}

/// Against an echo that seals too: what is ours of that.
pub(super) fn sealed_against_sealed(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    run(repetitions, true, true, None)
}

fn run(
    repetitions: u32,
    sealed: bool,
    baseline_sealed: bool,
    limit: Option<Duration>,
) -> Result<Vec<Sample>, Failure> {
    let _one_core = OneCore::enter()?;
    measure::runtime()?.block_on(async {
        let places = Places::new(2)?;
        let _echo = places.spawn_echo(2, sealed);
        let node = places.start(1, sealed).await?;
        places.meet(&node).await?;
        let bare = Echo::start(baseline_sealed)?;
        measure::interleave(
            repetitions,
            OPERATIONS,
            async |operations| {
                measure::as_task(ask(node.clone(), places.node(2), limit, operations)).await
            },
            async |operations| bare.round_trips(operations, &PAYLOAD).await,
        )
        .await
    })
}

/// Asks `peer` so many times, and waits for each reply.
pub(super) async fn ask(
    node: Node,
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
pub(super) fn batch_echo(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    let _one_core = OneCore::enter()?;
    measure::runtime()?.block_on(async {
        let batches = BatchEcho::start()?;
        let bare = Echo::start(false)?;
        measure::interleave(
            repetitions,
            OPERATIONS,
            async |operations| batches.round_trips(operations, &PAYLOAD).await,
            async |operations| bare.round_trips(operations, &PAYLOAD).await,
        )
        .await
    })
}
