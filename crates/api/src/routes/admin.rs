//! What operators do: items, settings, phases, stock, lists.

use crate::answer::{answered, item, json, located, marked, operators_item_response};
use crate::app::SharedApp;
use crate::extract::body::JsonBody;
use crate::extract::conditions::MeantFor;
use crate::extract::identity::Operator;
use crate::extract::key::{Caller, MaybeKey};
use crate::extract::params::Params;
use crate::extract::path::ItemPath;
use crate::problem::{Code, Problem};
use crate::wire::item::ItemBody;
use crate::wire::operator::{StockAsked, change, create as new_item};
use crate::wire::reservation::ReservationBody;
use crate::wire::time::Rfc3339;
use crate::wire::words;
use axum::extract::State;
use axum::response::Response;
use domain::command::Command;
use domain::ids::Ordinal;
use domain::turn::Query;
use domain::views::{Body, Judgement, ReservationFilter};
use http::StatusCode;
use serde::Serialize;

/// `GET /v1/admin/items`
pub(super) async fn list(_: Operator, State(app): State<SharedApp>, params: Params) -> Result<Response, Problem> {
    super::items::page(&app.engine, &params, |view, now| ItemBody::operators(view, now))
}

/// `POST /v1/admin/items`
pub(super) async fn create(
    _: Operator,
    State(app): State<SharedApp>,
    key: MaybeKey,
    body: JsonBody,
) -> Result<Response, Problem> {
    let spec = body.read(new_item)?;
    let location = format!("/v1/admin/items/{}", spec.sku);
    let attempt = key.attempt(&Caller::Operator, "POST /v1/admin/items".to_owned());
    let judgement = app.engine.create_item(spec, attempt.as_ref()).await?;
    Ok(located(told(judgement, StatusCode::CREATED)?, location))
}

/// `GET /v1/admin/items/{sku}`
pub(super) async fn read(
    _: Operator,
    State(app): State<SharedApp>,
    ItemPath { item, .. }: ItemPath,
    params: Params,
) -> Result<Response, Problem> {
    super::items::reach(&app, &item, params.min_sequence()?).await?;
    Ok(operators_item_response(StatusCode::OK, &item.view(), app.engine.now()))
}

/// `PATCH /v1/admin/items/{sku}`, for the revision that `If-Match` names.
pub(super) async fn revise(
    _: Operator,
    key: MaybeKey,
    ItemPath { sku, item }: ItemPath,
    meant_for: MeantFor,
    body: JsonBody,
) -> Result<Response, Problem> {
    let patch = Box::new(body.read(change)?);
    let expected = meant_for.expected(item.view().status.revision)?;
    let attempt = key.attempt(&Caller::Operator, format!("PATCH /v1/admin/items/{sku}"));
    let command = Command::ReviseItem { patch, expected };
    told(item.command(command, attempt.as_ref()).await?, StatusCode::OK)
}

/// `POST …/open`
pub(super) async fn open(_: Operator, at: ItemPath, key: MaybeKey, body: JsonBody) -> Result<Response, Problem> {
    turn_phase(at, key, &body, "open", Command::OpenSale).await
}

/// `POST …/pause`
pub(super) async fn pause(_: Operator, at: ItemPath, key: MaybeKey, body: JsonBody) -> Result<Response, Problem> {
    turn_phase(at, key, &body, "pause", Command::PauseSale).await
}

/// `POST …/resume`
pub(super) async fn resume(_: Operator, at: ItemPath, key: MaybeKey, body: JsonBody) -> Result<Response, Problem> {
    turn_phase(at, key, &body, "resume", Command::ResumeSale).await
}

/// `POST …/close`
pub(super) async fn close(_: Operator, at: ItemPath, key: MaybeKey, body: JsonBody) -> Result<Response, Problem> {
    turn_phase(at, key, &body, "close", Command::CloseSale).await
}

async fn turn_phase(
    ItemPath { sku, item }: ItemPath,
    key: MaybeKey,
    body: &JsonBody,
    verb: &'static str,
    command: Command,
) -> Result<Response, Problem> {
    body.nothing()?;
    let attempt = key.attempt(&Caller::Operator, format!("POST /v1/admin/items/{sku}/{verb}"));
    told(item.command(command, attempt.as_ref()).await?, StatusCode::OK)
}

/// `POST …/stock`
pub(super) async fn stock(
    _: Operator,
    key: MaybeKey,
    ItemPath { sku, item }: ItemPath,
    body: JsonBody,
) -> Result<Response, Problem> {
    let StockAsked { change, reason } = body.read(StockAsked::read)?;
    let attempt = key.attempt(&Caller::Operator, format!("POST /v1/admin/items/{sku}/stock"));
    let command = Command::AdjustStock { change, reason };
    told(item.command(command, attempt.as_ref()).await?, StatusCode::OK)
}

/// The item as a command left it, with the values of that moment.
fn told(judgement: Judgement, status: StatusCode) -> Result<Response, Problem> {
    let told = item(answered(judgement)?)?;
    Ok(marked(operators_item_response(status, &told.view, told.view.at), told.origin))
}

/// A page of an item's reservations, in order of arrival.
#[derive(Serialize)]
struct ReservationsPage<'a> {
    reservations: Vec<ReservationBody<'a>>,
    next_cursor: Option<String>,
    sequence: u64,
    server_time: Rfc3339,
}

/// `GET …/reservations?state=`. A page may be short, or even empty, and yet have a next one.
pub(super) async fn reservations(
    _: Operator,
    ItemPath { item, .. }: ItemPath,
    params: Params,
) -> Result<Response, Problem> {
    let unknown = "must be waiting, held, confirmed, cancelled, expired or lapsed";
    let filter = params.parsed("state", |word| words::filter(word).ok_or(unknown))?.unwrap_or(ReservationFilter::All);
    let from = params.cursor(str::parse::<u32>)?.map_or(Ordinal(0), Ordinal);
    let query = Query::Reservations { filter, from, limit: params.limit()? };
    let Judgement { sequence, at, outcome } = item.query(query).await.map_err(Problem::of_read)?;
    let answer = answered(Judgement { sequence, at, outcome })?;
    let Body::Reservations { page, next } = answer.body else {
        return Err(Problem::new(Code::Internal, "the item answered something else than it was asked for"));
    };
    let body = ReservationsPage {
        reservations: page.iter().map(ReservationBody::from).collect(),
        next_cursor: next.map(|ordinal| ordinal.0.to_string()),
        sequence: sequence.0,
        server_time: Rfc3339(at),
    };
    Ok(json(StatusCode::OK, &body))
}
