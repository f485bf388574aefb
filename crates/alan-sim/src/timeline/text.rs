//! A timeline as text: true time, a lane for each node, what happened in words; 100 columns.

use std::fmt;
use std::time::Duration;

use super::Timeline;
use super::rows::{Fate, Mark, Row};
use super::spans::Condition;
use crate::place::Place;
use crate::time::Moment;

const COLUMNS: usize = 100;
/// The most lanes.
const LANES: usize = 8;
/// Columns from one lane to the next.
const STRIDE: usize = 5;
/// Columns of the time and of the space after it.
const TIME: usize = 14;
/// A gap in time that has a line of its own.
const LONG: Duration = Duration::from_millis(500);

pub(super) struct Text<'a> {
    pub(super) timeline: &'a Timeline<'a>,
    /// The last so many rows.
    pub(super) rows: usize,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timeline = self.timeline;
        let first = timeline.first_of(self.rows);
        let lanes = timeline.lanes(first, LANES);
        let names = lanes
            .iter()
            .fold(String::new(), |names, lane| names + &format!("{:<STRIDE$}", lane.to_string()));
        writeln!(f, "{:>12}  {names} what happens", "true time")?;
        let before = timeline.dropped + first as u64;
        if before > 0 {
            writeln!(f, "{:>12}  {} … {before} before these", "", " ".repeat(names.len()))?;
        }
        let mut before: Option<Moment> = None;
        for (number, row) in timeline.rows.iter().enumerate().skip(first) {
            let gap = before.map(|before| row.at.since(before));
            if let Some(gap) = gap.filter(|gap| *gap >= LONG) {
                let lanes: String = self.idle(number, &lanes).into_iter().collect();
                writeln!(f, "{:>12}  {lanes} ⋮", format!("+{:.3} s", gap.as_secs_f64()))?;
            }
            before = Some(row.at);
            self.row(f, number, row, &lanes)?;
        }
        writeln!(
            f,
            "●╌▷ sent  ○─▶ arrives  ●╌✗ lost  ◆ happens here  │ runs  ┃ holds a lock  ┆ stopped"
        )?;
        if timeline.hidden > 0 {
            writeln!(f, "{} steps that explain nothing are not shown", timeline.hidden)?;
        }
        Ok(())
    }
}

impl Text<'_> {
    /// A row, and more lines for words that don't fit on one.
    fn row(
        &self,
        f: &mut fmt::Formatter<'_>,
        number: usize,
        row: &Row,
        lanes: &[Place],
    ) -> fmt::Result {
        let idle = self.idle(number, lanes);
        let mut drawn = idle.clone();
        draw(&mut drawn, &row.mark, lanes);
        let width = COLUMNS - TIME - drawn.len() - 1;
        let at = row.at.to_string();
        for (line, words) in wrapped(&row.words, width).into_iter().enumerate() {
            let (at, lane) = if line == 0 { (at.as_str(), &drawn) } else { ("", &idle) };
            let lane: String = lane.iter().collect();
            writeln!(f, "{at:>12}  {lane} {words}")?;
        }
        Ok(())
    }

    /// The lanes when nothing happens: how each node is.
    fn idle(&self, row: usize, lanes: &[Place]) -> Vec<char> {
        let mut columns = vec![' '; lanes.len() * STRIDE];
        for (lane, place) in lanes.iter().enumerate() {
            let conditions = || self.timeline.spans.conditions(*place, row);
            columns[lane * STRIDE] = if conditions().any(|c| c == Condition::Down) {
                ' '
            } else if conditions().any(|c| c == Condition::Paused) {
                '┆'
            } else if conditions().any(|c| matches!(c, Condition::Holds(..))) {
                '┃'
            } else {
                '│'
            };
        }
        columns
    }
}

fn draw(columns: &mut [char], mark: &Mark, lanes: &[Place]) {
    let column = |place: &Place| lanes.iter().position(|lane| lane == place).map(|l| l * STRIDE);
    match mark {
        Mark::Sent { from, to, fate, .. } => {
            let (from, to) = (from.as_ref().and_then(column), to.as_ref().and_then(column));
            if let (Some(from), Some(to)) = (from, to) {
                let before = if from < to { to - 1 } else { to + 1 };
                line(columns, from, before, '╌');
                columns[before] = match (fate, from < to) {
                    (Fate::Lost, _) => '✗',
                    (Fate::OnItsWay | Fate::Arrives, true) => '▷',
                    (Fate::OnItsWay | Fate::Arrives, false) => '◁',
                };
            }
            if let Some(from) = from {
                columns[from] = '●';
            }
        }
        Mark::Arrived { from, to, .. } => {
            let Some(to) = column(to) else { return };
            columns[to] = '◆';
            if let Some(from) = from.as_ref().and_then(column).filter(|from| *from != to) {
                line(columns, from, to, '─');
                (columns[from], columns[to]) = ('○', if from < to { '▶' } else { '◀' });
            }
        }
        Mark::At { node, .. } => {
            if let Some(at) = column(node) {
                columns[at] = '◆';
            }
        }
        Mark::World { .. } => {}
        Mark::Violation { places } => {
            let at: Vec<usize> = places.iter().filter_map(column).collect();
            if let (Some(least), Some(most)) = (at.iter().min(), at.iter().max()) {
                line(columns, *least, *most, '━');
            }
            for at in at {
                columns[at] = '✗';
            }
        }
    }
}

/// From one column to the other, both included, whichever is first.
fn line(columns: &mut [char], a: usize, b: usize, with: char) {
    columns[a.min(b)..=a.max(b)].fill(with);
}

/// Words in lines of at most so many characters; a longer word has a line of its own, cut off.
fn wrapped(words: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split(' ') {
        let line = lines.last_mut().expect("there is one from the start");
        if line.is_empty() {
            line.extend(word.chars().take(width));
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.chars().take(width).collect());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::{Timeline, tests::plan};
    use super::*;
    use crate::outcome::run;

    #[test]
    fn no_line_is_longer_than_100_columns_and_the_last_row_is_the_violation() {
        let plan = plan();
        let outcome = run(&plan);
        let text = Timeline::new(&plan, &outcome).text(usize::MAX).to_string();
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        let violation = text.lines().rfind(|line| line.contains("exclusion")).expect("violated");
        assert!(violation.contains("✗━━━━✗"), "{text}");
    }

    #[test]
    fn the_lanes_show_who_holds_a_lock_and_who_is_down() {
        let plan = plan();
        let outcome = run(&plan);
        let text = Timeline::new(&plan, &outcome).text(usize::MAX).to_string();
        let asks = text.lines().find(|line| line.contains("n1's user: lock a")).expect("asked");
        assert!(asks.contains("│    ◆      "), "n2 is down: {text}");
        let granted = text.lines().rfind(|line| line.contains("granted")).expect("granted");
        assert!(granted.contains("┃    ◆"), "n0 holds: {text}");
    }

    #[test]
    fn a_shorter_timeline_says_what_it_leaves_out() {
        let plan = plan();
        let outcome = run(&plan);
        let timeline = Timeline::new(&plan, &outcome);
        let text = timeline.text(3).to_string();
        let before = timeline.rows() - 3;
        assert!(text.contains(&format!("… {before} before these")), "{text}");
        assert_eq!(text.lines().count(), 3 + 4, "{text}");
    }

    #[test]
    fn words_that_do_not_fit_go_on_below() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("unbreakable", 5), ["unbre"]);
    }
}
