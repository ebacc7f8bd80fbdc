//! The HTTP front that a peer is measured behind: axum, with the route, request and answer of Holdfast's own.
//!
//! It does less than Holdfast's: it checks no limits, writes no problem documents and gives no request ids.

use super::{Ask, PeerError, Place, Refusal, Reserve, Said, Taken};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::serve::ListenerExt as _;
use core::fmt;
use domain::identity::{ItemKey, ReservationId};
use domain::ids::{ItemNo, Ordinal};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize, Serializer};
use std::sync::Arc;
use tokio::net::TcpListener;

/// The routes, with that peer behind them.
pub fn router<R: Reserve>(peer: R) -> Router {
    let state = Arc::new(peer);
    Router::new().route("/v1/items/{sku}/reservations", post(reserve::<R>)).with_state(state)
}

/// Serves it until the task is dropped.
///
/// # Errors
/// None ever, says axum.
pub async fn serve<R: Reserve>(listener: TcpListener, peer: R) -> Result<(), PeerError> {
    let listener = listener.tap_io(|stream| {
        // Answers are small and complete. Without this they are only slower.
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, router(peer)).await?)
}

const CUSTOMER: HeaderName = HeaderName::from_static("x-customer-id");
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

#[derive(Deserialize)]
struct Body<'a> {
    quantity: i32,
    #[serde(borrow, default)]
    waitlist: Option<&'a str>,
}

async fn reserve<R: Reserve>(
    State(peer): State<Arc<R>>,
    Path(sku): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
    let (Some(customer), Some(key)) = (text(CUSTOMER), text(KEY)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Ok(Body { quantity, waitlist }) = serde_json::from_slice(&body) else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    let ask = Ask { sku, customer, key, quantity, wait: waitlist != Some("decline") };
    match peer.reserve(&ask).await {
        Ok(Said::Taken(taken)) => reservation(&ask, &taken),
        Ok(Said::Refused(refusal)) => refused(refusal),
        Err(error) => {
            println!("a peer failed: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn refused(refusal: Refusal) -> Response {
    let status = match refusal {
        Refusal::NotFound => StatusCode::NOT_FOUND,
        Refusal::IdempotencyKeyReused | Refusal::QuantityAboveMaximum => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::SaleNotOpen
        | Refusal::CustomerLimitReached
        | Refusal::SoldOut
        | Refusal::InsufficientStock
        | Refusal::WaitlistFull => StatusCode::CONFLICT,
    };
    (status, refusal.code()).into_response()
}

/// The answer to a reservation that was made, field by field as Holdfast writes it.
fn reservation(ask: &Ask, taken: &Taken) -> Response {
    let id = ReservationId::new(ItemNo::from_u32(1), Ordinal(taken.number), &ItemKey::from_bytes([7; 32]));
    let (state, status, expires_at, waitlist) = match taken.place {
        Place::Held { ends_ms } => ("held", StatusCode::CREATED, Some(Shown(Rfc3339(ends_ms))), None),
        Place::Waiting { position } => ("waiting", StatusCode::ACCEPTED, None, Some(Waitlist::at(position))),
    };
    let location = format!("/v1/reservations/{id}");
    let body = Reservation {
        id: Shown(id),
        state,
        item: &ask.sku,
        quantity: ask.quantity,
        customer: &ask.customer,
        sequence: taken.sequence,
        created_at: Shown(Rfc3339(taken.at_ms)),
        expires_at,
        waitlist,
        order: None,
        links: Links { this: &location, item: Shown(format_args!("/v1/items/{}", ask.sku)) },
        poll_after_ms: waitlist.map(|_| 1_000),
        server_time: Shown(Rfc3339(taken.at_ms)),
    };
    let mut bytes = Vec::with_capacity(768);
    if serde_json::to_writer(&mut bytes, &body).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let mut response = Response::new(axum::body::Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if taken.again {
        headers.insert(HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true"));
    }
    if let Ok(location) = HeaderValue::try_from(location) {
        headers.insert(LOCATION, location);
    }
    response
}

#[derive(Serialize)]
struct Reservation<'a, L: fmt::Display> {
    id: Shown<ReservationId>,
    state: &'static str,
    item: &'a str,
    quantity: i32,
    customer: &'a str,
    sequence: u64,
    created_at: Shown<Rfc3339>,
    expires_at: Option<Shown<Rfc3339>>,
    waitlist: Option<Waitlist>,
    order: Option<()>,
    links: Links<'a, L>,
    #[serde(skip_serializing_if = "Option::is_none")]
    poll_after_ms: Option<u64>,
    server_time: Shown<Rfc3339>,
}

#[derive(Serialize)]
struct Links<'a, L: fmt::Display> {
    #[serde(rename = "self")]
    this: &'a str,
    item: Shown<L>,
}

#[derive(Clone, Copy, Serialize)]
struct Waitlist {
    position: u32,
    ahead: u32,
    estimated_wait_s: u32,
    estimate: &'static str,
}

impl Waitlist {
    const fn at(position: u32) -> Self {
        Self { position, ahead: position.saturating_sub(1), estimated_wait_s: 0, estimate: "rough" }
    }
}

/// Written as it is shown.
struct Shown<T>(T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Milliseconds since 1970 as an instant.
struct Rfc3339(i64);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX))
    }
}
