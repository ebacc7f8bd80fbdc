//! One sale item: its whole state in memory, and the read access that `decide` and the views need.
//!
//! State changes only through [`Item::apply`] (in `apply.rs`). Nothing here reads a clock or decides anything.

mod apply;
mod builder;
mod bundled;
mod customers;
mod invariants;
mod money;
mod orders;
mod parts;
mod reservation;
mod stock;
mod view;

pub use builder::ItemBuilder;
pub use invariants::InvariantBroken;
pub use parts::{
    CustomerParts, HoldParts, IdempotencyParts, ItemHead, ItemParts, ItemPiece, ReservationParts, SaleParts, StateParts,
};
pub(crate) use reservation::{Hold, Reservation, ReservationState};
pub use stock::Stock;

use crate::decide::{next_due_change, next_given_back, next_promotion, next_unclaimed};
use crate::growth::BlockList;
use crate::idempotency::IdempotencyTable;
use crate::identity::{BundleId, ItemKey, RefundId, ReservationId};
use crate::ids::{CaptureNo, ItemNo, Ordinal, Revision, Seq};
use crate::limits::{IDEMPOTENCY_RECORDS_MAX, RESERVATIONS_PER_ITEM_MAX, TIMER_MOVES_AT_ONCE};
use crate::money::{Currency, Money};
use crate::payment::{Books, Sums};
use crate::policy::Settings;
use crate::text::Sku;
use crate::time::Timestamp;
use crate::units::Quantity;
use crate::waitlist::Waitlist;
use crate::wheel::TimerWheel;
use bundled::Bundled;
use core::fmt;
pub(crate) use customers::{Customer, Customers};
pub(crate) use money::PARKED_TIMER;
use std::sync::Arc;

/// Where an item is in its life: `Scheduled → Open ⇄ Paused`, and `Closed` from all three, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Not yet on sale.
    Scheduled,
    /// On sale.
    Open,
    /// No new reservations and no promotions for now.
    Paused,
    /// Over. Holds live out their time.
    Closed,
}

impl Phase {
    /// The word the API uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Open => "open",
            Self::Paused => "paused",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One sale item.
#[derive(Clone, Debug)]
pub struct Item {
    no: ItemNo,
    key: ItemKey,
    sku: Sku,
    settings: Arc<Settings>,
    phase: Phase,
    stock: Stock,
    revision: Revision,
    /// The last event applied, and its time: logged time.
    seq: Seq,
    now: Timestamp,
    /// The event that last set units free or let promotions go on: why the next promotion happens.
    freed_by: Seq,
    reservations: BlockList<Reservation>,
    holds: u32,
    customers: Customers,
    waitlist: Waitlist,
    timers: TimerWheel,
    books: Books,
    bundled: Bundled,
    idempotency: IdempotencyTable,
}

impl Item {
    /// Its number.
    #[must_use]
    pub const fn no(&self) -> ItemNo {
        self.no
    }

    /// Its secret.
    #[must_use]
    pub const fn key(&self) -> &ItemKey {
        &self.key
    }

    /// Its public name.
    #[must_use]
    pub const fn sku(&self) -> &Sku {
        &self.sku
    }

    /// What the operator decided.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Its phase.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Where its units are.
    #[must_use]
    pub const fn stock(&self) -> Stock {
        self.stock
    }

    /// How often operators have changed it.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// The last event applied.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// Logged time: that of the last event applied.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// How many reservations were ever accepted: the next one's ordinal.
    #[must_use]
    pub fn reservation_count(&self) -> u32 {
        // Bounded by RESERVATIONS_PER_ITEM_MAX, far below 2^32.
        self.reservations.len() as u32
    }

    /// How many customers were ever accepted.
    #[must_use]
    pub fn customer_count(&self) -> usize {
        self.customers.len()
    }

    /// How many reservations are held.
    #[must_use]
    pub const fn hold_count(&self) -> u32 {
        self.holds
    }

    /// How many reservations wait.
    #[must_use]
    pub fn waiting_count(&self) -> u32 {
        self.waitlist.len()
    }

    /// The ids of its customers in the order in which they came, from the nth on.
    pub fn customers_from(&self, nth: usize) -> impl Iterator<Item = &str> {
        self.customers.names_from(nth)
    }

    /// Whether it may refuse somebody for a bound of its own: reservations, or keys that it remembers.
    #[must_use]
    pub fn is_at_a_bound(&self) -> bool {
        self.is_full() || self.idempotency.len() >= IDEMPOTENCY_RECORDS_MAX
    }

    /// Whether it has taken as many reservations as it can.
    pub(crate) fn is_full(&self) -> bool {
        self.reservation_count() >= RESERVATIONS_PER_ITEM_MAX
    }

    /// The id of a reservation of this item.
    #[must_use]
    pub fn id_of(&self, reservation: Ordinal) -> ReservationId {
        ReservationId::new(self.no, reservation, &self.key)
    }

    /// What `quantity` units cost.
    #[must_use]
    pub fn price_of(&self, quantity: Quantity) -> Money {
        // Settings::validate bounds the price, Quantity bounds the factor; limits.rs proves that the product fits.
        self.settings.unit_price.times(quantity).expect("a validated price times a valid quantity fits")
    }

    /// The next instant at which time itself will change something: a hold ends, the sale opens or closes. It may
    /// be a little early where only the timer wheel's coarser levels know; never late.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        let opens = self.settings.opens_at.filter(|_| self.phase == Phase::Scheduled);
        let closes = self.settings.closes_at.filter(|_| self.phase != Phase::Closed);
        [self.timers.next_wake(), opens, closes].into_iter().flatten().min()
    }

    /// Whether something is due or promotable as things are, so that a turn should follow without waiting for an
    /// instant: a backlog that a restart, for example, has interrupted.
    #[must_use]
    pub fn has_backlog(&self) -> bool {
        next_due_change(self, self.now).is_some()
            || next_unclaimed(self).is_some()
            || next_given_back(self).is_some()
            || next_promotion(self, self.now).is_some()
    }

    /// The id of a capture's refund.
    #[must_use]
    pub fn refund_id(&self, capture: CaptureNo) -> RefundId {
        RefundId::new(self.no, capture.0, &self.key)
    }

    /// Sums of money by where it is, for every currency that ever came.
    pub fn money(&self) -> impl Iterator<Item = (Currency, Sums)> {
        self.books.ledger().iter()
    }

    /// Parts whose bundle has not decided yet, as far as the decision has reached this item.
    pub fn open_parts(&self) -> impl Iterator<Item = (Ordinal, BundleId)> {
        self.bundled.iter().filter(|(ordinal, _)| {
            self.reservation(*ordinal).is_some_and(|found| matches!(found.state, ReservationState::Part))
        })
    }

    /// Parts that are sold, and whose units no refund has returned as far as this item has been told.
    pub fn sold_parts(&self) -> impl Iterator<Item = (Ordinal, BundleId)> {
        self.bundled.iter().filter(|(ordinal, _)| {
            let state = self.reservation(*ordinal).map(|found| &found.state);
            matches!(state, Some(ReservationState::Confirmed(sale)) if !sale.returned)
        })
    }

    /// Every reservation and whose it is, in order of arrival.
    pub fn owners(&self) -> impl Iterator<Item = (Ordinal, &str)> {
        self.reservations_from(Ordinal(0)).map(|(ordinal, found)| (ordinal, self.customers.name(found.customer)))
    }

    /// The same, with each owner's place among the customers, from 0.
    pub fn owners_by_number(&self) -> impl Iterator<Item = (Ordinal, usize)> {
        self.reservations_from(Ordinal(0)).map(|(ordinal, found)| (ordinal, found.customer.0 as usize))
    }

    /// Gives memory back that its timers needed in a rush, for one that will rest.
    pub fn rest(&mut self) {
        self.timers.shrink_to_fit();
    }

    /// Lets the timer wheel find what is due at `now`. Changes where timers lie, never which are armed: no event,
    /// no difference to any decision but when it can be made.
    pub(crate) fn advance_timers(&mut self, now: Timestamp) {
        self.timers.advance(now, TIMER_MOVES_AT_ONCE);
    }

    pub(crate) const fn timers(&self) -> &TimerWheel {
        &self.timers
    }

    pub(crate) const fn waitlist(&self) -> &Waitlist {
        &self.waitlist
    }

    pub(crate) const fn freed_by(&self) -> Seq {
        self.freed_by
    }

    pub(crate) const fn customers(&self) -> &Customers {
        &self.customers
    }

    pub(crate) const fn books(&self) -> &Books {
        &self.books
    }

    pub(crate) const fn bundled(&self) -> &Bundled {
        &self.bundled
    }

    pub(crate) const fn idempotency(&self) -> &IdempotencyTable {
        &self.idempotency
    }

    pub(crate) fn reservation(&self, ordinal: Ordinal) -> Option<&Reservation> {
        self.reservations.get(ordinal.0 as usize)
    }

    pub(crate) fn reservations_from(&self, first: Ordinal) -> impl Iterator<Item = (Ordinal, &Reservation)> {
        let skip = first.0.min(self.reservation_count());
        // The reservations lead: they end long before their numbers do.
        self.reservations
            .iter_from(skip as usize)
            .zip(skip..)
            .map(|(reservation, ordinal)| (Ordinal(ordinal), reservation))
    }
}
