//! Percentile distributions in the format that HdrHistogram's own tools read and plot (`.hgrm`).

use hdrhistogram::Histogram;
use std::fmt::Write;

/// Steps for each halving of the distance to 100 %.
const STEPS_PER_HALF: u32 = 5;

/// The distribution of a histogram of microseconds, in milliseconds.
pub(super) fn text(us: &Histogram<u64>) -> String {
    let mut out = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    for step in us.iter_quantiles(STEPS_PER_HALF) {
        let quantile = step.quantile_iterated_to();
        let (value, below) = (step.value_iterated_to() as f64 / 1_000.0, us.count_between(0, step.value_iterated_to()));
        // Writing to a string does not fail.
        let _written = if quantile < 1.0 {
            writeln!(out, "{value:>12.3} {quantile:>14.12} {below:>10} {:>14.2}", 1.0 / (1.0 - quantile))
        } else {
            writeln!(out, "{value:>12.3} {quantile:>14.12} {below:>10}")
        };
    }
    let _written = write!(
        out,
        "#[Mean    = {:>12.3}, StdDeviation   = {:>12.3}]\n#[Max     = {:>12.3}, Total count    = {:>12}]\n",
        us.mean() / 1_000.0,
        us.stdev() / 1_000.0,
        us.max() as f64 / 1_000.0,
        us.len(),
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tally::histogram;

    #[test]
    fn the_distribution_ends_with_all_of_them_at_the_highest() {
        let mut us = histogram();
        (1..=1_000).for_each(|value| us.saturating_record(value * 1_000));
        let text = text(&us);
        let last = text.lines().rfind(|line| !line.starts_with('#')).expect("there are lines");
        let fields: Vec<&str> = last.split_whitespace().collect();
        assert!(matches!(fields.as_slice(), [_, "1.000000000000", "1000"]), "{text}");
        assert!(text.contains("Total count    =         1000]"), "{text}");
        let half = text.lines().find(|line| line.contains(" 0.500000000000 ")).expect("the median is a line");
        assert!(half.trim_start().starts_with("500."), "{half}");
    }
}
