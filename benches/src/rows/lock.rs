//! A lock that nobody else wants, taken and released among three nodes.

use crate::cluster::Places;
use crate::statistics::Sample;
use crate::{Failure, measure};

const OPERATIONS: u32 = 1_000;
const PAYLOAD: [u8; 64] = [1; 64];

/// Against a request to one of the same nodes.
pub(super) fn uncontended(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    measure::runtime()?.block_on(async {
        let places = Places::new(3)?;
        let _others = [2, 3].map(|number| places.spawn_echo(number, false));
        let node = places.start(1, false).await?;
        places.meet(&node).await?;
        measure::interleave(
            repetitions,
            OPERATIONS,
            async |operations| {
                for _ in 0..operations {
                    node.lock("bench").await?.release().await?;
                }
                Ok(())
            },
            async |operations| {
                for _ in 0..operations {
                    node.request(places.node(2), &PAYLOAD).await?;
                }
                Ok(())
            },
        )
        .await
    })
}
