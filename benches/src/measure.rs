//! Runs two sides by turns, so that whatever else the machine does falls on both.

use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::Failure;
use crate::statistics::Sample;

/// The longest that one side of one repetition may take. They take a fraction of a second; a
/// datagram that got lost would be waited for for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// A runtime on the calling thread alone. Each side of a conversation gets one of its own, as each
/// would in a process of its own, and both sides of a comparison get the same kind.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// Runs `work` as a task, as programs do. On this kind of runtime, what is not a task but the future
/// that the thread blocks on is polled after one more look at the reactor each time another task
/// wakes it, a system call that would be counted against the side that has other tasks.
pub(crate) async fn as_task<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    tokio::spawn(work).await?
}

/// Has `ours` and `baseline` carry out `operations` operations each, `repetitions` times and once
/// before that to warm up. Who goes first changes each time.
pub(crate) async fn interleave(
    repetitions: u32,
    operations: u32,
    mut ours: impl AsyncFnMut(u32) -> Result<(), Failure>,
    mut baseline: impl AsyncFnMut(u32) -> Result<(), Failure>,
) -> Result<Vec<Sample>, Failure> {
    ours(operations).await?;
    baseline(operations).await?;
    let mut samples = Vec::new();
    for repetition in 0..repetitions {
        samples.push(if repetition % 2 == 0 {
            let ours = cost(&mut ours, operations).await?;
            Sample { ours, baseline: cost(&mut baseline, operations).await? }
        } else {
            let baseline = cost(&mut baseline, operations).await?;
            Sample { ours: cost(&mut ours, operations).await?, baseline }
        });
    }
    Ok(samples)
}

/// Nanoseconds per operation.
async fn cost(
    side: &mut impl AsyncFnMut(u32) -> Result<(), Failure>,
    operations: u32,
) -> Result<f64, Failure> {
    let begin = Instant::now();
    timeout(PATIENCE, side(operations))
        .await
        .map_err(|_elapsed| format!("not finished after {PATIENCE:?}: was a datagram lost?"))??;
    Ok(begin.elapsed().as_secs_f64() * 1e9 / f64::from(operations))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn the_sides_take_turns_at_going_first() {
        let turns = RefCell::new(String::new());
        let side = |name: char| {
            let turns = &turns;
            async move |_operations: u32| {
                turns.borrow_mut().push(name);
                Ok(())
            }
        };
        let samples = runtime()
            .expect("a runtime can be made")
            .block_on(interleave(4, 1, side('o'), side('b')))
            .expect("neither side fails");
        assert_eq!(samples.len(), 4);
        assert_eq!(
            turns.into_inner(),
            "ob" /* warm-up */
                .to_owned()
                + "obboobbo"
        );
    }
}
