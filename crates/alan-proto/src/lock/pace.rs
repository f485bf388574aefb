//! How long to wait before asking again: pure formulas.

use core::time::Duration;

use rand_core::Rng;

use crate::pause::doubled;

/// The first pause before whoever has not answered is asked again.
const REPEAT_FIRST: Duration = Duration::from_millis(500);
/// The longest such pause.
const REPEAT_MOST: Duration = Duration::from_secs(4);
/// The first pause before a denied requester asks again by itself.
const RETRY_FIRST: Duration = Duration::from_millis(250);
/// The longest such pause.
const RETRY_MOST: Duration = Duration::from_secs(2);
/// Waiters that are woken together and were turned away before ask at different moments.
const WAKE_SPREAD: Duration = Duration::from_millis(20);
/// After a release, the next caller of the same node lets others ask first for this long …
const HANDOVER: Duration = Duration::from_millis(5);
/// … and up to this much longer.
const HANDOVER_SPREAD: Duration = Duration::from_millis(5);

/// The pause after the `round`th time (from 0) that somebody was asked and did not answer.
pub(super) fn repeat<R: Rng>(round: u8, rng: &mut R) -> Duration {
    jittered(doubled(REPEAT_FIRST, round.into(), REPEAT_MOST), rng)
}

/// The pause before a holder is reminded of its grant, having been reminded `times` before.
pub(super) fn reminder(times: u8) -> Duration {
    doubled(REPEAT_FIRST, times.into(), REPEAT_MOST)
}

/// The pause after a requester was turned away for the `times`th time (from 1).
pub(super) fn retry<R: Rng>(times: u8, rng: &mut R) -> Duration {
    jittered(doubled(RETRY_FIRST, times.saturating_sub(1).into(), RETRY_MOST), rng)
}

/// The pause of a woken waiter that was turned away more than once.
pub(super) fn wake<R: Rng>(rng: &mut R) -> Duration {
    up_to(WAKE_SPREAD, rng)
}

/// The pause of the next caller in line on the node that has just released the lock.
pub(super) fn handover<R: Rng>(rng: &mut R) -> Duration {
    HANDOVER + up_to(HANDOVER_SPREAD, rng)
}

/// Give or take a quarter.
fn jittered<R: Rng>(pause: Duration, rng: &mut R) -> Duration {
    pause * 3 / 4 + up_to(pause / 2, rng)
}

fn up_to<R: Rng>(most: Duration, rng: &mut R) -> Duration {
    let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(rng.next_u64() % micros.max(1))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn pauses_double_up_to_their_limit_and_stay_within_a_quarter() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (times, expected) in
            [(1, 250), (2, 500), (3, 1_000), (4, 2_000), (5, 2_000), (255, 2_000)]
        {
            for _ in 0..100 {
                let millis = retry(times, &mut rng).as_millis();
                assert!(
                    (expected * 3 / 4..=expected * 5 / 4).contains(&millis),
                    "{times}: {millis}"
                );
            }
        }
        for (round, expected) in [(0, 500), (1, 1_000), (3, 4_000), (4, 4_000), (255, 4_000)] {
            for _ in 0..100 {
                let millis = repeat(round, &mut rng).as_millis();
                assert!(
                    (expected * 3 / 4..=expected * 5 / 4).contains(&millis),
                    "{round}: {millis}"
                );
            }
        }
    }

    #[test]
    fn the_next_in_line_waits_between_five_and_ten_milliseconds() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for _ in 0..1_000 {
            let pause = handover(&mut rng);
            assert!(pause >= HANDOVER && pause < HANDOVER + HANDOVER_SPREAD, "{pause:?}");
        }
    }
}
