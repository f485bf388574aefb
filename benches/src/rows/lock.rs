//! A lock that nobody else wants, taken and released among three nodes.

use alan_tokio::Node;

use super::round_trip::ask;
use crate::cluster::Places;
use crate::one_core::OneCore;
use crate::statistics::Sample;
use crate::{Failure, measure};

const OPERATIONS: u32 = 250;

/// Against a request to one of the same nodes.
pub(super) fn uncontended(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    let _one_core = OneCore::enter()?;
    measure::runtime()?.block_on(async {
        let places = Places::new(3)?;
        let _others = [2, 3].map(|number| places.spawn_echo(number, false));
        let node = places.start(1, false).await?;
        places.meet(&node).await?;
        measure::interleave(
            repetitions,
            OPERATIONS,
            async |operations| measure::as_task(lock(node.clone(), operations)).await,
            async |operations| {
                measure::as_task(ask(node.clone(), places.node(2), None, operations)).await
            },
        )
        .await
    })
}

async fn lock(node: Node, count: u32) -> Result<(), Failure> {
    for _ in 0..count {
        node.lock("bench").await?.release().await?;
    }
    Ok(())
}
