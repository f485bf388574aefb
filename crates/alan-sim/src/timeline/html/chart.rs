//! The drawing: time runs down, one row a step; lanes, arrows, bars.

mod layout;

use std::fmt;

use super::escape::Escaped;
use crate::place::Place;
use crate::timeline::Timeline;
use crate::timeline::rows::{Fate, Mark, Row, Tone};
use crate::timeline::spans::{Condition, Span};
use layout::{Layout, TIME};

/// The chart of the last so many rows.
pub(super) struct Chart<'a> {
    timeline: &'a Timeline<'a>,
    layout: Layout,
}

impl<'a> Chart<'a> {
    pub(super) fn new(timeline: &'a Timeline<'a>, rows: usize) -> Self {
        let first = timeline.first_of(rows);
        Self { timeline, layout: Layout::new(timeline, first) }
    }

    fn rows(&self) -> impl Iterator<Item = (usize, &'a Row)> {
        self.timeline.rows.iter().enumerate().skip(self.layout.first)
    }
}

impl fmt::Display for Chart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layout = &self.layout;
        writeln!(f, "<div class=\"names\"><svg width=\"{}\" height=\"30\">", layout.width)?;
        writeln!(f, "<text class=\"corner\" x=\"{}\" y=\"20\">true time</text>", TIME - 8)?;
        for (place, x) in layout.lanes() {
            writeln!(f, "<text x=\"{x}\" y=\"20\">{place}</text>")?;
        }
        writeln!(f, "</svg></div>")?;
        writeln!(f, "<svg width=\"{}\" height=\"{}\">", layout.width, layout.height)?;
        self.cuts(f)?;
        self.times(f)?;
        self.lanes(f)?;
        self.messages(f, Layer::Lines)?;
        self.messages(f, Layer::Labels)?;
        self.events(f)?;
        f.write_str("</svg>")
    }
}

/// Lines first, so that none is drawn across a label.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    Lines,
    Labels,
}

/// What lies behind the arrows.
impl Chart<'_> {
    fn cuts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for span in &self.timeline.spans.cuts {
            let Some((top, height)) = self.layout.stretch(&span.rows) else { continue };
            let width = self.layout.width - TIME;
            let title = format!("cut: {}, {}", span.what, lasts(span));
            writeln!(
                f,
                "<rect class=\"cut\" x=\"{TIME}\" y=\"{top}\" width=\"{width}\" \
                 height=\"{height}\"><title>{}</title></rect>",
                Escaped(title)
            )?;
        }
        Ok(())
    }

    fn lanes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, x) in self.layout.lanes() {
            let end = self.layout.height;
            writeln!(f, "<path class=\"lane\" d=\"M{x} 0V{end}\"/>")?;
            let mine = || self.timeline.spans.nodes.iter().filter(|span| span.what.0 == place);
            for span in mine() {
                self.shade(f, span, x)?;
            }
            for span in mine() {
                self.bar(f, span, x)?;
            }
        }
        Ok(())
    }

    fn shade(
        &self,
        f: &mut fmt::Formatter<'_>,
        span: &Span<(Place, Condition)>,
        x: i64,
    ) -> fmt::Result {
        let (class, what) = match span.what.1 {
            Condition::Paused => ("paused", "stopped"),
            Condition::Down => ("down", "down"),
            Condition::Holds(..) => return Ok(()),
        };
        let Some((top, height)) = self.layout.stretch(&span.rows) else { return Ok(()) };
        let title = format!("{} is {what}, {}", span.what.0, lasts(span));
        writeln!(
            f,
            "<rect class=\"{class}\" x=\"{}\" y=\"{top}\" width=\"28\" height=\"{height}\">\
             <title>{}</title></rect>",
            x - 14,
            Escaped(title)
        )
    }

    fn bar(
        &self,
        f: &mut fmt::Formatter<'_>,
        span: &Span<(Place, Condition)>,
        x: i64,
    ) -> fmt::Result {
        let Condition::Holds(key, lock) = span.what.1 else { return Ok(()) };
        let Some((top, height)) = self.layout.stretch(&span.rows) else { return Ok(()) };
        let colour =
            if self.clashes(span) { "clash".into() } else { format!("k{}", key.number() % 6) };
        let title =
            format!("{} holds lock {key}, call {}, {}", span.what.0, lock.get(), lasts(span));
        writeln!(
            f,
            "<rect class=\"hold {colour}\" x=\"{}\" y=\"{top}\" width=\"6\" height=\"{height}\">\
             <title>{}</title></rect>",
            x - 3,
            Escaped(title)
        )
    }

    /// Whether a hold is one of those that violate exclusion: it lasts to the end.
    fn clashes(&self, span: &Span<(Place, Condition)>) -> bool {
        let Some(violation) = self.timeline.violation else { return false };
        let crate::check::Breach::TwoHolders { key, holders } = &violation.breach else {
            return false;
        };
        let (place, condition) = &span.what;
        span.to.is_none()
            && holders.contains(place)
            && matches!(condition, Condition::Holds(held, _) if held == key)
    }

    fn times(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = None;
        for (number, row) in self.rows() {
            let y = self.layout.y(number);
            if let Some((gap, at)) = self.layout.gap(number) {
                let (from, to) = (TIME, self.layout.width);
                writeln!(f, "<path class=\"gap\" d=\"M{from} {at}H{to}\"/>")?;
                let x = TIME - 8;
                writeln!(f, "<text class=\"gap-text\" x=\"{x}\" y=\"{}\">+{gap}</text>", at + 4)?;
            }
            // Said once for all that happens at the same time.
            if before != Some(row.at) {
                let (x, y) = (TIME - 8, y + 4);
                writeln!(f, "<text class=\"time\" x=\"{x}\" y=\"{y}\">{}</text>", row.at)?;
            }
            before = Some(row.at);
        }
        Ok(())
    }
}

fn lasts<T>(span: &Span<T>) -> String {
    match span.to {
        Some(to) => format!("from {} to {to}", span.from),
        None => format!("from {} to the end", span.from),
    }
}

/// What happens, and what is said.
impl Chart<'_> {
    /// Each datagram that was sent or arrives within the chart, with a title that tells both.
    fn messages(&self, f: &mut fmt::Formatter<'_>, layer: Layer) -> fmt::Result {
        for (number, row) in self.rows() {
            match &row.mark {
                Mark::Sent { from, to, label, fate } => {
                    let Some(x) = from.and_then(|from| self.layout.x(from)) else { continue };
                    let to = to.and_then(|to| self.layout.x(to)).unwrap_or(TIME);
                    let lanes = (x, to);
                    match layer {
                        Layer::Labels => self.label(f, (number, row), lanes, label, *fate)?,
                        Layer::Lines => self.astray(f, (number, row), lanes, *fate)?,
                    }
                }
                Mark::Arrived { from, to, label, sent } => {
                    let Some(x) = self.layout.x(*to) else { continue };
                    let from = from.and_then(|from| self.layout.x(from)).unwrap_or(TIME);
                    let sent = sent.filter(|sent| *sent >= self.layout.first);
                    match (layer, sent) {
                        (Layer::Lines, _) => self.arrow(f, (number, row), (from, x), sent)?,
                        (Layer::Labels, None) => self.late_label(f, number, (from, x), label)?,
                        (Layer::Labels, Some(_)) => {}
                    }
                }
                Mark::At { .. } | Mark::World { .. } | Mark::Violation { .. } => {}
            }
        }
        Ok(())
    }

    /// What a datagram says, beside its sender.
    fn label(
        &self,
        f: &mut fmt::Formatter<'_>,
        (number, row): (usize, &Row),
        (from, to): (i64, i64),
        label: &str,
        fate: Fate,
    ) -> fmt::Result {
        let (x, side) = if to > from { (from + 10, "") } else { (from - 10, " left") };
        let lost = if fate == Fate::Lost { " lost-text" } else { "" };
        let y = self.layout.y(number) - 3;
        writeln!(
            f,
            "<text class=\"label said{side}{lost}\" x=\"{x}\" y=\"{y}\">{}<title>{}</title></text>",
            Escaped(label),
            Escaped(title(row))
        )
    }

    /// What a datagram says whose sender is above the chart, beside its arrow.
    fn late_label(
        &self,
        f: &mut fmt::Formatter<'_>,
        number: usize,
        (from, to): (i64, i64),
        label: &str,
    ) -> fmt::Result {
        let (x, side) = if from < to { (to - 64, " left") } else { (to + 64, "") };
        let (y, label) = (self.layout.y(number) - 4, Escaped(label));
        writeln!(f, "<text class=\"label said{side}\" x=\"{x}\" y=\"{y}\">{label}</text>")
    }

    /// The line of a datagram that does not arrive.
    fn astray(
        &self,
        f: &mut fmt::Formatter<'_>,
        (number, row): (usize, &Row),
        (from, to): (i64, i64),
        fate: Fate,
    ) -> fmt::Result {
        let class = match fate {
            Fate::Arrives => return Ok(()),
            Fate::Lost => "lost",
            Fate::OnItsWay => "away",
        };
        let (y, end) = (self.layout.y(number), from + (to - from) * 11 / 20);
        writeln!(f, "<g class=\"m\"><title>{}</title>", Escaped(title(row)))?;
        writeln!(f, "<path class=\"near\" d=\"M{from} {y}L{end} {}\"/>", y + 8)?;
        writeln!(f, "<path class=\"flies {class}\" d=\"M{from} {y}L{end} {}\"/>", y + 8)?;
        if fate == Fate::Lost {
            let (x, y) = (end - 4, y + 4);
            writeln!(f, "<path class=\"cross\" d=\"M{x} {y}l8 8m0 -8l-8 8\"/>")?;
        }
        f.write_str("</g>\n")
    }

    fn arrow(
        &self,
        f: &mut fmt::Formatter<'_>,
        (number, row): (usize, &Row),
        (from, to): (i64, i64),
        sent: Option<usize>,
    ) -> fmt::Result {
        let y = self.layout.y(number);
        // What was sent above the chart, or is not shown, comes in from the side of its sender.
        let (start_x, start_y) = match sent {
            Some(sent) => (from, self.layout.y(sent)),
            None => (to + (from - to).signum() * 60, y - 8),
        };
        let (tip, back) = if start_x < to { (to - 2, -9) } else { (to + 2, 9) };
        let title = sent.map(|sent| &self.timeline.rows[sent]).map_or_else(
            || title(row),
            |when| format!("{}\n{}\ntook {:?}", title(when), title(row), row.at.since(when.at)),
        );
        writeln!(f, "<g class=\"m\"><title>{}</title>", Escaped(title))?;
        writeln!(f, "<path class=\"near\" d=\"M{start_x} {start_y}L{tip} {y}\"/>")?;
        writeln!(f, "<path class=\"flies\" d=\"M{start_x} {start_y}L{tip} {y}\"/>")?;
        let turn = angle((start_x, start_y), (tip, y));
        writeln!(
            f,
            "<path class=\"head\" transform=\"translate({tip} {y})rotate({turn})\" \
             d=\"M0 0l{back} -4v8z\"/></g>"
        )
    }

    fn events(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, row) in self.rows() {
            let y = self.layout.y(number);
            match &row.mark {
                Mark::Sent { .. } | Mark::Arrived { .. } => {}
                Mark::At { node, label, tone } => {
                    let Some(x) = self.layout.x(*node) else { continue };
                    let (tone, title) = (tone_class(*tone), Escaped(title(row)));
                    writeln!(f, "<g><title>{title}</title>")?;
                    writeln!(f, "<circle class=\"{tone}\" cx=\"{x}\" cy=\"{y}\" r=\"4\"/>")?;
                    let (x, y, label) = (x + 10, y + 4, Escaped(label));
                    writeln!(
                        f,
                        "<text class=\"label {tone}\" x=\"{x}\" y=\"{y}\">{label}</text></g>"
                    )?;
                }
                Mark::World { label } => {
                    let (x, y, label) = (TIME + 6, y + 4, Escaped(label));
                    writeln!(f, "<text class=\"label world\" x=\"{x}\" y=\"{y}\">{label}</text>")?;
                }
                Mark::Violation { places } => self.violation(f, y, row, places)?,
            }
        }
        Ok(())
    }

    fn violation(
        &self,
        f: &mut fmt::Formatter<'_>,
        y: i64,
        row: &Row,
        places: &[Place],
    ) -> fmt::Result {
        let end = self.layout.width;
        writeln!(f, "<path class=\"violation\" d=\"M{TIME} {y}H{end}\"/>")?;
        for x in places.iter().filter_map(|place| self.layout.x(*place)) {
            writeln!(f, "<circle class=\"ring\" cx=\"{x}\" cy=\"{y}\" r=\"8\"/>")?;
        }
        let (x, y, words) = (TIME + 6, y + 24, Escaped(&row.words));
        writeln!(f, "<text class=\"label violated\" x=\"{x}\" y=\"{y}\">{words}</text>")
    }
}

fn title(row: &Row) -> String {
    format!("{}  {}", row.at, row.words)
}

const fn tone_class(tone: Tone) -> &'static str {
    match tone {
        Tone::User => "user",
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Plain => "plain",
    }
}

/// By how many degrees the head of an arrow is turned from the horizontal.
fn angle((from_x, from_y): (i64, i64), (to_x, to_y): (i64, i64)) -> i64 {
    #[expect(clippy::cast_precision_loss, reason = "positions on a page")]
    let slope = (to_y - from_y) as f64 / (to_x - from_x).abs().max(1) as f64;
    #[expect(clippy::cast_possible_truncation, reason = "at most 90 degrees")]
    let degrees = slope.atan().to_degrees().round() as i64;
    if from_x < to_x { degrees } else { -degrees }
}
