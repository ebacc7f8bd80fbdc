//! What operators ask of a peer over HTTP, as they ask Holdfast: make an item, open its sale, tell how it stands.
//!
//! No token is asked for: a peer under measurement listens on the loopback address, for as long as it is measured.

use super::{Operate, PeerError, Sale};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// The operators' routes of a peer. An item is on sale as soon as it is made.
pub fn router<O: Operate>(peer: Arc<O>) -> Router {
    Router::new()
        .route("/v1/admin/items", post(make::<O>))
        .route("/v1/admin/items/{sku}/open", post(open))
        .route("/v1/admin/items/{sku}", get(tell::<O>))
        .with_state(peer)
}

/// What is read of an item; the rest does not concern a peer.
#[derive(Deserialize)]
struct Item {
    sku: String,
    total: i32,
    #[serde(default)]
    hold_time_ms: Option<i64>,
    #[serde(default)]
    waitlist: Option<Line>,
    #[serde(default)]
    per_order_max: Option<i32>,
    #[serde(default)]
    per_customer_limit: Option<i32>,
}

#[derive(Deserialize)]
struct Line {
    enabled: bool,
    capacity: i32,
}

impl From<Item> for Sale {
    fn from(item: Item) -> Self {
        let usual = Self::usual(item.sku, item.total);
        let line_max = item.waitlist.map(|line| if line.enabled { line.capacity } else { 0 });
        Self {
            hold_ms: item.hold_time_ms.unwrap_or(usual.hold_ms),
            per_order: item.per_order_max.unwrap_or(usual.per_order),
            per_customer: item.per_customer_limit.unwrap_or(usual.per_customer),
            line_max: line_max.unwrap_or(usual.line_max),
            ..usual
        }
    }
}

async fn make<O: Operate>(State(peer): State<Arc<O>>, body: Bytes) -> Response {
    let Ok(item) = serde_json::from_slice::<Item>(&body) else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    match peer.open(&item.into()).await {
        Ok(()) => StatusCode::CREATED.into_response(),
        Err(error) => failed(&error),
    }
}

async fn open() -> StatusCode {
    StatusCode::OK
}

async fn tell<O: Operate>(State(peer): State<Arc<O>>, Path(sku): Path<String>) -> Response {
    match peer.standing(&sku).await {
        Ok(standing) => {
            let (total, available, held, waiting) =
                (standing.total, standing.available, standing.held, standing.waiting);
            axum::Json(json!({"total": total, "available": available, "held": held, "sold": 0, "waiting": waiting}))
                .into_response()
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &PeerError) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
}
