//! An item put together from its facts, as they come.
//!
//! Every index (customers, places in line, timers, sums, known payments) is built anew and all is counted again, so that
//! a snapshot cannot bring a contradiction in.

use super::customers::CustomerIx;
use super::parts::{CustomerParts, HoldParts, ItemHead, ItemParts, ItemPiece, ReservationParts, StateParts};
use super::reservation::{Ended, Sale};
use super::{Books, Bundled, Customers, Hold, InvariantBroken, Item, Phase, Reservation, ReservationState, Stock};
use crate::growth::BlockList;
use crate::idempotency::{IdempotencyBuilder, IdempotencyTable};
use crate::identity::BundleId;
use crate::ids::{CaptureNo, Ordinal};
use crate::limits::RESERVATIONS_PER_ITEM_MAX;
use crate::payment::{BooksParts, MoneyPlace};
use crate::time::{DurationMs, Timestamp};
use crate::units::Units;
use crate::waitlist::Waitlist;
use crate::wheel::{TimerKey, TimerWheel};
use std::sync::Arc;

/// An item that is not whole yet.
#[derive(Debug)]
pub struct ItemBuilder {
    item: Item,
    comes: Comes,
    held: Units,
    sold: Units,
    keys: IdempotencyBuilder,
}

/// Of what the next piece may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    Customers,
    Reservations,
    Keys,
}

fn broken(what: &str) -> InvariantBroken {
    InvariantBroken { number: 2, what: format!("the snapshot contradicts itself: {what}") }
}

impl Item {
    /// The item with these facts.
    ///
    /// # Errors
    /// [`InvariantBroken`] where they contradict each other.
    pub fn from_parts(parts: ItemParts) -> Result<Self, InvariantBroken> {
        let mut builder = ItemBuilder::new(parts.head.clone());
        parts.into_pieces().skip(1).try_for_each(|piece| builder.take(piece))?;
        builder.finish()
    }
}

impl ItemBuilder {
    /// An item of which nothing else is known yet.
    #[must_use]
    pub fn new(head: ItemHead) -> Self {
        let item = Item {
            no: head.no,
            key: head.key,
            sku: head.sku,
            settings: Arc::new(head.settings),
            phase: head.phase,
            stock: Stock::new(head.total),
            revision: head.revision,
            seq: head.seq,
            now: head.now,
            freed_by: head.freed_by,
            reservations: BlockList::new(),
            holds: 0,
            customers: Customers::new(&head.key),
            waitlist: Waitlist::default(),
            timers: TimerWheel::new(head.now),
            books: Books::default(),
            bundled: Bundled::default(),
            idempotency: IdempotencyTable::default(),
        };
        let keys = IdempotencyBuilder::default();
        Self { item, comes: Comes::Customers, held: Units::ZERO, sold: Units::ZERO, keys }
    }

    /// Takes the next piece in.
    ///
    /// # Errors
    /// [`InvariantBroken`] where it contradicts what came before, or should not come now.
    pub fn take(&mut self, piece: ItemPiece) -> Result<(), InvariantBroken> {
        match (self.comes, piece) {
            (Comes::Customers, ItemPiece::Customer(customer)) => self.add_customer(&customer),
            (Comes::Customers | Comes::Reservations, ItemPiece::Reservation(reservation)) => {
                self.end_customers()?;
                self.add_reservation(reservation)
            }
            (Comes::Customers | Comes::Reservations, ItemPiece::Money(books, bundled)) => {
                self.end_customers()?;
                self.end_reservations()?;
                self.add_money(*books, bundled)
            }
            (Comes::Keys, ItemPiece::Remembered(parts)) => {
                self.keys.push(parts.request, parts.entry);
                Ok(())
            }
            _ => Err(broken("something comes where it should not")),
        }
    }

    /// The item, when all has come.
    ///
    /// # Errors
    /// [`InvariantBroken`] where something is missing, or does not add up.
    pub fn finish(self) -> Result<Item, InvariantBroken> {
        let mut item = self.item;
        if self.comes != Comes::Keys {
            return Err(broken("it ends too early"));
        }
        item.idempotency = self.keys.finish().ok_or_else(|| broken("a key appears twice"))?;
        item.recount()?;
        Ok(item)
    }

    fn add_customer(&mut self, parts: &CustomerParts) -> Result<(), InvariantBroken> {
        let customers = &mut self.item.customers;
        // Each of them was entered with a reservation.
        if customers.len() >= RESERVATIONS_PER_ITEM_MAX as usize {
            return Err(broken("more customers than there can be"));
        }
        let ix = customers.append(&parts.id);
        customers.get_mut(ix).expiries_in_row = parts.expiries_in_row;
        if parts.cooling_until > Timestamp::default() {
            customers.cool_off(ix, parts.cooling_until);
        }
        Ok(())
    }

    fn end_customers(&mut self) -> Result<(), InvariantBroken> {
        if self.comes == Comes::Customers {
            self.comes = Comes::Reservations;
            self.item.customers.index().map_err(|()| broken("a customer appears twice"))?;
        }
        Ok(())
    }

    fn add_reservation(&mut self, parts: ReservationParts) -> Result<(), InvariantBroken> {
        let item = &mut self.item;
        if item.is_full() {
            return Err(broken("more reservations than there can be"));
        }
        let ordinal = Ordinal(item.reservation_count());
        if parts.customer as usize >= item.customers.len() {
            return Err(broken("a reservation without its customer"));
        }
        let (customer_ix, quantity) = (CustomerIx(parts.customer), parts.quantity);
        let customer = item.customers.get_mut(customer_ix);
        let overflow = || broken("a count overflows");
        let state = match parts.state {
            StateParts::Waiting => {
                customer.waiting = customer.waiting.plus(quantity).ok_or_else(overflow)?;
                if item.phase != Phase::Closed {
                    item.waitlist.join(ordinal.0);
                }
                ReservationState::Waiting
            }
            StateParts::Held(hold) => {
                customer.held = customer.held.plus(quantity).ok_or_else(overflow)?;
                self.held = self.held.plus(quantity.units()).ok_or_else(overflow)?;
                item.holds = item.holds.checked_add(1).ok_or_else(overflow)?;
                ReservationState::Held(Box::new(rearm(&hold, ordinal, &mut item.timers)))
            }
            StateParts::Part => {
                customer.held = customer.held.plus(quantity).ok_or_else(overflow)?;
                self.held = self.held.plus(quantity.units()).ok_or_else(overflow)?;
                ReservationState::Part
            }
            StateParts::Confirmed(sale) => {
                if !sale.returned {
                    customer.sold = customer.sold.plus(quantity).ok_or_else(overflow)?;
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

    fn end_reservations(&mut self) -> Result<(), InvariantBroken> {
        self.comes = Comes::Keys;
        let item = &mut self.item;
        if item.customers.len() > item.reservation_count() as usize {
            return Err(broken("a customer without a reservation"));
        }
        item.stock = Stock::from_counts(item.stock.total(), self.held, self.sold)
            .ok_or_else(|| broken("more units are held and sold than there are"))?;
        Ok(())
    }

    /// The books, with a timer for every window, and what they say of reservations that are over.
    fn add_money(&mut self, books: BooksParts, bundled: Vec<(Ordinal, BundleId)>) -> Result<(), InvariantBroken> {
        let parked: Vec<_> = (0..)
            .map(CaptureNo)
            .zip(&books.captures)
            .filter_map(|(no, record)| match record.place {
                MoneyPlace::Parked { until } => Some((no, record.owner, until)),
                MoneyPlace::Kept | MoneyPlace::Due { .. } | MoneyPlace::Refunded { .. } => None,
            })
            .collect();
        let item = &mut self.item;
        item.books = Books::from_parts(books).map_err(|what| broken(&what))?;
        for (no, owner, until) in parked {
            item.arm_window(no, until);
            let owned = item.reservation(owner).ok_or_else(|| broken("money without its reservation"))?;
            if item.ended(owned).is_some() {
                item.books.forsake(owner);
            }
        }
        for (ordinal, bundle) in bundled {
            if ordinal.0 >= item.reservation_count() || item.bundled.part_of(bundle).is_some() {
                return Err(broken("a part that cannot be"));
            }
            item.bundled.note(ordinal, bundle);
        }
        Ok(())
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
