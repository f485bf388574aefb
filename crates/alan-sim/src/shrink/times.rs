//! Shorter and rounder times: what lasts, when it happens, when the calm begins.

use std::time::Duration;

use super::Shrinker;
use crate::plan::{Entry, Event, Plan};

/// Where a plan keeps a time: in which entry, and the how many-th there. The last is when.
type Slot = (usize, usize);

impl Shrinker {
    pub(super) fn drop_time(&mut self) {
        for entry in 0..self.plan.schedule.len() {
            let slots = times(&mut self.plan.schedule[entry]).len();
            for slot in 0..slots {
                self.shorten((entry, slot));
            }
        }
        for index in 0..self.plan.nodes.len() {
            for shorter in shorter(self.plan.nodes[index].start) {
                if self.try_change(|plan| plan.nodes[index].start = shorter) {
                    break;
                }
            }
        }
        self.try_change(|plan| plan.schedule.sort_by_key(|entry| entry.at));
        if self.plan.bound.is_some() {
            self.try_change(|plan| plan.calm = plan.calm.min(last_end(plan)));
        }
    }

    fn shorten(&mut self, (entry, slot): Slot) {
        let mut times_of_entry = times(&mut self.plan.schedule[entry]);
        let is_moment = slot + 1 == times_of_entry.len();
        let time = *times_of_entry.swap_remove(slot);
        // What lasts no time at all is hard to imagine.
        for shorter in shorter(time).into_iter().filter(|time| is_moment || !time.is_zero()) {
            let done = self.try_change(|plan| *times(&mut plan.schedule[entry])[slot] = shorter);
            if done {
                return;
            }
        }
    }
}

/// Two seconds after the last entry has ended, and not before the nodes have started.
fn last_end(plan: &Plan) -> Duration {
    let mut again = Plan::new(0);
    for entry in &plan.schedule {
        again.add(entry.at, entry.event.clone());
    }
    let starts = plan.nodes.iter().map(|node| node.start + Duration::from_secs(2));
    starts.fold(again.calm, Duration::max)
}

/// Smaller values to try, the most welcome first; none for what is small and round already.
fn shorter(time: Duration) -> Vec<Duration> {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let mut values: Vec<u64> =
        [0, rounded(micros / 4, 1), rounded(micros / 2, 1), rounded(micros * 3 / 4, 1)].into();
    values.extend((1..=4).map(|digits| rounded(micros, digits)));
    values.retain(|value| *value < micros);
    values.dedup();
    values.into_iter().map(Duration::from_micros).collect()
}

/// The number with so many of its leading digits, the others zero.
fn rounded(number: u64, digits: u32) -> u64 {
    let length = number.checked_ilog10().map_or(1, |log| log + 1);
    let unit = 10u64.pow(length.saturating_sub(digits));
    number / unit * unit
}

/// The times of an entry: how long things last, and when it happens.
fn times(entry: &mut Entry) -> Vec<&mut Duration> {
    let mut times: Vec<&mut Duration> = match &mut entry.event {
        Event::Lock { hold, patience, .. } => {
            std::iter::once(hold).chain(patience.as_mut()).collect()
        }
        Event::TryLock { hold, .. } => vec![hold],
        Event::Request { patience, .. } | Event::RequestAll { patience, .. } => {
            patience.as_mut().into_iter().collect()
        }
        Event::Leave { back, .. } | Event::Crash { back, .. } => {
            back.as_mut().map(|back| &mut back.after).into_iter().collect()
        }
        Event::Pause { lasts, .. }
        | Event::Cut { lasts, .. }
        | Event::Weather { lasts, .. }
        | Event::Flood { lasts, .. } => vec![lasts],
        Event::Repeat { repeat, lasts } => vec![lasts, &mut repeat.within],
        Event::Cancel { .. }
        | Event::Unlock { .. }
        | Event::Send { .. }
        | Event::Broadcast { .. }
        | Event::CancelRequest { .. }
        | Event::Discovery { .. }
        | Event::Strangers { .. }
        | Event::Forge { .. }
        | Event::Replay { .. }
        | Event::Claim { .. }
        | Event::StepWallClock { .. } => Vec::new(),
    };
    times.push(&mut entry.at);
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shorter_times_are_round_and_get_less_welcome() {
        let micros = |values: &[u64]| values.iter().map(|v| Duration::from_micros(*v)).collect();
        let expected: Vec<Duration> =
            micros(&[0, 300_000, 600_000, 900_000, 1_000_000, 1_200_000, 1_230_000, 1_234_000]);
        assert_eq!(shorter(Duration::from_micros(1_234_567)), expected);
        assert!(shorter(Duration::ZERO).is_empty());
    }
}
