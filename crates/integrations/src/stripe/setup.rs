//! How Stripe is reached: its address, the secret key and the patience with it, checked once when the server starts.
//!
//! What this file does not do: ask Stripe anything. Whether a key is valid only Stripe can say.

use reqwest::Url;
use std::fmt;
use std::time::Duration;

/// Where Stripe's API is.
pub const STRIPE_API: &str = "https://api.stripe.com";

/// How long a connection may take. Stripe answers from nearby; who waits longer for a handshake waits for nobody, and
/// the follow-up is asked again anyway.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a whole request may take, body included. Stripe's own clients wait 80 seconds; a customer who wants to pay
/// does not, and a hold has run out by then. Asking again is safe, so giving up early costs nothing.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest secret key in bytes: Stripe's are about a hundred.
const KEY_BYTES_MAX: usize = 255;

/// Why Stripe cannot be used as configured. The words never contain the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StripeSetupError {
    /// The key has not the form of a secret key.
    #[error("Stripe's secret key {0}; copy it from Stripe's dashboard, Developers, API keys")]
    Key(&'static str),
    /// The address is none that the API can be at.
    #[error("Stripe's base URL {url:?} {why}; leave it out to use {STRIPE_API}")]
    BaseUrl {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The HTTP client could not be made, which is a matter of this machine's certificates.
    #[error("no HTTPS client can be made: {0}; check that this machine has root certificates")]
    Client(String),
}

/// A secret or restricted key. `Debug` does not show it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct StripeKey(String);

impl StripeKey {
    /// Takes a key (`sk_…`, `rk_…`).
    ///
    /// # Errors
    /// [`StripeSetupError::Key`] where it cannot be one, for example because it is the publishable key (`pk_…`).
    pub fn parse(text: &str) -> Result<Self, StripeSetupError> {
        if text.starts_with("pk_") {
            return Err(StripeSetupError::Key("is the publishable one, which may not take or give money"));
        }
        if !text.starts_with("sk_") && !text.starts_with("rk_") {
            return Err(StripeSetupError::Key("must begin with sk_ or rk_"));
        }
        if text.len() > KEY_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(StripeSetupError::Key("has characters that no key has, or is too long"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The key itself, for the one header it belongs in.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it only moves play money.
    fn is_for_tests(&self) -> bool {
        self.0.starts_with("sk_test_") || self.0.starts_with("rk_test_")
    }
}

impl fmt::Debug for StripeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StripeKey(…)")
    }
}

/// How Stripe is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeConfig {
    /// Where its API is, without `/v1`.
    pub base_url: String,
    /// What we are known by.
    pub secret_key: StripeKey,
    /// How long one request may take, connecting and body included.
    pub request_timeout: Duration,
}

impl StripeConfig {
    /// Stripe itself ([`STRIPE_API`]) with this key, and the usual patience ([`REQUEST_TIMEOUT`]).
    #[must_use]
    pub fn new(secret_key: StripeKey) -> Self {
        Self { base_url: STRIPE_API.to_owned(), secret_key, request_timeout: REQUEST_TIMEOUT }
    }

    /// The address, checked, without a slash at its end.
    pub(super) fn base(&self) -> Result<String, StripeSetupError> {
        let wrong = |why| StripeSetupError::BaseUrl { url: self.base_url.clone(), why };
        // What is no URL is not repeated either: it might be a key in the wrong place.
        let url = Url::parse(&self.base_url)
            .map_err(|_| StripeSetupError::BaseUrl { url: String::new(), why: "is no absolute URL" })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(StripeSetupError::BaseUrl { url: String::new(), why: "must not carry a user or password" });
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("must not have a query or fragment"));
        }
        match url.scheme() {
            "https" => {}
            // Plain HTTP shows the key to everybody on the way. With play money that is how stand-ins are reached.
            "http" if self.secret_key.is_for_tests() => {}
            "http" => return Err(wrong("must begin with https:// for any key but a test key")),
            _ => return Err(wrong("must begin with https://")),
        }
        Ok(url.as_str().trim_end_matches('/').to_owned())
    }
}
