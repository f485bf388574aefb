//! Where things are on the page, in pixels.

use std::ops::Range;
use std::time::Duration;

use crate::place::Place;
use crate::timeline::Timeline;
use crate::timeline::rows::Mark;

/// The width of the column of times; whoever has no lane is at its edge.
pub(super) const TIME: i64 = 112;
/// The most lanes.
const LANES: usize = 12;
/// What is beside the outermost lanes: on the right there must be room for words.
const LEFT: i64 = 60;
const RIGHT: i64 = 330;
/// Rows that say something, rows of arrowheads, and what a gap in time adds.
const ROW: i64 = 19;
const ARRIVAL: i64 = 13;
const GAP: i64 = 18;
/// A gap in time that is marked.
const LONG: Duration = Duration::from_millis(50);

pub(super) struct Layout {
    /// The first row that is shown.
    pub(super) first: usize,
    pub(super) width: i64,
    pub(super) height: i64,
    lanes: Vec<(Place, i64)>,
    /// Of each row that is shown.
    ys: Vec<i64>,
    gaps: Vec<Option<Duration>>,
}

impl Layout {
    pub(super) fn new(timeline: &Timeline<'_>, first: usize) -> Self {
        let places = timeline.lanes(first, LANES);
        let stride = if places.len() <= 4 { 270 } else { 190 };
        let lanes: Vec<_> = places.into_iter().zip((TIME + LEFT..).step_by(stride)).collect();
        let width = lanes.last().map_or(TIME, |(_, x)| *x) + RIGHT;
        let (mut ys, mut gaps) = (Vec::new(), Vec::new());
        let (mut y, mut before) = (8, None);
        for row in &timeline.rows[first..] {
            let gap = before.map(|before| row.at.since(before)).filter(|gap| *gap >= LONG);
            before = Some(row.at);
            y += if gap.is_some() { GAP } else { 0 };
            y += if matches!(row.mark, Mark::Arrived { .. }) { ARRIVAL } else { ROW };
            ys.push(y);
            gaps.push(gap);
        }
        Self { first, width, height: y + 44, lanes, ys, gaps }
    }

    /// The places that have lanes, and where these are.
    pub(super) fn lanes(&self) -> impl Iterator<Item = (Place, i64)> + '_ {
        self.lanes.iter().copied()
    }

    pub(super) fn x(&self, place: Place) -> Option<i64> {
        self.lanes.iter().find(|(lane, _)| *lane == place).map(|(_, x)| *x)
    }

    /// Where a row is that is shown.
    pub(super) fn y(&self, row: usize) -> i64 {
        self.ys[row - self.first]
    }

    /// How much time has passed before a row, if that is long, and where to say so.
    pub(super) fn gap(&self, row: usize) -> Option<(String, i64)> {
        let gap = self.gaps[row - self.first]?;
        let millis = gap.as_millis();
        Some((format!("{}.{:03} s", millis / 1_000, millis % 1_000), self.y(row) - ROW))
    }

    /// Top and height of rows, as far as they are shown; those that last to the end go down to it.
    pub(super) fn stretch(&self, rows: &Range<usize>) -> Option<(i64, i64)> {
        let end = self.first + self.ys.len();
        let top = if rows.start <= self.first { 0 } else { self.edge_of(rows.start)? };
        let bottom = if rows.end >= end { self.height - 40 } else { self.edge_of(rows.end)? };
        (rows.end > self.first && bottom > top).then_some((top, bottom - top))
    }

    fn edge_of(&self, row: usize) -> Option<i64> {
        self.ys.get(row.checked_sub(self.first)?).copied()
    }
}
