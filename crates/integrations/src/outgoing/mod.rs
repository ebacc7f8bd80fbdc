//! Messages to integrators, by Standard Webhooks (standardwebhooks.com): signed, sent once, and what came of it.
//!
//! What this module does not do: decide what is told to whom, keep what could not be delivered, or wait between
//! attempts; it only says how long to wait.

mod addresses;
#[cfg(test)]
mod addresses_tests;
mod retry;
mod secret;
#[cfg(test)]
mod tests;

pub use addresses::{UrlRefusal, check_url, is_public};
pub use retry::{ATTEMPTS_MAX, JITTER_MAX_PERMILLE, pause_before};
pub use secret::{PREFIX, SECRET_BYTES_MAX, SECRET_BYTES_MIN, SecretError, generate, parse_secret, print_secret, sign};

use addresses::{NonePublic, PublicOnly};
use engine::ports::{Delivered, Delivery, Notifier, Promised};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, StatusCode, redirect, retry as resending};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// How long looking up a name, connecting and greeting may take together. A receiver that is up does this in well
/// under a second; five leave room for one lost packet and its repetition.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an attempt may take from beginning to end. Standard Webhooks advises 15 to 30 s: shorter would fail
/// receivers that start up on demand, longer would let slow ones hold connections that others need.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);

/// How we introduce ourselves, so that receivers can tell our requests in their logs.
const USER_AGENT: &str = concat!("holdfast/", env!("CARGO_PKG_VERSION"));

/// How messages are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderConfig {
    /// Whether addresses that are not on the public Internet, and plain http, are allowed. For development, and for
    /// receivers in one's own network: whoever may register endpoints can then make this process call any of them.
    pub allow_private: bool,
}

/// Why there is no sender.
#[derive(Debug, thiserror::Error)]
#[error("webhooks cannot be sent: {}. Check that the system's certificate authorities are installed", chain(.0))]
pub struct SenderError(#[source] reqwest::Error);

/// Sends messages over HTTP. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct WebhookSender {
    client: Client,
    config: SenderConfig,
}

impl WebhookSender {
    /// A sender.
    ///
    /// # Errors
    /// [`SenderError`] where TLS cannot be set up.
    pub fn new(config: SenderConfig) -> Result<Self, SenderError> {
        let mut builder = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ATTEMPT_TIMEOUT)
            // A redirect would lead to where nobody checked; Standard Webhooks calls it a failure.
            .redirect(redirect::Policy::none())
            // Attempts are counted and spaced by whoever calls: one call is one attempt.
            .retry(resending::never())
            // A proxy would connect for us, to addresses that we do not see.
            .no_proxy()
            .https_only(!config.allow_private);
        if !config.allow_private {
            builder = builder.dns_resolver(Arc::new(PublicOnly));
        }
        let client = builder.build().map_err(SenderError)?;
        Ok(Self { client, config })
    }

    async fn attempt(&self, delivery: &Delivery) -> Delivered {
        // Literal addresses are never looked up, so the resolver does not see them: they are checked here.
        let url = match addresses::parse(&delivery.url, self.config.allow_private) {
            Ok(url) => url,
            Err(refusal) => return Delivered::Forbidden(refusal.to_string()),
        };
        if delivery.secrets.is_empty() {
            return Delivered::Forbidden(
                "the endpoint has no secret, and messages are not sent unsigned; give it one".to_owned(),
            );
        }
        let seconds = delivery.at.as_millis() / 1_000;
        let signature = sign(&delivery.secrets, &delivery.id, seconds, delivery.body.as_bytes());
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header("webhook-id", &delivery.id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(delivery.body.clone());
        match request.send().await {
            // The status is the whole answer. The body is dropped unread, so that nobody can keep us reading.
            Ok(response) => judge(response.status()),
            Err(error) => explain(error),
        }
    }
}

impl Notifier for WebhookSender {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> Promised<'a, Delivered> {
        Box::pin(self.attempt(delivery))
    }
}

fn judge(status: StatusCode) -> Delivered {
    if status.is_success() {
        Delivered::Taken
    } else if status == StatusCode::GONE {
        Delivered::Gone
    } else if status.is_redirection() {
        Delivered::Failed(format!(
            "the receiver answered {status}, and redirects are not followed; register the address it redirects to"
        ))
    } else {
        Delivered::Failed(format!("the receiver answered {status}; it has to answer 2xx"))
    }
}

fn explain(error: reqwest::Error) -> Delivered {
    // The receiver's address is known to whoever reads this, and may hold a token that is not for logs.
    let error = error.without_url();
    if let Some(refusal) = causes(&error).find_map(|cause| cause.downcast_ref::<NonePublic>()) {
        return Delivered::Forbidden(refusal.to_string());
    }
    if error.is_timeout() {
        return Delivered::Failed(format!(
            "the receiver took too long: it has {} s to accept a connection, and {} s to answer",
            CONNECT_TIMEOUT.as_secs(),
            ATTEMPT_TIMEOUT.as_secs()
        ));
    }
    Delivered::Failed(format!("the receiver could not be reached, or did not answer in HTTP: {}", chain(&error)))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// An error with what caused it: reqwest's own words end where the reason begins.
fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
