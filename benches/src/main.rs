//! Latency histograms of what everything else stands on: a turn of the pure core, and a durable group commit.
//!
//! Prints figures and promises none; nothing here passes or fails. The full bench with its peers is work of its own.

mod commit;
mod core;

use hdrhistogram::Histogram;

fn main() {
    println!("{:<44} {:>9} {:>9} {:>9} {:>9}", "nanoseconds", "p50", "p99", "p99.9", "max");
    for (name, histogram) in core::all() {
        print(&name, &histogram);
    }
    match commit::all() {
        Ok(measured) => measured.iter().for_each(|(name, histogram)| print(name, histogram)),
        Err(error) => println!("the commit path could not be measured: {error}"),
    }
}

fn print(name: &str, histogram: &Histogram<u64>) {
    let at = |quantile| histogram.value_at_quantile(quantile);
    println!("{name:<44} {:>9} {:>9} {:>9} {:>9}", at(0.5), at(0.99), at(0.999), histogram.max());
}

/// What was measured, and how it came out.
type Measured = Vec<(String, Histogram<u64>)>;

/// A histogram from a nanosecond to a minute with three digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("these bounds are good")
}
