//! When customers come: a Poisson process, drawn before the run from a seed.
//!
//! Drawn before, so that nothing that happens in the run can move an arrival: a server that stands still does not
//! make its customers come later (coordinated omission).

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// Arrivals, as times from the beginning of the run.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    /// In nanoseconds, ascending.
    arrivals_ns: Vec<u64>,
}

impl Schedule {
    /// Arrivals at `rate_per_s` for `length`.
    #[must_use]
    pub fn poisson(seed: u64, rate_per_s: f64, length: Duration) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let end = length.as_secs_f64();
        let mut arrivals_ns = Vec::with_capacity((rate_per_s * end * 1.1) as usize);
        let mut at = 0.0;
        loop {
            // In (0, 1], so its logarithm is finite; gaps between Poisson arrivals are exponential.
            let uniform: f64 = 1.0 - random.random::<f64>();
            at -= uniform.ln() / rate_per_s;
            // A rate of 0 gives no arrivals: the first gap is infinite, or no number.
            if at.is_nan() || at >= end {
                return Self { arrivals_ns };
            }
            arrivals_ns.push((at * 1e9) as u64);
        }
    }

    /// One of them, from 0 on.
    #[must_use]
    pub fn arrival(&self, nth: usize) -> Option<Duration> {
        self.arrivals_ns.get(nth).copied().map(Duration::from_nanos)
    }

    /// The arrivals, in order.
    pub fn arrivals(&self) -> impl Iterator<Item = Duration> + '_ {
        self.arrivals_ns.iter().map(|&ns| Duration::from_nanos(ns))
    }

    /// How many there are from `from` to before `to`.
    #[must_use]
    pub fn count_between(&self, from: Duration, to: Duration) -> usize {
        self.arrivals().filter(|at| (from..to).contains(at)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_brings_the_same_customers_at_the_rate_asked_for() {
        let drawn = |seed| Schedule::poisson(seed, 10_000.0, Duration::from_secs(10)).arrivals_ns;
        let arrivals = drawn(1);
        assert_eq!(arrivals, drawn(1));
        assert_ne!(arrivals, drawn(2));
        assert!(arrivals.is_sorted());
        // Poisson: 100,000 give or take 316; ten times that never happens.
        assert!(arrivals.len().abs_diff(100_000) < 3_160, "{}", arrivals.len());
    }

    #[test]
    fn gaps_are_exponential_and_not_even() {
        let schedule = Schedule::poisson(7, 1_000.0, Duration::from_secs(100));
        let arrivals: Vec<Duration> = schedule.arrivals().collect();
        let gaps = arrivals.iter().zip(arrivals.iter().skip(1)).map(|(one, next)| *next - *one);
        let short = gaps.filter(|gap| *gap < Duration::from_micros(693)).count();
        // The median of an exponential with mean 1 ms is ln 2 ms.
        let share = short as f64 / arrivals.len() as f64;
        assert!((0.48..0.52).contains(&share), "{share}");
        assert_eq!(schedule.count_between(Duration::ZERO, Duration::MAX), arrivals.len());
    }

    #[test]
    fn nobody_comes_at_a_rate_of_nothing() {
        assert_eq!(Schedule::poisson(1, 0.0, Duration::from_secs(1)).arrivals_ns, Vec::<u64>::new());
    }
}
