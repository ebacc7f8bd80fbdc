//! What operators do with money that goes back: refund an order, list refunds with their age, settle one by hand, and
//! see reports that nobody can place.

use super::orders::{bundle_of, response};
use crate::answer::{another_body, answered, json, marked};
use crate::app::SharedApp;
use crate::extract::body::JsonBody;
use crate::extract::identity::Operator;
use crate::extract::key::{Caller, MaybeKey};
use crate::extract::params::Params;
use crate::extract::path::{Keeper, OrderPath, RefundPath, not_found};
use crate::problem::Problem;
use crate::wire::operator::{RefundAsked, SettleAsked};
use crate::wire::refund::{RefundBody, RefundsPage, SettledRefundBody, UnmatchedBody, UnmatchedPage};
use crate::wire::time::Rfc3339;
use crate::wire::words;
use axum::extract::State;
use axum::response::Response;
use domain::command::Command;
use domain::identity::RefundId;
use domain::ids::{CaptureNo, ItemNo, PartitionNo};
use domain::partition::{PartitionCommand, PartitionQuery};
use domain::payment::SettledBy;
use domain::turn::Query;
use domain::views::{Body, CaptureFilter, CaptureView};
use engine::handle::Engine;
use http::StatusCode;

/// `POST /v1/admin/orders/{id}/refund`
pub(super) async fn refund(
    _: Operator,
    key: MaybeKey,
    OrderPath { id, keeper }: OrderPath,
    body: JsonBody,
) -> Result<Response, Problem> {
    let RefundAsked { return_units, reason } = body.read(RefundAsked::read)?;
    let attempt = key.attempt(&Caller::Operator, format!("POST /v1/admin/orders/{id}/refund"));
    let judgement = match keeper {
        Keeper::Item(item) => {
            let reservation = id.reservation().ordinal();
            item.command(Command::RefundOrder { reservation, return_units, reason }, attempt.as_ref()).await?
        }
        Keeper::Partition(partition) => {
            let bundle = bundle_of(id)?;
            let command = PartitionCommand::RefundOrder { bundle, return_units, reason };
            partition.command(command, attempt.as_ref()).await?
        }
    };
    response(StatusCode::OK, &answered(judgement)?)
}

/// `POST /v1/admin/refunds/{id}/settle`
pub(super) async fn settle(
    _: Operator,
    key: MaybeKey,
    RefundPath { id, keeper }: RefundPath,
    body: JsonBody,
) -> Result<Response, Problem> {
    let SettleAsked { reason } = body.read(SettleAsked::read)?;
    let attempt = key.attempt(&Caller::Operator, format!("POST /v1/admin/refunds/{id}/settle"));
    let (capture, by) = (CaptureNo(id.capture()), SettledBy::Operator { reason });
    let judgement = match keeper {
        Keeper::Item(item) => item.command(Command::SettleRefund { capture, by }, attempt.as_ref()).await?,
        Keeper::Partition(partition) => {
            // The id has to be one that this partition gave out, not only a number it knows.
            let known = partition.query(PartitionQuery::Refund(capture)).await.map_err(Problem::of_read)?;
            match answered(known)?.body {
                Body::Refund(view) if view.refund == id => {}
                _ => return Err(not_found("there is no refund of this id")),
            }
            partition.command(PartitionCommand::SettleRefund { capture, by }, attempt.as_ref()).await?
        }
    };
    let at = judgement.at;
    let answer = answered(judgement)?;
    let Body::Refund(view) = answer.body else { return Err(another_body()) };
    Ok(marked(json(StatusCode::OK, &SettledRefundBody::of(&view, answer.origin, at)), answer.origin))
}

/// One stream's captures, a page at a time.
enum Stream {
    Item(engine::handle::ItemHandle),
    Partition(engine::PartitionHandle),
}

impl Stream {
    fn no(&self) -> ItemNo {
        match self {
            Self::Item(item) => item.no(),
            Self::Partition(partition) => ItemNo::partition_stream(partition.no()),
        }
    }

    async fn captures(
        &self,
        filter: CaptureFilter,
        from: CaptureNo,
        limit: usize,
    ) -> Result<(Vec<CaptureView>, Option<CaptureNo>), Problem> {
        let judgement = match self {
            Self::Item(item) => item.query(Query::Captures { filter, from, limit }).await,
            Self::Partition(partition) => partition.query(PartitionQuery::Captures { filter, from, limit }).await,
        };
        match answered(judgement.map_err(Problem::of_read)?)?.body {
            Body::Captures { page, next } => Ok((page, next)),
            _ => Err(another_body()),
        }
    }
}

/// Every stream that can have refunds, in the order of their numbers, from `from` on.
fn streams(engine: &Engine, from: ItemNo) -> Vec<Stream> {
    let partitions =
        (0..engine.partition_count()).filter_map(|no| engine.partition(PartitionNo(u8::try_from(no).ok()?)));
    let partitions = partitions.map(Stream::Partition).filter(|stream| stream.no() >= from);
    let mut all: Vec<Stream> =
        partitions.chain(engine.items_with_refunds(from).into_iter().map(Stream::Item)).collect();
    all.sort_by_key(Stream::no);
    all
}

/// `GET /v1/admin/refunds?state=`: over all bundles and items, in the order of streams and captures.
pub(super) async fn list(_: Operator, State(app): State<SharedApp>, params: Params) -> Result<Response, Problem> {
    let unknown = "must be due, settled or disputed";
    let filter = params.parsed("state", |word| words::captures(word).ok_or(unknown))?.unwrap_or(CaptureFilter::Due);
    let (after, limit) = (params.cursor(RefundId::parse)?, params.limit()?);
    let from = after.map_or(ItemNo::from_u32(0), RefundId::stream);
    let mut page: Vec<CaptureView> = Vec::new();
    for stream in streams(&app.engine, from) {
        if page.len() > limit {
            break;
        }
        let first = after.filter(|id| id.stream() == stream.no()).map_or(0, |id| id.capture().saturating_add(1));
        let mut next = Some(CaptureNo(first));
        while let Some(first) = next.filter(|_| page.len() <= limit) {
            let (found, rest) = stream.captures(filter, first, limit + 1).await?;
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

/// Where a page of unmatched reports goes on: partition and number.
fn place(text: &str) -> Result<(u8, u32), ()> {
    let (partition, from) = text.split_once('-').ok_or(())?;
    Ok((partition.parse().map_err(drop)?, from.parse().map_err(drop)?))
}

/// `GET /v1/admin/payments/unmatched`: reports of orders that were never issued.
pub(super) async fn unmatched(_: Operator, State(app): State<SharedApp>, params: Params) -> Result<Response, Problem> {
    let (begin, limit) = (params.cursor(place)?.unwrap_or_default(), params.limit()?);
    let (mut page, mut next_cursor) = (Vec::new(), None);
    for no in usize::from(begin.0)..app.engine.partition_count() {
        let Some(partition) = u8::try_from(no).ok().and_then(|no| app.engine.partition(PartitionNo(no))) else { break };
        let from = if no == usize::from(begin.0) { begin.1 } else { 0 };
        if page.len() >= limit {
            next_cursor = Some(format!("{no}-{from}"));
            break;
        }
        let query = PartitionQuery::Unmatched { from, limit: limit - page.len() };
        let answer = answered(partition.query(query).await.map_err(Problem::of_read)?)?;
        let Body::Unmatched { page: found, next } = answer.body else { return Err(another_body()) };
        page.extend(found);
        if let Some(next) = next {
            next_cursor = Some(format!("{no}-{next}"));
            break;
        }
    }
    let payments = page.iter().map(UnmatchedBody::from).collect();
    let server_time = Rfc3339(app.engine.now());
    Ok(json(StatusCode::OK, &UnmatchedPage { payments, next_cursor, server_time }))
}
