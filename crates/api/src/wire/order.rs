//! An order as its owner and operators see it.

use super::money::MoneyBody;
use super::refund::RefundBody;
use super::reservation::{item_path, payable_until, reservation_path};
use super::time::Rfc3339;
use super::{shown, words};
use domain::identity::{OrderId, ReservationId};
use domain::payment::Capture;
use domain::views::{OfferStatus, OrderView, PaymentView};
use serde::Serialize;

/// An order as it is written.
#[derive(Serialize)]
pub(crate) struct OrderBody<'a> {
    #[serde(serialize_with = "shown")]
    id: OrderId,
    state: &'static str,
    #[serde(serialize_with = "shown")]
    reservation: ReservationId,
    item: &'a str,
    quantity: u32,
    customer: &'a str,
    amount: MoneyBody,
    payment: Option<PaymentBody<'a>>,
    refunds: Vec<RefundBody<'a>>,
    sequence: u64,
    created_at: Rfc3339,
    expires_at: Option<Rfc3339>,
    links: OrderLinks<'a>,
    server_time: Rfc3339,
}

/// The money that paid an order, or the opportunity to pay it.
#[derive(Serialize)]
pub(crate) struct PaymentBody<'a> {
    provider: &'static str,
    status: &'static str,
    reference: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<MoneyBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
}

#[derive(Serialize)]
struct OrderLinks<'a> {
    #[serde(rename = "self", serialize_with = "own_path")]
    this: OrderId,
    #[serde(serialize_with = "reservation_path")]
    reservation: ReservationId,
    #[serde(serialize_with = "item_path")]
    item: &'a str,
}

fn own_path<S: serde::Serializer>(id: &OrderId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("/v1/orders/{id}"))
}

impl<'a> From<&'a Capture> for PaymentBody<'a> {
    fn from(capture: &'a Capture) -> Self {
        Self {
            provider: capture.provider.name(),
            status: "captured",
            reference: capture.payment.as_str(),
            amount: Some(capture.amount.into()),
            url: None,
            client_secret: None,
        }
    }
}

impl<'a> From<&'a PaymentView> for PaymentBody<'a> {
    fn from(view: &'a PaymentView) -> Self {
        // What is over cannot be used, so its secret has no business with anybody.
        let open = view.status == OfferStatus::Open;
        Self {
            provider: view.offer.provider.name(),
            status: words::offer(view.status),
            reference: view.offer.payment.as_str(),
            amount: None,
            url: view.offer.client.url().filter(|_| open),
            client_secret: view.offer.client.client_secret().filter(|_| open),
        }
    }
}

impl<'a> From<&'a OrderView> for OrderBody<'a> {
    fn from(view: &'a OrderView) -> Self {
        let (id, reservation) = (view.summary.id, view.summary.id.reservation());
        Self {
            id,
            state: words::order(view.summary.state),
            reservation,
            item: view.sku.as_str(),
            quantity: view.quantity.get(),
            customer: view.customer.as_str(),
            amount: view.summary.amount.into(),
            payment: view.capture.as_ref().map(PaymentBody::from).or(view.payment.as_ref().map(PaymentBody::from)),
            refunds: view.refunds.iter().map(RefundBody::of).collect(),
            sequence: view.sequence.0,
            created_at: Rfc3339(view.placed_at),
            expires_at: payable_until(view.summary.state),
            links: OrderLinks { this: id, reservation, item: view.sku.as_str() },
            server_time: Rfc3339(view.at),
        }
    }
}
