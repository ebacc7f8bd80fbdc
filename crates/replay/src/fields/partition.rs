//! A partition's own events with names and fields. The partition's secret and those of endpoints are left
//! out, as an item's is.

use super::{money, payment};
use crate::instant::Rfc3339;
use domain::bundle::NewBundle;
use domain::endpoint::{DisabledBy, EndpointEvent};
use domain::event::PartitionEvent;
use domain::payment::Told;
use serde_json::{Value, json};

/// The name of a partition's event.
pub(crate) const fn name(event: &PartitionEvent) -> &'static str {
    match event {
        PartitionEvent::ItemRegistered { .. } => "ItemRegistered",
        PartitionEvent::PartitionKeyed { .. } => "PartitionKeyed",
        PartitionEvent::BundleHeld { .. } => "BundleHeld",
        PartitionEvent::BundleOrdered { .. } => "BundleOrdered",
        PartitionEvent::BundleCancelled { .. } => "BundleCancelled",
        PartitionEvent::BundleExpired { .. } => "BundleExpired",
        PartitionEvent::Payment { event, .. } => payment::name(event),
        PartitionEvent::PaymentUnmatched { .. } => "PaymentUnmatched",
        PartitionEvent::Endpoint { event, .. } => endpoint_name(event),
        PartitionEvent::ClockResumed { .. } => "ClockResumed",
    }
}

/// What a partition's event says.
pub(crate) fn fields(event: &PartitionEvent) -> Value {
    match event {
        PartitionEvent::ItemRegistered { item, sku } => json!({ "item": item.as_u32(), "sku": sku.as_str() }),
        PartitionEvent::PartitionKeyed { key: _ } => json!({}),
        PartitionEvent::BundleHeld { bundle, held: new, amount, deadline } => {
            let (amount, deadline) = (money(*amount), Rfc3339(*deadline));
            json!({ "bundle": bundle.0, "held": held(new), "amount": amount, "deadline": deadline })
        }
        PartitionEvent::BundleOrdered { bundle, amount, release_at, amount_named } => {
            let (amount, release_at) = (money(*amount), Rfc3339(*release_at));
            json!({ "bundle": bundle.0, "amount": amount, "release_at": release_at, "amount_named": amount_named })
        }
        PartitionEvent::BundleCancelled { bundle } => json!({ "bundle": bundle.0 }),
        PartitionEvent::BundleExpired { bundle, release_at } => {
            json!({ "bundle": bundle.0, "release_at": Rfc3339(*release_at) })
        }
        PartitionEvent::Payment { bundle, event } => {
            let mut said = payment::said(event);
            if let Some(fields) = said.as_object_mut() {
                fields.insert("bundle".to_owned(), bundle.0.into());
            }
            said
        }
        PartitionEvent::PaymentUnmatched { order, report } => {
            let (told, amount) = told(report.told);
            json!({
                "order": order.to_string(), "provider": report.provider.name(), "report": report.report.as_str(),
                "payment": report.payment.as_str(), "told": told, "amount": amount,
            })
        }
        PartitionEvent::Endpoint { endpoint, event } => {
            let mut said = endpoint_said(event);
            if let Some(fields) = said.as_object_mut() {
                fields.insert("endpoint".to_owned(), endpoint.to_string().into());
            }
            said
        }
        PartitionEvent::ClockResumed { from, to, release_floor } => {
            json!({ "from": Rfc3339(*from), "to": Rfc3339(*to), "release_floor": Rfc3339(*release_floor) })
        }
    }
}

const fn endpoint_name(event: &EndpointEvent) -> &'static str {
    match event {
        EndpointEvent::Added { .. } => "EndpointAdded",
        EndpointEvent::SecretRotated { .. } => "EndpointSecretRotated",
        EndpointEvent::Disabled { .. } => "EndpointDisabled",
        EndpointEvent::Enabled => "EndpointEnabled",
        EndpointEvent::Removed => "EndpointRemoved",
    }
}

fn endpoint_said(event: &EndpointEvent) -> Value {
    match event {
        EndpointEvent::Added { url, notices, secret: _ } => {
            let notices: Vec<&str> = notices.iter().map(|notice| notice.name()).collect();
            json!({ "url": url.as_str(), "notices": notices })
        }
        EndpointEvent::Disabled { by } => json!({ "by": match by {
            DisabledBy::Operator => "operator",
            DisabledBy::Gone => "gone",
            DisabledBy::Unreachable => "unreachable",
        } }),
        EndpointEvent::SecretRotated { secret: _ } | EndpointEvent::Enabled | EndpointEvent::Removed => json!({}),
    }
}

fn held(new: &NewBundle) -> Value {
    let lines = new.lines.iter().map(|line| {
        let (reservation, amount) = (line.reservation.to_string(), money(line.amount));
        json!({ "sku": line.sku.as_str(), "reservation_id": reservation, "quantity": line.quantity.get(), "amount": amount })
    });
    let terms = json!({
        "hold_time_ms": new.terms.hold_time.as_millis(),
        "grace_ms": new.terms.grace.as_millis(),
        "parked_window_ms": new.terms.parked_window.as_millis(),
        "payment_provider": new.terms.provider.map(|provider| provider.name()),
    });
    let lines: Vec<Value> = lines.collect();
    json!({ "id": new.id.to_string(), "customer": new.customer.as_str(), "lines": lines, "terms": terms })
}

fn told(told: Told) -> (&'static str, Option<Value>) {
    match told {
        Told::Captured(amount) => ("captured", Some(money(amount))),
        Told::Failed => ("failed", None),
        Told::Cancelled => ("cancelled", None),
        Told::Refunded(amount) => ("refunded", Some(money(amount))),
    }
}
