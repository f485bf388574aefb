//! What can be taken out of a plan: entries, what happens after the violation, hardships.

use std::time::Duration;

use super::Shrinker;
use crate::draw::PerMille;
use crate::plan::{NodePlan, Plan, Weather};
use crate::time::Moment;

impl Shrinker {
    /// The run ended with the violation: what was to come after it can go.
    pub(super) fn drop_the_end(&mut self) {
        let ended = self.violation.at;
        self.try_change(|plan| plan.schedule.retain(|entry| Moment::START + entry.at <= ended));
        if ended < Moment::START + self.plan.calm {
            self.try_change(|plan| {
                // Whole milliseconds read better; the last must be one after the violation.
                let after = ended.since(Moment::START) + Duration::from_millis(1);
                let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                plan.calm = Duration::from_millis(millis + 1);
                plan.bound = None;
            });
        }
        self.try_change(|plan| plan.goodbye = false);
    }

    /// Groups of entries, half of them at first, single ones at last.
    pub(super) fn drop_entries(&mut self) {
        let mut group = self.plan.schedule.len().div_ceil(2);
        while group > 0 {
            let mut from = 0;
            while from < self.plan.schedule.len() {
                let to = (from + group).min(self.plan.schedule.len());
                let gone = self.try_change(|plan| {
                    plan.schedule.drain(from..to);
                });
                // What followed has moved up.
                from = if gone { from } else { to };
            }
            group /= 2;
        }
    }

    /// Nodes, those with the highest numbers first.
    pub(super) fn drop_nodes(&mut self) {
        for place in self.plan.places().collect::<Vec<_>>().into_iter().rev() {
            if self.plan.nodes.len() < 2 {
                return;
            }
            let smaller = super::nodes::without(&self.plan, place);
            self.try_plan(&smaller);
        }
    }

    /// What the network does to datagrams, and how machines differ.
    pub(super) fn drop_hardships(&mut self) {
        let whole: [fn(&mut Plan); 4] = [
            |plan| plan.weather = Weather::CALM,
            |plan| plan.weather = plan.weather.without_faults(),
            |plan| {
                let starts: Vec<_> = plan.nodes.iter().map(|node| node.start).collect();
                plan.nodes = starts
                    .into_iter()
                    .map(|start| NodePlan { start, ..NodePlan::default() })
                    .collect();
            },
            // Without a key nothing is promised against who repeats what he has seen.
            |plan| plan.cluster.sealed &= plan.attacked,
        ];
        let single: [fn(&mut Plan); 9] = [
            |plan| plan.weather.lost = PerMille(0),
            |plan| plan.weather.doubled = PerMille(0),
            |plan| plan.weather.corrupted = PerMille(0),
            |plan| plan.weather.bandwidth = None,
            |plan| plan.weather.delay.late = PerMille(0),
            |plan| plan.weather.delay.spread = Duration::ZERO,
            |plan| plan.weather.delay.least = Weather::CALM.delay.least,
            |plan| plan.nodes.iter_mut().for_each(|node| node.clock_rate = 0),
            |plan| plan.nodes.iter_mut().for_each(|node| node.lag = Duration::ZERO),
        ];
        for change in whole.into_iter().chain(single) {
            self.try_change(change);
        }
        for index in 0..self.plan.nodes.len() {
            self.try_change(|plan| {
                let start = plan.nodes[index].start;
                plan.nodes[index] = NodePlan { start, ..NodePlan::default() };
            });
            self.try_change(|plan| plan.nodes[index].start = Duration::ZERO);
        }
    }
}
