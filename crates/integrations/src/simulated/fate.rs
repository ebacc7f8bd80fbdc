//! What becomes of each order at the simulated provider. Pure: drawn from a seed and the order's id, so that the same
//! seed gives the same fates whatever comes first.

use domain::identity::OrderId;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// How often something goes wrong, in orders of a thousand, and how long callbacks take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// The first attempt to pay is declined.
    pub decline: u16,
    /// The callback comes up to four times more.
    pub duplicate: u16,
    /// The first callback is lost; it is sent again after a while.
    pub lost: u16,
    /// No callback ever comes: who wants to know has to ask.
    pub silent: u16,
    /// The callback comes before the customer's own page says that it is paid.
    pub early: u16,
    /// The callback takes so long that the hold has ended.
    pub late: u16,
    /// Another amount is captured than was asked for.
    pub wrong_amount: u16,
    /// The shortest time a callback takes, in milliseconds.
    pub callback_ms_min: u64,
    /// The longest.
    pub callback_ms_max: u64,
}

impl Rates {
    /// Nothing goes wrong, and callbacks come at once.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            decline: 0,
            duplicate: 0,
            lost: 0,
            silent: 0,
            early: 0,
            late: 0,
            wrong_amount: 0,
            callback_ms_min: 0,
            callback_ms_max: 0,
        }
    }

    /// As real providers are on a bad day.
    #[must_use]
    pub const fn rough() -> Self {
        Self {
            decline: 100,
            duplicate: 250,
            lost: 40,
            silent: 10,
            early: 100,
            late: 60,
            wrong_amount: 10,
            callback_ms_min: 5,
            callback_ms_max: 250,
        }
    }
}

/// How long a lost callback is lost.
const LOST_MS: core::ops::Range<u64> = 1_000..3_000;

/// How long after the end of its hold a late callback comes.
const LATE_MS: core::ops::Range<u64> = 1..1_500;

/// What becomes of one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Whether the first attempt is declined.
    pub declines_first: bool,
    /// How often the callback is sent. Never, where it is lost for good.
    pub copies: u8,
    /// Whether it is sent before the customer's page answers.
    pub is_early: bool,
    /// How long after the capture it is sent, unless it is early or late.
    pub callback_after: Duration,
    /// How long after the end of the hold it is sent, if it is late.
    pub late_by: Option<Duration>,
    /// Whether another amount is captured.
    pub is_wrong_amount: bool,
}

impl Fate {
    /// The fate of `order`.
    #[must_use]
    pub fn of(seed: u64, order: OrderId, rates: &Rates) -> Self {
        let mut bytes = [0; 32];
        let id = order.reservation().uuid();
        for (to, from) in bytes.iter_mut().zip(id.as_bytes().iter().chain(&seed.to_le_bytes())) {
            *to = *from;
        }
        let mut random = ChaCha8Rng::from_seed(bytes);
        let mut happens = |rate: u16| random.random_range(0..1_000) < u32::from(rate);
        let (declines_first, is_double) = (happens(rates.decline), happens(rates.duplicate));
        let (is_lost, is_late, is_wrong_amount) =
            (happens(rates.lost), happens(rates.late), happens(rates.wrong_amount));
        let (is_silent, is_early) = (happens(rates.silent), happens(rates.early));
        let copies = match (is_silent, is_double) {
            (true, _) => 0,
            (false, true) => random.random_range(2..=5),
            (false, false) => 1,
        };
        let soon = random.random_range(rates.callback_ms_min..=rates.callback_ms_max);
        let lost = if is_lost { random.random_range(LOST_MS) } else { 0 };
        let late = random.random_range(LATE_MS);
        Self {
            declines_first,
            copies,
            is_early: is_early && !is_late && !is_silent,
            callback_after: Duration::from_millis(soon + lost),
            late_by: is_late.then(|| Duration::from_millis(late)),
            is_wrong_amount,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::identity::{BundleId, OrderId};
    use domain::ids::PartitionNo;

    fn order(number: u128) -> OrderId {
        OrderId::of_bundle(BundleId::new(PartitionNo(0), number))
    }

    #[test]
    fn one_seed_gives_one_fate_and_another_seed_others() {
        let fates = |seed| (0..200).map(|number| Fate::of(seed, order(number), &Rates::rough())).collect::<Vec<_>>();
        assert_eq!(fates(1), fates(1));
        assert_ne!(fates(1), fates(2));
    }

    #[test]
    fn rates_are_kept_and_none_is_none() {
        let count = |rates: &Rates, what: fn(&Fate) -> bool| {
            (0..10_000).filter(|number| what(&Fate::of(7, order(*number), rates))).count()
        };
        let rough = Rates::rough();
        assert!((800..1_200).contains(&count(&rough, |fate| fate.declines_first)));
        assert!((2_200..2_800).contains(&count(&rough, |fate| fate.copies > 1)));
        assert!((50..150).contains(&count(&rough, |fate| fate.copies == 0)));
        assert!((800..1_200).contains(&count(&rough, |fate| fate.is_early)));
        assert!((450..750).contains(&count(&rough, |fate| fate.late_by.is_some())));
        let trouble = |fate: &Fate| {
            let callback = fate.copies != 1 || fate.is_early || fate.late_by.is_some();
            callback || fate.declines_first || fate.is_wrong_amount
        };
        assert_eq!(count(&Rates::none(), trouble), 0);
    }
}
