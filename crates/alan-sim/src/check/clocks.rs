//! Clocks: within a life, the hybrid clock of a node never goes back; and it is pushed ahead by
//! nobody whose clock is more than a day ahead.

use std::time::Duration;

use super::{Breach, Fact};
use crate::host::Host;
use crate::time::{Moment, micros};

/// How far ahead a clock may be that a node follows.
const DAY: Duration = Duration::from_secs(86_400);

/// What a life's clocks have shown.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    /// When it began, and what its wall clock showed then.
    began: Option<(Moment, u64)>,
    hybrid: u64,
}

/// What all clocks have shown.
#[derive(Debug)]
pub(super) struct Clocks {
    /// When each life began, and what its wall clock showed then.
    started: Vec<(Moment, u64)>,
    shown: Vec<Shown>,
}

impl Clocks {
    pub(super) fn new(nodes: usize) -> Self {
        Self { started: Vec::new(), shown: vec![Shown::default(); nodes] }
    }

    pub(super) fn observe_at(&mut self, at: Moment, fact: &Fact) {
        if let Fact::Started { node, wall, .. } = *fact {
            self.started.push((at, wall));
            self.shown[node.index()] = Shown { began: Some((at, wall)), hybrid: 0 };
        }
    }

    pub(super) fn judge(&mut self, now: Moment, hosts: &[Host]) -> Result<(), Breach> {
        let mut clocks: Vec<u64> = self.started.iter().map(|&began| at_most(began, now)).collect();
        clocks.sort_unstable();
        for (host, shown) in hosts.iter().zip(&mut self.shown) {
            let (Some(hybrid), Some(began)) = (host.hybrid_time(), shown.began) else { continue };
            let went_back = hybrid < shown.hybrid;
            shown.hybrid = hybrid;
            if went_back || hybrid > reach(&clocks, at_most(began, now)) {
                return Err(Breach::ClockWrong { node: host.place(), shows: hybrid, went_back });
            }
        }
        Ok(())
    }
}

/// What a life's clock shows by now at most: none is fast by more than a fiftieth.
fn at_most((began, wall): (Moment, u64), now: Moment) -> u64 {
    let age = micros(now.since(began));
    wall.saturating_add(age + age / 50)
}

/// How far a clock that shows `own` can be pushed: to the next that is ahead by a day at most, from
/// there to the next, and so on.
fn reach(clocks: &[u64], own: u64) -> u64 {
    let ahead = clocks.iter().filter(|clock| **clock > own);
    ahead.fold(own, |reached, &clock| if clock - reached <= micros(DAY) { clock } else { reached })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{a_host, life};
    use super::*;

    #[test]
    fn a_clock_is_pushed_by_steps_of_a_day_and_no_further() {
        let day = micros(DAY);
        assert_eq!(reach(&[5, 10], 10), 10);
        assert_eq!(reach(&[10, 10 + day, 10 + 2 * day], 10), 10 + 2 * day);
        assert_eq!(reach(&[10, 11 + day, 11 + 2 * day], 10), 10);
    }

    #[test]
    fn a_clock_that_goes_back_or_is_ahead_of_all_is_seen() {
        let host = a_host(|_, _| {});
        let shows = host.hybrid_time().expect("it runs");
        let mut clocks = Clocks::new(1);
        let (node, moves, incarnation) = (host.place(), 0, life(1));
        let began = |wall| Fact::Started { node, moves, incarnation, wall };
        clocks.observe_at(Moment::START, &began(shows));
        assert_eq!(clocks.judge(Moment::START, std::slice::from_ref(&host)), Ok(()));
        clocks.shown[0].hybrid = shows + 1;
        let breach = |went_back| Err(Breach::ClockWrong { node, shows, went_back });
        assert_eq!(clocks.judge(Moment::START, std::slice::from_ref(&host)), breach(true));
        let mut clocks = Clocks::new(1);
        clocks.observe_at(Moment::START, &began(shows - 1));
        assert_eq!(clocks.judge(Moment::START, std::slice::from_ref(&host)), breach(false));
    }
}
