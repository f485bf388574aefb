//! A lock that nobody else wants, taken and released among three nodes.

use alan_driver::{Node, Runtime};

use super::round_trip::ask;
use crate::cluster::Places;
use crate::ground::{Ground, PATIENCE};
use crate::one_core::OneCore;
use crate::statistics::Sample;
use crate::{Failure, measure};

const OPERATIONS: u32 = 250;

/// Against a request to one of the same nodes.
pub(super) fn uncontended<G: Ground>(repetitions: u32) -> Result<Vec<Sample>, Failure> {
    let _one_core = OneCore::enter()?;
    let ground = G::new()?;
    let places = Places::new(3)?;
    let _others = [2, 3].map(|number| places.spawn_echo::<G>(number, false));
    let node = places.join(1, false, &ground)?;
    measure::interleave(
        repetitions,
        OPERATIONS,
        |count| ground.run(PATIENCE, lock(node.clone(), count)),
        |count| ground.run(PATIENCE, ask(node.clone(), places.node(2), None, count)),
    )
}

async fn lock<R: Runtime>(node: Node<R>, count: u32) -> Result<(), Failure> {
    for _ in 0..count {
        node.lock("bench").await?.release().await?;
    }
    Ok(())
}
