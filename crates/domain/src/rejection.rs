//! Why an item says no. A refusal writes nothing; asked again it is judged afresh (domain rule 2).

use crate::event::LapseReason;
use crate::identity::BundleId;
use crate::ids::{Revision, Seq};
use crate::item::Phase;
use crate::money::Money;
use crate::policy::SettingError;
use crate::text::Sku;
use crate::time::Timestamp;
use crate::units::{Quantity, Units};

/// Why an extension is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtensionRefusal {
    /// It is not a live hold (still waiting).
    NotHeld,
    /// No extension is left.
    UsedUp,
    /// The deadline has passed; only a payment in grace is still in time.
    PastDeadline,
}

/// Why an order's money cannot be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRefundable {
    /// Nothing was paid.
    NotPaid,
    /// It goes back, or has gone back, already.
    Already,
    /// There is no refund of this id that is due: the capture was kept.
    NotDue,
}

/// What a reservation that is over ended as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedAs {
    /// Paid.
    Confirmed,
    /// Cancelled by its customer.
    Cancelled,
    /// Time ran out.
    Expired,
    /// Never got a turn.
    Lapsed(LapseReason),
}

/// Why an item says no. Each variant says what the caller should do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// No such reservation or order, or it is somebody else's. Check the id and the customer.
    NotFound,
    /// The sale has not started. Come back at `opens_at`.
    SaleNotStarted {
        /// When it opens by itself, if that is known.
        opens_at: Option<Timestamp>,
    },
    /// The sale is paused. Try again later.
    SalePaused,
    /// The sale is over. Stop.
    SaleClosed,
    /// More units than one reservation may have. Ask for fewer.
    QuantityAboveMaximum {
        /// Most units in one reservation.
        max: Quantity,
    },
    /// The customer has, or is promised, too many already.
    CustomerLimitReached {
        /// Most units one customer can have.
        limit: Quantity,
        /// What this customer has, live and sold.
        existing: u32,
    },
    /// Too many holds of this customer expired unpaid. Come back at `until`.
    CoolingOff {
        /// When they may try again.
        until: Timestamp,
    },
    /// Nothing is free. It can resolve when holds end.
    SoldOut,
    /// Fewer units are free, or will ever be, than were asked for.
    InsufficientStock {
        /// Units free now.
        available: Units,
        /// Whether more were asked for than are left unsold: then it is no use to wait for holds to end.
        is_final: bool,
    },
    /// Nobody can wait any more.
    WaitlistFull {
        /// How many can wait.
        capacity: u32,
    },
    /// There is no hold to use: the reservation is over. Reserve anew.
    HoldExpired {
        /// What it ended as.
        ended: EndedAs,
    },
    /// The reservation is still waiting for its turn. Wait for the promotion.
    StillWaiting,
    /// The hold was used: it is paid, and the sale is final. Read the order.
    HoldAlreadyUsed,
    /// The reservation is over and cannot be cancelled.
    NotCancellable {
        /// What it ended as.
        ended: EndedAs,
    },
    /// The hold cannot be extended.
    ExtensionRefused {
        /// Why.
        reason: ExtensionRefusal,
    },
    /// The amount named is not the price.
    AmountMismatch {
        /// The right one.
        expected: Money,
    },
    /// This payment id has already paid another order, or told of another amount.
    PaymentAlreadyUsed,
    /// The order's money cannot be given back. Read the order: it says where its money is.
    NotRefundable {
        /// Why.
        reason: NotRefundable,
    },
    /// It belongs to a bundle, which is ordered, paid and cancelled as a whole. Use the bundle.
    PartOfBundle {
        /// Which.
        bundle: BundleId,
    },
    /// Lines of the bundle cannot be held, so none is. Change or drop these lines.
    BundleUnavailable {
        /// Every line known to be refused, by sku, with what its item would say.
        lines: Vec<(Sku, Rejection)>,
    },
    /// The lines have no sum: their currencies differ, or it is more than an amount can be. Make several bundles.
    BundleNotSummable,
    /// There are as many outgoing endpoints as there can be. Remove one first.
    TooManyEndpoints,
    /// The item has taken as many reservations as it can in its life; the partition as many bundles or reports.
    ItemFull,
    /// There is an item of this name already.
    ItemExists,
    /// Not in this phase.
    PhaseConflict {
        /// The phase the item is in.
        phase: Phase,
    },
    /// A setting that stays as it is once the sale has opened.
    SettingFrozen {
        /// Which, as bodies spell it.
        field: &'static str,
        /// The phase the item is in.
        phase: Phase,
    },
    /// More units than are free cannot be taken away.
    StockInUse {
        /// Units free now.
        available: Units,
    },
    /// The stock would pass what it can count.
    StockTooLarge,
    /// A setting that cannot be.
    InvalidSetting(SettingError),
    /// Somebody changed the item meanwhile. Read it again.
    RevisionMismatch {
        /// The revision it is at.
        current: Revision,
    },
    /// The same key came with other content. Use a new key.
    IdempotencyKeyReused {
        /// Where the first one was accepted.
        accepted: Seq,
    },
    /// The table of remembered keys is full of young ones. Nothing happened; try later with the same key.
    IdempotencyTableFull,
}
