//! Runs two sides by turns, so that whatever else the machine does falls on both.

use std::time::Instant;

use crate::Failure;
use crate::statistics::Sample;

/// Has `ours` and `baseline` carry out `operations` operations each, `repetitions` times and once
/// before that to warm up. Who goes first changes each time.
pub(crate) fn interleave(
    repetitions: u32,
    operations: u32,
    mut ours: impl FnMut(u32) -> Result<(), Failure>,
    mut baseline: impl FnMut(u32) -> Result<(), Failure>,
) -> Result<Vec<Sample>, Failure> {
    ours(operations)?;
    baseline(operations)?;
    let mut samples = Vec::new();
    for repetition in 0..repetitions {
        samples.push(if repetition % 2 == 0 {
            let ours = cost(&mut ours, operations)?;
            Sample { ours, baseline: cost(&mut baseline, operations)? }
        } else {
            let baseline = cost(&mut baseline, operations)?;
            Sample { ours: cost(&mut ours, operations)?, baseline }
        });
    }
    Ok(samples)
}

/// Nanoseconds per operation.
fn cost(
    side: &mut impl FnMut(u32) -> Result<(), Failure>,
    operations: u32,
) -> Result<f64, Failure> {
    let begin = Instant::now();
    side(operations)?;
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
            move |_operations: u32| {
                turns.borrow_mut().push(name);
                Ok(())
            }
        };
        let samples = interleave(4, 1, side('o'), side('b')).expect("neither side fails");
        assert_eq!(samples.len(), 4);
        assert_eq!(
            turns.into_inner(),
            "ob" /* warm-up */
                .to_owned()
                + "obboobbo"
        );
    }
}
