//! Webhooks and bodies as docs/api.md and the providers' documents have them.

use super::Seed;
use crate::fuzz::{json, webhook};
use api::bodies::Asking;
use domain::payment::Provider;
use integrations::inbound::{WebhookSecret, sign};
use serde_json::{Value, json};

const ORDER: &str = "ord_00000001000080008387a420dc79e2a1";
const RESERVATION: &str = "rsv_00000001000080008387a420dc79e2a1";

/// Webhooks of every provider, signed here and signed by the target.
pub(super) fn webhooks() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (provider, name, body) in provider_bodies() {
        let body = body.to_string();
        let chosen = [b"\x21\x00", body.as_bytes()].concat();
        let steering = webhook::steering(webhook::SIGNED, provider);
        seeds.push(Seed::new("webhook", format!("signed-{}-{name}", provider.name()), steering, &chosen));
    }
    let secret = WebhookSecret::parse(webhook::SECRET).expect("long enough");
    let body = captured("payment.captured").to_string();
    let genuine = sign(&secret, webhook::NOW, body.as_bytes());
    let headers = [
        ("genuine", genuine.clone()),
        ("upper", genuine.to_uppercase().replace("T=", "t=").replace("V1=", "v1=")),
        ("twice", format!("{genuine},v1={},v0=old", "0".repeat(64))),
        ("spaced", genuine.replace(',', " , ")),
        ("short", genuine.chars().take(40).collect()),
        ("none", String::new()),
    ];
    for (name, header) in headers {
        let steering = webhook::steering(webhook::FORGED, Provider::Generic);
        let rest = format!("{header}\n{body}");
        seeds.push(Seed::new("webhook", format!("header-{name}"), steering, rest.as_bytes()));
    }
    seeds
}

fn captured(kind: &str) -> Value {
    json!({ "id": "evt-1", "type": kind, "order": ORDER, "payment": "pay-1",
            "amount": { "amount": 99_900, "currency": "USD" } })
}

fn provider_bodies() -> Vec<(Provider, String, Value)> {
    let mut bodies = Vec::new();
    for kind in ["payment.captured", "payment.refunded", "payment.failed", "payment.cancelled", "payment.other"] {
        bodies.push((Provider::Generic, kind.to_owned(), captured(kind)));
    }
    bodies.push((Provider::Simulated, "payment.captured".to_owned(), captured("payment.captured")));
    let intent = json!({ "id": "pi_1", "object": "payment_intent", "amount": 99_900, "amount_received": 99_900,
                         "currency": "usd", "metadata": { "order": ORDER }, "status": "succeeded" });
    let charge = json!({ "id": "ch_1", "object": "charge", "amount": 99_900, "amount_captured": 99_900,
                         "amount_refunded": 99_900, "currency": "usd", "metadata": { "order": ORDER },
                         "payment_intent": "pi_1" });
    for (kind, object) in [
        ("payment_intent.succeeded", &intent),
        ("charge.captured", &charge),
        ("charge.refunded", &charge),
        ("payment_intent.payment_failed", &intent),
        ("payment_intent.canceled", &intent),
    ] {
        let event = json!({ "id": "evt_1", "object": "event", "api_version": "2024-06-20", "created": 1,
                            "type": kind, "data": { "object": object } });
        bodies.push((Provider::Stripe, kind.to_owned(), event));
    }
    bodies
}

/// A body for every route that has one, as small and as large as they come.
pub(super) fn bodies() -> Vec<Seed> {
    let price = json!({ "amount": 99_900, "currency": "USD" });
    let settings = json!({
        "name": "iPhone 15 Pro — 256 GB", "unit_price": price, "per_order_max": 4, "per_customer_limit": 4,
        "hold_time_ms": 120_000, "grace_ms": 5_000, "waitlist": { "enabled": true, "capacity": 1_000 },
        "extension": { "times": 1, "by_ms": 60_000 }, "cool_off": { "after_expiries": 3, "lasts_ms": 60_000 },
        "close_when_sold": true, "opens_at": "2030-01-31T12:00:00Z", "closes_at": null,
        "payments": { "provider": "simulated", "honour_late": true, "parked_window_ms": 900_000 },
    });
    let mut item = settings.clone();
    if let Some(members) = item.as_object_mut() {
        members.insert("sku".to_owned(), json!("iphone-15"));
        members.insert("total".to_owned(), json!(1_000));
    }
    let bodies = [
        (Asking::Reserve, json!({ "quantity": 1 })),
        (Asking::Reserve, json!({ "quantity": 1_000, "waitlist": "decline" })),
        (Asking::Purchase, json!({ "quantity": 1, "payment_reference": "pay-1", "amount": price })),
        (Asking::Order, json!({ "reservation": RESERVATION, "amount": price })),
        (Asking::Order, json!({ "reservation": "bnd_00000000000000000000000000000001" })),
        (Asking::Confirm, json!({ "payment_reference": "pay-1", "amount": price })),
        (Asking::Bundle, json!({ "lines": [{ "sku": "lamp", "quantity": 1 }, { "sku": "vase", "quantity": 2 }] })),
        (Asking::NewItem, json!({ "sku": "lamp", "total": 5, "unit_price": price })),
        (Asking::NewItem, item),
        (Asking::Change, settings),
        (Asking::Change, json!({ "opens_at": null })),
        (Asking::Stock, json!({ "change": -5, "reason": "found damaged" })),
        (Asking::Refund, json!({ "return_units": true, "reason": "asked for it" })),
        (Asking::Settle, json!({ "reason": "given back by hand" })),
        (Asking::Endpoint, json!({ "url": "https://example.com/hook", "types": ["order.paid", "item.closed"] })),
        (Asking::Redeliver, json!({ "since": "2026-01-31T12:00:00.000+01:00" })),
        (Asking::Nothing, json!({})),
        // Faults of every sort: a wrong kind, a name unknown, a place to point at.
        (Asking::Reserve, json!({ "quantity": "1", "waitlist": "maybe", "a/b~c": [1.5, null, true] })),
    ];
    let seed = |(at, (asking, body)): (usize, (Asking, Value))| {
        let name = format!("{at:02}-{asking:?}").to_lowercase();
        Seed::new("json", name, json::steering(asking), body.to_string().as_bytes())
    };
    bodies.into_iter().enumerate().map(seed).collect()
}
