//! What lasts: who holds a lock, is paused or down, and which cuts there are, from row to row.

use std::ops::Range;

use alan_proto::{Action, LockEvent, LockId};

use crate::place::Place;
use crate::plan::{Key, Plan};
use crate::time::Moment;
use crate::trace::{Command, Occurrence};

/// Something that lasts over some rows.
#[derive(Clone, Debug)]
pub(super) struct Span<T> {
    pub(super) what: T,
    /// Rows, the last one excluded.
    pub(super) rows: Range<usize>,
    /// In true time; the end is `None` if it had not come when the run ended.
    pub(super) from: Moment,
    pub(super) to: Option<Moment>,
}

/// What a node is or has for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Condition {
    /// Its user holds a lock that the guard calls valid.
    Holds(Key, LockId),
    /// It is stopped.
    Paused,
    /// No process runs.
    Down,
}

/// Everything that lasts.
#[derive(Clone, Default, Debug)]
pub(super) struct Spans {
    pub(super) nodes: Vec<Span<(Place, Condition)>>,
    /// The cuts, in words.
    pub(super) cuts: Vec<Span<String>>,
}

impl Spans {
    /// What holds of a node in a row.
    pub(super) fn conditions(
        &self,
        place: Place,
        row: usize,
    ) -> impl Iterator<Item = Condition> + '_ {
        let here = move |span: &&Span<(Place, Condition)>| {
            span.what.0 == place && span.rows.contains(&row)
        };
        self.nodes.iter().filter(here).map(|span| span.what.1)
    }
}

/// Follows a history and notes what lasts.
pub(super) struct Tracker {
    done: Spans,
    nodes: Vec<Span<(Place, Condition)>>,
    cuts: Vec<Span<(u32, String)>>,
    /// In the Go library the callers of a node share a lock, and the first release ends it.
    shared: bool,
}

impl Tracker {
    /// Nobody runs at first; when the beginning was not kept that is not known.
    pub(super) fn new(plan: &Plan, truncated: bool) -> Self {
        let shared = !plan.cluster.locks.repairs().local_exclusion;
        let mut tracker =
            Self { done: Spans::default(), nodes: Vec::new(), cuts: Vec::new(), shared };
        if !truncated {
            for place in plan.places() {
                tracker.begin(0, Moment::START, place, Condition::Down);
            }
        }
        tracker
    }

    fn begin(&mut self, row: usize, at: Moment, node: Place, condition: Condition) {
        let what = (node, condition);
        self.nodes.push(Span { what, rows: row..row, from: at, to: None });
    }

    fn end(&mut self, row: usize, at: Moment, ends: impl Fn(&(Place, Condition)) -> bool) {
        let ended = self.nodes.extract_if(.., |span| ends(&span.what));
        self.done.nodes.extend(ended.map(|span| Span {
            rows: span.rows.start..row,
            to: Some(at),
            ..span
        }));
    }

    fn end_hold(&mut self, row: usize, at: Moment, node: Place, key: Key, lock: Option<LockId>) {
        let shared = self.shared;
        self.end(row, at, |(place, condition)| match condition {
            Condition::Holds(held, call) => {
                let same_call = shared || lock.is_none_or(|lock| lock == *call);
                *place == node && *held == key && same_call
            }
            Condition::Paused | Condition::Down => false,
        });
    }

    /// A step, and the number of the row that is its own, or else of the next one.
    pub(super) fn see(&mut self, row: usize, at: Moment, what: &Occurrence) {
        match what {
            Occurrence::Started { node, .. } => self.end(row, at, |(place, _)| place == node),
            Occurrence::Ended { node, .. } => {
                self.end(row, at, |(place, _)| place == node);
                self.begin(row, at, *node, Condition::Down);
            }
            Occurrence::Paused { node } => self.begin(row, at, *node, Condition::Paused),
            Occurrence::Resumed { node, .. } => {
                self.end(row, at, |what| *what == (*node, Condition::Paused));
            }
            Occurrence::Cut { number, cut } => {
                let what = (*number, cut.to_string());
                self.cuts.push(Span { what, rows: row..row, from: at, to: None });
            }
            Occurrence::Healed { number } => self.heal(row, at, |cut| cut == *number),
            Occurrence::Calm => self.heal(row, at, |_| true),
            Occurrence::Told { node, action: Action::Lock(event), key: Some(key) } => match event {
                LockEvent::Granted { lock } => {
                    self.begin(row, at, *node, Condition::Holds(*key, *lock));
                }
                LockEvent::Lost { lock, .. } => self.end_hold(row, at, *node, *key, Some(*lock)),
                _ => {}
            },
            Occurrence::Command { node, command, .. } => match command {
                Command::Release(key, lock) | Command::Cancel(key, lock) => {
                    self.end_hold(row, at, *node, *key, Some(*lock));
                }
                Command::Unlock(key) => self.end_hold(row, at, *node, *key, None),
                _ => {}
            },
            _ => {}
        }
    }

    fn heal(&mut self, row: usize, at: Moment, heals: impl Fn(u32) -> bool) {
        let healed = self.cuts.extract_if(.., |span| heals(span.what.0));
        self.done.cuts.extend(healed.map(|span| Span {
            what: span.what.1,
            rows: span.rows.start..row,
            from: span.from,
            to: Some(at),
        }));
    }

    /// What has not ended lasts to the last row.
    pub(super) fn finish(mut self, rows: usize) -> Spans {
        self.done.nodes.extend(
            self.nodes.into_iter().map(|span| Span { rows: span.rows.start..rows, ..span }),
        );
        self.done.cuts.extend(self.cuts.into_iter().map(|span| Span {
            what: span.what.1,
            rows: span.rows.start..rows,
            from: span.from,
            to: None,
        }));
        self.done
    }
}
