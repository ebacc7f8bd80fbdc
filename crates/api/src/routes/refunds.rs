//! What operators do with money that goes back: refund an order, list refunds with their age, settle one by hand.

use crate::answer::{another_body, answered, json, marked, order, order_response};
use crate::app::SharedApp;
use crate::extract::body::JsonBody;
use crate::extract::identity::Operator;
use crate::extract::key::{Caller, MaybeKey};
use crate::extract::params::Params;
use crate::extract::path::{OrderPath, RefundPath};
use crate::problem::Problem;
use crate::wire::operator::{RefundAsked, SettleAsked};
use crate::wire::refund::{RefundBody, RefundsPage};
use crate::wire::time::Rfc3339;
use crate::wire::words;
use axum::extract::State;
use axum::response::Response;
use domain::command::Command;
use domain::identity::RefundId;
use domain::ids::{CaptureNo, ItemNo};
use domain::payment::SettledBy;
use domain::turn::Query;
use domain::views::{Body, CaptureFilter, CaptureView};
use http::StatusCode;

/// `POST /v1/admin/orders/{id}/refund`
pub(super) async fn refund(
    _: Operator,
    key: MaybeKey,
    OrderPath { id, item }: OrderPath,
    body: JsonBody,
) -> Result<Response, Problem> {
    let RefundAsked { return_units, reason } = body.read(RefundAsked::read)?;
    let attempt = key.attempt(&Caller::Operator, format!("POST /v1/admin/orders/{id}/refund"));
    let reservation = id.reservation().ordinal();
    let command = Command::RefundOrder { reservation, return_units, reason };
    let told = order(answered(item.command(command, attempt.as_ref()).await?)?)?;
    Ok(order_response(StatusCode::OK, &told))
}

/// `POST /v1/admin/refunds/{id}/settle`
pub(super) async fn settle(
    _: Operator,
    key: MaybeKey,
    RefundPath { id, item }: RefundPath,
    body: JsonBody,
) -> Result<Response, Problem> {
    let SettleAsked { reason } = body.read(SettleAsked::read)?;
    let attempt = key.attempt(&Caller::Operator, format!("POST /v1/admin/refunds/{id}/settle"));
    let command = Command::SettleRefund { capture: CaptureNo(id.capture()), by: SettledBy::Operator { reason } };
    let answer = answered(item.command(command, attempt.as_ref()).await?)?;
    let Body::Refund(view) = answer.body else { return Err(another_body()) };
    Ok(marked(json(StatusCode::OK, &RefundBody::of(&view)), answer.origin))
}

/// `GET /v1/admin/refunds?state=`: over all items, in the order of items and captures.
pub(super) async fn list(_: Operator, State(app): State<SharedApp>, params: Params) -> Result<Response, Problem> {
    let unknown = "must be due, settled or disputed";
    let filter = params.parsed("state", |word| words::captures(word).ok_or(unknown))?.unwrap_or(CaptureFilter::Due);
    let (after, limit) = (params.cursor(RefundId::parse)?, params.limit()?);
    let from = after.map_or(ItemNo::from_u32(0), RefundId::stream);
    let mut page: Vec<CaptureView> = Vec::new();
    for item in app.engine.items_with_refunds(from) {
        if page.len() > limit {
            break;
        }
        let first = after.filter(|id| id.stream() == item.no()).map_or(0, |id| id.capture().saturating_add(1));
        let mut next = Some(CaptureNo(first));
        while let Some(first) = next.filter(|_| page.len() <= limit) {
            let query = Query::Captures { filter, from: first, limit: limit + 1 };
            let answer = answered(item.query(query).await.map_err(Problem::of_read)?)?;
            let Body::Captures { page: found, next: rest } = answer.body else { return Err(another_body()) };
            page.extend(found);
            next = rest;
        }
    }
    let more = page.len() > limit;
    page.truncate(limit);
    let now = app.engine.now();
    let next_cursor = page.last().filter(|_| more).map(|view| view.refund.to_string());
    let refunds = page.iter().map(|view| RefundBody::aged(view, now)).collect();
    Ok(json(StatusCode::OK, &RefundsPage { refunds, next_cursor, server_time: Rfc3339(now) }))
}
