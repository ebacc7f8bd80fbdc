//! The generic form of a webhook, for any provider that can be taught it: `{"id","type","order","payment","amount"}`.

use super::{Inbound, InboundError, event_id, order_named, payment_id};
use domain::money::{Currency, Money};
use domain::payment::{PaymentReport, Provider, Told};
use serde::Deserialize;

#[derive(Deserialize)]
struct Body {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    order: Option<String>,
    payment: Option<String>,
    amount: Option<Amount>,
}

#[derive(Deserialize)]
struct Amount {
    amount: u64,
    currency: String,
}

pub(super) fn read(provider: Provider, body: &[u8]) -> Result<Inbound, InboundError> {
    let body: Body = serde_json::from_slice(body).map_err(|error| InboundError::not_json(&error))?;
    let told = match body.kind.as_str() {
        "payment.captured" => Told::Captured(amount(body.amount)?),
        "payment.refunded" => Told::Refunded(amount(body.amount)?),
        "payment.failed" => Told::Failed,
        "payment.cancelled" => Told::Cancelled,
        other => return Ok(Inbound::Ignored { why: format!("events of type {other:?} mean nothing here") }),
    };
    let order = match order_named(body.order.as_deref()) {
        Ok(order) => order,
        Err(ignored) => return Ok(ignored),
    };
    let payment = body.payment.ok_or_else(|| InboundError::body("/payment", "is missing"))?;
    let report = PaymentReport {
        provider,
        report: event_id("/id", &body.id)?,
        payment: payment_id("/payment", &payment)?,
        told,
    };
    Ok(Inbound::Report { order, report })
}

fn amount(given: Option<Amount>) -> Result<Money, InboundError> {
    let given = given.ok_or_else(|| InboundError::body("/amount", "is missing"))?;
    let currency =
        Currency::parse(&given.currency).map_err(|error| InboundError::body("/amount/currency", error.to_string()))?;
    Ok(Money { minor: given.amount, currency })
}
