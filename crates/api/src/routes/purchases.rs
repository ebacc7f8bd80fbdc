//! Purchases: a backend that has charged already reserves, orders and pays in one turn.

use crate::answer::{order, order_response};
use crate::extract::body::JsonBody;
use crate::extract::identity::{Customer, Service};
use crate::extract::key::{Caller, Key};
use crate::extract::path::ItemPath;
use crate::extract::receipt::Receipts;
use crate::problem::{Problem, charged_and_refused};
use crate::wire::shop::PurchaseAsked;
use axum::response::Response;
use domain::command::Command;
use domain::views::{Answer, Judgement};
use http::StatusCode;

/// `POST /v1/items/{sku}/purchases`
pub(super) async fn purchase(
    _: Service,
    Customer(customer): Customer,
    key: Key,
    ItemPath { sku, item }: ItemPath,
    receipts: Receipts,
    body: JsonBody,
) -> Result<Response, Problem> {
    let PurchaseAsked { quantity, payment, amount } = body.read(PurchaseAsked::read)?;
    let attempt = key.attempt(&Caller::ServiceFor(&customer), format!("POST /v1/items/{sku}/purchases"));
    let command = Command::Purchase { customer, quantity, payment, amount };
    let (judgement, receipt) = receipts.command(&item, command, Some(&attempt)).await?;
    let told = order(charged(judgement)?)?;
    Ok(receipt.onto(order_response(StatusCode::CREATED, &told)))
}

/// The answer to a backend that has charged; a refusal says who owes the refund.
pub(super) fn charged(judgement: Judgement) -> Result<Answer, Problem> {
    let Judgement { sequence, at, outcome } = judgement;
    outcome.map_err(|rejection| charged_and_refused(&rejection, sequence, at))
}
