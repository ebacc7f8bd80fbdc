//! Stripe's events, as far as they tell of money for an order of ours. The order is found in `metadata.order`, which
//! we set when we create a payment intent (<https://docs.stripe.com/api/events>).
//!
//! Stripe tells of one capture in several events (of the intent and of its charge): all of them name the intent, so
//! they are one payment here.

use super::{Inbound, InboundError, event_id, order_named, payment_id};
use domain::money::{Currency, Money};
use domain::payment::{PaymentReport, Provider, Told};
use serde::Deserialize;

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Object,
}

/// A payment intent or a charge: what both tell, and what only one does.
#[derive(Deserialize)]
struct Object {
    id: String,
    #[serde(default)]
    metadata: Option<Metadata>,
    currency: Option<String>,
    amount_received: Option<u64>,
    amount_captured: Option<u64>,
    amount_refunded: Option<u64>,
    payment_intent: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    order: Option<String>,
}

pub(super) fn read(body: &[u8]) -> Result<Inbound, InboundError> {
    // The type first: of other events nothing but their type is looked at.
    #[derive(Deserialize)]
    struct Kind {
        #[serde(rename = "type")]
        kind: String,
    }
    let kind: Kind = serde_json::from_slice(body).map_err(|error| InboundError::not_json(&error))?;
    if !KINDS.contains(&kind.kind.as_str()) {
        return Ok(Inbound::Ignored { why: format!("events of type {:?} mean nothing here", kind.kind) });
    }
    let event: Event = serde_json::from_slice(body).map_err(|error| InboundError::not_json(&error))?;
    let object = &event.data.object;
    let order = match order_named(object.metadata.as_ref().and_then(|metadata| metadata.order.as_deref())) {
        Ok(order) => order,
        Err(ignored) => return Ok(ignored),
    };
    let (told, payment) = match event.kind.as_str() {
        "payment_intent.succeeded" => {
            (Told::Captured(money(object, object.amount_received, "amount_received")?), Some(&object.id))
        }
        "charge.succeeded" | "charge.captured" => {
            let captured = object.amount_captured.filter(|minor| *minor > 0);
            if captured.is_none() {
                return Ok(Inbound::Ignored { why: "the charge is authorised, not captured yet".to_owned() });
            }
            (Told::Captured(money(object, captured, "amount_captured")?), object.payment_intent.as_ref())
        }
        "charge.refunded" => {
            (Told::Refunded(money(object, object.amount_refunded, "amount_refunded")?), object.payment_intent.as_ref())
        }
        "payment_intent.canceled" => (Told::Cancelled, Some(&object.id)),
        _ => (Told::Failed, Some(&object.id)),
    };
    let payment = payment.ok_or_else(|| InboundError::body("/data/object/payment_intent", "is missing"))?;
    let report = PaymentReport {
        provider: Provider::Stripe,
        report: event_id("/id", &event.id)?,
        payment: payment_id("/data/object/id", payment)?,
        told,
    };
    Ok(Inbound::Report { order, report })
}

/// The events that tell of money.
const KINDS: [&str; 6] = [
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "charge.succeeded",
    "charge.captured",
    "charge.refunded",
];

/// Stripe writes currencies in lower case, and amounts in minor units (<https://docs.stripe.com/currencies>).
fn money(object: &Object, minor: Option<u64>, field: &'static str) -> Result<Money, InboundError> {
    let minor = minor.ok_or_else(|| InboundError::body(format!("/data/object/{field}"), "is missing"))?;
    let currency = object.currency.as_deref().unwrap_or_default().to_ascii_uppercase();
    let currency =
        Currency::parse(&currency).map_err(|error| InboundError::body("/data/object/currency", error.to_string()))?;
    Ok(Money { minor, currency })
}
