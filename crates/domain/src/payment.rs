//! Money that a provider says it has: what a capture is known by.

use crate::money::Money;
use crate::text::{PaymentId, ProviderEventId};

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
