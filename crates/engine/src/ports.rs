//! What the engine asks of the world outside: payment providers, and takers of notifications. Implementations live
//! above the engine; nothing here blocks an actor, for only follow-ups call these.

use domain::identity::{OrderId, RefundId};
use domain::money::Money;
use domain::payment::{ClientData, Provider};
use domain::text::{CustomerId, PaymentId};
use domain::time::Timestamp;
use std::future::Future;
use std::pin::Pin;

/// What a port promises.
pub type Promised<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a provider is told of an order that wants to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRequest {
    /// The order. It also serves as the idempotency key: asked twice, the provider gives the same opportunity.
    pub order: OrderId,
    /// What it costs.
    pub amount: Money,
    /// Whose it is.
    pub customer: CustomerId,
    /// What is bought, in words for a receipt.
    pub description: String,
    /// Until when a payment is in time.
    pub expires_at: Timestamp,
}

/// An opportunity to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opportunity {
    /// The provider's id of the payment it will be.
    pub payment: PaymentId,
    /// What the customer's client needs to use it.
    pub client: ClientData,
}

/// What a provider is told of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRequest {
    /// The refund. It also serves as the idempotency key: asked twice, the money goes back once.
    pub refund: RefundId,
    /// The order the money came for.
    pub order: OrderId,
    /// The payment that is refunded.
    pub payment: PaymentId,
    /// How much goes back: all of it.
    pub amount: Money,
}

/// How a payment stands at its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentState {
    /// Nobody has paid yet.
    Open,
    /// This much was taken.
    Captured(Money),
    /// Withdrawn; it cannot be paid any more.
    Cancelled,
}

/// What came of asking a provider to withdraw an opportunity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// It cannot be paid any more.
    Cancelled,
    /// Too late: the money was taken. Whether or not its report ever comes, the provider is asked for the amount.
    AlreadyPaid,
}

/// Why a provider did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It says no, and will say no again. An operator has to look.
    #[error("the payment provider refuses: {0}")]
    Refused(String),
    /// It cannot be reached, fails, or answers what cannot be understood. Ask again later.
    #[error("the payment provider cannot be reached or does not make sense: {0}")]
    Unavailable(String),
}

/// A payment provider. Every call may be repeated, and may be given up half-way.
pub trait PaymentProvider: Send + Sync + 'static {
    /// Which one it is.
    fn provider(&self) -> Provider;

    /// Creates an opportunity to pay an order, or returns the one it has.
    fn create<'a>(&'a self, request: &'a PaymentRequest) -> Promised<'a, Result<Opportunity, ProviderError>>;

    /// How a payment stands.
    fn state<'a>(&'a self, payment: &'a PaymentId) -> Promised<'a, Result<PaymentState, ProviderError>>;

    /// Withdraws an opportunity that nobody may use any more. Withdrawn before: [`Withdrawn::Cancelled`] again.
    fn cancel<'a>(&'a self, payment: &'a PaymentId) -> Promised<'a, Result<Withdrawn, ProviderError>>;

    /// Gives money back, once however often it is asked. Returns the provider's own id of the refund.
    fn refund<'a>(&'a self, request: &'a RefundRequest) -> Promised<'a, Result<String, ProviderError>>;
}

/// A signed message to one endpoint of an integrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Where to.
    pub url: String,
    /// Secrets to sign with, newest first: each gives a signature, so that receivers can rotate.
    pub secrets: Vec<EndpointSecret>,
    /// The id of the message (`evt_…`): the same on every attempt, so that receivers can tell repetitions.
    pub id: String,
    /// When this attempt is made.
    pub at: Timestamp,
    /// The body, JSON.
    pub body: String,
}

/// The bytes an endpoint's signatures are keyed with.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointSecret(pub Vec<u8>);

impl std::fmt::Debug for EndpointSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EndpointSecret(…)")
    }
}

/// What came of an attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The receiver took it (2xx).
    Taken,
    /// The receiver is gone for good (410): the endpoint is to be disabled.
    Gone,
    /// It was not taken: try again later.
    Failed(String),
    /// It may not be sent at all: the address is private and that is not allowed, or it is no address.
    Forbidden(String),
}

/// Who carries messages to integrators.
pub trait Notifier: Send + Sync + 'static {
    /// Makes one attempt.
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> Promised<'a, Delivered>;
}

/// What pressing the button on a payment page led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pressed {
    /// Money was taken; the provider reports it when it pleases.
    Charged,
    /// The attempt failed. The customer may try again.
    Declined,
    /// This payment cannot be used: it was withdrawn, or never was. Why, in words.
    Closed(String),
}

/// A payment page of a provider that lives in this process: what customers press a button on.
pub trait PaymentPage: Send + Sync + 'static {
    /// The customer pays.
    fn press<'a>(&'a self, payment: &'a PaymentId) -> Promised<'a, Pressed>;
}
