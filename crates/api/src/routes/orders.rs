//! Orders: place, read, confirm.

use crate::answer::{KeptBy, answered, json, not_modified, order, order_response, order_tag, tagged};
use crate::app::SharedApp;
use crate::extract::body::JsonBody;
use crate::extract::conditions::Conditions;
use crate::extract::identity::{Customer, Service};
use crate::extract::key::{Caller, Key};
use crate::extract::params::Params;
use crate::extract::path::{OrderPath, claim, not_found};
use crate::problem::Problem;
use crate::wire::order::OrderBody;
use crate::wire::shop::{ConfirmAsked, OrderAsked};
use axum::extract::State;
use axum::response::Response;
use domain::command::Command;
use domain::turn::Query;
use domain::views::Origin;
use http::StatusCode;

/// `POST /v1/orders`: 201 for a new order (and its replay), 200 where there was one.
pub(super) async fn place(
    State(app): State<SharedApp>,
    Customer(customer): Customer,
    key: Key,
    body: JsonBody,
) -> Result<Response, Problem> {
    let OrderAsked { reservation, amount } = body.read(OrderAsked::read)?;
    let none = || not_found("there is nothing of this id, or it is somebody else's");
    let item = app.item_of(reservation).ok_or_else(none)?;
    // An order's key counts within its reservation: the item that judges it knows no other.
    let attempt = key.attempt(&Caller::Customer(&customer), format!("POST /v1/reservations/{reservation}"));
    let command = Command::PlaceOrder { claim: claim(reservation, &customer), amount };
    let told = order(answered(item.command(command, Some(&attempt)).await?)?)?;
    let status = match told.origin {
        Origin::Accepted | Origin::Replayed => StatusCode::CREATED,
        Origin::AsItIs => StatusCode::OK,
    };
    Ok(order_response(status, &told))
}

/// `GET /v1/orders/{id}`
pub(super) async fn read(
    State(app): State<SharedApp>,
    Customer(customer): Customer,
    OrderPath { id, item }: OrderPath,
    params: Params,
    conditions: Conditions,
) -> Result<Response, Problem> {
    super::items::reach(&item, params.min_sequence()?, app.config.timeouts.fresh_read).await?;
    let query = Query::Order(claim(id.reservation(), &customer));
    let told = order(answered(item.query(query).await.map_err(Problem::of_read)?)?)?;
    let etag = order_tag(&told.view);
    if conditions.has_seen(&etag) {
        return Ok(not_modified(etag, KeptBy::Owner));
    }
    Ok(tagged(json(StatusCode::OK, &OrderBody::from(&*told.view)), etag, KeptBy::Owner))
}

/// `POST /v1/orders/{id}/confirm`: a trusted backend reports the capture itself.
pub(super) async fn confirm(
    _: Service,
    Customer(customer): Customer,
    key: Key,
    OrderPath { id, item }: OrderPath,
    body: JsonBody,
) -> Result<Response, Problem> {
    let ConfirmAsked { payment, amount } = body.read(ConfirmAsked::read)?;
    let attempt = key.attempt(&Caller::ServiceFor(&customer), format!("POST /v1/orders/{id}/confirm"));
    let command = Command::ConfirmOrder { claim: claim(id.reservation(), &customer), payment, amount };
    let told = order(super::purchases::charged(item.command(command, Some(&attempt)).await?)?)?;
    Ok(order_response(StatusCode::OK, &told))
}
