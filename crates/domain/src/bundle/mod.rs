//! Bundles: one reservation over several items, all or nothing (domain rule 12). What a bundle is made of, and the
//! coordinator that takes its parts; its record and its money belong to the partition's stream (`partition`).

pub mod coordinator;

use crate::command::Canon;
use crate::idempotency::Fingerprint;
use crate::identity::{BundleId, ItemKey, ReservationId};
use crate::ids::PartitionNo;
use crate::limits::{BUNDLE_AMOUNT_MAX, BUNDLE_LINES_MAX};
use crate::money::Money;
use crate::payment::Provider;
use crate::text::{CustomerId, Sku};
use crate::time::DurationMs;
use crate::units::{Quantity, Units};

/// What a customer wants, all or nothing: 1 to [`BUNDLE_LINES_MAX`] lines, each of another item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedLines(Vec<(Sku, Quantity)>);

/// Lines that make no bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WantedLinesError {
    /// None, or too many.
    #[error("a bundle has 1 to {BUNDLE_LINES_MAX} lines")]
    Count,
    /// One item appears twice. Add the quantities up.
    #[error("{sku} appears in more than one line")]
    Twice {
        /// Which.
        sku: Sku,
    },
}

impl WantedLines {
    /// Takes lines in any order.
    ///
    /// # Errors
    /// [`WantedLinesError`] says why they make no bundle.
    pub fn new(mut lines: Vec<(Sku, Quantity)>) -> Result<Self, WantedLinesError> {
        if lines.is_empty() || lines.len() > BUNDLE_LINES_MAX {
            return Err(WantedLinesError::Count);
        }
        // The order in which a customer names things says nothing, so the same things are the same content.
        lines.sort_by(|left, right| left.0.cmp(&right.0));
        match lines.iter().zip(lines.iter().skip(1)).find(|(one, next)| one.0 == next.0) {
            Some((twice, _)) => Err(WantedLinesError::Twice { sku: twice.0.clone() }),
            None => Ok(Self(lines)),
        }
    }

    /// The lines, by sku.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Sku, Quantity)> {
        self.0.iter().map(|(sku, quantity)| (sku, *quantity))
    }

    /// A keyed hash of what is wanted: the content of the request for idempotency.
    #[must_use]
    pub fn content_fingerprint(&self, key: &ItemKey) -> Fingerprint {
        let mut text = Canon::default();
        text.word("bundle");
        for (sku, quantity) in self.iter() {
            text.word(sku.as_str()).number(quantity.get());
        }
        text.fingerprint(key)
    }
}

/// One line of a bundle: a part held in an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleLine {
    /// The item's public name.
    pub sku: Sku,
    /// The part; its id names the item's number too.
    pub reservation: ReservationId,
    /// How many units.
    pub quantity: Quantity,
    /// Price × quantity.
    pub amount: Money,
}

/// On which terms a bundle is held: of each the smallest among its lines' items, so that no item grants more than it
/// would alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleTerms {
    /// How long it is held.
    pub hold_time: DurationMs,
    /// How much longer a payment is in time once the order is placed.
    pub grace: DurationMs,
    /// How long money that came before the order waits for it.
    pub parked_window: DurationMs,
    /// Who is asked for an opportunity to pay, if all items agree on that.
    pub provider: Option<Provider>,
}

impl BundleTerms {
    /// The terms that both keep.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            hold_time: self.hold_time.min(other.hold_time),
            grace: self.grace.min(other.grace),
            parked_window: self.parked_window.min(other.parked_window),
            provider: self.provider.filter(|provider| other.provider == Some(*provider)),
        }
    }
}

/// A bundle whose parts are all held, as its coordinator submits it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBundle {
    /// Its id, drawn before the first part was asked for.
    pub id: BundleId,
    /// Whose.
    pub customer: CustomerId,
    /// Its parts, in the order in which they were taken.
    pub lines: Vec<BundleLine>,
    /// On which terms.
    pub terms: BundleTerms,
}

impl NewBundle {
    /// What the lines cost together. `None` where their currencies differ or the sum is more than an amount can be.
    #[must_use]
    pub fn amount(&self) -> Option<Money> {
        let mut amounts = self.lines.iter().map(|line| line.amount);
        let first = amounts.next()?;
        amounts.try_fold(first, add)
    }

    /// All units of all lines.
    #[must_use]
    pub fn units(&self) -> Units {
        // 20 lines of at most 1,000 units each are far below what stock can count.
        self.lines.iter().fold(Units::ZERO, |sum, line| sum.plus(line.quantity.units()).unwrap_or(sum))
    }

    /// What the customer had asked for.
    #[must_use]
    pub fn wanted(&self) -> WantedLines {
        let mut lines: Vec<_> = self.lines.iter().map(|line| (line.sku.clone(), line.quantity)).collect();
        lines.sort_by(|left, right| left.0.cmp(&right.0));
        WantedLines(lines)
    }
}

/// The sum of two amounts of one currency.
fn add(left: Money, right: Money) -> Option<Money> {
    let minor = left.minor.checked_add(right.minor).filter(|minor| *minor <= BUNDLE_AMOUNT_MAX)?;
    (left.currency == right.currency).then_some(Money { minor, currency: left.currency })
}

/// The partition that a bundle lives in: by its customer and the key it is asked for under, so that a repeated
/// request finds the first one's record wherever its items are.
#[must_use]
pub fn partition_of_bundle(customer: &CustomerId, key: Option<&str>, partition_count: u16) -> PartitionNo {
    let mut hasher = blake3::Hasher::new();
    hasher.update(customer.as_str().as_bytes());
    // A character that no customer id can hold.
    hasher.update(b"\x1f");
    hasher.update(key.unwrap_or_default().as_bytes());
    crate::partition::of_hash(&hasher.finalize(), partition_count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_has_one_to_twenty_lines_each_of_another_item_in_any_order() {
        let line = |sku: &str| (Sku::parse(sku).expect("a sku"), Quantity::ONE);
        let many = |count: u32| (0..count).map(|no| line(&format!("s{no}"))).collect::<Vec<_>>();
        assert_eq!(WantedLines::new(Vec::new()), Err(WantedLinesError::Count));
        assert_eq!(WantedLines::new(many(21)), Err(WantedLinesError::Count));
        assert!(WantedLines::new(many(20)).is_ok());
        let twice = WantedLines::new(vec![line("a"), line("b"), line("a")]);
        assert_eq!(twice, Err(WantedLinesError::Twice { sku: Sku::parse("a").expect("a sku") }));
        assert_eq!(WantedLines::new(vec![line("b"), line("a")]), WantedLines::new(vec![line("a"), line("b")]));
    }
}
