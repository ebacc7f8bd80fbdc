//! Bundles: reserve several items, all or none; read; cancel.

use crate::answer::{KeptBy, another_body, answered, json, located, marked, not_modified, tagged};
use crate::app::SharedApp;
use crate::extract::body::JsonBody;
use crate::extract::conditions::Conditions;
use crate::extract::identity::Customer;
use crate::extract::key::{Caller, Key};
use crate::extract::path::BundlePath;
use crate::problem::Problem;
use crate::wire::bundle::{BundleAsked, BundleBody};
use axum::extract::State;
use axum::response::Response;
use domain::partition::{BundleClaim, PartitionCommand, PartitionQuery};
use domain::views::{Answer, Body, BundleView};
use http::StatusCode;

fn bundle(answer: &Answer) -> Result<&BundleView, Problem> {
    match &answer.body {
        Body::Bundle(view) => Ok(view),
        _ => Err(another_body()),
    }
}

fn told(status: StatusCode, answer: &Answer) -> Result<Response, Problem> {
    Ok(marked(json(status, &BundleBody::from(bundle(answer)?)), answer.origin))
}

/// `POST /v1/bundles`: 201, or a refusal that names every line that cannot be had.
pub(super) async fn reserve(
    State(app): State<SharedApp>,
    Customer(customer): Customer,
    key: Key,
    body: JsonBody,
) -> Result<Response, Problem> {
    let BundleAsked { lines } = body.read(BundleAsked::read)?;
    let attempt = key.attempt(&Caller::Customer(&customer), "POST /v1/bundles".to_owned());
    let answer = answered(app.engine.reserve_bundle(&customer, &lines, Some(&attempt)).await?)?;
    let location = format!("/v1/bundles/{}", bundle(&answer)?.id);
    Ok(located(told(StatusCode::CREATED, &answer)?, location))
}

/// `GET /v1/bundles/{id}`
pub(super) async fn read(
    Customer(customer): Customer,
    BundlePath { id, partition }: BundlePath,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let query = PartitionQuery::Bundle(BundleClaim { bundle: id, customer });
    let answer = answered(partition.query(query).await.map_err(Problem::of_read)?)?;
    let etag = format!("W/\"{}\"", bundle(&answer)?.changed);
    if conditions.has_seen(&etag) {
        return Ok(not_modified(etag, KeptBy::Owner));
    }
    Ok(tagged(told(StatusCode::OK, &answer)?, etag, KeptBy::Owner))
}

/// `DELETE /v1/bundles/{id}`: gives every line back. Done twice it is done.
pub(super) async fn cancel(
    Customer(customer): Customer,
    BundlePath { id, partition }: BundlePath,
) -> Result<Response, Problem> {
    let command = PartitionCommand::CancelBundle(BundleClaim { bundle: id, customer });
    told(StatusCode::OK, &answered(partition.command(command, None).await?)?)
}
