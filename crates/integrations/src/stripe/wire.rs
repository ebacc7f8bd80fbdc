//! Requests to Stripe and its answers: what they say, and which of them mean no for good
//! (<https://docs.stripe.com/api/errors>).
//!
//! What this file does not do: decide what to ask, or what an answer means for an order.

use domain::money::{Currency, Money};
use engine::ports::ProviderError;
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Most bytes of an answer that are read. An intent is about five kilobytes; whatever sends more is not Stripe, or is
/// about to take our memory.
pub(super) const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Most characters of Stripe's own words that are passed on: they end in logs and in front of operators, where a
/// sentence or two is enough.
const WORDS_CHARS_MAX: usize = 300;

/// The code of an intent that is past what was asked of it.
pub(super) const UNEXPECTED_STATE: &str = "payment_intent_unexpected_state";

/// The code of money that is back already.
pub(super) const ALREADY_REFUNDED: &str = "charge_already_refunded";

/// Codes and types of errors that pass: somebody else holds the object, we ask too fast, or Stripe itself fails.
const PASSING: [&str; 5] = ["lock_timeout", "rate_limit", "idempotency_key_in_use", "rate_limit_error", "api_error"];

/// A payment intent, as far as we look at it.
#[derive(Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) client_secret: Option<String>,
    amount: u64,
    amount_received: Option<u64>,
    currency: String,
}

impl Intent {
    /// What the customer is to pay.
    pub(super) fn asked(&self) -> Result<Money, ProviderError> {
        self.money(self.amount)
    }

    /// What was taken.
    pub(super) fn received(&self) -> Result<Money, ProviderError> {
        self.money(self.amount_received.ok_or_else(|| nonsense("a paid intent without amount_received"))?)
    }

    fn money(&self, minor: u64) -> Result<Money, ProviderError> {
        let currency = Currency::parse(&self.currency.to_ascii_uppercase())
            .map_err(|_| nonsense("an intent whose currency is none"))?;
        Ok(Money { minor, currency })
    }
}

/// A refund, as far as we look at it.
#[derive(Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) status: Option<String>,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorObject,
}

#[derive(Deserialize)]
struct ErrorObject {
    #[serde(rename = "type")]
    kind: String,
    code: Option<String>,
    message: Option<String>,
}

/// What came instead of what was asked for.
pub(super) struct Complaint {
    /// Stripe's code for it, where it gave one.
    pub(super) code: Option<String>,
    /// What it is to us.
    pub(super) error: ProviderError,
}

impl From<ProviderError> for Complaint {
    fn from(error: ProviderError) -> Self {
        Self { code: None, error }
    }
}

/// An answer that is none of those Stripe documents. Nothing is concluded from it; it is asked again.
pub(super) fn nonsense(what: &str) -> ProviderError {
    ProviderError::Unavailable(format!("Stripe answered {what}; it is asked again later"))
}

/// Sends a request and reads the answer, as much of it as an answer may have.
pub(super) async fn ask<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Complaint> {
    let unreached = |error| {
        ProviderError::Unavailable(format!("Stripe did not answer: {}; it is asked again later", in_words(&error)))
    };
    let mut answer = request.send().await.map_err(|error| unreached(error.without_url()))?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| unreached(error.without_url()))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(nonsense(&format!("more than {ANSWER_BYTES_MAX} bytes")).into());
        }
        body.extend_from_slice(&chunk);
    }
    read(answer.status(), &body)
}

/// An error and what caused it: the outermost alone only says that sending failed.
pub(super) fn in_words(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}"))
}

/// Reads an answer whose body came whole.
fn read<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<T, Complaint> {
    if status.is_success() {
        return serde_json::from_slice(body).map_err(|error| {
            nonsense(&format!("{} with a body that cannot be read ({error})", status.as_u16())).into()
        });
    }
    let said = serde_json::from_slice::<ErrorBody>(body).ok().map(|body| body.error);
    let words = said.as_ref().map_or_else(|| "no error that can be read".to_owned(), ErrorObject::words);
    let error = match status.as_u16() {
        // A wrong key is an operator's error that will be mended. Money must not be given up over it.
        401 | 403 => ProviderError::Unavailable(format!(
            "Stripe does not accept the secret key ({}: {words}); mend the key or its permissions, and what was asked \
             is asked again",
            status.as_u16(),
        )),
        code @ (409 | 429) => nonsense(&format!("{code}, others are at it or there are too many requests ({words})")),
        400..=499 if said.as_ref().is_some_and(|said| !said.passes()) => ProviderError::Refused(format!(
            "{words}; look the payment up in Stripe's dashboard, for asking again changes nothing"
        )),
        code => nonsense(&format!("{code} ({words})")),
    };
    Err(Complaint { code: said.and_then(|said| said.code), error })
}

impl ErrorObject {
    /// Whether it may be gone the next time.
    fn passes(&self) -> bool {
        [Some(&self.kind), self.code.as_ref()].into_iter().flatten().any(|name| PASSING.contains(&name.as_str()))
    }

    fn words(&self) -> String {
        let code = self.code.as_deref().unwrap_or("without a code");
        let message = self.message.as_deref().unwrap_or("without a message");
        let words = format!("{}, {code}: {message}", self.kind);
        // Control characters would let an answer write lines of its own into a log.
        words.chars().filter(|c| !c.is_control()).take(WORDS_CHARS_MAX).collect()
    }
}
