//! What can be asked of an item.

use crate::event::PartDecision;
use crate::idempotency::{Attempt, Fingerprint, Idempotency};
use crate::identity::{BundleId, ItemKey};
use crate::ids::{CaptureNo, Ordinal, Revision};
use crate::money::Money;
use crate::payment::{Offer, PaymentReport, Provider, SettledBy};
use crate::policy::{ItemSpec, SettingsPatch};
use crate::text::{CustomerId, PaymentId, Reason};
use crate::units::{Quantity, StockChange};
use core::fmt::{Display, Write as _};

/// A command as the item judges it: validated, with its idempotency hashes if it came with a key.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is asked.
    pub command: Command,
    /// Under which key, hashed.
    pub idempotency: Option<Idempotency>,
}

impl Request {
    /// A command, and the attempt it came with, hashed under the item's key.
    #[must_use]
    pub fn new(command: Command, attempt: Option<&Attempt>, key: &ItemKey) -> Self {
        let idempotency = attempt.map(|attempt| Idempotency {
            request: attempt.fingerprint(key),
            content: command.content_fingerprint(key),
        });
        Self { command, idempotency }
    }
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        Self { command, idempotency: None }
    }
}

/// What a customer wants when there is no stock for them at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WaitlistChoice {
    /// Wait.
    #[default]
    Join,
    /// Be refused.
    Decline,
}

/// A reservation, as the customer who says that it is theirs names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which one.
    pub reservation: Ordinal,
    /// Whose it has to be; anybody else is told that it does not exist.
    pub customer: CustomerId,
}

/// Everything that can be asked of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Create this item anew. It exists, so the answer is the first one again (same key) or `item_exists`.
    CreateItem(Box<ItemSpec>),
    /// Change settings, if the item is still at the revision expected.
    ReviseItem {
        /// What to change.
        patch: Box<SettingsPatch>,
        /// The revision that the operator saw.
        expected: Option<Revision>,
    },
    /// Open the sale.
    OpenSale,
    /// Pause it.
    PauseSale,
    /// Go on after a pause.
    ResumeSale,
    /// End it.
    CloseSale,
    /// Restock or shrink.
    AdjustStock {
        /// By how many units.
        change: StockChange,
        /// Why.
        reason: Reason,
    },
    /// Reserve units for a customer.
    Reserve {
        /// For whom.
        customer: CustomerId,
        /// How many.
        quantity: Quantity,
        /// What to do when there is no stock for them now.
        waitlist: WaitlistChoice,
    },
    /// Reserve, order and pay in one turn, for a backend that has charged already.
    Purchase {
        /// For whom.
        customer: CustomerId,
        /// How many.
        quantity: Quantity,
        /// The backend's id of the payment. Without one the reservation's own id stands for it.
        payment: Option<PaymentId>,
        /// What was charged; without it, what it costs.
        amount: Option<Money>,
    },
    /// Leave the waitlist or release the hold.
    CancelReservation(Claim),
    /// Ask for more time.
    ExtendHold(Claim),
    /// Go to pay.
    PlaceOrder {
        /// Which hold.
        claim: Claim,
        /// What the caller believes it costs.
        amount: Option<Money>,
    },
    /// Report the capture of an order's price (domain rule 16).
    ConfirmOrder {
        /// Whose order.
        claim: Claim,
        /// The backend's id of the payment.
        payment: PaymentId,
        /// What was captured; without it, what the order costs.
        amount: Option<Money>,
    },
    /// Take note of what a provider reports (domain rule 9). The report is verified, so nobody has to claim it.
    RecordPayment {
        /// Whose order it names.
        reservation: Ordinal,
        /// What it says.
        report: Box<PaymentReport>,
    },
    /// Show the owner an opportunity to pay.
    OfferPayment {
        /// Whose order.
        reservation: Ordinal,
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
        reservation: Ordinal,
        /// Whether its units return to stock.
        return_units: bool,
        /// Why.
        reason: Reason,
    },
    /// Set units aside for a bundle.
    HoldPart {
        /// For which bundle.
        bundle: BundleId,
        /// For whom.
        customer: CustomerId,
        /// How many.
        quantity: Quantity,
    },
    /// Follow what the bundle's stream decided.
    SettlePart {
        /// Of which bundle.
        bundle: BundleId,
        /// What was decided.
        decision: PartDecision,
    },
}

impl Command {
    /// The reservation it names, if it names one: it is ended first if due.
    #[must_use]
    pub fn names(&self) -> Option<Ordinal> {
        match self {
            Self::CancelReservation(claim)
            | Self::ExtendHold(claim)
            | Self::PlaceOrder { claim, .. }
            | Self::ConfirmOrder { claim, .. } => Some(claim.reservation),
            Self::RecordPayment { reservation, .. }
            | Self::OfferPayment { reservation, .. }
            | Self::RefundOrder { reservation, .. } => Some(*reservation),
            Self::CreateItem(_)
            | Self::ReviseItem { .. }
            | Self::OpenSale
            | Self::PauseSale
            | Self::ResumeSale
            | Self::CloseSale
            | Self::AdjustStock { .. }
            | Self::Reserve { .. }
            | Self::Purchase { .. }
            | Self::SettleRefund { .. }
            | Self::HoldPart { .. }
            | Self::SettlePart { .. } => None,
        }
    }

    /// A keyed hash of what is asked, the same for every spelling of it. Its input is written by hand, field by
    /// field: it is compared with hashes from the log, so it must not change with a field's name or place.
    #[must_use]
    pub fn content_fingerprint(&self, key: &ItemKey) -> Fingerprint {
        let mut text = Canon::default();
        match self {
            Self::CreateItem(spec) => {
                text.word("create").word(spec.sku.as_str()).number(spec.total.get());
                text.patch(&SettingsPatch::to(&spec.settings));
            }
            Self::ReviseItem { patch, expected } => {
                text.word("revise").option(expected.map(|revision| revision.0)).patch(patch);
            }
            Self::OpenSale => drop(text.word("open")),
            Self::PauseSale => drop(text.word("pause")),
            Self::ResumeSale => drop(text.word("resume")),
            Self::CloseSale => drop(text.word("close")),
            Self::AdjustStock { change, reason } => drop(text.word("stock").number(change.get()).word(reason.as_str())),
            Self::Reserve { customer: _, quantity, waitlist } => {
                text.word("reserve").number(quantity.get()).flag(*waitlist == WaitlistChoice::Decline);
            }
            Self::Purchase { customer: _, quantity, payment, amount } => {
                text.word("purchase").number(quantity.get());
                text.option(payment.as_ref()).money(*amount);
            }
            Self::CancelReservation(claim) => drop(text.word("cancel").number(claim.reservation.0)),
            Self::ExtendHold(claim) => drop(text.word("extend").number(claim.reservation.0)),
            Self::PlaceOrder { claim, amount } => drop(text.word("order").number(claim.reservation.0).money(*amount)),
            Self::ConfirmOrder { claim, payment, amount } => {
                text.word("confirm").number(claim.reservation.0).word(payment.as_str()).money(*amount);
            }
            Self::RefundOrder { reservation, return_units, reason } => {
                text.word("refund").number(reservation.0).flag(*return_units).word(reason.as_str());
            }
            Self::SettleRefund { capture, by } => {
                text.word("settle").number(capture.0).settled_by(by);
            }
            // These never come with a key: what makes them one is the report, the order or the bundle they name.
            Self::RecordPayment { reservation, report } => {
                text.word("record").number(reservation.0).word(report.report.as_str());
            }
            Self::OfferPayment { reservation, offer } => {
                text.word("offer").number(reservation.0).word(offer.payment.as_str());
            }
            Self::HoldPart { bundle, .. } => drop(text.word("part").number(bundle.as_u128())),
            Self::SettlePart { bundle, .. } => drop(text.word("settle part").number(bundle.as_u128())),
        }
        text.fingerprint(key)
    }
}

/// Text that says one thing one way: every part ends with a character that no part can hold.
pub(crate) struct Canon(String);

/// Room for what most commands say.
const USUAL_BYTES: usize = 64;

impl Default for Canon {
    fn default() -> Self {
        Self(String::with_capacity(USUAL_BYTES))
    }
}

impl Canon {
    /// The keyed hash of what it says.
    pub(crate) fn fingerprint(&self, key: &ItemKey) -> Fingerprint {
        Fingerprint::of(key, &[b"content", self.0.as_bytes()])
    }

    pub(crate) fn word(&mut self, word: &str) -> &mut Self {
        self.0.push_str(word);
        self.0.push('\u{1f}');
        self
    }

    pub(crate) fn number<N: Copy + Display>(&mut self, number: N) -> &mut Self {
        write!(self.0, "{number}").expect("a text grows as long as there is memory");
        self.word("")
    }

    pub(crate) fn flag(&mut self, flag: bool) -> &mut Self {
        self.word(if flag { "yes" } else { "no" })
    }

    fn option(&mut self, value: Option<impl ToString>) -> &mut Self {
        match value {
            Some(value) => self.word("some").word(&value.to_string()),
            None => self.word("none"),
        }
    }

    pub(crate) fn settled_by(&mut self, by: &SettledBy) -> &mut Self {
        self.word(match by {
            SettledBy::Operator { reason } => reason.as_str(),
            SettledBy::Provider { reference } => reference.as_str(),
            SettledBy::Report => "report",
        })
    }

    pub(crate) fn money(&mut self, amount: Option<Money>) -> &mut Self {
        match amount {
            Some(amount) => self.number(amount.minor).word(amount.currency.as_str()),
            None => self.word("none"),
        }
    }

    /// How orders are paid. Settings as they all were before there was a choice add nothing, so that the hashes of
    /// commands accepted then stay what they were.
    fn payments(&mut self, patch: &SettingsPatch) {
        let unsaid = SettingsPatch::default();
        let usual = SettingsPatch::usual_payments();
        let said = (patch.payment_provider, patch.honour_late_payments, patch.parked_window);
        let is =
            |other: &SettingsPatch| said == (other.payment_provider, other.honour_late_payments, other.parked_window);
        if is(&unsaid) || is(&usual) {
            return;
        }
        let provider = patch.payment_provider.map(|provider| provider.map_or("none", Provider::name));
        self.word("payments").option(provider).option(patch.honour_late_payments);
        self.option(patch.parked_window.map(|window| window.as_millis()));
    }

    fn patch(&mut self, patch: &SettingsPatch) {
        self.option(patch.name.as_ref()).money(patch.unit_price);
        self.option(patch.per_order_max.map(Quantity::get)).option(patch.per_customer_limit.map(Quantity::get));
        self.option(patch.hold_time.map(|time| time.as_millis())).option(patch.grace.map(|time| time.as_millis()));
        self.option(patch.waitlist_enabled).option(patch.waitlist_capacity);
        self.option(patch.extension_times).option(patch.extension_by.map(|time| time.as_millis()));
        self.option(patch.cool_off_after_expiries).option(patch.cool_off_lasts.map(|time| time.as_millis()));
        self.option(patch.close_when_sold);
        self.payments(patch);
        for instant in [patch.opens_at, patch.closes_at] {
            match instant {
                Some(value) => self.word("some").option(value.map(|at| at.as_millis())),
                None => self.word("none"),
            };
        }
    }
}
