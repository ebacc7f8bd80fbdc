//! What can be asked of a partition: bundles and their money, and reports of orders never issued.

use crate::bundle::NewBundle;
use crate::command::Canon;
use crate::endpoint::EndpointCommand;
use crate::idempotency::{Attempt, Fingerprint, Idempotency};
use crate::identity::{BundleId, ItemKey, OrderId};
use crate::ids::CaptureNo;
use crate::money::Money;
use crate::payment::{Offer, PaymentReport, SettledBy};
use crate::text::{CustomerId, PaymentId, Reason};
use crate::views::CaptureFilter;

/// A command as the partition judges it: validated, with its idempotency hashes if it came with a key.
#[derive(Clone, Debug)]
pub struct PartitionRequest {
    /// What is asked.
    pub command: PartitionCommand,
    /// Under which key, hashed.
    pub idempotency: Option<Idempotency>,
}

impl PartitionRequest {
    /// A command, and the attempt it came with, hashed under the partition's key.
    #[must_use]
    pub fn new(command: PartitionCommand, attempt: Option<&Attempt>, key: &ItemKey) -> Self {
        let idempotency = attempt.map(|attempt| Idempotency {
            request: attempt.fingerprint(key),
            content: command.content_fingerprint(key),
        });
        Self { command, idempotency }
    }
}

/// A bundle, as the customer who says that it is theirs names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleClaim {
    /// Which one.
    pub bundle: BundleId,
    /// Whose it has to be; anybody else is told that it does not exist.
    pub customer: CustomerId,
}

/// Everything that can be asked of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionCommand {
    /// Every part is held, durably: fix the deadline and the sum. Only for coordinators.
    HoldBundle(Box<NewBundle>),
    /// Go to pay.
    PlaceOrder {
        /// Which bundle.
        claim: BundleClaim,
        /// What the caller believes it costs.
        amount: Option<Money>,
    },
    /// Report the capture of an order's price (domain rule 16).
    ConfirmOrder {
        /// Whose order.
        claim: BundleClaim,
        /// The backend's id of the payment.
        payment: PaymentId,
        /// What was captured; without it, what the order costs.
        amount: Option<Money>,
    },
    /// Give the bundle up.
    CancelBundle(BundleClaim),
    /// Take note of what a provider reports (domain rule 9). The report is verified, so nobody has to claim it.
    RecordPayment {
        /// Whose order it names.
        bundle: BundleId,
        /// What it says.
        report: Box<PaymentReport>,
    },
    /// Show the owner an opportunity to pay.
    OfferPayment {
        /// Whose order.
        bundle: BundleId,
        /// The opportunity.
        offer: Box<Offer>,
    },
    /// A refund that was due is done.
    SettleRefund {
        /// Of which capture.
        capture: CaptureNo,
        /// How.
        by: SettledBy,
    },
    /// Give back the money of a paid order.
    RefundOrder {
        /// Whose.
        bundle: BundleId,
        /// Whether its units return to stock.
        return_units: bool,
        /// Why.
        reason: Reason,
    },
    /// Take note of a verified report that names an order never issued.
    RecordUnmatched {
        /// The order it names.
        order: OrderId,
        /// What it says.
        report: Box<PaymentReport>,
    },
    /// Do something with an outgoing endpoint.
    Endpoint(Box<EndpointCommand>),
}

impl PartitionCommand {
    /// The bundle it names, if it names one: it is ended first if due.
    #[must_use]
    pub const fn names(&self) -> Option<BundleId> {
        match self {
            Self::PlaceOrder { claim, .. } | Self::ConfirmOrder { claim, .. } | Self::CancelBundle(claim) => {
                Some(claim.bundle)
            }
            Self::RecordPayment { bundle, .. }
            | Self::OfferPayment { bundle, .. }
            | Self::RefundOrder { bundle, .. } => Some(*bundle),
            Self::HoldBundle(held) => Some(held.id),
            Self::SettleRefund { .. } | Self::RecordUnmatched { .. } | Self::Endpoint(_) => None,
        }
    }

    /// A keyed hash of what is asked, as [`crate::command::Command::content_fingerprint`] makes one. That of a new
    /// bundle is the hash of what its customer wanted: its parts are found out only after the key was looked up.
    #[must_use]
    pub fn content_fingerprint(&self, key: &ItemKey) -> Fingerprint {
        let mut text = Canon::default();
        match self {
            Self::HoldBundle(held) => return held.wanted().content_fingerprint(key),
            Self::PlaceOrder { claim, amount } => {
                text.word("order").number(claim.bundle.as_u128()).money(*amount);
            }
            Self::ConfirmOrder { claim, payment, amount } => {
                text.word("confirm").number(claim.bundle.as_u128()).word(payment.as_str()).money(*amount);
            }
            Self::CancelBundle(claim) => drop(text.word("cancel").number(claim.bundle.as_u128())),
            Self::RefundOrder { bundle, return_units, reason } => {
                text.word("refund").number(bundle.as_u128()).flag(*return_units).word(reason.as_str());
            }
            Self::SettleRefund { capture, by } => drop(text.word("settle").number(capture.0).settled_by(by)),
            // These never come with a key: what makes them one is the report or the order they name.
            Self::RecordPayment { bundle, report } => {
                text.word("record").number(bundle.as_u128()).word(report.report.as_str());
            }
            Self::OfferPayment { bundle, offer } => {
                text.word("offer").number(bundle.as_u128()).word(offer.payment.as_str());
            }
            // A secret is drawn for every attempt, so two of them are never the same.
            Self::Endpoint(_) => drop(text.word("endpoint")),
            Self::RecordUnmatched { order, report } => {
                text.word("unmatched").number(order.as_u128()).word(report.report.as_str());
            }
        }
        text.fingerprint(key)
    }
}

/// What can be read of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionQuery {
    /// One's own bundle.
    Bundle(BundleClaim),
    /// The order of one's own bundle.
    Order(BundleClaim),
    /// Any bundle, for operators and follow-ups.
    AnyBundle(BundleId),
    /// The order of any bundle, for operators and follow-ups.
    AnyOrder(BundleId),
    /// A page of the captures for bundles, for operators.
    Captures {
        /// Which ones.
        filter: CaptureFilter,
        /// The first to look at.
        from: CaptureNo,
        /// How many to return at most.
        limit: usize,
    },
    /// A capture with its refund, for operators.
    Refund(CaptureNo),
    /// A page of reports of orders never issued, for operators.
    Unmatched {
        /// The first to look at, counted from 0.
        from: u32,
        /// How many to return at most.
        limit: usize,
    },
}
