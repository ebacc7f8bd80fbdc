//! Webhooks of payment providers. The signature is checked before anything is read; a report that is believed goes to
//! the order it names, and whatever becomes of it, the provider gets a fast 2xx, so that it stops sending.

use crate::answer::{another_body, answered, json};
use crate::app::SharedApp;
use crate::extract::body::RawBody;
use crate::extract::path::not_found;
use crate::problem::{Code, Problem};
use crate::wire::report::pointed;
use crate::wire::time::Rfc3339;
use crate::wire::words;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::payment::Provider;
use domain::time::Timestamp;
use domain::views::{Body, PaymentVerdict};
use engine::Reported;
use http::{HeaderMap, StatusCode};
use integrations::inbound::{Inbound, InboundError, Signed, header_of};
use serde::Serialize;

/// What became of a webhook.
#[derive(Serialize)]
struct Taken<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    server_time: Rfc3339,
}

fn taken(status: StatusCode, word: &'static str, order: Option<String>, at: Timestamp) -> Response {
    let body = Taken { status: word, order, reason: None, detail: None, server_time: Rfc3339(at) };
    json(status, &body)
}

/// `POST /v1/payments/webhooks/{provider}`
pub(super) async fn take(
    State(app): State<SharedApp>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    let provider = Provider::named(&provider).filter(|provider| app.config.inboxes.listens_to(*provider));
    let provider = provider.ok_or_else(|| not_found("webhooks of this provider are not taken here"))?;
    let now = app.engine.now();
    let mut given = headers.get_all(header_of(provider)).iter();
    let header = given.next().and_then(|value| value.to_str().ok()).filter(|_| given.next().is_none());
    let inbound = app.config.inboxes.read(provider, &Signed { header, body: &body, now }).map_err(refused)?;
    match inbound {
        Inbound::Ignored { why } => {
            tracing::debug!(provider = provider.name(), why, "a webhook is ignored");
            let detail = Some(why.as_str());
            let body = Taken { status: "ignored", order: None, reason: None, detail, server_time: Rfc3339(now) };
            Ok(json(StatusCode::OK, &body))
        }
        Inbound::Report { order, report } => match app.engine.report(order, report).await? {
            Reported::Unmatched => Ok(taken(StatusCode::OK, "unmatched", Some(order.to_string()), now)),
            Reported::Judged(judgement) => {
                let at = judgement.at;
                let Body::Payment(verdict) = answered(judgement)?.body else { return Err(another_body()) };
                Ok(told(verdict, order.to_string(), at))
            }
        },
    }
}

fn told(verdict: PaymentVerdict, order: String, at: Timestamp) -> Response {
    let status = if verdict == PaymentVerdict::Stored { StatusCode::ACCEPTED } else { StatusCode::OK };
    let (reason, detail) = match verdict {
        PaymentVerdict::RefundDue(why) => (Some(words::refund(why).0), Some(words::refund(why).1)),
        PaymentVerdict::Applied
        | PaymentVerdict::Honoured
        | PaymentVerdict::Stored
        | PaymentVerdict::Noted
        | PaymentVerdict::Disputed
        | PaymentVerdict::Duplicate => (None, None),
    };
    let server_time = Rfc3339(at);
    json(status, &Taken { status: words::verdict(verdict), order: Some(order), reason, detail, server_time })
}

fn refused(error: InboundError) -> Problem {
    match error {
        InboundError::Signature(error) => Problem::new(Code::WebhookSignatureInvalid, error.to_string()),
        InboundError::Body { pointer, problem } if pointer.is_empty() => {
            Problem::new(Code::MalformedRequest, format!("the body {problem}"))
        }
        InboundError::Body { pointer, problem } => pointed(&pointer, problem),
    }
}
