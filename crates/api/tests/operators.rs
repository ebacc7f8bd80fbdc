//! What operators do over HTTP, and who may not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

mod common;

use common::{Ask, OPERATOR, SERVICE, Shop, ask, bearer};
use serde_json::{Value, json};

async fn patch(shop: &Shop, if_match: Option<&str>, body: Value) -> common::Heard {
    let asked = Ask::new("PATCH", "/v1/admin/items/lamp");
    let asked = match if_match {
        Some(tag) => asked.header("If-Match", tag),
        None => asked,
    };
    ask(shop.admin, asked.header("Authorization", &bearer(OPERATOR)).json(&body)).await
}

#[tokio::test]
async fn an_item_is_made_with_defaults_and_read_with_all_its_settings() {
    let shop = Shop::open().await;
    let body = json!({ "sku": "lamp", "total": 10, "unit_price": { "amount": 99900, "currency": "USD" } });
    let made = shop.operator("POST", "/v1/admin/items", &body).await;
    assert_eq!((made.status, made.header("location")), (201, Some("/v1/admin/items/lamp")));
    assert_eq!(made.header("etag"), Some("\"1\""), "its revision");
    let mut still = made.body.clone();
    still.as_object_mut().unwrap().insert("server_time".to_owned(), json!("[time]"));
    insta::assert_json_snapshot!("made", still);
    assert_eq!(shop.operator("POST", "/v1/admin/items", &body).await.problem(), "409 item_exists");
    let read = shop.operator("GET", "/v1/admin/items/lamp", &json!({})).await;
    assert_eq!((read.status, read.header("etag")), (200, Some("\"1\"")));
    let listed = shop.operator("GET", "/v1/admin/items", &json!({})).await;
    assert_eq!(listed.body.pointer("/items/0/revision"), Some(&json!(1)));
    assert_eq!(shop.ask(Ask::new("GET", "/v1/admin/items")).await.problem(), "404 not_found", "not on the public side");
}

#[tokio::test]
async fn an_operators_key_makes_an_item_once() {
    let shop = Shop::open().await;
    let body = json!({ "sku": "lamp", "total": 10, "unit_price": { "amount": 1, "currency": "USD" } });
    let make = || {
        let asked = Ask::new("POST", "/v1/admin/items").header("Authorization", &bearer(OPERATOR));
        ask(shop.admin, asked.header("Idempotency-Key", "make-the-lamp-once").json(&body))
    };
    let first = make().await;
    let again = make().await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!((again.raw, again.headers.iter().any(|(name, _)| name == "idempotent-replayed")), (first.raw, true));
}

#[tokio::test]
async fn a_change_names_the_revision_it_changes() {
    let shop = Shop::open().await;
    let body = json!({ "sku": "lamp", "total": 10, "unit_price": { "amount": 1, "currency": "USD" } });
    shop.operator("POST", "/v1/admin/items", &body).await;
    assert_eq!(patch(&shop, None, json!({ "name": "x" })).await.problem(), "428 precondition_required");
    let stale = patch(&shop, Some("\"7\""), json!({ "name": "x" })).await;
    assert_eq!((stale.problem().as_str(), stale.body.get("revision")), ("412 precondition_failed", Some(&json!(1))));
    let settings = json!({ "name": "A lamp", "waitlist": { "capacity": 5 }, "opens_at": "2100-01-01T00:00:00+01:00" });
    let changed = patch(&shop, Some("\"1\""), settings).await;
    assert_eq!((changed.status, changed.header("etag")), (200, Some("\"2\"")));
    assert_eq!(changed.body.get("waitlist"), Some(&json!({ "enabled": true, "capacity": 5 })));
    assert_eq!(changed.body.get("opens_at"), Some(&json!("2099-12-31T23:00:00.000Z")));
    let scheduled = shop.customer("ann", "POST", "/v1/items/lamp/reservations", &json!({ "quantity": 1 })).await;
    assert_eq!(scheduled.problem(), "403 sale_not_started");
    assert_eq!(scheduled.body.get("opens_at"), Some(&json!("2099-12-31T23:00:00.000Z")));
    assert!(scheduled.header("retry-after").unwrap().parse::<u64>().unwrap() > 1_000_000_000);
    let taken = patch(&shop, Some("*"), json!({ "opens_at": null })).await;
    assert_eq!((taken.status, taken.body.get("opens_at")), (200, Some(&Value::Null)));
    for (bad, pointer) in [
        (json!({}), ""),
        (json!({ "name": null }), "/name"),
        (json!({ "total": 5 }), "/total"),
        (json!({ "hold_time_ms": 1 }), "/hold_time_ms"),
        (json!({ "extension": { "by_ms": "x" } }), "/extension/by_ms"),
        (json!({ "opens_at": "soon" }), "/opens_at"),
        (json!({ "waitlist": { "capacity": 99_999_999_999_u64 } }), "/waitlist/capacity"),
    ] {
        let refused = patch(&shop, Some("*"), bad).await;
        assert_eq!(refused.problem(), "422 validation_failed");
        assert_eq!(refused.body.pointer("/errors/0/pointer"), Some(&json!(pointer)));
    }
}

#[tokio::test]
async fn a_setting_that_is_frozen_once_the_sale_is_open_is_named() {
    let shop = Shop::open().await;
    shop.item("lamp", 2, json!({})).await;
    for (body, field) in [
        (json!({ "unit_price": { "amount": 1, "currency": "USD" } }), "unit_price"),
        (json!({ "name": "A lamp", "opens_at": "2100-01-01T00:00:00Z" }), "opens_at"),
    ] {
        let refused = patch(&shop, Some("*"), body).await;
        assert_eq!(refused.problem(), "409 phase_conflict");
        assert_eq!((refused.text("field"), refused.text("phase")), (field.to_owned(), "open".to_owned()));
        let words = format!("{field} can be changed only before the sale opens, and it is open");
        assert_eq!(refused.text("detail"), words);
    }
    shop.operator("POST", "/v1/admin/items/lamp/close", &json!({})).await;
    let closed = patch(&shop, Some("*"), json!({ "name": "A lamp" })).await;
    assert_eq!((closed.problem().as_str(), closed.body.get("field")), ("409 phase_conflict", None));
}

#[tokio::test]
async fn phases_and_stock_change_as_the_rules_let_them() {
    let shop = Shop::open().await;
    shop.item("lamp", 2, json!({})).await;
    shop.reserve("ann", "lamp").await;
    for (verb, outcome) in [("open", "409"), ("pause", "200"), ("resume", "200"), ("close", "200"), ("close", "409")] {
        let heard = shop.operator("POST", &format!("/v1/admin/items/lamp/{verb}"), &json!({})).await;
        assert_eq!(heard.status.to_string(), outcome, "{verb}: {}", heard.body);
    }
    shop.item("cup", 2, json!({})).await;
    shop.reserve("ann", "cup").await;
    let stock = |change: Value, reason: &str| json!({ "change": change, "reason": reason });
    let more = shop.operator("POST", "/v1/admin/items/cup/stock", &stock(json!(3), "found a box")).await;
    assert_eq!(
        (more.status, more.body.get("total"), more.body.get("available")),
        (200, Some(&json!(5)), Some(&json!(4)))
    );
    let less = shop.operator("POST", "/v1/admin/items/cup/stock", &stock(json!(-5), "broken")).await;
    assert_eq!((less.problem().as_str(), less.body.get("available")), ("409 stock_in_use", Some(&json!(4))));
    for bad in [json!(0), json!(1.5), json!("1"), json!(2_000_000_000_u32), json!(-2_000_000_000_i64)] {
        let refused = shop.operator("POST", "/v1/admin/items/cup/stock", &stock(bad, "because")).await;
        assert_eq!(
            (refused.problem().as_str(), refused.body.pointer("/errors/0/pointer")),
            ("422 validation_failed", Some(&json!("/change")))
        );
    }
    let list = shop.operator("GET", "/v1/admin/items/cup/reservations?state=held", &json!({})).await;
    assert_eq!(list.body.pointer("/reservations/0/customer"), Some(&json!("ann")));
    let none = shop.operator("GET", "/v1/admin/items/cup/reservations?state=waiting", &json!({})).await;
    assert_eq!(none.body.get("reservations"), Some(&json!([])));
    let odd = shop.operator("GET", "/v1/admin/items/cup/reservations?state=odd", &json!({})).await;
    assert_eq!(odd.problem(), "422 validation_failed");
}

#[tokio::test]
async fn every_fault_of_a_new_item_is_told_at_once() {
    let shop = Shop::open().await;
    let body =
        json!({ "sku": "Lamp!", "total": -1, "unit_price": { "amount": 0.5, "currency": "dollars" }, "colour": 1 });
    let refused = shop.operator("POST", "/v1/admin/items", &body).await;
    assert_eq!(refused.problem(), "422 validation_failed");
    let errors = refused.body.get("errors").and_then(Value::as_array).unwrap();
    let pointers: Vec<&str> =
        errors.iter().map(|error| error.get("pointer").and_then(Value::as_str).unwrap()).collect();
    assert_eq!(pointers, ["/sku", "/total", "/unit_price/amount", "/unit_price/currency", "/colour"]);
    let missing = shop.operator("POST", "/v1/admin/items", &json!({})).await;
    let errors = missing.body.get("errors").and_then(Value::as_array).unwrap();
    assert_eq!(errors.len(), 3, "{errors:?}");
}

#[tokio::test]
async fn admin_routes_open_only_to_the_operator_token() {
    let shop = Shop::open().await;
    shop.item("lamp", 2, json!({})).await;
    for (method, path) in [
        ("GET", "/v1/admin/items"),
        ("POST", "/v1/admin/items"),
        ("GET", "/v1/admin/items/lamp"),
        ("PATCH", "/v1/admin/items/lamp"),
        ("POST", "/v1/admin/items/lamp/open"),
        ("POST", "/v1/admin/items/lamp/pause"),
        ("POST", "/v1/admin/items/lamp/resume"),
        ("POST", "/v1/admin/items/lamp/close"),
        ("POST", "/v1/admin/items/lamp/stock"),
        ("GET", "/v1/admin/items/lamp/reservations"),
    ] {
        let plain = || Ask::new(method, path).customer("ann");
        let anonymous = ask(shop.admin, plain().json(&json!({}))).await;
        assert_eq!(anonymous.problem(), "401 unauthenticated", "{method} {path}");
        assert!(anonymous.header("www-authenticate").is_some());
        let wrong = ask(shop.admin, plain().header("Authorization", &bearer("operator-token-012345678X"))).await;
        assert_eq!(wrong.problem(), "401 unauthenticated", "{method} {path}");
        let service = ask(shop.admin, plain().header("Authorization", &bearer(SERVICE))).await;
        assert_eq!(service.problem(), "403 forbidden", "{method} {path}");
    }
    assert_eq!(shop.operator("GET", "/v1/admin/items/lamp", &json!({})).await.text("phase"), "open");
}

#[tokio::test]
async fn health_says_ready_and_in_words_how_things_are() {
    let shop = Shop::open().await;
    for at in [shop.public, shop.admin] {
        for path in ["/livez", "/readyz"] {
            assert_eq!(ask(at, Ask::new("GET", path)).await.status, 200);
        }
    }
    let words = ask(shop.admin, Ask::new("GET", "/readyz?verbose")).await;
    assert_eq!(words.body.pointer("/engine/items_stopped"), Some(&json!([])));
    assert_eq!(words.body.pointer("/engine/partition_streams_stopped"), Some(&json!([])));
    assert_eq!(words.body.pointer("/engine/bundles_following"), Some(&json!(0)));
    let public = shop.ask(Ask::new("GET", "/readyz?verbose")).await;
    assert_eq!((public.status, public.body.get("engine")), (200, None), "not for everybody");
    let page = shop.ask(Ask::new("GET", "/problems/sold_out")).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(shop.ask(Ask::new("GET", "/problems/nonsense")).await.problem(), "404 not_found");
}
