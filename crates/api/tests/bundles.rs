//! Bundles over HTTP: all or nothing, one order, one payment.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{Ask, Shop, fresh_key};
use domain::payment::Provider;
use integrations::inbound::{Inboxes, WebhookSecret, sign};
use serde_json::{Value, json};

const SECRET: &str = "generic-secret-0123456789";

async fn shop() -> Shop {
    let shop = Shop::open_with(|config| {
        let secrets = vec![WebhookSecret::parse(SECRET).unwrap()];
        config.inboxes = Inboxes::default().with(Provider::Generic, secrets);
    })
    .await;
    for (sku, total) in [("lamp", 2), ("vase", 1)] {
        shop.item(sku, total, json!({ "close_when_sold": false })).await;
    }
    shop
}

fn lines(skus: &[&str]) -> Value {
    json!({ "lines": skus.iter().map(|sku| json!({ "sku": sku, "quantity": 1 })).collect::<Vec<_>>() })
}

/// Units of an item: available, held, sold.
async fn units(shop: &Shop, sku: &str) -> [u64; 3] {
    let item = shop.ask(Ask::new("GET", &format!("/v1/items/{sku}"))).await;
    ["available", "held", "sold"].map(|name| item.body.get(name).and_then(Value::as_u64).unwrap())
}

async fn hook(shop: &Shop, event: &str, order: &str, amount: u64) -> String {
    let body = json!({ "id": event, "type": "payment.captured", "order": order, "payment": format!("pay-{event}"),
                       "amount": { "amount": amount, "currency": "USD" } })
    .to_string();
    let signature = sign(&WebhookSecret::parse(SECRET).unwrap(), shop.engine.now(), body.as_bytes());
    let ask = Ask::new("POST", "/v1/payments/webhooks/generic").header("Webhook-Signature", &signature);
    let heard = shop.ask(ask.text(&body)).await;
    format!("{} {}", heard.status, heard.text("status"))
}

#[tokio::test]
async fn a_bundle_is_held_ordered_and_paid_as_a_whole() {
    let shop = shop().await;
    let held = shop.customer("ann", "POST", "/v1/bundles", &lines(&["lamp", "vase"])).await;
    assert_eq!((held.status, held.text("state")), (201, "held".to_owned()), "{}", held.raw);
    let id = held.text("id");
    assert_eq!(held.header("location"), Some(format!("/v1/bundles/{id}").as_str()));
    assert_eq!(held.body.pointer("/amount/amount"), Some(&json!(1_000)));
    assert_eq!((units(&shop, "lamp").await, units(&shop, "vase").await), ([1, 1, 0], [0, 1, 0]));

    let part = held.body.pointer("/lines/0/reservation").and_then(Value::as_str).unwrap();
    let alone = shop.customer("ann", "POST", "/v1/orders", &json!({ "reservation": part })).await;
    assert_eq!((alone.problem().as_str(), alone.body.get("bundle")), ("409 part_of_bundle", Some(&json!(id))));
    assert_eq!(shop.read("ann", &format!("/v1/reservations/{part}")).await.text("bundle"), id);
    assert_eq!(shop.read("bob", &format!("/v1/bundles/{id}")).await.problem(), "404 not_found");

    let asked = json!({ "reservation": id, "amount": { "amount": 1_000, "currency": "USD" } });
    let order = shop.customer("ann", "POST", "/v1/orders", &asked).await;
    assert_eq!((order.status, order.text("state")), (201, "awaiting_payment".to_owned()));
    let order = order.text("id");
    assert_eq!(hook(&shop, "1", &order, 999).await, "200 refund_due");
    assert_eq!(hook(&shop, "2", &order, 1_000).await, "200 applied");
    assert_eq!((units(&shop, "lamp").await, units(&shop, "vase").await), ([1, 0, 1], [0, 0, 1]));
    let paid = shop.read("ann", &format!("/v1/orders/{order}")).await;
    assert_eq!(
        (paid.text("state"), paid.body.pointer("/refunds/0/reason")),
        ("paid".to_owned(), Some(&json!("wrong_amount")))
    );
    assert_eq!(shop.read("ann", &format!("/v1/bundles/{id}")).await.text("state"), "confirmed");

    let due = shop.operator("GET", "/v1/admin/refunds", &Value::Null).await;
    let refund = due.body.pointer("/refunds/0/id").and_then(Value::as_str).unwrap();
    let path = format!("/v1/admin/refunds/{refund}/settle");
    assert_eq!(shop.operator("POST", &path, &json!({ "reason": "by hand" })).await.text("state"), "settled");

    let path = format!("/v1/admin/orders/{order}/refund");
    let refunded = shop.operator("POST", &path, &json!({ "return_units": true, "reason": "recalled" })).await;
    assert_eq!((refunded.status, refunded.text("state")), (200, "refund_due".to_owned()));
    assert_eq!((units(&shop, "lamp").await, units(&shop, "vase").await), ([2, 0, 0], [1, 0, 0]));
}

#[tokio::test]
async fn a_line_that_cannot_be_had_is_named_and_nothing_is_held() {
    let shop = shop().await;
    shop.reserve("bob", "vase").await;
    let refused = shop.customer("ann", "POST", "/v1/bundles", &lines(&["lamp", "vase"])).await;
    assert_eq!(refused.problem(), "409 bundle_unavailable");
    let named = refused.body.get("lines").and_then(Value::as_array).unwrap();
    assert_eq!(named.len(), 1, "{}", refused.raw);
    assert!(refused.raw.contains("vase") && refused.raw.contains("sold_out"), "{}", refused.raw);
    assert_eq!(units(&shop, "lamp").await, [2, 0, 0]);
}

#[tokio::test]
async fn the_same_key_gets_the_same_bundle_and_cancelling_gives_everything_back() {
    let shop = shop().await;
    let key = fresh_key();
    let ask = |body: Value| Ask::new("POST", "/v1/bundles").customer("ann").header("Idempotency-Key", &key).json(&body);
    let first = shop.ask(ask(lines(&["lamp", "vase"]))).await;
    let again = shop.ask(ask(lines(&["vase", "lamp"]))).await;
    assert_eq!((again.status, &again.raw, again.header("idempotent-replayed")), (201, &first.raw, Some("true")));
    assert_eq!(shop.ask(ask(lines(&["lamp"]))).await.problem(), "422 idempotency_key_reused");
    let path = format!("/v1/bundles/{}", first.text("id"));
    for _ in 0..2 {
        let cancelled = shop.customer("ann", "DELETE", &path, &json!({})).await;
        assert_eq!((cancelled.status, cancelled.text("state")), (200, "cancelled".to_owned()));
    }
    assert_eq!((units(&shop, "lamp").await, units(&shop, "vase").await), ([2, 0, 0], [1, 0, 0]));
}

#[tokio::test]
async fn bad_bundles_are_refused_with_every_fault_at_its_place() {
    let shop = shop().await;
    let faults = |body: Value| {
        let shop = &shop;
        async move {
            let heard = shop.customer("ann", "POST", "/v1/bundles", &body).await;
            assert_eq!(heard.problem(), "422 validation_failed", "{body}");
            heard.body.pointer("/errors/0/pointer").and_then(Value::as_str).unwrap().to_owned()
        }
    };
    assert_eq!(faults(json!({})).await, "/lines");
    assert_eq!(faults(json!({ "lines": [] })).await, "/lines");
    assert_eq!(faults(json!({ "lines": "lamp" })).await, "/lines");
    assert_eq!(faults(lines(&["lamp", "lamp"])).await, "/lines");
    assert_eq!(faults(lines(&["lamp"; 21])).await, "/lines");
    assert_eq!(faults(json!({ "lines": [{ "sku": "lamp", "quantity": 0 }] })).await, "/lines/0/quantity");
    assert_eq!(faults(json!({ "lines": [{ "sku": "lamp", "quantity": 1 }, { "sku": "UP" }] })).await, "/lines/1/sku");
    let unknown = shop.customer("ann", "POST", "/v1/bundles", &lines(&["lamp", "nothing"])).await;
    assert_eq!(unknown.problem(), "409 bundle_unavailable");
    assert_eq!(units(&shop, "lamp").await, [2, 0, 0]);
}

#[tokio::test]
async fn a_report_of_an_order_never_issued_is_listed_for_operators_and_moves_nothing() {
    let shop = shop().await;
    assert_eq!(hook(&shop, "1", "ord_00000001000080008387a420dc79e2a1", 500).await, "200 unmatched");
    assert_eq!(hook(&shop, "1", "ord_00000001000080008387a420dc79e2a1", 500).await, "200 unmatched");
    assert_eq!(hook(&shop, "2", "ord_00000000000080008387a420dc79e2a1", 500).await, "200 unmatched");
    let listed = shop.operator("GET", "/v1/admin/payments/unmatched?limit=1", &Value::Null).await;
    assert_eq!(listed.body.pointer("/payments/0/payment_reference"), Some(&json!("pay-1")));
    let cursor = listed.text("next_cursor");
    let path = format!("/v1/admin/payments/unmatched?cursor={cursor}");
    let rest = shop.operator("GET", &path, &Value::Null).await;
    assert_eq!(rest.body.get("payments").and_then(Value::as_array).map(Vec::len), Some(1));
    assert_eq!(rest.body.get("next_cursor"), Some(&Value::Null));
    assert_eq!(shop.operator("GET", "/v1/admin/refunds", &Value::Null).await.body.get("refunds"), Some(&json!([])));
}
