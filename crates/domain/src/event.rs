//! What has happened to an item. Every event carries what is needed to explain it later, and all that its command
//! said, so that commands can be had back from the log and judged again.

use crate::bundle::NewBundle;
use crate::command::WaitlistChoice;
use crate::endpoint::{EndpointEvent, EndpointNo};
use crate::idempotency::Idempotency;
use crate::identity::{BundleId, ItemKey, OrderId};
use crate::ids::{ItemNo, Ordinal, Seq};
use crate::money::Money;
use crate::payment::{Capture, PaymentEvent, PaymentReport};
use crate::policy::{ItemSpec, Settings};
use crate::text::{CustomerId, Reason, Sku};
use crate::time::Timestamp;
use crate::units::{Quantity, StockChange, Units};

/// An event in its place: what the log stores and `apply` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded<E = Event> {
    /// Its place in the item's stream.
    pub seq: Seq,
    /// Logged time. Never decreases along the stream.
    pub at: Timestamp,
    /// The key hashes of the command whose first event this is, if it came with a key: record and effect are one.
    pub idempotency: Option<Idempotency>,
    /// What happened.
    pub event: E,
}

/// Who opened or closed a sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenedBy {
    /// An operator.
    Operator,
    /// `opens_at` had come.
    Schedule,
}

/// Why a sale closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedBy {
    /// An operator.
    Operator,
    /// `closes_at` had come.
    Schedule,
    /// Every unit is sold and nothing is held.
    SoldOut,
}

/// Why somebody who waited never gets a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LapseReason {
    /// The sale closed.
    SaleClosed,
    /// They want more units than there will ever be: more than `available + held`.
    CanNeverBeServed,
}

/// What a bundle's stream decided about its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartDecision {
    /// The bundle was paid: the part is sold.
    Sold,
    /// Time ran out unpaid.
    Expired,
    /// The customer cancelled.
    Cancelled,
    /// The bundle never came to be: another part was refused, or its coordinator gave up or is gone.
    Abandoned,
    /// An operator refunded the bundle and returns its units to stock.
    Returned,
}

/// What has happened to an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The item came to be. Always the first event of its stream.
    ItemCreated {
        /// What the operator asked for.
        spec: Box<ItemSpec>,
        /// The item's secret.
        key: ItemKey,
    },
    /// An operator changed settings; these hold from now on.
    ItemRevised {
        /// All settings after the change.
        settings: Box<Settings>,
    },
    /// The sale opened.
    SaleOpened {
        /// By whom.
        by: OpenedBy,
    },
    /// The sale was paused.
    SalePaused,
    /// The sale went on.
    SaleResumed,
    /// The sale closed. That everybody who waited has lapsed follows from it.
    SaleClosed {
        /// By whom or what.
        by: ClosedBy,
        /// How many reservations were waiting.
        lapsed: u32,
    },
    /// The stock changed.
    StockAdjusted {
        /// By how much.
        change: StockChange,
        /// Why.
        reason: Reason,
        /// All units after the change.
        total: Units,
    },
    /// A newcomer was granted units at once.
    HoldPlaced {
        /// The new reservation.
        reservation: Ordinal,
        /// Whose.
        customer: CustomerId,
        /// How many units.
        quantity: Quantity,
        /// What the customer wanted in case there was no stock.
        waitlist: WaitlistChoice,
        /// When the hold ends.
        deadline: Timestamp,
    },
    /// A newcomer waits.
    WaitlistJoined {
        /// The new reservation.
        reservation: Ordinal,
        /// Whose.
        customer: CustomerId,
        /// How many units.
        quantity: Quantity,
        /// Place in line, from 1. With `available` it says why: people were ahead, or too few units were free.
        position: u32,
        /// Units free at that moment.
        available: Units,
    },
    /// A backend that had charged already bought at once: a reservation, its order and its payment.
    PurchaseConfirmed {
        /// The new reservation.
        reservation: Ordinal,
        /// Whose.
        customer: CustomerId,
        /// How many units.
        quantity: Quantity,
        /// The money.
        capture: Capture,
        /// Whether the caller gave the payment's id, or the reservation's stands for it.
        payment_named: bool,
        /// Whether the caller gave the amount.
        amount_named: bool,
    },
    /// The customer left the waitlist or released the hold.
    ReservationCancelled {
        /// Which.
        reservation: Ordinal,
        /// Units this set free; none if it was waiting.
        released: Units,
    },
    /// The hold lasts longer.
    HoldExtended {
        /// Which.
        reservation: Ordinal,
        /// When it ends now.
        deadline: Timestamp,
    },
    /// The customer went to pay.
    OrderPlaced {
        /// Which hold.
        reservation: Ordinal,
        /// Price × quantity.
        amount: Money,
        /// Until when payments are in time: the deadline plus the grace.
        release_at: Timestamp,
        /// Whether the caller named the amount.
        amount_named: bool,
    },
    /// Something happened to the money of a reservation's order.
    Payment {
        /// Which.
        reservation: Ordinal,
        /// What.
        event: Box<PaymentEvent>,
    },
    /// Units were set aside for a bundle. They have no time of their own: the bundle's stream decides.
    PartHeld {
        /// The new reservation.
        reservation: Ordinal,
        /// Whose.
        customer: CustomerId,
        /// How many units.
        quantity: Quantity,
        /// For which bundle.
        bundle: BundleId,
    },
    /// What the bundle's stream decided has reached this part.
    PartSettled {
        /// Which.
        reservation: Ordinal,
        /// Of which bundle.
        bundle: BundleId,
        /// What was decided.
        decision: PartDecision,
        /// Units this set free.
        released: Units,
    },
    /// Time ran out unpaid.
    HoldExpired {
        /// Which.
        reservation: Ordinal,
        /// When it was due; the event's time is never before.
        release_at: Timestamp,
        /// Units this set free.
        released: Units,
    },
    /// A waiter's turn came.
    HoldPromoted {
        /// Which.
        reservation: Ordinal,
        /// When the hold ends.
        deadline: Timestamp,
        /// The event that last set units free (or resumed the sale): why now.
        because: Seq,
    },
    /// A waiter can never be served.
    WaitlistLapsed {
        /// Which.
        reservation: Ordinal,
        /// Why.
        reason: LapseReason,
    },
    /// Time stood still while the process was down; no hold is released before `release_floor`.
    ClockResumed {
        /// The last logged time before.
        from: Timestamp,
        /// When the process was back.
        to: Timestamp,
        /// The earliest release from here on: `to` plus the restart grace.
        release_floor: Timestamp,
    },
}

/// What has happened to a partition, in its own stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionEvent {
    /// A sku was given its number. The item's own first event stands in the same frame.
    ItemRegistered {
        /// Its number.
        item: ItemNo,
        /// Its public name.
        sku: Sku,
    },
    /// The partition was given its secret. Comes before the first event that needs it.
    PartitionKeyed {
        /// Hashes of idempotency keys and ids of refunds rest on it.
        key: ItemKey,
    },
    /// Every part of a bundle is held: from here on this stream alone decides.
    BundleHeld {
        /// Its number in this partition.
        bundle: Ordinal,
        /// What is held, for whom, on which terms.
        held: Box<NewBundle>,
        /// What its lines cost together.
        amount: Money,
        /// Until when it can be ordered.
        deadline: Timestamp,
    },
    /// The customer went to pay.
    BundleOrdered {
        /// Which bundle.
        bundle: Ordinal,
        /// What it costs.
        amount: Money,
        /// Until when payments are in time: the deadline plus the grace.
        release_at: Timestamp,
        /// Whether the caller named the amount.
        amount_named: bool,
    },
    /// The customer gave it up.
    BundleCancelled {
        /// Which bundle.
        bundle: Ordinal,
    },
    /// Time ran out unpaid.
    BundleExpired {
        /// Which bundle.
        bundle: Ordinal,
        /// When it was due; the event's time is never before.
        release_at: Timestamp,
    },
    /// Something happened to the money of a bundle's order.
    Payment {
        /// Which bundle.
        bundle: Ordinal,
        /// What.
        event: Box<PaymentEvent>,
    },
    /// A verified report names an order that was never issued. An operator has to look; nothing is given back.
    PaymentUnmatched {
        /// The order it names.
        order: OrderId,
        /// What it says.
        report: Box<PaymentReport>,
    },
    /// Something happened to an outgoing endpoint.
    Endpoint {
        /// Which.
        endpoint: EndpointNo,
        /// What.
        event: Box<EndpointEvent>,
    },
    /// Time stood still while the process was down; no bundle is released before `release_floor`.
    ClockResumed {
        /// The last logged time before.
        from: Timestamp,
        /// When the process was back.
        to: Timestamp,
        /// The earliest release from here on: `to` plus the restart grace.
        release_floor: Timestamp,
    },
}
