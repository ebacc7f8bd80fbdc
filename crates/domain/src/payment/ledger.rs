//! Sums of money by where it is. Σ captured = Σ parked + Σ kept + Σ due + Σ refunded, per currency, always.

use crate::money::{Currency, Money};
use std::collections::BTreeMap;

/// Where captured money can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pot {
    Parked,
    Kept,
    Due,
    Refunded,
}

/// The sums of one currency, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are domain.md's words for where money is")]
pub struct Sums {
    pub captured: u128,
    pub parked: u128,
    pub kept: u128,
    pub due: u128,
    pub refunded: u128,
}

impl Sums {
    fn pot(&mut self, pot: Pot) -> &mut u128 {
        match pot {
            Pot::Parked => &mut self.parked,
            Pot::Kept => &mut self.kept,
            Pot::Due => &mut self.due,
            Pot::Refunded => &mut self.refunded,
        }
    }

    /// Whether the parts make the whole.
    #[must_use]
    pub const fn add_up(&self) -> bool {
        self.captured == self.parked + self.kept + self.due + self.refunded
    }
}

/// The sums of every currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    currencies: BTreeMap<Currency, Sums>,
}

impl Ledger {
    /// New money. 2^24 captures of at most 2^64 minor units each cannot pass 2^128.
    pub(crate) fn captured(&mut self, amount: Money, pot: Pot) {
        let sums = self.currencies.entry(amount.currency).or_default();
        sums.captured += u128::from(amount.minor);
        *sums.pot(pot) += u128::from(amount.minor);
    }

    pub(crate) fn moved(&mut self, amount: Money, from: Pot, to: Pot) {
        let sums = self.currencies.entry(amount.currency).or_default();
        let rest = sums.pot(from).checked_sub(u128::from(amount.minor));
        *sums.pot(from) = rest.expect("invariant 27: money is moved from where it is not");
        *sums.pot(to) += u128::from(amount.minor);
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        match self.currencies.iter().find(|(_, sums)| !sums.add_up()) {
            Some((currency, sums)) => Err(format!("{currency:?}: {sums:?} does not add up")),
            None => Ok(()),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Currency, Sums)> {
        self.currencies.iter().map(|(&currency, &sums)| (currency, sums))
    }
}
