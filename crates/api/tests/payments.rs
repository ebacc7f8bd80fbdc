//! Money over HTTP: webhooks in, refunds, and what operators see of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{Ask, Heard, Shop};
use domain::payment::Provider;
use domain::text::PaymentId;
use domain::time::Timestamp;
use engine::ports::{PaymentPage, Pressed, Promised};
use integrations::inbound::{Inboxes, WebhookSecret, sign};
use serde_json::{Value, json};
use std::sync::Arc;

const SECRET: &str = "generic-secret-0123456789";

async fn shop() -> Shop {
    Shop::open_with(|config| {
        let secrets = vec![WebhookSecret::parse(SECRET).unwrap()];
        config.inboxes = Inboxes::default().with(Provider::Generic, secrets);
    })
    .await
}

fn body(event: &str, kind: &str, order: &str, payment: &str, amount: u64) -> String {
    json!({ "id": event, "type": kind, "order": order, "payment": payment,
            "amount": { "amount": amount, "currency": "USD" } })
    .to_string()
}

async fn send(shop: &Shop, body: &str, signature: &str) -> Heard {
    let ask = Ask::new("POST", "/v1/payments/webhooks/generic").header("Webhook-Signature", signature);
    shop.ask(ask.text(body)).await
}

fn signed(shop: &Shop, body: &str) -> String {
    sign(&WebhookSecret::parse(SECRET).unwrap(), shop.engine.now(), body.as_bytes())
}

/// Sends a webhook rightly signed, and tells status and verdict.
async fn hook(shop: &Shop, body: &str) -> String {
    let heard = send(shop, body, &signed(shop, body)).await;
    format!("{} {}", heard.status, heard.text("status"))
}

async fn ordered(shop: &Shop, who: &str, sku: &str) -> (String, String) {
    let (_, reservation) = shop.reserve(who, sku).await;
    let order = shop.customer(who, "POST", "/v1/orders", &json!({ "reservation": reservation })).await;
    (reservation, order.text("id"))
}

#[tokio::test]
async fn a_webhook_before_its_order_is_stored_and_the_same_one_afterwards_is_well() {
    let shop = shop().await;
    shop.item("lamp", 3, json!({})).await;
    let (_, reservation) = shop.reserve("ann", "lamp").await;
    let order = reservation.replace("rsv_", "ord_");
    let captured = body("evt-1", "payment.captured", &order, "pay-1", 500);
    assert_eq!(hook(&shop, &captured).await, "202 stored");
    assert_eq!(hook(&shop, &captured).await, "202 stored");
    let placed = shop.customer("ann", "POST", "/v1/orders", &json!({ "reservation": reservation })).await;
    assert_eq!((placed.status, placed.text("state")), (201, "paid".to_owned()));
    assert_eq!(hook(&shop, &captured).await, "200 duplicate");
    assert_eq!(shop.read("ann", &format!("/v1/reservations/{reservation}")).await.text("state"), "confirmed");
}

#[tokio::test]
async fn a_payment_and_its_direct_confirmation_are_one_sale() {
    let shop = shop().await;
    shop.item("lamp", 3, json!({})).await;
    let (_, order) = ordered(&shop, "ann", "lamp").await;
    assert_eq!(hook(&shop, &body("evt-1", "payment.captured", &order, "pay-1", 500)).await, "200 applied");
    let path = format!("/v1/orders/{order}/confirm");
    let confirmed = shop.service("ann", &path, &json!({ "payment_reference": "pay-1" })).await;
    assert_eq!((confirmed.status, confirmed.text("state")), (200, "paid".to_owned()));
    assert_eq!(confirmed.body.pointer("/refunds"), Some(&json!([])));
    assert_eq!(hook(&shop, &body("evt-2", "payment.captured", &order, "pay-1", 500)).await, "200 noted");
}

#[tokio::test]
async fn money_without_a_right_to_goods_goes_back_and_operators_see_and_settle_it() {
    let shop = shop().await;
    shop.item("lamp", 3, json!({})).await;
    let (reservation, order) = ordered(&shop, "ann", "lamp").await;
    assert_eq!(hook(&shop, &body("evt-1", "payment.captured", &order, "pay-1", 499)).await, "200 refund_due");
    shop.customer("ann", "DELETE", &format!("/v1/reservations/{reservation}"), &json!({})).await;
    assert_eq!(hook(&shop, &body("evt-2", "payment.captured", &order, "pay-2", 500)).await, "200 refund_due");
    let read = shop.read("ann", &format!("/v1/orders/{order}")).await;
    assert_eq!(read.text("state"), "refund_due");
    assert_eq!(read.body.pointer("/refunds/1/reason"), Some(&json!("cancelled")));

    let first = shop.operator("GET", "/v1/admin/refunds?limit=1", &Value::Null).await;
    assert_eq!(first.body.pointer("/refunds/0/reason"), Some(&json!("wrong_amount")));
    assert!(first.body.pointer("/refunds/0/age_s").is_some_and(Value::is_u64));
    let cursor = first.text("next_cursor");
    let second = shop.operator("GET", &format!("/v1/admin/refunds?limit=1&cursor={cursor}"), &Value::Null).await;
    assert_eq!(second.body.pointer("/refunds/0/payment_reference"), Some(&json!("pay-2")));
    assert_eq!(second.body.get("next_cursor"), Some(&Value::Null));

    for refund in [&first, &second] {
        let id = refund.body.pointer("/refunds/0/id").and_then(Value::as_str).unwrap();
        let (path, key) = (format!("/v1/admin/refunds/{id}/settle"), common::fresh_key());
        let settle = |key: &str| {
            let asked = Ask::new("POST", &path).header("Authorization", &common::bearer(common::OPERATOR));
            let asked = asked.header("Idempotency-Key", key).json(&json!({ "reason": "sent back by bank transfer" }));
            common::ask(shop.admin, asked)
        };
        let settled = settle(&key).await;
        assert_eq!((settled.status, settled.text("state")), (200, "settled".to_owned()));
        assert_eq!(settled.text("server_time"), settled.text("settled_at"));
        let now = shop.later_than(&settled.text("server_time")).await;
        assert_eq!(settle(&key).await.raw, settled.raw, "under its key the same answer again");
        let again = settle(&common::fresh_key()).await;
        assert_eq!(again.text("settled_at"), settled.text("settled_at"), "settled once, however often it is said");
        assert!(again.text("server_time") >= now);
    }
    assert_eq!(shop.read("ann", &format!("/v1/orders/{order}")).await.text("state"), "refunded");
    let due = shop.operator("GET", "/v1/admin/refunds", &Value::Null).await;
    assert_eq!(due.body.get("refunds"), Some(&json!([])));
    let settled = shop.operator("GET", "/v1/admin/refunds?state=settled", &Value::Null).await;
    assert_eq!(settled.body.get("refunds").and_then(Value::as_array).map(Vec::len), Some(2));
}

#[tokio::test]
async fn an_operator_refunds_a_paid_order_and_says_whether_its_units_return() {
    let shop = shop().await;
    shop.item("lamp", 1, json!({ "close_when_sold": false })).await;
    let (_, order) = ordered(&shop, "ann", "lamp").await;
    let path = format!("/v1/admin/orders/{order}/refund");
    let asked = json!({ "return_units": true, "reason": "changed her mind" });
    let unpaid = shop.operator("POST", &path, &asked).await;
    assert_eq!(
        (unpaid.problem().as_str(), unpaid.body.get("reason")),
        ("409 not_refundable", Some(&json!("not_paid")))
    );
    hook(&shop, &body("evt-1", "payment.captured", &order, "pay-1", 500)).await;
    let vague = shop.operator("POST", &path, &json!({ "reason": "changed her mind" })).await;
    assert_eq!(vague.problem(), "422 validation_failed");
    let refunded = shop.operator("POST", &path, &asked).await;
    assert_eq!((refunded.status, refunded.text("state")), (200, "refund_due".to_owned()));
    let again = shop.operator("POST", &path, &asked).await;
    assert_eq!(again.body.get("reason"), Some(&json!("already_refunded")));
    let item = shop.ask(Ask::new("GET", "/v1/items/lamp")).await;
    assert_eq!((item.body.get("available"), item.body.get("sold")), (Some(&json!(1)), Some(&json!(0))));
    assert_eq!(hook(&shop, &body("evt-2", "payment.refunded", &order, "pay-1", 500)).await, "200 noted");
    assert_eq!(shop.read("ann", &format!("/v1/orders/{order}")).await.text("state"), "refunded");
}

#[tokio::test]
async fn forged_stale_and_truncated_webhooks_are_refused_and_leave_nothing() {
    let shop = shop().await;
    shop.item("lamp", 1, json!({})).await;
    let (_, order) = ordered(&shop, "ann", "lamp").await;
    let before = shop.ask(Ask::new("GET", "/v1/items/lamp")).await.body.get("sequence").cloned();
    let text = body("evt-1", "payment.captured", &order, "pay-1", 500);
    let good = signed(&shop, &text);
    let other = WebhookSecret::parse("another-secret-0123456789").unwrap();
    let past = Timestamp::from_millis(shop.engine.now().as_millis() - 301_000);
    let stale = sign(&WebhookSecret::parse(SECRET).unwrap(), past, text.as_bytes());
    let words = send(&shop, &text, &stale).await.text("detail");
    assert!(words.starts_with("the webhook was signed 30") && words.contains(" s ago;"), "{words}");
    for (body, signature) in [
        (text.clone(), sign(&other, shop.engine.now(), text.as_bytes())),
        (text.clone(), stale),
        (text.clone(), "t=1,v1=00".to_owned()),
        (text[..text.len() - 1].to_owned(), good.clone()),
        (text.replace("500", "501"), good.clone()),
    ] {
        let refused = send(&shop, &body, &signature).await;
        assert_eq!(refused.problem(), "401 webhook_signature_invalid", "{signature}");
    }
    let unsigned = shop.ask(Ask::new("POST", "/v1/payments/webhooks/generic").text(&text)).await;
    assert_eq!(unsigned.problem(), "401 webhook_signature_invalid");
    let twice = Ask::new("POST", "/v1/payments/webhooks/generic")
        .header("Webhook-Signature", &good)
        .header("Webhook-Signature", &good);
    assert_eq!(shop.ask(twice.text(&text)).await.problem(), "401 webhook_signature_invalid");
    assert_eq!(shop.ask(Ask::new("POST", "/v1/payments/webhooks/stripe").text(&text)).await.problem(), "404 not_found");
    assert_eq!(shop.ask(Ask::new("POST", "/v1/payments/webhooks/bank").text(&text)).await.problem(), "404 not_found");
    let after = shop.ask(Ask::new("GET", "/v1/items/lamp")).await.body.get("sequence").cloned();
    assert_eq!(before, after, "no event");
}

#[tokio::test]
async fn a_webhook_that_is_not_about_an_order_of_ours_is_taken_and_changes_nothing() {
    let shop = shop().await;
    shop.item("lamp", 1, json!({})).await;
    let (_, order) = ordered(&shop, "ann", "lamp").await;
    assert_eq!(hook(&shop, &body("evt-1", "payment.captured", "4711", "pay-1", 500)).await, "200 ignored");
    assert_eq!(hook(&shop, &body("evt-2", "payment.authorised", &order, "pay-1", 500)).await, "200 ignored");
    let never_issued = "ord_00000001000080008387a420dc79e2a1";
    assert_eq!(hook(&shop, &body("evt-3", "payment.captured", never_issued, "pay-1", 500)).await, "200 unmatched");
    let broken = json!({ "id": "evt-4", "type": "payment.captured", "order": order, "payment": "p" }).to_string();
    let heard = send(&shop, &broken, &signed(&shop, &broken)).await;
    assert_eq!(heard.problem(), "422 validation_failed");
    assert_eq!(heard.body.pointer("/errors/0/pointer"), Some(&json!("/amount")));
    let heard = send(&shop, "not json", &signed(&shop, "not json")).await;
    assert_eq!(heard.problem(), "400 malformed_request");
    assert_eq!(heard.text("detail"), "the body is not JSON: it goes wrong at line 1, column 2");
}

/// A provider's page whose customers all pay.
struct Generous;

impl PaymentPage for Generous {
    fn press<'a>(&'a self, _: &'a PaymentId) -> Promised<'a, Pressed> {
        Box::pin(async { Pressed::Charged })
    }
}

#[tokio::test]
async fn a_payment_link_opened_in_a_browser_shows_a_button_that_pays() {
    let shop = Shop::open_with(|config| config.payment_page = Some(Arc::new(Generous))).await;
    let page = shop.ask(Ask::new("GET", "/simulated/pay/pay-1").header("Accept", "text/html")).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.raw.contains("<form method=\"post\"><button>Pay</button></form>"), "{}", page.raw);
    let form = Ask::new("POST", "/simulated/pay/pay-1").header("Content-Type", "application/x-www-form-urlencoded");
    let pressed = shop.ask(form.text("")).await;
    assert_eq!((pressed.status, pressed.text("status")), (200, "charged".to_owned()));
    assert_eq!(shop.ask(Ask::new("GET", "/simulated/pay/no%20name")).await.problem(), "404 not_found");
    let without = Shop::open().await;
    assert_eq!(without.ask(Ask::new("GET", "/simulated/pay/pay-1")).await.problem(), "404 not_found");
}

#[tokio::test]
async fn a_storm_of_copies_of_one_webhook_sells_once() {
    let shop = Arc::new(shop().await);
    shop.item("lamp", 1, json!({})).await;
    let (_, order) = ordered(&shop, "ann", "lamp").await;
    let mut storm = tokio::task::JoinSet::new();
    for number in 0..32 {
        let (shop, order) = (Arc::clone(&shop), order.clone());
        storm.spawn(async move {
            hook(&shop, &body(&format!("evt-{}", number % 4), "payment.captured", &order, "pay-1", 500)).await
        });
    }
    let told = storm.join_all().await;
    let count = |verdict: &str| told.iter().filter(|told| told.as_str() == verdict).count();
    assert_eq!((count("200 applied"), count("200 noted"), count("200 duplicate")), (1, 3, 28), "{told:?}");
}

#[tokio::test]
async fn explain_tells_why_somebody_waited_and_who_was_served_before() {
    let shop = shop().await;
    shop.item("lamp", 1, json!({})).await;
    let (ann, order) = ordered(&shop, "ann", "lamp").await;
    let (_, bob) = shop.reserve("bob", "lamp").await;
    let (_, cyd) = shop.reserve("cyd", "lamp").await;
    shop.customer("bob", "DELETE", &format!("/v1/reservations/{bob}"), &json!({})).await;
    hook(&shop, &body("evt-1", "payment.captured", &order, "pay-1", 500)).await;
    let story = shop.operator("GET", &format!("/v1/admin/reservations/{cyd}/explain"), &Value::Null).await;
    let words: Vec<&str> = story
        .body
        .get("story")
        .and_then(Value::as_array)
        .unwrap()
        .iter()
        .filter_map(|line| line.get("words")?.as_str())
        .collect();
    assert_eq!(
        words,
        [
            "cyd asked for 1; none was free and one was waiting already, so it waits at place 2",
            "bob, who was ahead, left the line; 0 still ahead",
            "everything was sold, and the sale closed: this one, the only one who still waited, never got a turn",
        ]
    );
    let story = shop.operator("GET", &format!("/v1/admin/reservations/{ann}/explain"), &Value::Null).await;
    assert!(story.raw.contains("paid in time: 500 USD minor units by generic (payment pay-1)"), "{}", story.raw);
    let denied =
        shop.operator("GET", "/v1/admin/reservations/rsv_00000001000080008387a420dc79e2a1/explain", &Value::Null).await;
    assert_eq!(denied.problem(), "404 not_found");
}
