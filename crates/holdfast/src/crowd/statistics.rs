//! How long requests took and how they ended: a histogram and counters for each kind.

use hdrhistogram::Histogram;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longest time a histogram counts, in microseconds; longer ones count as this.
const LATENCY_US_MAX: u64 = 60_000_000;

/// Kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reserve.
    Reserve,
    /// Read a reservation.
    Read,
    /// Read a reservation, answered when it changes.
    LongPoll,
    /// Ask for more time.
    Extend,
    /// Place an order.
    Order,
    /// Report the payment.
    Confirm,
    /// Pay at the provider.
    Pay,
    /// Cancel, or leave the line.
    Cancel,
    /// Read the item.
    Item,
    /// What an operator asks.
    Operator,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Reserve,
        Self::Read,
        Self::LongPoll,
        Self::Extend,
        Self::Order,
        Self::Confirm,
        Self::Pay,
        Self::Cancel,
        Self::Item,
        Self::Operator,
    ];

    /// Its name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Read => "read reservation",
            Self::LongPoll => "long poll",
            Self::Extend => "extend",
            Self::Order => "order",
            Self::Confirm => "confirm payment",
            Self::Pay => "pay at the provider",
            Self::Cancel => "cancel",
            Self::Item => "read item",
            Self::Operator => "operator",
        }
    }
}

/// How one exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// 2xx or 304.
    Fine,
    /// A 4xx that is an answer: sold out, limit reached, …
    Refused,
    /// 503 or 429: not now, nothing happened.
    Shed,
    /// 500 or 504: it may have happened.
    Unknown,
    /// No answer at all.
    Broken,
}

/// Figures of one kind of request.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// Of which kind.
    pub(crate) kind: Kind,
    /// Exchanges that ended well.
    pub(crate) fine: u64,
    /// Exchanges that ended in a refusal.
    pub(crate) refused: u64,
    /// Exchanges sent away.
    pub(crate) shed: u64,
    /// Exchanges whose outcome was unknown.
    pub(crate) unknown: u64,
    /// Exchanges without an answer.
    pub(crate) broken: u64,
    latency_us: Histogram<u64>,
}

impl Figures {
    fn new(kind: Kind) -> Self {
        let latency_us = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)
            .expect("the bounds are constants that the library accepts, as a test shows");
        Self { kind, fine: 0, refused: 0, shed: 0, unknown: 0, broken: 0, latency_us }
    }

    /// Answers of any kind.
    pub(crate) fn answered(&self) -> u64 {
        self.latency_us.len()
    }

    /// Exchanges that had to be tried again.
    pub(crate) const fn trouble(&self) -> u64 {
        self.shed.saturating_add(self.unknown).saturating_add(self.broken)
    }

    /// The latency that this share of the answers kept within.
    pub(crate) fn latency(&self, percentile: f64) -> Duration {
        Duration::from_micros(self.latency_us.value_at_percentile(percentile))
    }

    /// The slowest answer.
    pub(crate) fn slowest(&self) -> Duration {
        Duration::from_micros(self.latency_us.max())
    }

    fn record(&mut self, ending: Ending, took: Duration) {
        let counter = match ending {
            Ending::Fine => &mut self.fine,
            Ending::Refused => &mut self.refused,
            Ending::Shed => &mut self.shed,
            Ending::Unknown => &mut self.unknown,
            Ending::Broken => &mut self.broken,
        };
        *counter = counter.saturating_add(1);
        if ending != Ending::Broken {
            self.latency_us.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        }
    }
}

/// All figures, shared by everybody in the crowd.
#[derive(Debug)]
pub(crate) struct Statistics {
    kinds: Vec<Mutex<Figures>>,
}

impl Default for Statistics {
    fn default() -> Self {
        Self { kinds: Kind::ALL.into_iter().map(|kind| Mutex::new(Figures::new(kind))).collect() }
    }
}

impl Statistics {
    /// Notes an exchange.
    pub(crate) fn record(&self, kind: Kind, ending: Ending, took: Duration) {
        if let Some(figures) = self.kinds.get(kind as usize) {
            lock(figures).record(ending, took);
        }
    }

    /// The figures of one kind so far.
    pub(crate) fn of(&self, kind: Kind) -> Figures {
        self.kinds.get(kind as usize).map_or_else(|| Figures::new(kind), |figures| lock(figures).clone())
    }

    /// The figures of every kind that occurred.
    pub(crate) fn all(&self) -> Vec<Figures> {
        let occurred = |figures: &Figures| figures.answered() > 0 || figures.broken > 0;
        self.kinds.iter().map(|figures| lock(figures).clone()).filter(occurred).collect()
    }
}

/// Counting never panics half-way, so a poisoned lock still guards whole figures.
fn lock(figures: &Mutex<Figures>) -> MutexGuard<'_, Figures> {
    figures.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_come_from_answers_and_broken_exchanges_are_only_counted() {
        let statistics = Statistics::default();
        for ms in 1..=100 {
            statistics.record(Kind::Reserve, Ending::Fine, Duration::from_millis(ms));
        }
        statistics.record(Kind::Reserve, Ending::Broken, Duration::from_secs(30));
        let figures = statistics.of(Kind::Reserve);
        assert_eq!((figures.fine, figures.broken, figures.answered(), figures.trouble()), (100, 1, 100, 1));
        let near = |percentile: f64, ms: u128| figures.latency(percentile).as_millis().abs_diff(ms) <= 1;
        assert!(near(50.0, 50) && near(95.0, 95) && near(99.0, 99), "{figures:?}");
        assert!(figures.slowest() < Duration::from_millis(101));
    }

    #[test]
    fn every_kind_has_its_own_place_and_only_those_that_occurred_are_shown() {
        let statistics = Statistics::default();
        statistics.record(Kind::Operator, Ending::Refused, Duration::from_secs(100));
        let shown: Vec<_> = statistics.all().iter().map(|figures| figures.kind).collect();
        assert_eq!(shown, [Kind::Operator]);
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place, "{kind:?}");
        }
    }
}
