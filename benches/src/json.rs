//! One JSON object for each row.

use serde::Serialize;

use crate::rows::Row;
use crate::statistics::Summary;

#[derive(Serialize)]
struct Line {
    name: &'static str,
    ratio: f64,
    low: f64,
    high: f64,
    ours: f64,
    baseline: f64,
    unit: &'static str,
}

/// The object, without a line end.
pub(crate) fn line(row: &Row, summary: &Summary) -> String {
    let line = Line {
        name: row.name,
        ratio: summary.ratio,
        low: summary.low,
        high: summary.high,
        ours: row.unit.of_nanoseconds(summary.ours),
        baseline: row.unit.of_nanoseconds(summary.baseline),
        unit: row.unit.name,
    };
    serde_json::to_string(&line).expect("it has string keys and numbers only")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::MICROSECONDS_PER_ROUND_TRIP;

    #[test]
    fn a_line_has_the_figures_in_the_rows_unit() {
        let row = Row {
            name: "round-trip-plain",
            against: "bare",
            unit: MICROSECONDS_PER_ROUND_TRIP,
            run: |_| Ok(Vec::new()),
        };
        let summary =
            Summary { ratio: 1.5, low: 1.25, high: 2.0, ours: 1_500.0, baseline: 1_000.0 };
        assert_eq!(
            line(&row, &summary),
            r#"{"name":"round-trip-plain","ratio":1.5,"low":1.25,"high":2.0,"ours":1.5,"baseline":1.0,"unit":"µs/round-trip"}"#
        );
    }
}
