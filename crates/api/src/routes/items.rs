//! Items as everybody sees them: from the views published at commit points, without asking the items.

use crate::answer::{KeptBy, item_tag, json, not_modified, tagged};
use crate::app::{App, SharedApp};
use crate::extract::conditions::Conditions;
use crate::extract::params::Params;
use crate::extract::path::ItemPath;
use crate::problem::{Code, Problem};
use crate::wire::item::ItemBody;
use crate::wire::time::Rfc3339;
use axum::extract::State;
use axum::response::Response;
use domain::ids::Seq;
use domain::text::Sku;
use domain::time::Timestamp;
use domain::views::ItemView;
use engine::handle::{Engine, ItemHandle};
use http::StatusCode;
use serde::Serialize;
use std::sync::Arc;

/// A page of items.
#[derive(Serialize)]
struct ItemPage<'a> {
    items: Vec<ItemBody<'a>>,
    next_cursor: Option<&'a str>,
    server_time: Rfc3339,
}

/// `GET /v1/items`
pub(super) async fn list(State(app): State<SharedApp>, params: Params) -> Result<Response, Problem> {
    page(&app.engine, &params, |view, now| ItemBody::public(view, now))
}

/// A page of items in the order of their names.
pub(super) fn page(
    engine: &Engine,
    params: &Params,
    body: impl for<'v> Fn(&'v ItemView, Timestamp) -> ItemBody<'v>,
) -> Result<Response, Problem> {
    let (after, limit) = (params.cursor(Sku::parse)?, params.limit()?);
    let now = engine.now();
    let views: Vec<Arc<ItemView>> = engine.items(after.as_ref(), limit).iter().map(ItemHandle::view).collect();
    let next_cursor = if views.len() < limit { None } else { views.last().map(|view| view.sku.as_str()) };
    let items = views.iter().map(|view| body(view, now)).collect();
    Ok(json(StatusCode::OK, &ItemPage { items, next_cursor, server_time: Rfc3339(now) }))
}

/// `GET /v1/items/{sku}`
pub(super) async fn read(
    State(app): State<SharedApp>,
    ItemPath { item, .. }: ItemPath,
    params: Params,
    conditions: Conditions,
) -> Result<Response, Problem> {
    reach(&app, &item, params.min_sequence()?).await?;
    let view = item.view();
    let etag = item_tag(&view);
    if conditions.has_seen(&etag) {
        return Ok(not_modified(etag, KeptBy::Anybody));
    }
    Ok(tagged(json(StatusCode::OK, &ItemBody::public(&view, app.engine.now())), etag, KeptBy::Anybody))
}

/// Waits until what the item has published is as new as the reader wants, but not for ever.
pub(super) async fn reach(app: &App, item: &ItemHandle, wanted: Option<Seq>) -> Result<(), Problem> {
    let Some(wanted) = wanted.filter(|wanted| item.view().sequence < *wanted) else { return Ok(()) };
    let mut watch = item.watch();
    let reached = async { watch.wait_for(|view| view.sequence >= wanted).await.is_ok() };
    if tokio::time::timeout(app.config.timeouts.fresh_read, reached).await.unwrap_or(false) {
        return Ok(());
    }
    let detail = format!("the item has not reached sequence {wanted}; nothing happened");
    Err(Problem::new(Code::Overloaded, detail).come_back_soon().judged(item.view().sequence, app.engine.now()))
}
