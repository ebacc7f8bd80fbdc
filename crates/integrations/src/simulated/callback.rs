//! Calling back: the real webhook route, over HTTP, signed like any provider's.

use super::books::Payment;
use crate::inbound::{WebhookSecret, sign};
use domain::money::Money;
use domain::text::PaymentId;
use domain::time::Timestamp;
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long one callback may take. The server answers when its event is on disk.
const CALLBACK_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a callback that is not taken is tried, as real providers do for a day.
const ATTEMPTS_MAX: u32 = 40;

/// The first pause between two attempts, and the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_LONGEST: Duration = Duration::from_secs(5);

/// Sends callbacks.
#[derive(Clone, Debug)]
pub(super) struct Callbacks {
    client: reqwest::Client,
    url: String,
    secret: WebhookSecret,
}

/// Real time: what signatures are dated with.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

impl Callbacks {
    pub(super) fn new(base_url: &str, secret: WebhookSecret) -> Result<Self, reqwest::Error> {
        // The server it calls is this very one: whatever proxy the environment names has nothing to do with it.
        let client = reqwest::Client::builder().timeout(CALLBACK_TIMEOUT).no_proxy().build()?;
        let url = format!("{}/v1/payments/webhooks/simulated", base_url.trim_end_matches('/'));
        Ok(Self { client, url, secret })
    }

    /// Tells that a payment was captured. The event's id is the same for every copy and every attempt.
    pub(super) async fn captured(&self, id: &PaymentId, payment: &Payment) {
        self.tell("payment.captured", &format!("evt_{id}_captured"), id, payment, payment.captured()).await;
    }

    /// Tells that an attempt failed.
    pub(super) async fn failed(&self, id: &PaymentId, payment: &Payment) {
        self.tell("payment.failed", &format!("evt_{id}_failed"), id, payment, payment.asked).await;
    }

    async fn tell(&self, kind: &str, event: &str, id: &PaymentId, payment: &Payment, amount: Money) {
        let body = json!({
            "id": event,
            "type": kind,
            "order": payment.order.to_string(),
            "payment": id.as_str(),
            "amount": { "amount": amount.minor, "currency": amount.currency.as_str() },
        });
        let (body, mut pause) = (body.to_string(), PAUSE_FIRST);
        for _attempt in 0..ATTEMPTS_MAX {
            let signature = sign(&self.secret, now(), body.as_bytes());
            let request = self.client.post(&self.url).header("Webhook-Signature", signature);
            let request = request.header("Content-Type", "application/json").body(body.clone());
            match request.send().await {
                Ok(answer) if answer.status().is_success() => return,
                Ok(answer) => tracing::debug!(status = answer.status().as_u16(), event, "a callback was not taken"),
                Err(error) => tracing::debug!(%error, event, "a callback did not arrive"),
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(PAUSE_LONGEST);
        }
        tracing::error!(event, "the simulated provider gives up on a callback");
    }
}
