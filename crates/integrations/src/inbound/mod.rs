//! Reports that come in as webhooks: the signature first, then the body.
//!
//! What this does not do: decide anything. A verified report is handed on; one that is not verified leaves nothing.

mod generic;
pub mod signature;
mod stripe;
#[cfg(test)]
mod tests;

pub use signature::{SecretError, SignatureError, WebhookSecret, sign};

use domain::identity::OrderId;
use domain::payment::{PaymentReport, Provider};
use domain::text::{PaymentId, ProviderEventId};
use domain::time::Timestamp;
use serde_json::error::Category;
use std::borrow::Cow;

/// A webhook as it came.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The value of the signature header, if there is one.
    pub header: Option<&'a str>,
    /// The raw body, not looked at yet.
    pub body: &'a [u8],
    /// When it came, by our clock.
    pub now: Timestamp,
}

/// What a verified webhook says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// Something about an order that could be ours. Whether it was ever issued is for the engine to say.
    Report {
        /// Which order.
        order: OrderId,
        /// What about it.
        report: PaymentReport,
    },
    /// Nothing about an order of ours. Answered well, and not recorded.
    Ignored {
        /// Why, in words.
        why: String,
    },
}

/// Why a webhook is refused. Nothing is recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InboundError {
    /// It is not believed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It is signed well, but it is not what this provider is documented to send.
    #[error("{pointer}: {problem}")]
    Body {
        /// Where, as a JSON pointer; empty for the whole.
        pointer: Cow<'static, str>,
        /// What is wrong.
        problem: String,
    },
}

impl InboundError {
    fn body(pointer: impl Into<Cow<'static, str>>, problem: impl Into<String>) -> Self {
        Self::Body { pointer: pointer.into(), problem: problem.into() }
    }

    fn not_json(error: &serde_json::Error) -> Self {
        let problem = match error.classify() {
            Category::Data => format!("is not what this provider is known to send: {error}"),
            Category::Io | Category::Syntax | Category::Eof => {
                format!("is not JSON: it goes wrong at line {}, column {}", error.line(), error.column())
            }
        };
        Self::body("", problem)
    }
}

/// The secrets of the providers whose webhooks are taken. A provider without any is not listened to.
#[derive(Clone, Debug, Default)]
pub struct Inboxes {
    generic: Vec<WebhookSecret>,
    simulated: Vec<WebhookSecret>,
    stripe: Vec<WebhookSecret>,
}

impl Inboxes {
    /// Listens to a provider whose webhooks are signed with one of these secrets.
    #[must_use]
    pub fn with(mut self, provider: Provider, secrets: Vec<WebhookSecret>) -> Self {
        match provider {
            Provider::Generic => self.generic = secrets,
            Provider::Simulated => self.simulated = secrets,
            Provider::Stripe => self.stripe = secrets,
            // A backend of one's own confirms orders; it has no webhooks.
            Provider::External => {}
        }
        self
    }

    fn secrets(&self, provider: Provider) -> &[WebhookSecret] {
        match provider {
            Provider::Generic => &self.generic,
            Provider::Simulated => &self.simulated,
            Provider::Stripe => &self.stripe,
            Provider::External => &[],
        }
    }

    /// Whether this provider's webhooks are taken.
    #[must_use]
    pub fn listens_to(&self, provider: Provider) -> bool {
        !self.secrets(provider).is_empty()
    }

    /// Reads a webhook: the signature first, and only then the body.
    ///
    /// # Errors
    /// [`InboundError`]; nothing is to be recorded then.
    pub fn read(&self, provider: Provider, signed: &Signed<'_>) -> Result<Inbound, InboundError> {
        let header = signed.header.ok_or(SignatureError::Missing { header: header_of(provider) })?;
        signature::verify(self.secrets(provider), header, signed.body, signed.now)?;
        match provider {
            Provider::Stripe => stripe::read(signed.body),
            Provider::Generic | Provider::Simulated | Provider::External => generic::read(provider, signed.body),
        }
    }
}

/// The header that a provider signs in.
#[must_use]
pub const fn header_of(provider: Provider) -> &'static str {
    match provider {
        Provider::Stripe => "Stripe-Signature",
        Provider::Generic | Provider::Simulated | Provider::External => "Webhook-Signature",
    }
}

/// The order that a report names, if it could be one of ours.
fn order_named(text: Option<&str>) -> Result<OrderId, Inbound> {
    let ignored = |why: &str| Inbound::Ignored { why: why.to_owned() };
    let text = text.ok_or_else(|| ignored("it names no order"))?;
    OrderId::parse(text).map_err(|_| ignored("the order it names is none of ours"))
}

fn event_id(pointer: &'static str, text: &str) -> Result<ProviderEventId, InboundError> {
    ProviderEventId::parse(text).map_err(|error| InboundError::body(pointer, error.to_string()))
}

fn payment_id(pointer: &'static str, text: &str) -> Result<PaymentId, InboundError> {
    PaymentId::parse(text).map_err(|error| InboundError::body(pointer, error.to_string()))
}
