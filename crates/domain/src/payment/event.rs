//! What has happened to the money of one order. Items and partitions wrap these in events of their own streams.

use super::{Capture, ClientData, Provider};
use crate::ids::CaptureNo;
use crate::money::Money;
use crate::text::{PaymentId, ProviderEventId, Reason, RefundReference};
use crate::time::Timestamp;
use crate::units::Units;

/// What has happened to the money of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentEvent {
    /// A provider gave an opportunity to pay.
    Offered {
        /// Which provider.
        provider: Provider,
        /// Its id of the payment that this will be.
        payment: PaymentId,
        /// What the customer's client needs.
        client: ClientData,
    },
    /// An attempt to pay failed, or the opportunity was withdrawn. Never undoes a success.
    Failed {
        /// Which provider says so.
        provider: Provider,
        /// Which payment.
        payment: PaymentId,
        /// In which report.
        report: ProviderEventId,
        /// Whether the opportunity was withdrawn, as against an attempt that failed.
        withdrawn: bool,
    },
    /// Money came before its order. It waits until the order is placed, or `until`.
    Parked {
        /// The money.
        capture: Capture,
        /// When it is given back if nobody has claimed it.
        until: Timestamp,
    },
    /// Right money in time: the order is paid, the sale final. It may have been parked.
    Captured {
        /// The money.
        capture: Capture,
        /// Whether a caller gave the amount.
        amount_named: bool,
    },
    /// Right money after its hold had expired, while units were free and nobody waited: granted anew and sold.
    LateHonoured {
        /// The money.
        capture: Capture,
        /// Whether a caller gave the amount.
        amount_named: bool,
    },
    /// Money without a right to units. It may have been parked.
    RefundDue {
        /// The money.
        capture: Capture,
        /// Why it goes back.
        reason: RefundReason,
        /// Whether a caller gave the amount.
        amount_named: bool,
    },
    /// Parked money that no order claimed: it goes back.
    Unclaimed {
        /// Which.
        capture: CaptureNo,
        /// Why now.
        because: UnclaimedBecause,
    },
    /// Another report of a capture that is known. Changes nothing; its id is remembered.
    Noted {
        /// Which capture.
        capture: CaptureNo,
        /// Which provider told.
        provider: Provider,
        /// In which report.
        report: ProviderEventId,
    },
    /// A report that contradicts a capture that is known. Moves no money; an operator has to look.
    Disputed {
        /// Which capture.
        capture: CaptureNo,
        /// Which provider told.
        provider: Provider,
        /// In which report.
        report: ProviderEventId,
        /// The amount it told of.
        told: Money,
    },
    /// The provider says that it gave money back. What follows for a capture known by then follows in the same turn;
    /// for one that is still to come it waits.
    RefundReported {
        /// Which provider.
        provider: Provider,
        /// Which payment.
        payment: PaymentId,
        /// In which report.
        report: ProviderEventId,
        /// How much went back in all.
        amount: Money,
    },
    /// The money of a paid order goes back. Its units return to stock, or stay sold.
    OrderRefunded {
        /// The money.
        capture: CaptureNo,
        /// Units this set free.
        released: Units,
        /// On whose word.
        by: RefundedBy,
    },
    /// A refund that was due is done.
    RefundSettled {
        /// Of which capture.
        capture: CaptureNo,
        /// How.
        by: SettledBy,
    },
}

/// Why captured money goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundReason {
    /// Another amount or currency than the order's.
    WrongAmount {
        /// The right one.
        expected: Money,
    },
    /// The order was paid already, by another payment.
    SecondCapture,
    /// The hold had ended, and the sale could not be honoured.
    Late(LateRefusal),
    /// It came before its order, and no order claimed it.
    Unclaimed(UnclaimedBecause),
    /// An operator, or the provider, gave back the money of a paid order.
    OrderRefunded,
}

/// Why a payment after the end of its hold is not honoured (domain rule 9, the ladder from its top).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LateRefusal {
    /// The customer had cancelled.
    Cancelled,
    /// The reservation never got its turn.
    Lapsed,
    /// It is a bundle: these are never granted anew.
    Bundle,
    /// The item's policy does not honour late payments.
    Policy,
    /// The customer has as many as one may have.
    CustomerLimit,
    /// Others wait for these units.
    OthersWait,
    /// Too few units are free.
    NoStock,
}

/// Why parked money is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnclaimedBecause {
    /// The hold or the wait ended without an order.
    ReservationEnded,
    /// The configured window passed.
    WindowPassed,
}

/// On whose word the money of a paid order goes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundedBy {
    /// An operator's.
    Operator {
        /// Why.
        reason: Reason,
    },
    /// The provider's: it reports that it has done so.
    Provider,
}

/// How a refund was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettledBy {
    /// The provider was asked and did it.
    Provider {
        /// Its id of the refund.
        reference: RefundReference,
    },
    /// The provider reported it by itself.
    Report,
    /// An operator did it by hand.
    Operator {
        /// How, in words.
        reason: Reason,
    },
}
