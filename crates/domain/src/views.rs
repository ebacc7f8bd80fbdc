//! What an item tells about itself: answers to commands and reads, with everything a wire shape needs.

use crate::bundle::BundleLine;
use crate::endpoint::Endpoint;
use crate::event::LapseReason;
use crate::identity::{BundleId, OrderId, RefundId, ReservationId};
use crate::ids::{CaptureNo, Ordinal, Revision, Seq};
use crate::item::Phase;
use crate::money::Money;
use crate::payment::{Capture, CaptureRecord, MoneyPlace, Offer, PaymentReport, Provider, RefundReason};
use crate::policy::Settings;
use crate::rejection::Rejection;
use crate::text::{CustomerId, Sku};
use crate::time::Timestamp;
use crate::units::{Quantity, Units};
use std::sync::Arc;

/// How an item judged a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The item's place in its log that this reflects.
    pub sequence: Seq,
    /// When.
    pub at: Timestamp,
    /// The answer, or why not.
    pub outcome: Result<Answer, Rejection>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What is told.
    pub body: Body,
    /// How it came about.
    pub origin: Origin,
}

/// How an answer came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This request was accepted and had its effect, which begins with this event.
    Accepted(Seq),
    /// The same request was accepted before; this is its answer again, with the values of that moment.
    Replayed,
    /// Nothing was changed: a read, or what was asked for is so already.
    AsItIs,
}

/// What an answer tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A reservation.
    Reservation(Box<ReservationView>),
    /// An order.
    Order(Box<OrderView>),
    /// An item.
    Item(Box<ItemView>),
    /// What a provider's report came to.
    Payment(PaymentVerdict),
    /// A refund, with its capture.
    Refund(Box<CaptureView>),
    /// A bundle.
    Bundle(Box<BundleView>),
    /// The order of a bundle.
    BundleOrder(Box<BundleOrderView>),
    /// Every outgoing endpoint, in the order in which they were added.
    Endpoints(Vec<Endpoint>),
    /// Reports of orders never issued, in the order in which they came.
    Unmatched {
        /// The page.
        page: Vec<UnmatchedPayment>,
        /// Where the next page begins, if there is more.
        next: Option<u32>,
    },
    /// Captures of an item, or of a partition's bundles, in the order in which they came.
    Captures {
        /// The page.
        page: Vec<CaptureView>,
        /// Where the next page begins, if there may be more.
        next: Option<CaptureNo>,
    },
    /// Reservations of an item, in order of arrival.
    Reservations {
        /// The page.
        page: Vec<ReservationView>,
        /// Where the next page begins, if there may be more.
        next: Option<Ordinal>,
    },
}

/// A bundle as its owner and operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleView {
    /// Its id.
    pub id: BundleId,
    /// Whose.
    pub customer: CustomerId,
    /// What it is.
    pub state: BundleStateView,
    /// What it holds, in the order in which the parts were taken.
    pub lines: Vec<BundleLine>,
    /// What its lines cost together.
    pub amount: Money,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Its order, if it has one.
    pub order: Option<OrderSummary>,
    /// The place in the partition's log that this reflects.
    pub sequence: Seq,
    /// The place of this bundle's own last change.
    pub changed: Seq,
    /// When this was read.
    pub at: Timestamp,
}

/// What a bundle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleStateView {
    /// Every part is held until then.
    Held {
        /// Until when.
        expires_at: Timestamp,
    },
    /// Sold.
    Confirmed,
    /// Cancelled by its customer.
    Cancelled,
    /// Time ran out.
    Expired,
}

/// The order of a bundle as its owner and operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleOrderView {
    /// Id, state, amount.
    pub summary: OrderSummary,
    /// Whose order it is.
    pub bundle: BundleId,
    /// Whose.
    pub customer: CustomerId,
    /// What is ordered.
    pub lines: Vec<BundleLine>,
    /// Who is asked for opportunities to pay, where every line's item says the same.
    pub provider: Option<Provider>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// The money that paid it.
    pub capture: Option<Capture>,
    /// The latest opportunity to pay it.
    pub payment: Option<PaymentView>,
    /// Captures for it that go, or have gone, back.
    pub refunds: Vec<CaptureView>,
    /// The place in the partition's log that this reflects.
    pub sequence: Seq,
    /// The place of this bundle's own last change.
    pub changed: Seq,
    /// When this was read.
    pub at: Timestamp,
}

/// A verified report of an order that was never issued: for operators, never refunded by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmatchedPayment {
    /// When it came.
    pub at: Timestamp,
    /// The order it names.
    pub order: OrderId,
    /// What it says.
    pub report: PaymentReport,
}

/// What a provider's report came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentVerdict {
    /// It paid its order.
    Applied,
    /// It came after the hold had expired, and paid nevertheless: the sale was honoured.
    Honoured,
    /// It came before its order, and waits for it.
    Stored,
    /// It has no right to units: the money goes back.
    RefundDue(RefundReason),
    /// It was written down (a failure, a refund made by the provider, another report of the same capture).
    Noted,
    /// It contradicts what is known: an operator has to look. No money moved.
    Disputed,
    /// It is known already. Nothing changed.
    Duplicate,
}

/// A capture as operators see it. Where its money goes back, it has a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureView {
    /// The id of its refund, whether or not there is one.
    pub refund: RefundId,
    /// The order it came for.
    pub order: OrderId,
    /// The capture and where its money is.
    pub record: CaptureRecord,
}

/// Which captures a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureFilter {
    /// Every one.
    All,
    /// Those whose refund is due.
    Due,
    /// Those that were refunded.
    Refunded,
    /// Those that a report contradicts.
    Disputed,
}

impl CaptureFilter {
    pub(crate) const fn admits(self, record: &CaptureRecord) -> bool {
        match self {
            Self::All => true,
            Self::Due => matches!(record.place, MoneyPlace::Due { .. }),
            Self::Refunded => record.is_refunded(),
            Self::Disputed => record.disputed,
        }
    }
}

/// How a payment opportunity stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentView {
    /// The opportunity.
    pub offer: Offer,
    /// Whether it can be used, was used, or is over.
    pub status: OfferStatus,
}

/// Whether a payment opportunity can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferStatus {
    /// It can.
    Open,
    /// The order is paid.
    Paid,
    /// The order ended without.
    Over,
}

/// How many units are where. `total = available + held + sold`, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemStatus {
    /// The item's phase.
    pub phase: Phase,
    /// All units.
    pub total: Units,
    /// Free ones.
    pub available: Units,
    /// Units set aside for live holds.
    pub held: Units,
    /// Units sold.
    pub sold: Units,
    /// Reservations on the waitlist.
    pub waiting: u32,
    /// How often operators have changed the item.
    pub revision: Revision,
}

/// An item as everybody may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemView {
    /// Its public name.
    pub sku: Sku,
    /// How many units are where.
    pub status: ItemStatus,
    /// What the operator decided. Shared: it changes far less often than the rest.
    pub settings: Arc<Settings>,
    /// The place in the item's log that this reflects.
    pub sequence: Seq,
    /// Logged time of that place.
    pub at: Timestamp,
}

/// A reservation as its owner and operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservationView {
    /// Its id.
    pub id: ReservationId,
    /// The item's public name.
    pub sku: Sku,
    /// Whose.
    pub customer: CustomerId,
    /// How many units.
    pub quantity: Quantity,
    /// What it is.
    pub state: StateView,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// The place in the item's log that this reflects.
    pub sequence: Seq,
    /// The place of this reservation's own last change.
    pub changed: Seq,
    /// When this was read.
    pub at: Timestamp,
    /// Its order, if it has one.
    pub order: Option<OrderSummary>,
    /// The bundle it is a part of, if it is one.
    pub bundle: Option<BundleId>,
}

/// What a reservation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateView {
    /// On the waitlist.
    Waiting {
        /// Place in line, from 1.
        position: u32,
        /// Rough estimate of the wait, in seconds.
        estimated_wait_s: u32,
    },
    /// Units are set aside until then.
    Held {
        /// Until when.
        expires_at: Timestamp,
    },
    /// Units are set aside for a bundle, as long as that is held.
    HeldInBundle,
    /// Sold.
    Confirmed,
    /// Cancelled by its customer.
    Cancelled,
    /// Time ran out.
    Expired,
    /// Never got a turn.
    Lapsed(LapseReason),
}

/// Which reservations a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the states of a reservation")]
pub enum ReservationFilter {
    All,
    Waiting,
    Held,
    Confirmed,
    Cancelled,
    Expired,
    Lapsed,
}

impl ReservationFilter {
    pub(crate) const fn admits(self, state: &StateView) -> bool {
        match self {
            Self::All => true,
            Self::Waiting => matches!(state, StateView::Waiting { .. }),
            Self::Held => matches!(state, StateView::Held { .. } | StateView::HeldInBundle),
            Self::Confirmed => matches!(state, StateView::Confirmed),
            Self::Cancelled => matches!(state, StateView::Cancelled),
            Self::Expired => matches!(state, StateView::Expired),
            Self::Lapsed => matches!(state, StateView::Lapsed(_)),
        }
    }
}

/// What an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderState {
    /// Until then a payment is in time.
    AwaitingPayment {
        /// Until when.
        expires_at: Timestamp,
    },
    /// Paid; the sale is final.
    Paid,
    /// Cancelled with its reservation.
    Cancelled,
    /// Time ran out unpaid.
    Expired,
    /// It ended without goods, or an operator refunded it: its money is to go back.
    RefundDue,
    /// Its money has gone back.
    Refunded,
}

/// An order in short, as a reservation shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderSummary {
    /// Its id.
    pub id: OrderId,
    /// What it is.
    pub state: OrderState,
    /// Price × quantity.
    pub amount: Money,
}

/// An order as its owner and operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// Id, state, amount.
    pub summary: OrderSummary,
    /// The item's public name.
    pub sku: Sku,
    /// Whose.
    pub customer: CustomerId,
    /// How many units.
    pub quantity: Quantity,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// The money that paid it.
    pub capture: Option<Capture>,
    /// The latest opportunity to pay it.
    pub payment: Option<PaymentView>,
    /// Captures for it that go, or have gone, back.
    pub refunds: Vec<CaptureView>,
    /// The place in the item's log that this reflects.
    pub sequence: Seq,
    /// The place of this order's own last change.
    pub changed: Seq,
    /// When this was read.
    pub at: Timestamp,
}
