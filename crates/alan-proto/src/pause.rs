//! How long to wait before trying again.

use core::time::Duration;

/// The pause after a try before which there were `times` others: `first`, doubled for each of them,
/// at most `longest`.
pub(crate) fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(1u32.checked_shl(times).unwrap_or(u32::MAX)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let (first, longest) = (Duration::from_millis(200), Duration::from_secs(30));
        let pauses = [0, 1, 2, 7, 8, 31, 32, u32::MAX].map(|times| doubled(first, times, longest));
        let expected = [200, 400, 800, 25_600, 30_000, 30_000, 30_000, 30_000];
        assert_eq!(pauses, expected.map(Duration::from_millis));
    }
}
