//! What a path names. Whatever it does not name, for whatever reason, is not found.

use crate::app::SharedApp;
use crate::problem::{Code, Problem};
use axum::extract::{FromRequestParts, RawPathParams};
use domain::command::Claim;
use domain::identity::{OrderId, RefundId, ReservationId};
use domain::text::{CustomerId, Sku};
use engine::handle::ItemHandle;
use http::request::Parts;

/// `{sku}`: an item there is.
pub(crate) struct ItemPath {
    pub(crate) sku: Sku,
    pub(crate) item: ItemHandle,
}

/// `{id}`: a reservation that its item gave out.
pub(crate) struct ReservationPath {
    pub(crate) id: ReservationId,
    pub(crate) item: ItemHandle,
}

/// `{id}`: an order of a reservation that its item gave out.
pub(crate) struct OrderPath {
    pub(crate) id: OrderId,
    pub(crate) item: ItemHandle,
}

/// `{id}`: a refund that its item gave out.
pub(crate) struct RefundPath {
    pub(crate) id: RefundId,
    pub(crate) item: ItemHandle,
}

pub(crate) fn not_found(what: &'static str) -> Problem {
    Problem::new(Code::NotFound, what)
}

/// One parameter of the path, decoded.
pub(crate) async fn param(parts: &mut Parts, name: &str) -> Result<String, Problem> {
    let params = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| not_found("no such path"))?;
    let value = params.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned());
    value.ok_or_else(|| not_found("no such path"))
}

/// A reservation as its customer names it.
pub(crate) fn claim(id: ReservationId, customer: &CustomerId) -> Claim {
    Claim { reservation: id.ordinal(), customer: customer.clone() }
}

impl FromRequestParts<SharedApp> for ItemPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let none = || not_found("there is no item of this name");
        let sku = Sku::parse(&param(parts, "sku").await?).map_err(|_| none())?;
        let item = app.engine.find(&sku).ok_or_else(none)?;
        Ok(Self { sku, item })
    }
}

impl FromRequestParts<SharedApp> for ReservationPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let none = || not_found("there is nothing of this id, or it is somebody else's");
        let id = ReservationId::parse(&param(parts, "id").await?).map_err(|_| none())?;
        let item = app.item_of(id).ok_or_else(none)?;
        Ok(Self { id, item })
    }
}

impl FromRequestParts<SharedApp> for OrderPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let none = || not_found("there is nothing of this id, or it is somebody else's");
        let id = OrderId::parse(&param(parts, "id").await?).map_err(|_| none())?;
        let item = app.item_of(id.reservation()).ok_or_else(none)?;
        Ok(Self { id, item })
    }
}

impl FromRequestParts<SharedApp> for RefundPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let none = || not_found("there is no refund of this id");
        let id = RefundId::parse(&param(parts, "id").await?).map_err(|_| none())?;
        let item = app.engine.item_of_refund(id).ok_or_else(none)?;
        Ok(Self { id, item })
    }
}
