//! Timelines: a history for people, as text in 100 columns or as a page of its own.
//!
//! A history has far more steps than anybody reads. A [`Timeline`] keeps those that have to do with
//! the violation ([`Topic`]), leaves out heartbeats and wake-ups where they explain nothing, and
//! shows the last of the rest: one row a step, in the order of true time, a lane for each node.

mod topic;
mod rows;
mod spans;
mod words;
mod text;
mod html;

use std::fmt;

pub use html::Page;
pub use topic::Topic;
pub use words::InWords;

use crate::check::Violation;
use crate::outcome::Outcome;
use crate::place::Place;
use crate::plan::Plan;
use rows::{Row, Rows};
use spans::Spans;

/// What a timeline shows of a run.
#[derive(Clone, Debug)]
pub struct Timeline<'a> {
    plan: &'a Plan,
    violation: Option<&'a Violation>,
    topic: Topic,
    rows: Vec<Row>,
    spans: Spans,
    /// Steps that have nothing to do with the topic, or came before what was kept.
    hidden: u64,
    dropped: u64,
}

impl<'a> Timeline<'a> {
    /// The timeline of a run that was recorded, about what it violated.
    #[must_use]
    pub fn new(plan: &'a Plan, outcome: &'a Outcome) -> Self {
        Self::about(plan, outcome, Topic::of(outcome.violation.as_ref()))
    }

    /// The timeline of a run that was recorded, about something.
    #[must_use]
    pub fn about(plan: &'a Plan, outcome: &'a Outcome, topic: Topic) -> Self {
        let Rows { list: rows, spans, hidden } = Rows::of(plan, &outcome.trace, topic);
        let (violation, dropped) = (outcome.violation.as_ref(), outcome.trace.dropped());
        Self { plan, violation, topic, rows, spans, hidden, dropped }
    }

    /// The last so many rows as text, at most 100 columns wide.
    #[must_use]
    pub fn text(&self, rows: usize) -> impl fmt::Display + '_ {
        text::Text { timeline: self, rows }
    }

    /// The last so many rows as a self-contained page.
    #[must_use]
    pub fn html<'p>(&'p self, page: &'p Page<'p>) -> impl fmt::Display + 'p {
        html::Html { timeline: self, page }
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The number of the first of the last so many rows.
    const fn first_of(&self, rows: usize) -> usize {
        self.rows.len().saturating_sub(rows)
    }

    /// At most so many places to show lanes for, from the row `first` on: all, or those that the
    /// violation names and those that do most.
    fn lanes(&self, first: usize, most: usize) -> Vec<Place> {
        let mut lanes: Vec<Place> = self.plan.places().collect();
        if lanes.len() > most {
            let named = self.violation.map(|v| topic::places(&v.breach)).unwrap_or_default();
            let mut seen = vec![0u32; lanes.len()];
            for place in self.rows[first..].iter().flat_map(|row| row.mark.places()) {
                seen[place.index()] += 1;
            }
            lanes.sort_by_key(|lane| {
                (!named.contains(lane), std::cmp::Reverse(seen[lane.index()]), *lane)
            });
            lanes.truncate(most);
            lanes.sort();
        }
        lanes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::run;
    use crate::plan::Locks;

    /// Two that ask at the same moment, and a third that dies.
    pub(super) fn plan() -> Plan {
        let plan = Plan::new(3).locks(Locks::Classic).at(200).crash(2).at(300).broadcast(0);
        plan.at(6_000).lock(0, 'a', 500).at(6_000).lock(1, 'a', 500)
    }

    #[test]
    fn a_timeline_about_a_lock_shows_neither_heartbeats_nor_messages() {
        let plan = plan();
        let outcome = run(&plan);
        let text = Timeline::new(&plan, &outcome).text(usize::MAX).to_string();
        assert!(text.contains("LOCK_REQUEST") && text.contains("n2 dies"), "{text}");
        assert!(!text.contains("HEARTBEAT") && !text.contains("DATA"), "{text}");
        let all = Timeline::about(&plan, &outcome, Topic::Everything);
        let text = all.text(usize::MAX).to_string();
        assert!(text.contains("HEARTBEAT") && text.contains("DATA"), "{text}");
    }

    #[test]
    fn of_many_nodes_the_violators_and_the_busiest_have_lanes() {
        let plan = Plan::new(20).locks(Locks::Classic).cluster_size(0);
        let plan = plan.at(0).lock(13, 'a', 500).at(0).lock(17, 'a', 500);
        let outcome = run(&plan);
        let lanes = Timeline::new(&plan, &outcome).lanes(0, 4);
        assert_eq!(lanes.len(), 4);
        assert!(lanes.contains(&Place(13)) && lanes.contains(&Place(17)), "{lanes:?}");
    }
}
