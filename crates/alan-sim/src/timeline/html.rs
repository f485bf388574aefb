//! A timeline as a page: one file, nothing loaded from elsewhere, no script, light and dark.

mod chart;
mod escape;

use std::fmt;

use super::words::InWords;
use super::{Timeline, Topic};
use chart::Chart;
use escape::Escaped;

const STYLE: &str = include_str!("html/page.css");

/// The most entries of a schedule that are shown unasked.
const MANY: usize = 15;

/// What a page says beside the timeline.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// What it is called.
    pub title: &'a str,
    /// The command that shows it again.
    pub command: &'a str,
    /// The last so many rows; a page of more than some thousands is slow in a browser.
    pub rows: usize,
}

impl<'a> Page<'a> {
    /// A page of at most 1,000 rows.
    #[must_use]
    pub const fn new(title: &'a str, command: &'a str) -> Self {
        Self { title, command, rows: 1_000 }
    }
}

pub(super) struct Html<'a> {
    pub(super) timeline: &'a Timeline<'a>,
    pub(super) page: &'a Page<'a>,
}

impl fmt::Display for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (timeline, page) = (self.timeline, self.page);
        let title = Escaped(page.title);
        writeln!(f, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">")?;
        writeln!(f, "<meta name=\"viewport\" content=\"width=device-width\">")?;
        writeln!(f, "<title>{title}</title>\n<style>\n{STYLE}</style>")?;
        writeln!(f, "<header>\n<h1>{title}</h1>")?;
        let (tone, verdict) = match timeline.violation {
            Some(violation) => ("bad", format!("✗ {violation}")),
            None => ("good", "✓ every invariant held".to_owned()),
        };
        writeln!(f, "<p class=\"verdict {tone}\">{}</p>", Escaped(verdict))?;
        writeln!(f, "<p>Again: <code>{}</code></p>", Escaped(page.command))?;
        // What fills the screen waits until it is asked for.
        let open = if timeline.plan.schedule.len() > MANY { "" } else { " open" };
        writeln!(f, "<details{open}><summary>What happens to whom</summary>")?;
        writeln!(f, "<pre>{}</pre>\n</details>", Escaped(InWords(timeline.plan)))?;
        writeln!(f, "<p class=\"note\">{}</p>\n{LEGEND}</header>", self.left_out())?;
        writeln!(f, "{}", Chart::new(timeline, page.rows))?;
        f.write_str("</html>\n")
    }
}

impl Html<'_> {
    fn left_out(&self) -> String {
        let timeline = self.timeline;
        let about = match timeline.topic {
            Topic::Locks(Some(key)) => format!("lock {key} and who is there"),
            Topic::Locks(None) => "locks and who is there".to_owned(),
            Topic::Membership => "who is there".to_owned(),
            Topic::Users => "what users do, and who is there".to_owned(),
            Topic::Everything => "everything but wake-ups".to_owned(),
        };
        let before = timeline.dropped + timeline.first_of(self.page.rows) as u64;
        let before = if before > 0 { format!(", {before} came before") } else { String::new() };
        format!(
            "Shown: {about}. One row a step, in the order of true time; rows are not to scale, and \
             a gap in time is marked. {} steps are left out{before}. Point at anything for details.",
            timeline.hidden
        )
    }
}

const LEGEND: &str = r#"<ul class="legend">
<li><svg width="44" height="14"><path class="flies" d="M2 3 L38 10"/><path class="head" d="M42 11 l-9 -4 l0 6z"/></svg> arrives
<li><svg width="44" height="14"><path class="flies lost" d="M2 3 L30 9"/><path class="cross" d="M27 5 l8 8 m0 -8 l-8 8"/></svg> lost
<li><svg width="44" height="14"><path class="flies away" d="M2 3 L36 10"/></svg> still on its way
<li><svg width="14" height="14"><rect class="hold k0" x="4" width="6" height="14"/></svg> holds a valid lock
<li><svg width="14" height="14"><rect class="hold clash" x="4" width="6" height="14"/></svg> so do others
<li><svg width="24" height="14"><rect class="paused" width="24" height="14"/></svg> stopped
<li><svg width="24" height="14"><rect class="down" width="24" height="14"/></svg> down
<li><svg width="24" height="14"><rect class="cut" width="24" height="14"/></svg> network cut
</ul>
"#;

#[cfg(test)]
mod tests {
    use super::super::{Timeline, tests::plan};
    use super::*;
    use crate::outcome::run;

    #[test]
    fn a_page_loads_nothing_and_runs_nothing() {
        let plan = plan();
        let outcome = run(&plan);
        let page = Page::new("two <holders>", "alan sim replay x --seed 1");
        let html = Timeline::new(&plan, &outcome).html(&page).to_string();
        for outside in ["http", "src=", "href", "url(", "<script", "@import", "<holders>"] {
            assert!(!html.contains(outside), "{outside}");
        }
        assert!(html.contains("two &lt;holders&gt;"));
    }

    #[test]
    fn every_row_is_drawn_and_both_holders_are_red() {
        let plan = plan();
        let outcome = run(&plan);
        let timeline = Timeline::new(&plan, &outcome);
        let html = timeline.html(&Page::new("t", "c")).to_string();
        let chart = html.split("</header>").nth(1).expect("a chart");
        assert_eq!(chart.matches("hold clash").count(), 2, "{chart}");
        // Its own title, that of its arrow, or a label: nothing is left out.
        for row in &timeline.rows {
            assert!(chart.contains(&Escaped(&row.words).to_string()), "{}", row.words);
        }
    }
}
