//! An item laid open for a snapshot, and put together again from one.
//!
//! Only facts are laid open; every index (places in line, timers, sums, known payments) is built anew from them and
//! recounted, so that a snapshot cannot bring a contradiction in.

use super::customers::CustomerIx;
use super::reservation::{Ended, Sale};
use super::{Books, Bundled, Customers, Hold, InvariantBroken, Item, Phase, Reservation, ReservationState, Stock};
use crate::event::LapseReason;
use crate::growth::BlockList;
use crate::idempotency::{Entry, Fingerprint, IdempotencyTable};
use crate::identity::{BundleId, ItemKey};
use crate::ids::{CaptureNo, ItemNo, Ordinal, Revision, Seq};
use crate::limits::RESERVATIONS_PER_ITEM_MAX;
use crate::payment::{BooksParts, MoneyPlace};
use crate::planted::{self, Bug};
use crate::policy::{ExtensionPolicy, Settings};
use crate::text::{CustomerId, Sku};
use crate::time::{DurationMs, Timestamp};
use crate::units::{Quantity, Units};
use crate::waitlist::Waitlist;
use crate::wheel::{TimerKey, TimerWheel};
use std::sync::Arc;

/// All facts of one item. The long lists are lists in blocks (of millions, a vector would be moved again and again while
/// it grows), or give one element after another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Item and its reservations, explained there")]
pub struct ItemParts<C = BlockList<CustomerParts>, R = BlockList<ReservationParts>, I = BlockList<IdempotencyParts>> {
    pub no: ItemNo,
    pub key: ItemKey,
    pub sku: Sku,
    pub settings: Settings,
    pub phase: Phase,
    pub total: Units,
    pub revision: Revision,
    pub seq: Seq,
    pub now: Timestamp,
    pub freed_by: Seq,
    pub customers: C,
    pub reservations: R,
    pub books: BooksParts,
    pub bundled: Vec<(Ordinal, BundleId)>,
    pub idempotency: I,
}

/// What is known of one customer besides their reservations.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Customer, explained there")]
pub struct CustomerParts {
    pub id: CustomerId,
    pub expiries_in_row: u8,
    pub cooling_until: Timestamp,
}

/// One reservation; `customer` is a place in [`ItemParts::customers`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Reservation, explained there")]
pub struct ReservationParts {
    pub customer: u32,
    pub quantity: Quantity,
    pub accepted_at: Timestamp,
    pub changed: Seq,
    pub state: StateParts,
}

/// A reservation's state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are those of ReservationState, explained there")]
pub enum StateParts {
    Waiting,
    Held(HoldParts),
    Part,
    Confirmed(SaleParts),
    Cancelled { ordered_at: Option<Timestamp> },
    Expired { ordered_at: Option<Timestamp> },
    Lapsed(LapseReason),
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Hold, explained there")]
pub struct HoldParts {
    pub deadline: Timestamp,
    pub ordered_at: Option<Timestamp>,
    pub extension: ExtensionPolicy,
    pub grace: DurationMs,
}

/// A sale.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Sale, explained there")]
pub struct SaleParts {
    pub ordered_at: Timestamp,
    pub returned: bool,
}

/// One remembered acceptance.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the idempotency table, explained there")]
pub struct IdempotencyParts {
    pub request: Fingerprint,
    pub entry: Entry,
}

impl Item {
    /// All facts of this item, in an order that depends on nothing but its events; the long lists made as they are
    /// asked for.
    pub fn parts(
        &self,
    ) -> ItemParts<
        impl ExactSizeIterator<Item = CustomerParts> + Clone,
        impl ExactSizeIterator<Item = ReservationParts> + Clone,
        impl ExactSizeIterator<Item = IdempotencyParts> + Clone,
    > {
        let keys = if planted::is(Bug::KeyForgottenInSnapshot) { 0 } else { usize::MAX };
        ItemParts {
            no: self.no,
            key: self.key,
            sku: self.sku.clone(),
            settings: (*self.settings).clone(),
            phase: self.phase,
            total: self.stock.total(),
            revision: self.revision,
            seq: self.seq,
            now: self.now,
            freed_by: self.freed_by,
            customers: self.customers.iter().map(|(ix, customer)| CustomerParts {
                id: self.customers.id(ix),
                expiries_in_row: customer.expiries_in_row,
                cooling_until: self.customers.cooling_until(ix),
            }),
            reservations: self.reservations.iter().map(reservation_parts),
            books: self.books.to_parts(),
            bundled: self.bundled.iter().collect(),
            idempotency: self
                .idempotency
                .iter()
                .take(keys)
                .map(|(request, entry)| IdempotencyParts { request, entry: entry.clone() }),
        }
    }

    /// The same with lists.
    #[must_use]
    pub fn to_parts(&self) -> ItemParts {
        let parts = self.parts();
        ItemParts {
            no: parts.no,
            key: parts.key,
            sku: parts.sku,
            settings: parts.settings,
            phase: parts.phase,
            total: parts.total,
            revision: parts.revision,
            seq: parts.seq,
            now: parts.now,
            freed_by: parts.freed_by,
            customers: parts.customers.collect(),
            reservations: parts.reservations.collect(),
            books: parts.books,
            bundled: parts.bundled,
            idempotency: parts.idempotency.collect(),
        }
    }

    /// The item with these facts.
    ///
    /// # Errors
    /// [`InvariantBroken`] where they contradict each other.
    pub fn from_parts(mut parts: ItemParts) -> Result<Self, InvariantBroken> {
        // Each list goes once it has been taken in: there is never all of the state twice.
        let mut builder = Builder::new(std::mem::take(&mut parts.customers), &parts)?;
        for reservation in parts.reservations {
            builder.add(reservation)?;
        }
        let mut item = builder.finish()?;
        item.restore_money(parts.books, parts.bundled)?;
        let entries = parts.idempotency.into_iter().map(|parts| (parts.request, parts.entry));
        item.idempotency = IdempotencyTable::from_entries(entries).ok_or_else(|| broken("a key appears twice"))?;
        item.recount()?;
        Ok(item)
    }
}

impl Item {
    /// The books, with a timer for every window, and what they say of reservations that are over.
    fn restore_money(&mut self, books: BooksParts, bundled: Vec<(Ordinal, BundleId)>) -> Result<(), InvariantBroken> {
        let parked: Vec<_> = (0..)
            .map(CaptureNo)
            .zip(&books.captures)
            .filter_map(|(no, record)| match record.place {
                MoneyPlace::Parked { until } => Some((no, record.owner, until)),
                MoneyPlace::Kept | MoneyPlace::Due { .. } | MoneyPlace::Refunded { .. } => None,
            })
            .collect();
        self.books = Books::from_parts(books).map_err(|what| broken(&what))?;
        for (no, owner, until) in parked {
            self.arm_window(no, until);
            let owned = self.reservation(owner).ok_or_else(|| broken("money without its reservation"))?;
            if self.ended(owned).is_some() {
                self.books.forsake(owner);
            }
        }
        for (ordinal, bundle) in bundled {
            if ordinal.0 >= self.reservation_count() || self.bundled.part_of(bundle).is_some() {
                return Err(broken("a part that cannot be"));
            }
            self.bundled.note(ordinal, bundle);
        }
        Ok(())
    }
}

fn reservation_parts(reservation: &Reservation) -> ReservationParts {
    let state = match &reservation.state {
        ReservationState::Waiting => StateParts::Waiting,
        ReservationState::Held(hold) => StateParts::Held(HoldParts {
            deadline: hold.deadline,
            ordered_at: hold.ordered_at,
            extension: hold.extension,
            grace: hold.grace,
        }),
        ReservationState::Part => StateParts::Part,
        ReservationState::Confirmed(sale) => {
            StateParts::Confirmed(SaleParts { ordered_at: sale.ordered_at, returned: sale.returned })
        }
        ReservationState::Cancelled(ended) => StateParts::Cancelled { ordered_at: ended.ordered_at },
        ReservationState::Expired(ended) => StateParts::Expired { ordered_at: ended.ordered_at },
        ReservationState::Lapsed(reason) => StateParts::Lapsed(*reason),
    };
    ReservationParts {
        customer: reservation.customer.0,
        quantity: reservation.quantity,
        accepted_at: reservation.accepted_at,
        changed: reservation.changed,
        state,
    }
}

struct Builder {
    item: Item,
    held: Units,
    sold: Units,
}

fn broken(what: &str) -> InvariantBroken {
    InvariantBroken { number: 2, what: format!("the snapshot contradicts itself: {what}") }
}

impl Builder {
    fn new(listed: BlockList<CustomerParts>, parts: &ItemParts) -> Result<Self, InvariantBroken> {
        let count = listed.len();
        // Each of them was entered with a reservation.
        if count > parts.reservations.len() || parts.reservations.len() > RESERVATIONS_PER_ITEM_MAX as usize {
            return Err(broken("more customers or reservations than there can be"));
        }
        let mut customers = Customers::with_room_for(count, &parts.key);
        for customer in listed {
            let ix = customers.enter(&customer.id);
            let entered = customers.get_mut(ix);
            entered.expiries_in_row = customer.expiries_in_row;
            if customer.cooling_until > Timestamp::default() {
                customers.cool_off(ix, customer.cooling_until);
            }
        }
        if customers.len() != count {
            return Err(broken("a customer appears twice"));
        }
        let item = Item {
            no: parts.no,
            key: parts.key,
            sku: parts.sku.clone(),
            settings: Arc::new(parts.settings.clone()),
            phase: parts.phase,
            stock: Stock::new(parts.total),
            revision: parts.revision,
            seq: parts.seq,
            now: parts.now,
            freed_by: parts.freed_by,
            reservations: BlockList::new(),
            holds: 0,
            customers,
            waitlist: Waitlist::default(),
            timers: TimerWheel::new(parts.now),
            books: Books::default(),
            bundled: Bundled::default(),
            idempotency: IdempotencyTable::default(),
        };
        Ok(Self { item, held: Units::ZERO, sold: Units::ZERO })
    }

    fn add(&mut self, parts: ReservationParts) -> Result<(), InvariantBroken> {
        let item = &mut self.item;
        let ordinal = Ordinal(item.reservation_count());
        if parts.customer as usize >= item.customers.len() {
            return Err(broken("a reservation without its customer"));
        }
        let (customer_ix, quantity) = (CustomerIx(parts.customer), parts.quantity);
        let customer = item.customers.get_mut(customer_ix);
        let overflow = || broken("a count overflows");
        let state = match parts.state {
            StateParts::Waiting => {
                customer.waiting = customer.waiting.checked_add(quantity.get()).ok_or_else(overflow)?;
                if item.phase != Phase::Closed {
                    item.waitlist.join(ordinal.0);
                }
                ReservationState::Waiting
            }
            StateParts::Held(hold) => {
                customer.held = customer.held.checked_add(quantity.get()).ok_or_else(overflow)?;
                self.held = self.held.plus(quantity.units()).ok_or_else(overflow)?;
                item.holds = item.holds.checked_add(1).ok_or_else(overflow)?;
                ReservationState::Held(Box::new(rearm(&hold, ordinal, &mut item.timers)))
            }
            StateParts::Part => {
                customer.held = customer.held.checked_add(quantity.get()).ok_or_else(overflow)?;
                self.held = self.held.plus(quantity.units()).ok_or_else(overflow)?;
                ReservationState::Part
            }
            StateParts::Confirmed(sale) => {
                if !sale.returned {
                    customer.sold = customer.sold.checked_add(quantity.get()).ok_or_else(overflow)?;
                    self.sold = self.sold.plus(quantity.units()).ok_or_else(overflow)?;
                }
                ReservationState::Confirmed(Sale { ordered_at: sale.ordered_at, returned: sale.returned })
            }
            StateParts::Cancelled { ordered_at } => ReservationState::Cancelled(Ended { ordered_at }),
            StateParts::Expired { ordered_at } => ReservationState::Expired(Ended { ordered_at }),
            StateParts::Lapsed(reason) => ReservationState::Lapsed(reason),
        };
        item.reservations.push(Reservation {
            customer: customer_ix,
            quantity,
            accepted_at: parts.accepted_at,
            changed: parts.changed,
            state,
        });
        Ok(())
    }

    fn finish(self) -> Result<Item, InvariantBroken> {
        let mut item = self.item;
        item.stock = Stock::from_counts(item.stock.total(), self.held, self.sold)
            .ok_or_else(|| broken("more units are held and sold than there are"))?;
        Ok(item)
    }
}

fn rearm(parts: &HoldParts, ordinal: Ordinal, timers: &mut TimerWheel) -> Hold {
    let grace = if parts.ordered_at.is_some() { parts.grace } else { DurationMs::ZERO };
    let release_at = parts.deadline.plus(grace);
    Hold {
        deadline: parts.deadline,
        release_at,
        ordered_at: parts.ordered_at,
        extension: parts.extension,
        grace: parts.grace,
        timer: timers.arm(release_at, TimerKey(ordinal.0)),
    }
}
