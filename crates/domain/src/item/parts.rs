//! An item laid open: what a snapshot holds of it. Only facts are laid open; how an item is put together again from them
//! is in `builder.rs`.

use super::{Item, Phase, Reservation, ReservationState};
use crate::event::LapseReason;
use crate::idempotency::{Entry, Fingerprint};
use crate::identity::{BundleId, ItemKey};
use crate::ids::{ItemNo, Ordinal, Revision, Seq};
use crate::payment::BooksParts;
use crate::planted::{self, Bug};
use crate::policy::{ExtensionPolicy, Settings};
use crate::text::{CustomerId, Sku};
use crate::time::{DurationMs, Timestamp};
use crate::units::{Quantity, Units};

/// What is known of an item itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Item, explained there")]
pub struct ItemHead {
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
}

/// All facts of one item. The long ones are lists, or give one element after another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Item and its reservations, explained there")]
pub struct ItemParts<C = Vec<CustomerParts>, R = Vec<ReservationParts>, I = Vec<IdempotencyParts>> {
    pub head: ItemHead,
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

/// One fact, or a few, of an item: in the order in which a snapshot has them, so that an item can be put together while
/// it is read.
#[derive(Debug)]
pub enum ItemPiece {
    /// The item itself: first.
    Head(Box<ItemHead>),
    /// The next customer.
    Customer(CustomerParts),
    /// The next reservation: when all customers have come.
    Reservation(ReservationParts),
    /// Its money, and which reservations are parts of bundles: when all reservations have come.
    Money(Box<BooksParts>, Vec<(Ordinal, BundleId)>),
    /// The next acceptance that is remembered.
    Remembered(IdempotencyParts),
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
            head: ItemHead {
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
            },
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
            head: parts.head,
            customers: parts.customers.collect(),
            reservations: parts.reservations.collect(),
            books: parts.books,
            bundled: parts.bundled,
            idempotency: parts.idempotency.collect(),
        }
    }
}

impl ItemParts {
    /// The same, one after another.
    pub fn into_pieces(self) -> impl Iterator<Item = ItemPiece> {
        let head = ItemPiece::Head(Box::new(self.head));
        std::iter::once(head)
            .chain(self.customers.into_iter().map(ItemPiece::Customer))
            .chain(self.reservations.into_iter().map(ItemPiece::Reservation))
            .chain([ItemPiece::Money(Box::new(self.books), self.bundled)])
            .chain(self.idempotency.into_iter().map(ItemPiece::Remembered))
    }

    /// These pieces together. `None` where they do not begin with the item itself.
    pub fn of(pieces: impl IntoIterator<Item = ItemPiece>) -> Option<Self> {
        let mut pieces = pieces.into_iter();
        let ItemPiece::Head(head) = pieces.next()? else { return None };
        let (customers, reservations, bundled, idempotency) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let books = BooksParts::default();
        let mut parts = Self { head: *head, customers, reservations, books, bundled, idempotency };
        for piece in pieces {
            match piece {
                ItemPiece::Head(_) => return None,
                ItemPiece::Customer(customer) => parts.customers.push(customer),
                ItemPiece::Reservation(reservation) => parts.reservations.push(reservation),
                ItemPiece::Money(books, bundled) => (parts.books, parts.bundled) = (*books, bundled),
                ItemPiece::Remembered(remembered) => parts.idempotency.push(remembered),
            }
        }
        Some(parts)
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
