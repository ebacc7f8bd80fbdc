//! A bundle's record and its life: one table of transitions, used live, in recovery and in replay alike.

use crate::bundle::NewBundle;
use crate::ids::Seq;
use crate::money::Money;
use crate::time::Timestamp;
use crate::wheel::TimerId;

/// One bundle, held once and ended once.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    pub(crate) held: Box<NewBundle>,
    /// What its lines cost together.
    pub(crate) amount: Money,
    pub(crate) accepted_at: Timestamp,
    /// The event that last changed this bundle.
    pub(crate) changed: Seq,
    pub(crate) state: BundleState,
}

/// Carries only what exists in that state.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BundleState {
    Held(BundleHold),
    Confirmed(BundleSale),
    Cancelled(BundleEnded),
    Expired(BundleEnded),
}

/// Every part held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BundleHold {
    pub(crate) deadline: Timestamp,
    /// The deadline, plus the grace once the order is placed.
    pub(crate) release_at: Timestamp,
    pub(crate) ordered_at: Option<Timestamp>,
    pub(crate) timer: TimerId,
}

/// Sold. The money is in the partition's books.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BundleSale {
    pub(crate) ordered_at: Timestamp,
    /// Whether a refund has returned the units to stock.
    pub(crate) returned: bool,
}

/// Over without having been paid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BundleEnded {
    pub(crate) ordered_at: Option<Timestamp>,
}

/// What can happen to a bundle once it is held.
#[derive(Clone, Copy, Debug)]
pub(super) enum BundleChange {
    Confirm,
    Cancel,
    Expire,
    Return,
}

/// A step that is not in the picture of domain.md (invariant 7).
#[derive(Debug)]
pub(super) struct IllegalBundleStep {
    pub(super) from: BundleState,
    pub(super) change: BundleChange,
}

impl BundleState {
    /// The state after `change`: the one table of transitions.
    pub(super) fn after(self, change: BundleChange, at: Timestamp) -> Result<Self, IllegalBundleStep> {
        match (self, change) {
            (Self::Held(hold), BundleChange::Confirm) => {
                Ok(Self::Confirmed(BundleSale { ordered_at: hold.ordered_at.unwrap_or(at), returned: false }))
            }
            (Self::Held(hold), BundleChange::Cancel) => {
                Ok(Self::Cancelled(BundleEnded { ordered_at: hold.ordered_at }))
            }
            (Self::Held(hold), BundleChange::Expire) => Ok(Self::Expired(BundleEnded { ordered_at: hold.ordered_at })),
            (Self::Confirmed(sale), BundleChange::Return) if !sale.returned => {
                Ok(Self::Confirmed(BundleSale { returned: true, ..sale }))
            }
            (from, change) => Err(IllegalBundleStep { from, change }),
        }
    }
}

impl Bundle {
    /// The release that follows from a deadline: a placed order adds the grace (invariant 21).
    pub(super) fn release_for(&self, hold: &BundleHold) -> Timestamp {
        if hold.ordered_at.is_some() { hold.deadline.plus(self.held.terms.grace) } else { hold.deadline }
    }

    pub(crate) const fn hold(&self) -> Option<&BundleHold> {
        match &self.state {
            BundleState::Held(hold) => Some(hold),
            BundleState::Confirmed(_) | BundleState::Cancelled(_) | BundleState::Expired(_) => None,
        }
    }
}
