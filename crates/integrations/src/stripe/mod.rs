//! Stripe as a payment provider: an order is a payment intent (<https://docs.stripe.com/api/payment_intents>), asked
//! for under the order's id as idempotency key, so that asking again gives the same one.
//!
//! Stripe remembers what it answered under a key for a day, failures of its own (500) included
//! (<https://docs.stripe.com/api/idempotent_requests>): after such a one asking again succeeds only when the day is
//! over. That is slow, but never charges or refunds twice, which another key could.
//!
//! What this module does not do: read webhooks (`inbound`), try again (the engine's follow-ups), or convert amounts.
//! Stripe counts in the smallest unit of a currency, as we do; the few where it differs from ISO 4217 are listed at
//! <https://docs.stripe.com/currencies>, and prices in them are given as Stripe counts.

mod setup;
#[cfg(test)]
mod stand_in;
#[cfg(test)]
mod tests;
mod wire;

pub use setup::{CONNECT_TIMEOUT, REQUEST_TIMEOUT, STRIPE_API, StripeConfig, StripeKey, StripeSetupError};

use domain::payment::{ClientData, Provider};
use domain::text::{PaymentId, RefundReference};
use engine::ports::{
    Opportunity, PaymentProvider, PaymentRequest, PaymentState, Promised, ProviderError, RefundRequest, Withdrawn,
};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, redirect};
use wire::{ALREADY_REFUNDED, Intent, Refund, UNEXPECTED_STATE, ask, in_words, nonsense};

/// The version of Stripe's API that `wire` was written against. Without it the account's own version would apply,
/// which somebody may raise in the dashboard without thinking of us.
const API_VERSION: &str = "2024-06-20";

/// Most characters of a description that are sent. Stripe refuses longer ones, and a long cart is no reason to refuse
/// a payment. The cut is the same each time, as the idempotency key demands.
const DESCRIPTION_CHARS_MAX: usize = 1_000;

/// Stripe. Cheap to share, holds its connections.
pub struct StripeProvider {
    base: String,
    client: Client,
}

impl std::fmt::Debug for StripeProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StripeProvider").field("base", &self.base).finish_non_exhaustive()
    }
}

impl StripeProvider {
    /// Checks the configuration and makes the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`StripeSetupError`] names what is wrong with the configuration.
    pub fn new(config: &StripeConfig) -> Result<Self, StripeSetupError> {
        let base = config.base()?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", config.secret_key.reveal()))
            .map_err(|_| StripeSetupError::Key("has characters that no header may have"))?;
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, bearer),
            (reqwest::header::HeaderName::from_static("stripe-version"), HeaderValue::from_static(API_VERSION)),
        ]);
        let mut client = Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(config.request_timeout)
            // Stripe's API does not redirect. Who does would get the key, or a refund would be sent twice.
            .redirect(redirect::Policy::none());
        if ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|local| base.starts_with(local)) {
            // A proxy would look for a stand-in on its own machine.
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| StripeSetupError::Client(in_words(&error)))?;
        Ok(Self { base, client })
    }

    /// The address of an intent, or of something it can do. Ids of other providers may hold slashes or dots, which
    /// would make this the address of something else; Stripe's hold none.
    fn intent_url(&self, payment: &PaymentId, action: &str) -> Result<String, ProviderError> {
        if payment.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Ok(format!("{}/v1/payment_intents/{payment}{action}", self.base));
        }
        Err(ProviderError::Refused(format!("{payment:?} is no id of Stripe's; find out where the payment was made")))
    }

    async fn intent(&self, payment: &PaymentId) -> Result<Intent, ProviderError> {
        let request = self.client.get(self.intent_url(payment, "")?);
        let intent: Intent = ask(request).await.map_err(|complaint| complaint.error)?;
        if intent.id == payment.as_str() { Ok(intent) } else { Err(nonsense("with another intent than was asked for")) }
    }

    async fn ask_to_create(&self, asked: &PaymentRequest) -> Result<Opportunity, ProviderError> {
        let order = asked.order.to_string();
        let mut form = vec![
            ("amount", asked.amount.minor.to_string()),
            ("currency", asked.amount.currency.as_str().to_ascii_lowercase()),
            ("metadata[order]", order.clone()),
            ("metadata[customer]", asked.customer.to_string()),
            ("automatic_payment_methods[enabled]", "true".to_owned()),
        ];
        // Stripe takes an empty field for an attempt to unset it, which a new intent does not allow.
        if !asked.description.is_empty() {
            form.push(("description", asked.description.chars().take(DESCRIPTION_CHARS_MAX).collect()));
        }
        let request = self.client.post(format!("{}/v1/payment_intents", self.base));
        let request = request.header("idempotency-key", order).form(&form);
        let intent: Intent = ask(request).await.map_err(|complaint| complaint.error)?;
        // Customers pay what the intent says, not what we asked for.
        if intent.asked()? != asked.amount {
            return Err(nonsense("with an intent over another amount than was asked for"));
        }
        let payment = PaymentId::parse(&intent.id).map_err(|error| nonsense(&format!("an intent whose id {error}")))?;
        let secret = intent.client_secret.ok_or_else(|| nonsense("an intent without a client_secret"))?;
        let client = ClientData::new(None, Some(secret))
            .map_err(|error| nonsense(&format!("an intent whose client_secret {error}")))?;
        Ok(Opportunity { payment, client })
    }

    async fn ask_for_state(&self, payment: &PaymentId) -> Result<PaymentState, ProviderError> {
        let intent = self.intent(payment).await?;
        match intent.status.as_str() {
            "succeeded" => intent.received().map(PaymentState::Captured),
            "canceled" => Ok(PaymentState::Cancelled),
            // Several, and there may be more one day: in none of them has money been taken.
            _ => Ok(PaymentState::Open),
        }
    }

    async fn ask_to_cancel(&self, payment: &PaymentId) -> Result<Withdrawn, ProviderError> {
        // The form is empty, but a POST without a length is not to everybody's taste on the way.
        let request = self.client.post(self.intent_url(payment, "/cancel")?).form::<[(&str, &str); 0]>(&[]);
        let intent = match ask::<Intent>(request).await {
            Ok(intent) => intent,
            Err(complaint) if complaint.code.as_deref() == Some(UNEXPECTED_STATE) => self.intent(payment).await?,
            Err(complaint) => return Err(complaint.error),
        };
        match intent.status.as_str() {
            "canceled" => Ok(Withdrawn::Cancelled),
            "succeeded" => Ok(Withdrawn::AlreadyPaid),
            // A payment under way cannot be withdrawn; soon it has succeeded or failed.
            status => Err(nonsense(&format!("that an intent which is {status:?} cannot be cancelled now"))),
        }
    }

    async fn ask_to_refund(&self, asked: &RefundRequest) -> Result<String, ProviderError> {
        let refund = asked.refund.to_string();
        let form = [
            ("payment_intent", asked.payment.to_string()),
            ("amount", asked.amount.minor.to_string()),
            ("metadata[refund]", refund.clone()),
        ];
        let request = self.client.post(format!("{}/v1/refunds", self.base));
        let made = match ask::<Refund>(request.header("idempotency-key", &refund).form(&form)).await {
            Ok(made) => made,
            // Stripe forgets keys after a day, and people refund in the dashboard. Either way all of it is back.
            Err(complaint) if complaint.code.as_deref() == Some(ALREADY_REFUNDED) => return Ok(refund),
            Err(complaint) => return Err(complaint.error),
        };
        if let Some(status @ ("failed" | "canceled")) = made.status.as_deref() {
            return Err(ProviderError::Refused(format!(
                "refund {} is {status}; send the money back from Stripe's dashboard",
                made.id,
            )));
        }
        RefundReference::parse(&made.id).map_err(|error| nonsense(&format!("a refund whose id {error}")))?;
        Ok(made.id)
    }
}

impl PaymentProvider for StripeProvider {
    fn provider(&self) -> Provider {
        Provider::Stripe
    }

    fn create<'a>(&'a self, request: &'a PaymentRequest) -> Promised<'a, Result<Opportunity, ProviderError>> {
        Box::pin(self.ask_to_create(request))
    }

    fn state<'a>(&'a self, payment: &'a PaymentId) -> Promised<'a, Result<PaymentState, ProviderError>> {
        Box::pin(self.ask_for_state(payment))
    }

    fn cancel<'a>(&'a self, payment: &'a PaymentId) -> Promised<'a, Result<Withdrawn, ProviderError>> {
        Box::pin(self.ask_to_cancel(payment))
    }

    fn refund<'a>(&'a self, request: &'a RefundRequest) -> Promised<'a, Result<String, ProviderError>> {
        Box::pin(self.ask_to_refund(request))
    }
}
