//! A reservation as its owner and operators see it.

use super::money::MoneyBody;
use super::time::Rfc3339;
use super::{shown, words};
use crate::limits::{POLL_AFTER_MS_MAX, POLL_AFTER_MS_MIN};
use domain::identity::{BundleId, OrderId, ReservationId};
use domain::views::{OrderState, OrderSummary, ReservationView, StateView};
use serde::Serialize;

/// A reservation as it is written.
#[derive(Serialize)]
pub(crate) struct ReservationBody<'a> {
    #[serde(serialize_with = "shown")]
    id: ReservationId,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lapse_reason: Option<&'static str>,
    item: &'a str,
    quantity: u32,
    customer: &'a str,
    sequence: u64,
    created_at: Rfc3339,
    expires_at: Option<Rfc3339>,
    waitlist: Option<WaitlistBody>,
    order: Option<OrderShortBody>,
    #[serde(serialize_with = "super::shown_if_any", skip_serializing_if = "Option::is_none")]
    bundle: Option<BundleId>,
    links: ReservationLinks<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    poll_after_ms: Option<u64>,
    server_time: Rfc3339,
}

/// A place in line.
#[derive(Clone, Copy, Serialize)]
struct WaitlistBody {
    position: u32,
    ahead: u32,
    estimated_wait_s: u32,
    estimate: &'static str,
}

/// The order of a reservation, in short.
#[derive(Serialize)]
pub(crate) struct OrderShortBody {
    #[serde(serialize_with = "shown")]
    id: OrderId,
    state: &'static str,
    amount: MoneyBody,
    expires_at: Option<Rfc3339>,
}

#[derive(Serialize)]
struct ReservationLinks<'a> {
    #[serde(rename = "self", serialize_with = "reservation_path")]
    this: ReservationId,
    #[serde(serialize_with = "item_path")]
    item: &'a str,
    #[serde(serialize_with = "order_path", skip_serializing_if = "Option::is_none")]
    order: Option<OrderId>,
}

/// `/v1/reservations/{id}`.
pub(super) fn reservation_path<S: serde::Serializer>(id: &ReservationId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("/v1/reservations/{id}"))
}

/// `/v1/items/{sku}`.
pub(super) fn item_path<S: serde::Serializer>(sku: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("/v1/items/{sku}"))
}

fn order_path<S: serde::Serializer>(id: &Option<OrderId>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => serializer.collect_str(&format_args!("/v1/orders/{id}")),
        None => serializer.serialize_none(),
    }
}

/// How long a waiting client should wait before it looks again: a tenth of what is left, within bounds. Computed from
/// the view alone, so that a replayed answer says the same.
pub(super) fn poll_after_ms(estimated_wait_s: u32) -> u64 {
    u64::from(estimated_wait_s).saturating_mul(100).clamp(POLL_AFTER_MS_MIN, POLL_AFTER_MS_MAX)
}

/// Until when an order can be paid, if it still can.
pub(super) const fn payable_until(state: OrderState) -> Option<Rfc3339> {
    match state {
        OrderState::AwaitingPayment { expires_at } => Some(Rfc3339(expires_at)),
        OrderState::Paid
        | OrderState::Cancelled
        | OrderState::Expired
        | OrderState::RefundDue
        | OrderState::Refunded => None,
    }
}

impl From<OrderSummary> for OrderShortBody {
    fn from(order: OrderSummary) -> Self {
        Self {
            id: order.id,
            state: words::order(order.state),
            amount: order.amount.into(),
            expires_at: payable_until(order.state),
        }
    }
}

impl<'a> From<&'a ReservationView> for ReservationBody<'a> {
    fn from(view: &'a ReservationView) -> Self {
        let (expires_at, waitlist, lapse_reason) = match view.state {
            StateView::Held { expires_at } => (Some(Rfc3339(expires_at)), None, None),
            StateView::Waiting { position, estimated_wait_s } => {
                let ahead = position.saturating_sub(1);
                (None, Some(WaitlistBody { position, ahead, estimated_wait_s, estimate: "rough" }), None)
            }
            StateView::Lapsed(reason) => (None, None, Some(words::lapse(reason))),
            StateView::HeldInBundle | StateView::Confirmed | StateView::Cancelled | StateView::Expired => {
                (None, None, None)
            }
        };
        Self {
            id: view.id,
            state: words::state(&view.state),
            lapse_reason,
            item: view.sku.as_str(),
            quantity: view.quantity.get(),
            customer: view.customer.as_str(),
            sequence: view.sequence.0,
            created_at: Rfc3339(view.created_at),
            expires_at,
            waitlist,
            order: view.order.map(OrderShortBody::from),
            bundle: view.bundle,
            links: ReservationLinks {
                this: view.id,
                item: view.sku.as_str(),
                order: view.order.as_ref().map(|order| order.id),
            },
            poll_after_ms: waitlist.map(|line| poll_after_ms(line.estimated_wait_s)),
            server_time: Rfc3339(view.at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_wait_long_look_seldom_and_those_who_wait_short_look_often() {
        assert_eq!([0, 60, 3_600, u32::MAX].map(poll_after_ms), [1_000, 6_000, 15_000, 15_000]);
    }
}
