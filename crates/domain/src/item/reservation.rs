//! A reservation's life: one table of transitions, used live, in recovery and in replay alike.

use super::customers::CustomerIx;
use crate::event::LapseReason;
use crate::ids::Seq;
use crate::policy::{ExtensionPolicy, Policy};
use crate::rejection::EndedAs;
use crate::time::{DurationMs, Timestamp};
use crate::units::Quantity;
use crate::wheel::TimerId;

/// One customer's attempt to buy.
#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    pub(crate) customer: CustomerIx,
    pub(crate) quantity: Quantity,
    pub(crate) accepted_at: Timestamp,
    /// The event that last changed this reservation.
    pub(crate) changed: Seq,
    pub(crate) state: ReservationState,
}

/// Carries only what exists in that state. Boxed where it is large, so that a million waiters stay small.
#[derive(Clone, Debug)]
pub(crate) enum ReservationState {
    Waiting,
    Held(Box<Hold>),
    /// Units set aside for a bundle, without a time of their own.
    Part,
    Confirmed(Sale),
    Cancelled(Ended),
    Expired(Ended),
    Lapsed(LapseReason),
}

/// Units set aside, on the terms in force when they were granted.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) deadline: Timestamp,
    /// The deadline, plus the grace once an order is placed.
    pub(crate) release_at: Timestamp,
    pub(crate) ordered_at: Option<Timestamp>,
    pub(crate) extension: ExtensionPolicy,
    pub(crate) grace: DurationMs,
    pub(crate) timer: TimerId,
}

impl Hold {
    pub(crate) fn granted(deadline: Timestamp, policy: &Policy, timer: TimerId) -> Self {
        Self {
            deadline,
            release_at: deadline,
            ordered_at: None,
            extension: policy.extension,
            grace: policy.grace,
            timer,
        }
    }

    /// The release that follows from a deadline: a placed order adds the grace (invariant 21).
    pub(crate) fn release_for(&self, deadline: Timestamp) -> Timestamp {
        if self.ordered_at.is_some() { deadline.plus(self.grace) } else { deadline }
    }
}

/// Units sold. The money is in the books: the item's, or the bundle's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sale {
    pub(crate) ordered_at: Timestamp,
    /// Whether a refund has returned the units to stock.
    pub(crate) returned: bool,
}

/// A hold or a place in line that is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) ordered_at: Option<Timestamp>,
}

/// What can happen to a reservation once it exists.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Promote(Box<Hold>),
    HoldPart,
    Confirm,
    Honour,
    Return,
    Cancel,
    Expire,
    Lapse(LapseReason),
}

impl ReservationState {
    /// When its order was placed, if it has one.
    pub(crate) const fn ordered_at(&self) -> Option<Timestamp> {
        match self {
            Self::Held(hold) => hold.ordered_at,
            Self::Confirmed(sale) => Some(sale.ordered_at),
            Self::Cancelled(ended) | Self::Expired(ended) => ended.ordered_at,
            Self::Waiting | Self::Part | Self::Lapsed(_) => None,
        }
    }
}

pub(crate) const fn sold(ordered_at: Timestamp) -> ReservationState {
    ReservationState::Confirmed(Sale { ordered_at, returned: false })
}

/// A step that is not in the picture of domain.md (invariant 7).
#[derive(Debug)]
pub(crate) struct IllegalTransition {
    pub(crate) from: ReservationState,
    pub(crate) change: Change,
}

impl ReservationState {
    /// The state after `change`: the one table of transitions.
    pub(crate) fn after(self, change: Change, at: Timestamp) -> Result<Self, IllegalTransition> {
        match (self, change) {
            (Self::Waiting, Change::Promote(hold)) => Ok(Self::Held(hold)),
            (Self::Waiting, Change::Cancel) => Ok(Self::Cancelled(Ended { ordered_at: None })),
            (Self::Waiting, Change::Lapse(reason)) => Ok(Self::Lapsed(reason)),
            (Self::Waiting, Change::HoldPart) => Ok(Self::Part),
            (Self::Held(hold), Change::Confirm) => Ok(sold(hold.ordered_at.unwrap_or(at))),
            (Self::Part, Change::Confirm) => Ok(sold(at)),
            (Self::Part, Change::Cancel) => Ok(Self::Cancelled(Ended { ordered_at: None })),
            (Self::Part, Change::Expire) => Ok(Self::Expired(Ended { ordered_at: None })),
            (Self::Expired(ended), Change::Honour) => Ok(sold(ended.ordered_at.unwrap_or(at))),
            (Self::Confirmed(sale), Change::Return) if !sale.returned => {
                Ok(Self::Confirmed(Sale { returned: true, ..sale }))
            }
            (Self::Held(hold), Change::Cancel) => Ok(Self::Cancelled(Ended { ordered_at: hold.ordered_at })),
            (Self::Held(hold), Change::Expire) => Ok(Self::Expired(Ended { ordered_at: hold.ordered_at })),
            (from, change) => Err(IllegalTransition { from, change }),
        }
    }

    /// What it ended as; `None` while it is live.
    pub(crate) fn ended(&self) -> Option<EndedAs> {
        match self {
            Self::Waiting | Self::Held(_) | Self::Part => None,
            Self::Confirmed(_) => Some(EndedAs::Confirmed),
            Self::Cancelled(_) => Some(EndedAs::Cancelled),
            Self::Expired(_) => Some(EndedAs::Expired),
            Self::Lapsed(reason) => Some(EndedAs::Lapsed(*reason)),
        }
    }
}
