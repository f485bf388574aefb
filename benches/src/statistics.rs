//! From repetitions to one ratio with its spread.

/// What an operation cost on either side of one repetition, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Sample {
    pub(crate) ours: f64,
    pub(crate) baseline: f64,
}

impl Sample {
    fn ratio(self) -> f64 {
        self.ours / self.baseline
    }
}

/// What the repetitions of a row say together.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Summary {
    /// The median of the repetitions' ratios, ours to the baseline. It is not the ratio of the two
    /// medians below: what disturbed one repetition disturbed both of its sides, and cancels.
    pub(crate) ratio: f64,
    /// A tenth of the repetitions have a lower ratio: what else the machine did then is not news.
    pub(crate) low: f64,
    /// A tenth of the repetitions have a higher ratio.
    pub(crate) high: f64,
    /// The median cost of our side, in nanoseconds.
    pub(crate) ours: f64,
    /// The median cost of the baseline, in nanoseconds.
    pub(crate) baseline: f64,
}

impl Summary {
    /// `None` when there is nothing to sum up.
    pub(crate) fn of(samples: &[Sample]) -> Option<Self> {
        let ratios = sorted(samples.iter().map(|sample| sample.ratio()));
        Some(Self {
            ratio: median(&ratios)?,
            low: *ratios.get(tenth(&ratios))?,
            high: *ratios.iter().rev().nth(tenth(&ratios))?,
            ours: median(&sorted(samples.iter().map(|sample| sample.ours)))?,
            baseline: median(&sorted(samples.iter().map(|sample| sample.baseline)))?,
        })
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// How many values to leave out at either end.
const fn tenth(sorted: &[f64]) -> usize {
    sorted.len() / 10
}

/// The middle of sorted values: of an even number, half way between the two in the middle.
fn median(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(sorted[sorted.len() / 2 - 1], upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(pairs: &[(f64, f64)]) -> Vec<Sample> {
        pairs.iter().map(|&(ours, baseline)| Sample { ours, baseline }).collect()
    }

    /// The values in these tests are exact in binary, and so are their ratios.
    #[track_caller]
    fn assert_same(given: f64, wanted: f64) {
        assert_eq!(given.to_bits(), wanted.to_bits(), "{given} is not {wanted}");
    }

    #[test]
    fn the_median_of_an_odd_number_is_the_one_in_the_middle() {
        let summary = Summary::of(&samples(&[(30.0, 10.0), (10.0, 10.0), (20.0, 10.0)]));
        let summary = summary.expect("there are samples");
        assert_same(summary.ratio, 2.0);
        assert_same(summary.low, 1.0);
        assert_same(summary.high, 3.0);
        assert_same(summary.ours, 20.0);
        assert_same(summary.baseline, 10.0);
    }

    #[test]
    fn the_median_of_an_even_number_lies_half_way() {
        let all = samples(&[(4.0, 1.0), (1.0, 1.0), (3.0, 1.0), (2.0, 1.0)]);
        let summary = Summary::of(&all).expect("there are samples");
        assert_same(summary.ratio, 2.5);
        assert_same(summary.ours, 2.5);
    }

    #[test]
    fn the_spread_leaves_out_a_tenth_at_either_end() {
        let descending = (0..20).rev().map(|value| (f64::from(value), 1.0));
        let summary = Summary::of(&samples(&descending.collect::<Vec<_>>()));
        let summary = summary.expect("there are samples");
        assert_same(summary.low, 2.0);
        assert_same(summary.high, 17.0);
        assert_same(summary.ratio, 9.5);
    }

    #[test]
    fn a_disturbance_of_both_sides_leaves_the_ratio_alone() {
        let all = samples(&[(20.0, 10.0), (2_000.0, 1_000.0), (4_000.0, 2_000.0)]);
        let summary = Summary::of(&all).expect("there are samples");
        assert_same(summary.ratio, 2.0);
        assert_same(summary.low, 2.0);
        assert_same(summary.high, 2.0);
        assert_same(summary.baseline, 1_000.0);
    }

    #[test]
    fn the_ratio_is_the_median_of_ratios_and_not_the_ratio_of_medians() {
        let all = samples(&[(10.0, 10.0), (8.0, 2.0), (9.0, 3.0)]);
        let summary = Summary::of(&all).expect("there are samples");
        assert_same(summary.ratio, 3.0);
        assert_same(summary.ours / summary.baseline, 3.0);
        let all = samples(&[(10.0, 10.0), (8.0, 2.0), (12.0, 6.0)]);
        let summary = Summary::of(&all).expect("there are samples");
        assert_same(summary.ratio, 2.0);
        assert_same(summary.ours, 10.0);
        assert_same(summary.baseline, 6.0);
    }

    #[test]
    fn nothing_has_no_summary() {
        assert_eq!(Summary::of(&[]), None);
    }
}
