//! Orders: place, read, confirm. An item's and a bundle's are spoken to alike.

use crate::answer::{KeptBy, another_body, answered, json, located, marked, not_modified, order_tag, tagged};
use crate::app::SharedApp;
use crate::extract::body::JsonBody;
use crate::extract::conditions::Conditions;
use crate::extract::identity::{Customer, Service};
use crate::extract::key::{Caller, Key};
use crate::extract::params::Params;
use crate::extract::path::{Keeper, OrderPath, claim, not_found};
use crate::extract::receipt::{Receipts, Received};
use crate::problem::Problem;
use crate::wire::bundle::BundleOrderBody;
use crate::wire::order::OrderBody;
use crate::wire::shop::{ConfirmAsked, OrderAsked};
use axum::extract::State;
use axum::response::Response;
use domain::command::Command;
use domain::identity::{BundleId, OrderId, OrderOf};
use domain::partition::{BundleClaim, PartitionCommand, PartitionQuery};
use domain::text::CustomerId;
use domain::turn::Query;
use domain::views::{Answer, Body, Origin};
use http::StatusCode;

/// An order as the answer to a command.
pub(super) fn response(status: StatusCode, answer: &Answer) -> Result<Response, Problem> {
    let (response, id) = match &answer.body {
        Body::Order(view) => (json(status, &OrderBody::from(&**view)), view.summary.id),
        Body::BundleOrder(view) => (json(status, &BundleOrderBody::from(&**view)), view.summary.id),
        _ => return Err(another_body()),
    };
    let created = status == StatusCode::CREATED;
    let response = if created { located(response, format!("/v1/orders/{id}")) } else { response };
    Ok(marked(response, answer.origin))
}

fn bundle_claim(id: BundleId, customer: &CustomerId) -> BundleClaim {
    BundleClaim { bundle: id, customer: customer.clone() }
}

/// The bundle an order is of; orders of items are none of a partition's.
pub(super) fn bundle_of(id: OrderId) -> Result<BundleId, Problem> {
    match id.owner() {
        OrderOf::Bundle(bundle) => Ok(bundle),
        OrderOf::Reservation(_) => Err(not_found("there is nothing of this id, or it is somebody else's")),
    }
}

/// `POST /v1/orders`: 201 for a new order (and its replay), 200 where there was one.
pub(super) async fn place(
    State(app): State<SharedApp>,
    Customer(customer): Customer,
    key: Key,
    receipts: Receipts,
    body: JsonBody,
) -> Result<Response, Problem> {
    let OrderAsked { of, amount } = body.read(OrderAsked::read)?;
    let none = || not_found("there is nothing of this id, or it is somebody else's");
    // An order's key counts within what it is the order of: whoever judges it knows no other.
    let (judgement, receipt) = match of {
        OrderOf::Reservation(reservation) => {
            let attempt = key.attempt(&Caller::Customer(&customer), format!("POST /v1/reservations/{reservation}"));
            let command = Command::PlaceOrder { claim: claim(reservation, &customer), amount };
            receipts.command(&app.item_of(reservation).ok_or_else(none)?, command, Some(&attempt)).await?
        }
        OrderOf::Bundle(bundle) => {
            let attempt = key.attempt(&Caller::Customer(&customer), format!("POST /v1/bundles/{bundle}"));
            let command = PartitionCommand::PlaceOrder { claim: bundle_claim(bundle, &customer), amount };
            let judgement = app.engine.bundle(bundle).ok_or_else(none)?.command(command, Some(&attempt)).await?;
            (judgement, Received::default())
        }
    };
    let answer = answered(judgement)?;
    let status = match answer.origin {
        Origin::Accepted(_) | Origin::Replayed => StatusCode::CREATED,
        Origin::AsItIs => StatusCode::OK,
    };
    response(status, &answer).map(|response| receipt.onto(response))
}

/// `GET /v1/orders/{id}`
pub(super) async fn read(
    State(app): State<SharedApp>,
    Customer(customer): Customer,
    OrderPath { id, keeper }: OrderPath,
    params: Params,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let judgement = match keeper {
        Keeper::Item(item) => {
            super::items::reach(&app, &item, params.min_sequence()?).await?;
            item.query(Query::Order(claim(id.reservation(), &customer))).await
        }
        Keeper::Partition(partition) => {
            partition.query(PartitionQuery::Order(bundle_claim(bundle_of(id)?, &customer))).await
        }
    };
    let answer = answered(judgement.map_err(Problem::of_read)?)?;
    let etag = match &answer.body {
        Body::Order(view) => order_tag(view),
        Body::BundleOrder(view) => format!("W/\"{}\"", view.changed),
        _ => return Err(another_body()),
    };
    if conditions.has_seen(&etag) {
        return Ok(not_modified(etag, KeptBy::Owner));
    }
    Ok(tagged(response(StatusCode::OK, &answer)?, etag, KeptBy::Owner))
}

/// `POST /v1/orders/{id}/confirm`: a trusted backend reports the capture itself.
pub(super) async fn confirm(
    _: Service,
    Customer(customer): Customer,
    key: Key,
    OrderPath { id, keeper }: OrderPath,
    receipts: Receipts,
    body: JsonBody,
) -> Result<Response, Problem> {
    let ConfirmAsked { payment, amount } = body.read(ConfirmAsked::read)?;
    let attempt = key.attempt(&Caller::ServiceFor(&customer), format!("POST /v1/orders/{id}/confirm"));
    let (judgement, receipt) = match keeper {
        Keeper::Item(item) => {
            let command = Command::ConfirmOrder { claim: claim(id.reservation(), &customer), payment, amount };
            receipts.command(&item, command, Some(&attempt)).await?
        }
        Keeper::Partition(partition) => {
            let claim = bundle_claim(bundle_of(id)?, &customer);
            let command = PartitionCommand::ConfirmOrder { claim, payment, amount };
            (partition.command(command, Some(&attempt)).await?, Received::default())
        }
    };
    let answer = super::purchases::charged(judgement)?;
    response(StatusCode::OK, &answer).map(|response| receipt.onto(response))
}
