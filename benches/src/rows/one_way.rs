//! Messages one way, from `send_to` on one thread to `incoming` on another, none lost.

use std::net::SocketAddr;

use alan_driver::{Node, Runtime};

use crate::bare::{self, BURST, Credits};
use crate::cluster::Places;
use crate::ground::{Ground, PATIENCE};
use crate::one_core::OneCore;
use crate::statistics::Sample;
use crate::{Failure, measure};

/// A multiple of [`BURST`].
const DATAGRAMS: u32 = 125 * BURST;

pub(super) fn plain<G: Ground, const PAYLOAD: usize>(
    repetitions: u32,
) -> Result<Vec<Sample>, Failure> {
    run::<G>(repetitions, &[1; PAYLOAD], false)
}

pub(super) fn sealed<G: Ground, const PAYLOAD: usize>(
    repetitions: u32,
) -> Result<Vec<Sample>, Failure> {
    run::<G>(repetitions, &[1; PAYLOAD], true)
}

fn run<G: Ground>(
    repetitions: u32,
    payload: &'static [u8],
    sealed: bool,
) -> Result<Vec<Sample>, Failure> {
    let _one_core = OneCore::enter()?;
    let ground = G::new()?;
    let places = Places::new(2)?;
    let credits = Credits::new();
    let _counter = places.spawn_counter::<G>(2, sealed, payload.len(), credits.clone());
    let node = places.join(1, sealed, &ground)?;
    let bare = bare::flow(&ground, sealed, payload.len())?;
    measure::interleave(
        repetitions,
        DATAGRAMS,
        |count| {
            let work = send(node.clone(), places.node(2), payload, credits.clone(), count);
            ground.run(PATIENCE, work)
        },
        |count| bare.send(&ground, count, payload),
    )
}

async fn send<R: Runtime>(
    node: Node<R>,
    peer: SocketAddr,
    payload: &'static [u8],
    credits: Credits,
    count: u32,
) -> Result<(), Failure> {
    for _ in 0..count / BURST {
        credits.take_burst().await?;
        for _ in 0..BURST {
            node.send_to(peer, payload)?;
        }
    }
    credits.drained().await
}
