//! The money of one item, recounted: every capture is in one place, and each goes only ways there are.

use super::check::Promise;
use super::ledger::{Ledger, Life};
use domain::payment::{Capture, PaymentEvent, Provider};
use std::collections::{BTreeMap, HashMap};

/// Every capture and where it is, in the auditor's own books.
#[derive(Clone, Debug, Default)]
pub(super) struct Purse {
    captures: Vec<Taken>,
    by_payment: HashMap<(Provider, String), usize>,
}

#[derive(Clone, Debug)]
struct Taken {
    owner: u32,
    provider: Provider,
    minor: i128,
    currency: String,
    pot: Pot,
    due_once: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pot {
    Parked,
    Kept,
    Due,
    Refunded,
}

/// Sums in minor units, over all currencies, and counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MoneyBooks {
    /// Captured, ever.
    pub(crate) captured: i128,
    /// Waiting for its order.
    pub(crate) parked: i128,
    /// Paid for goods.
    pub(crate) kept: i128,
    /// To go back.
    pub(crate) due: i128,
    /// Gone back.
    pub(crate) refunded: i128,
    /// Sales honoured though their payment came late.
    pub(crate) honoured_late: u64,
    /// Refunds that were due, ever.
    pub(crate) refunds: u64,
    /// Units that kept money paid for.
    pub(crate) paid_units: i64,
}

/// Whether money came for an order, and whether it goes, or has gone, back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// None came.
    Nothing,
    /// Some came, and none of it goes back.
    Kept,
    /// Some of it goes, or has gone, back.
    GoesBack,
}

/// What a provider took and gave back, as the log has it, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OfProvider {
    /// Taken.
    pub(crate) captured: i128,
    /// Given back.
    pub(crate) refunded: i128,
}

impl Ledger {
    /// What came for reservation `owner`'s order.
    pub(crate) fn came_for(&self, owner: u32) -> Came {
        let theirs = self.purse.captures.iter().filter(|taken| taken.owner == owner);
        theirs.fold(Came::Nothing, |came, taken| match (came, taken.pot) {
            (Came::GoesBack, _) | (_, Pot::Due | Pot::Refunded) => Came::GoesBack,
            (_, Pot::Parked | Pot::Kept) => Came::Kept,
        })
    }

    /// What this provider took and gave back.
    pub(crate) fn of_provider(&self, provider: Provider) -> OfProvider {
        let theirs = self.purse.captures.iter().filter(|taken| taken.provider == provider);
        theirs.fold(OfProvider::default(), |mut sums, taken| {
            sums.captured += taken.minor;
            if taken.pot == Pot::Refunded {
                sums.refunded += taken.minor;
            }
            sums
        })
    }

    /// Enters a payment event of reservation `owner`'s order.
    pub(super) fn pay(&mut self, owner: u32, event: &PaymentEvent) {
        match event {
            PaymentEvent::Captured { capture, .. } => {
                self.take(owner, capture, Pot::Kept);
                self.sell(owner, capture.amount);
            }
            PaymentEvent::LateHonoured { capture, .. } => {
                self.take(owner, capture, Pot::Kept);
                self.honour(owner, capture);
            }
            PaymentEvent::Parked { capture, .. } => self.take(owner, capture, Pot::Parked),
            PaymentEvent::RefundDue { capture, .. } => {
                self.take(owner, capture, Pot::Due);
                let sold = self.life(owner) == Some(Life::Sold);
                let live = matches!(self.life(owner), Some(Life::Held { .. }));
                let right = self.price_of(owner) == i128::from(capture.amount.minor);
                let said = format!("{capture:?}");
                self.check(Promise::Money, sold || !live || !right || self.part(owner), || {
                    format!("right money in time for reservation {owner} goes back: {said}")
                });
            }
            PaymentEvent::Unclaimed { capture, .. } => self.shift(owner, capture.0, Pot::Parked, Pot::Due),
            PaymentEvent::OrderRefunded { capture, released, .. } => {
                self.shift(owner, capture.0, Pot::Kept, Pot::Due);
                self.unsell(owner, i64::from(released.get()));
            }
            PaymentEvent::RefundSettled { capture, .. } => self.shift(owner, capture.0, Pot::Due, Pot::Refunded),
            PaymentEvent::Offered { .. }
            | PaymentEvent::Failed { .. }
            | PaymentEvent::Noted { .. }
            | PaymentEvent::Disputed { .. }
            | PaymentEvent::RefundReported { .. } => {}
        }
    }

    /// New money, or parked money that moves on.
    pub(super) fn take_paid(&mut self, owner: u32, capture: &Capture) {
        self.take(owner, capture, Pot::Kept);
    }

    fn take(&mut self, owner: u32, capture: &Capture, pot: Pot) {
        let key = (capture.provider, capture.payment.as_str().to_owned());
        if let Some(&at) = self.purse.by_payment.get(&key) {
            return self.shift(owner, at as u32, Pot::Parked, pot);
        }
        let minor = i128::from(capture.amount.minor);
        self.books.money.captured += minor;
        if pot == Pot::Due {
            self.books.money.refunds += 1;
        }
        self.purse.by_payment.insert(key, self.purse.captures.len());
        let currency = capture.amount.currency.as_str().to_owned();
        let provider = capture.provider;
        self.purse.captures.push(Taken { owner, provider, minor, currency, pot, due_once: pot == Pot::Due });
    }

    fn shift(&mut self, owner: u32, number: u32, from: Pot, to: Pot) {
        let found = self.purse.captures.get_mut(number as usize);
        let before = found.as_ref().map(|taken| (taken.owner, taken.pot));
        let mut again = false;
        if let Some(taken) = found {
            again = to == Pot::Due && taken.due_once;
            taken.due_once |= to == Pot::Due;
            taken.pot = to;
        }
        if to == Pot::Due {
            self.books.money.refunds += 1;
        }
        self.check(Promise::Money, before == Some((owner, from)) && !again, || {
            format!("capture {number} of reservation {owner} became {to:?} and was {before:?}")
        });
    }

    /// Sums up, and checks that every unit sold is paid for once, and every capture is somewhere.
    pub(super) fn close_money(&mut self) {
        let mut sums: BTreeMap<(String, Pot), i128> = BTreeMap::new();
        for taken in &self.purse.captures {
            *sums.entry((taken.currency.clone(), taken.pot)).or_default() += taken.minor;
        }
        let of = |pot| sums.iter().filter(|((_, place), _)| *place == pot).map(|(_, sum)| sum).sum::<i128>();
        let money = &mut self.books.money;
        (money.parked, money.kept) = (of(Pot::Parked), of(Pot::Kept));
        (money.due, money.refunded) = (of(Pot::Due), of(Pot::Refunded));
        let money = *money;
        let sum = money.parked + money.kept + money.due + money.refunded;
        self.check(Promise::MoneyConserved, sum == money.captured, || {
            format!("{} minor units were captured, and {sum} are parked, kept, due or refunded", money.captured)
        });
        let price = self.unit_price() * i128::from(money.paid_units);
        self.check(Promise::Money, price == money.kept, || {
            format!("{} minor units were kept, and price × units paid for is {price}", money.kept)
        });
    }
}
