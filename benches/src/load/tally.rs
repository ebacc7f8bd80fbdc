//! What came of the requests: one histogram for each kind of ending, kept per thread and added up.

use domain::growth::BlockList;
use domain::time::Timestamp;
use hdrhistogram::Histogram;
use std::time::{Duration, Instant};

/// Shortest latency told apart: a microsecond.
const LOWEST_US: u64 = 1;

/// Longest latency told apart: a minute. No request is waited for that long.
const HIGHEST_US: u64 = 60_000_000;

/// Significant digits.
const DIGITS: u8 = 3;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Done: 200, 201.
    Granted,
    /// In line: 202.
    Waiting,
    /// Refused by the rules: 4xx.
    Refused,
    /// Refused for want of time or room: 503, 429.
    Shed,
    /// No answer within the deadline, or the server's own word that there is none (504).
    TimedOut,
    /// The connection broke, or something else came.
    Failed,
}

impl Ending {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [Self::Granted, Self::Waiting, Self::Refused, Self::Shed, Self::TimedOut, Self::Failed];

    /// How a request with this status ended.
    #[must_use]
    pub const fn of(status: u16) -> Self {
        match status {
            200 | 201 => Self::Granted,
            202 => Self::Waiting,
            429 | 503 => Self::Shed,
            504 => Self::TimedOut,
            400..=499 => Self::Refused,
            _ => Self::Failed,
        }
    }

    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Waiting => "waiting",
            Self::Refused => "refused",
            Self::Shed => "shed",
            Self::TimedOut => "timed-out",
            Self::Failed => "failed",
        }
    }
}

/// A histogram of microseconds with the bounds that all of them have.
///
/// # Panics
/// Never: the bounds are good ones.
#[must_use]
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(LOWEST_US, HIGHEST_US, DIGITS).expect("these bounds are good")
}

/// Whole microseconds, upwards, so that nothing looks faster than it was.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// A customer who went away without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Their number.
    pub customer: u64,
    /// When they hung up, by the wall clock.
    pub at: Timestamp,
}

/// One customer's end, kept where a figure is about a stretch of a run and not about all of it.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// When it ended.
    pub at: Instant,
    /// How long they had waited by then.
    pub latency: Duration,
    /// How; none: turned away because too many waited for a connection.
    pub ending: Option<Ending>,
}

/// What came of the requests of one thread, or of all. What grows with every request does so in blocks: a vector of half
/// a million that doubled kept its thread from answers for 30 to 75 ms, and they were counted as the server's.
#[derive(Clone, Debug)]
pub struct Tally {
    histograms: [Histogram<u64>; Ending::ALL.len()],
    /// Requests by ending, those of the warm-up and of the end included.
    pub all: [u64; Ending::ALL.len()],
    /// Of those shed, how many were told when to come back.
    pub shed_with_retry_after: u64,
    /// Of those timed out, how many were never sent: no connection was free in time.
    pub unsent: u64,
    /// Arrivals of the measured time that were turned away because too many waited for a connection.
    pub turned_away: u64,
    /// The reservations that answers told of, with how they stood then.
    pub receipts: BlockList<(u128, Ending)>,
    /// Who asked, and hung up before an answer came.
    pub gone: Vec<Gone>,
    /// Every end, if the plan keeps them.
    pub moments: BlockList<Moment>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            histograms: std::array::from_fn(|_| histogram()),
            all: [0; Ending::ALL.len()],
            shed_with_retry_after: 0,
            unsent: 0,
            turned_away: 0,
            receipts: BlockList::new(),
            gone: Vec::new(),
            moments: BlockList::new(),
        }
    }
}

impl Tally {
    /// Counts a request; in the histogram only if it is of the time that is measured.
    pub fn record(&mut self, ending: Ending, latency: Duration, is_measured: bool) {
        // One element for each kind, so the index is always in it.
        if let Some(count) = self.all.get_mut(ending as usize) {
            *count += 1;
        }
        if let Some(histogram) = self.histograms.get_mut(ending as usize).filter(|_| is_measured) {
            histogram.saturating_record(micros(latency));
        }
    }

    /// Adds another thread's.
    pub fn add(&mut self, other: Self) {
        for (mine, its) in self.histograms.iter_mut().zip(&other.histograms) {
            mine.add(its).expect("all histograms have the same bounds");
        }
        self.all.iter_mut().zip(other.all).for_each(|(mine, its)| *mine += its);
        self.shed_with_retry_after += other.shed_with_retry_after;
        self.unsent += other.unsent;
        self.turned_away += other.turned_away;
        self.receipts.extend(other.receipts);
        self.gone.extend(other.gone);
        self.moments.extend(other.moments);
    }

    /// The latencies of the requests that ended so, in the time that is measured.
    ///
    /// # Panics
    /// Never: there is one for each kind.
    #[must_use]
    pub fn of(&self, ending: Ending) -> &Histogram<u64> {
        self.histograms.get(ending as usize).expect("there is one for each kind")
    }

    /// How many ended so in the time that is measured.
    #[must_use]
    pub fn count(&self, ending: Ending) -> u64 {
        self.of(ending).len()
    }

    /// How many ended so in all.
    #[must_use]
    pub fn count_in_all(&self, ending: Ending) -> u64 {
        self.all.get(ending as usize).copied().unwrap_or_default()
    }

    /// The latencies of all requests, whatever came of them. What a customer goes through.
    #[must_use]
    pub fn together(&self) -> Histogram<u64> {
        let mut all = histogram();
        for one in &self.histograms {
            all.add(one).expect("all histograms have the same bounds");
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_the_warm_up_is_counted_and_not_measured() {
        let mut tally = Tally::default();
        tally.record(Ending::Granted, Duration::from_millis(3), false);
        tally.record(Ending::Granted, Duration::from_millis(5), true);
        tally.record(Ending::Shed, Duration::from_nanos(1), true);
        assert_eq!((tally.count_in_all(Ending::Granted), tally.count(Ending::Granted)), (2, 1));
        assert_eq!(tally.of(Ending::Shed).max(), 1, "rounded up");
    }

    #[test]
    fn tallies_of_threads_add_up() {
        let mut sum = Tally::default();
        for thread in 1..=3 {
            let mut tally = Tally::default();
            tally.record(Ending::Waiting, Duration::from_secs(thread), true);
            tally.receipts.push((u128::from(thread), Ending::Waiting));
            sum.add(tally);
        }
        assert_eq!((sum.count(Ending::Waiting), sum.receipts.len(), sum.together().len()), (3, 3, 3));
        assert!(sum.together().max() >= 3_000_000);
    }

    #[test]
    fn the_kinds_are_in_the_order_of_their_numbers() {
        assert!(Ending::ALL.iter().enumerate().all(|(index, ending)| *ending as usize == index));
    }
}
