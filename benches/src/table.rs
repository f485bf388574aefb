//! The table: Markdown, with columns that line up on a terminal too.

use std::fmt::Write as _;

use crate::rows::Row;
use crate::statistics::Summary;

const HEADING: [&str; 7] = ["row", "ratio", "low–high", "ours", "baseline", "unit", "against"];

/// Columns of figures end in line, the others begin in line.
const FIGURES: [bool; 7] = [false, true, true, true, true, false, false];

/// One line for each row that has a figure.
pub(crate) fn render(rows: &[(&Row, Summary)]) -> String {
    let lines: Vec<_> = rows.iter().map(|(row, summary)| cells(row, summary)).collect();
    let widths: [usize; 7] = std::array::from_fn(|column| {
        let cells = lines.iter().map(|line| line[column].as_str());
        cells.chain([HEADING[column]]).map(|cell| cell.chars().count()).max().unwrap_or_default()
    });
    let mut table = String::new();
    push_line(&mut table, HEADING.map(str::to_owned), widths);
    let rule = std::array::from_fn(|column| {
        let dashes = "-".repeat(widths[column] - usize::from(FIGURES[column]));
        if FIGURES[column] { dashes + ":" } else { dashes }
    });
    push_line(&mut table, rule, widths);
    for line in lines {
        push_line(&mut table, line, widths);
    }
    table
}

fn cells(row: &Row, summary: &Summary) -> [String; 7] {
    [
        row.name.to_owned(),
        ratio(summary.ratio),
        format!("{}–{}", ratio(summary.low), ratio(summary.high)),
        cost(row.unit.of_nanoseconds(summary.ours)),
        cost(row.unit.of_nanoseconds(summary.baseline)),
        row.unit.name.to_owned(),
        row.against.to_owned(),
    ]
}

/// Three figures are more than the spread bears.
fn ratio(value: f64) -> String {
    if value < 0.1 { format!("{value:.3}") } else { format!("{value:.2}") }
}

fn cost(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

fn push_line(table: &mut String, cells: [String; 7], widths: [usize; 7]) {
    for ((cell, width), figure) in cells.into_iter().zip(widths).zip(FIGURES) {
        let written = if figure {
            write!(table, "| {cell:>width$} ")
        } else {
            write!(table, "| {cell:<width$} ")
        };
        written.expect("a String takes any text");
    }
    table.push_str("|\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{NANOSECONDS_PER_DATAGRAM, Row};

    #[test]
    fn columns_line_up_and_figures_end_in_line() {
        let row = |name| Row {
            name,
            against: "bare",
            unit: NANOSECONDS_PER_DATAGRAM,
            run: |_| Ok(Vec::new()),
        };
        let (short, long) = (row("a"), row("a-long-name"));
        let summary = Summary { ratio: 1.5, low: 1.0, high: 12.0, ours: 1_234.4, baseline: 7.25 };
        let table = render(&[(&short, summary), (&long, summary)]);
        let widths: Vec<_> = table.lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths.len(), 4);
        assert!(widths.iter().all(|&width| width == widths[0]), "{table}");
        assert!(
            table.contains("| a           |  1.50 | 1.00–12.00 | 1234 |      7.2 |"),
            "{table}"
        );
    }
}
