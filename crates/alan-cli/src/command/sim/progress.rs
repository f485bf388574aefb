//! A bar on the terminal while seeds run; nothing where standard error is none.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the bar is drawn, at most.
const REDRAW: Duration = Duration::from_millis(100);
const WIDTH: u8 = 30;

pub(super) struct Progress {
    visible: bool,
    title: String,
    total: u64,
    started: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    pub(super) fn new(title: String, total: u64) -> Self {
        let visible = io::stderr().is_terminal();
        Self { visible, title, total, started: Instant::now(), drawn: None }
    }

    pub(super) fn tell(&mut self, seeds: u64, datagrams: u64) {
        let now = Instant::now();
        if !self.visible || self.drawn.is_some_and(|drawn| now < drawn + REDRAW) {
            return;
        }
        self.drawn = Some(now);
        let full = usize::try_from(seeds * u64::from(WIDTH) / self.total.max(1)).unwrap_or(0);
        let bar = "━".repeat(full) + &"╌".repeat(usize::from(WIDTH).saturating_sub(full));
        let rate = thousands(per_second(datagrams, self.started.elapsed()));
        let line = format!(
            "\r\x1b[K{bar} {seeds} of {} seeds, {rate} datagrams/s  {}",
            self.total, self.title
        );
        // A bar that can't be drawn is no reason to stop.
        let _ = io::stderr().write_all(line.as_bytes());
    }

    /// Wipes the bar away, and gives how long it took.
    pub(super) fn end(self) -> Duration {
        if self.drawn.is_some() {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
        self.started.elapsed()
    }
}

pub(super) fn per_second(count: u64, time: Duration) -> u64 {
    let micros = time.as_micros().max(1);
    u64::try_from(u128::from(count) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

/// A number with commas.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_have_commas() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}
