//! Messages one way, from `send_to` on one thread to `incoming` on another, none lost.

use crate::bare::{BURST, Credits, Flow};
use crate::cluster::Places;
use crate::one_core::OneCore;
use crate::statistics::Sample;
use crate::{Failure, measure};

/// A multiple of [`BURST`].
const DATAGRAMS: u32 = 125 * BURST;

pub(super) fn plain<const PAYLOAD: usize>(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    run(repetitions, &[1; PAYLOAD], false)
}

pub(super) fn sealed<const PAYLOAD: usize>(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    run(repetitions, &[1; PAYLOAD], true)
}

fn run(repetitions: u32, payload: &[u8], sealed: bool) -> Result<Vec<Sample>, Failure> {
    let _one_core = OneCore::enter()?;
    measure::runtime()?.block_on(async {
        let places = Places::new(2)?;
        let credits = Credits::new();
        let _counter = places.spawn_counter(2, sealed, payload.len(), credits.clone());
        let node = places.start(1, sealed).await?;
        places.meet(&node).await?;
        let mut bare = Flow::start(sealed, payload.len())?;
        measure::interleave(
            repetitions,
            DATAGRAMS,
            async |datagrams| {
                for _ in 0..datagrams / BURST {
                    credits.take_burst().await?;
                    for _ in 0..BURST {
                        node.send_to(places.node(2), payload)?;
                    }
                }
                credits.drained().await
            },
            async |datagrams| bare.send(datagrams, payload).await,
        )
        .await
    })
}
