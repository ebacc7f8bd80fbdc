//! Money that providers tell of: reports, captures, refunds. Rule 9 lives here, once, for orders of items and of
//! bundles alike.
//!
//! What this module does not know: how a provider signs and spells its reports, and how it is asked for anything.

mod books;
mod event;
pub(crate) mod judge;
mod ledger;
mod orders;

pub(crate) use books::Books;
pub use books::{BooksParts, CaptureRecord, EarlyRefund, MoneyPlace, Offer, OrderBook};
pub use event::{LateRefusal, PaymentEvent, RefundReason, RefundedBy, SettledBy, UnclaimedBecause};
pub use ledger::Sums;
pub(crate) use orders::Settling;

use crate::limits::CLIENT_DATA_BYTES_MAX;
use crate::money::Money;
use crate::text::{PaymentId, ProviderEventId, TextError};

/// Who tells us of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// A trusted backend that charged by itself (domain rule 16).
    External,
    /// The built-in simulated provider.
    Simulated,
    /// Any provider that signs its webhooks the generic way.
    Generic,
    /// Stripe.
    Stripe,
}

impl Provider {
    /// Every one, in the order of their stored numbers.
    pub const ALL: [Self; 4] = [Self::External, Self::Simulated, Self::Generic, Self::Stripe];

    /// Its name in routes and bodies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::External => "external",
            Self::Simulated => "simulated",
            Self::Generic => "generic",
            Self::Stripe => "stripe",
        }
    }

    /// The provider of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.name() == name)
    }
}

/// Money taken, known by (provider, payment id); the report that told of it is known by (provider, event id).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Who has it.
    pub provider: Provider,
    /// The provider's id of the payment.
    pub payment: PaymentId,
    /// The provider's id of the report; a backend that confirms directly has none.
    pub report: Option<ProviderEventId>,
    /// How much.
    pub amount: Money,
}

/// One verified report of a provider about one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentReport {
    /// Who tells.
    pub provider: Provider,
    /// The provider's id of this report.
    pub report: ProviderEventId,
    /// The provider's id of the payment it is about.
    pub payment: PaymentId,
    /// What it tells.
    pub told: Told,
}

/// What a provider tells of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Money was taken.
    Captured(Money),
    /// An attempt to pay failed. The customer may try again.
    Failed,
    /// The opportunity to pay was withdrawn.
    Cancelled,
    /// Money went back; this much of it in all.
    Refunded(Money),
}

/// What a customer needs to use a payment opportunity, as the provider gave it: together at most
/// [`CLIENT_DATA_BYTES_MAX`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ClientData {
    url: Option<String>,
    client_secret: Option<String>,
}

impl ClientData {
    /// Takes what the provider gave.
    ///
    /// # Errors
    /// [`TextError::TooLong`] where it is more than a log event should carry.
    pub fn new(url: Option<String>, client_secret: Option<String>) -> Result<Self, TextError> {
        let len = [&url, &client_secret].into_iter().flatten().map(String::len).sum();
        if len > CLIENT_DATA_BYTES_MAX {
            return Err(TextError::TooLong { max: CLIENT_DATA_BYTES_MAX, len });
        }
        Ok(Self { url, client_secret })
    }

    /// Where the customer can pay.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// What the provider's own client needs.
    #[must_use]
    pub fn client_secret(&self) -> Option<&str> {
        self.client_secret.as_deref()
    }
}
