//! What a path names. Whatever it does not name, for whatever reason, is not found.

use crate::app::{App, SharedApp};
use crate::problem::{Code, Problem};
use axum::extract::{FromRequestParts, RawPathParams};
use domain::command::Claim;
use domain::identity::{BundleId, OrderId, OrderOf, RefundId, ReservationId};
use domain::text::{CustomerId, Sku};
use engine::PartitionHandle;
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

/// `{id}`: an order, and who knows about it.
pub(crate) struct OrderPath {
    pub(crate) id: OrderId,
    pub(crate) keeper: Keeper,
}

/// Who knows about an order or a refund.
pub(crate) enum Keeper {
    /// The item that gave the id out.
    Item(ItemHandle),
    /// The partition that the id names. Whether it gave it out, it says itself.
    Partition(PartitionHandle),
}

/// `{id}`: a bundle, as its id says.
pub(crate) struct BundlePath {
    pub(crate) id: BundleId,
    pub(crate) partition: PartitionHandle,
}

/// `{id}`: a refund, and who knows about it.
pub(crate) struct RefundPath {
    pub(crate) id: RefundId,
    pub(crate) keeper: Keeper,
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

impl ItemPath {
    /// The item of this name.
    pub(crate) fn of(sku: &str, app: &App) -> Result<Self, Problem> {
        let none = || not_found("there is no item of this name");
        let sku = Sku::parse(sku).map_err(|_| none())?;
        let item = app.engine.find(&sku).ok_or_else(none)?;
        Ok(Self { sku, item })
    }
}

impl FromRequestParts<SharedApp> for ItemPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        Self::of(&param(parts, "sku").await?, app)
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
        let keeper = match id.owner() {
            OrderOf::Reservation(reservation) => app.item_of(reservation).map(Keeper::Item),
            OrderOf::Bundle(bundle) => app.engine.bundle(bundle).map(Keeper::Partition),
        };
        Ok(Self { id, keeper: keeper.ok_or_else(none)? })
    }
}

impl FromRequestParts<SharedApp> for RefundPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let none = || not_found("there is no refund of this id");
        let id = RefundId::parse(&param(parts, "id").await?).map_err(|_| none())?;
        let keeper = if id.stream().is_partition_stream() {
            app.engine.partition(id.stream().partition()).map(Keeper::Partition)
        } else {
            app.engine.item_of_refund(id).map(Keeper::Item)
        };
        Ok(Self { id, keeper: keeper.ok_or_else(none)? })
    }
}

impl FromRequestParts<SharedApp> for BundlePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let none = || not_found("there is nothing of this id, or it is somebody else's");
        let id = BundleId::parse(&param(parts, "id").await?).map_err(|_| none())?;
        let partition = app.engine.bundle(id).ok_or_else(none)?;
        Ok(Self { id, partition })
    }
}
