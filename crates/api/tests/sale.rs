//! A sale over HTTP: reserve, wait, order, pay, cancel, read, list; every answer as docs/api.md writes it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

mod common;

use common::{Ask, Heard, SERVICE, Shop, bearer};
use serde_json::{Value, json};

/// A body with what differs from run to run taken out.
fn still(heard: &Heard) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(members) => members.iter_mut().for_each(|(name, value)| match (name.as_str(), &value) {
                (name, Value::String(_)) if name.ends_with("_at") || name == "server_time" => *value = json!("[time]"),
                _ => walk(value),
            }),
            Value::Array(values) => values.iter_mut().for_each(walk),
            Value::String(text) => {
                for prefix in ["rsv_", "ord_"] {
                    if let Some(at) = text.find(prefix) {
                        text.replace_range(at + 4.., "[id]");
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut body = heard.body.clone();
    walk(&mut body);
    body
}

#[tokio::test]
async fn a_reservation_is_held_or_waits_and_says_all_about_itself() {
    let shop = Shop::open().await;
    shop.item("lamp", 1, json!({})).await;
    let (held, id) = shop.reserve("ann", "lamp").await;
    assert_eq!((held.status, held.header("location")), (201, Some(format!("/v1/reservations/{id}").as_str())));
    insta::assert_json_snapshot!("held", still(&held));
    let (waiting, id) = shop.reserve("bob", "lamp").await;
    assert_eq!((waiting.status, waiting.header("location")), (202, Some(format!("/v1/reservations/{id}").as_str())));
    insta::assert_json_snapshot!("waiting", still(&waiting));
    let declined = json!({ "quantity": 1, "waitlist": "decline" });
    let refused = shop.customer("cyd", "POST", "/v1/items/lamp/reservations", &declined).await;
    assert_eq!(refused.problem(), "409 sold_out");
    assert_eq!(refused.body.get("sequence"), Some(&json!(4)), "the place in the log it was judged at");
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer_and_other_content_under_it_none() {
    let shop = Shop::open().await;
    shop.item("lamp", 5, json!({ "per_order_max": 5, "per_customer_limit": 5 })).await;
    let ask = |key: &str, quantity: u32| {
        let ask = Ask::new("POST", "/v1/items/lamp/reservations").customer("ann").header("Idempotency-Key", key);
        shop.ask(ask.json(&json!({ "quantity": quantity })))
    };
    let first = ask("0123456789abcdef", 2).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, None));
    let again = ask("\"0123456789abcdef\"", 2).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(again.raw, first.raw, "byte for byte, server_time too");
    assert_eq!(again.header("location"), first.header("location"));
    let reused = ask("0123456789abcdef", 1).await;
    assert_eq!(reused.problem(), "422 idempotency_key_reused");
    assert_eq!(reused.text("retry"), "never", "under a new key it would be a second reservation");
    let item = shop.read("ann", "/v1/items/lamp").await;
    assert_eq!(item.body.get("held"), Some(&json!(2)));
    let other = Ask::new("POST", "/v1/items/lamp/reservations").customer("bob");
    let other = shop.ask(other.header("Idempotency-Key", "0123456789abcdef").json(&json!({ "quantity": 1 }))).await;
    assert_eq!(
        (other.status, other.header("idempotent-replayed")),
        (201, None),
        "another customer's key is another key"
    );
}

#[tokio::test]
async fn a_hold_becomes_an_order_once_and_its_payment_makes_it_final() {
    let shop = Shop::open().await;
    shop.item("lamp", 1, json!({ "close_when_sold": false })).await;
    let (_, reservation) = shop.reserve("ann", "lamp").await;
    let wrong = json!({ "reservation": reservation, "amount": { "amount": 1, "currency": "USD" } });
    let refused = shop.customer("ann", "POST", "/v1/orders", &wrong).await;
    assert_eq!(refused.problem(), "422 amount_mismatch");
    assert_eq!(refused.body.get("expected"), Some(&json!({ "amount": 500, "currency": "USD" })));
    let asked = json!({ "reservation": reservation });
    let order = shop.customer("ann", "POST", "/v1/orders", &asked).await;
    assert_eq!(order.status, 201);
    insta::assert_json_snapshot!("order", still(&order));
    let id = order.text("id");
    assert_eq!(id.replace("ord_", "rsv_"), reservation, "an order shares its reservation's UUID");
    assert_eq!(order.header("location"), Some(format!("/v1/orders/{id}").as_str()));
    let again = shop.customer("ann", "POST", "/v1/orders", &asked).await;
    assert_eq!((again.status, again.text("id")), (200, id.clone()));

    let path = format!("/v1/orders/{id}/confirm");
    let paid = shop.service("ann", &path, &json!({ "payment_reference": "pay-1" })).await;
    assert_eq!(paid.status, 200);
    insta::assert_json_snapshot!("paid", still(&paid));
    let other = shop.service("ann", &path, &json!({ "payment_reference": "pay-2" })).await;
    assert_eq!((other.status, other.text("state")), (200, "paid".to_owned()), "a second capture leaves it paid");
    assert_eq!(other.body.pointer("/refunds/0/reason"), Some(&json!("second_payment")), "and is to go back");
    let read = shop.read("ann", &format!("/v1/reservations/{reservation}")).await;
    assert_eq!(read.text("state"), "confirmed");
    assert_eq!(read.body.pointer("/order/state"), Some(&json!("paid")));
    let late = shop.customer("ann", "DELETE", &format!("/v1/reservations/{reservation}"), &json!({})).await;
    assert_eq!((late.problem().as_str(), late.body.get("state")), ("409 not_cancellable", Some(&json!("confirmed"))));
}

#[tokio::test]
async fn a_purchase_is_sold_at_once_and_a_refused_one_says_who_owes_the_refund() {
    let shop = Shop::open().await;
    shop.item("lamp", 1, json!({ "close_when_sold": false })).await;
    let asked = json!({ "quantity": 1, "payment_reference": "pay-1", "amount": { "amount": 500, "currency": "USD" } });
    let bought = shop.service("ann", "/v1/items/lamp/purchases", &asked).await;
    assert_eq!((bought.status, bought.text("state")), (201, "paid".to_owned()));
    assert_eq!(bought.body.pointer("/payment/reference"), Some(&json!("pay-1")));
    let refused = shop.service("bob", "/v1/items/lamp/purchases", &json!({ "quantity": 1 })).await;
    assert_eq!(refused.problem(), "409 sold_out");
    assert_eq!(refused.body.get("refund"), Some(&json!("owed_by_caller")));
}

#[tokio::test]
async fn cancelling_twice_is_cancelling_once_and_the_head_of_the_line_gets_the_unit() {
    let shop = Shop::open().await;
    shop.item("lamp", 1, json!({})).await;
    let (_, ann) = shop.reserve("ann", "lamp").await;
    let (_, bob) = shop.reserve("bob", "lamp").await;
    for _ in 0..2 {
        let cancelled = shop.customer("ann", "DELETE", &format!("/v1/reservations/{ann}"), &json!({})).await;
        assert_eq!((cancelled.status, cancelled.text("state")), (200, "cancelled".to_owned()));
    }
    assert_eq!(shop.read("bob", &format!("/v1/reservations/{bob}")).await.text("state"), "held");
    let extended = shop.customer("bob", "POST", &format!("/v1/reservations/{bob}/extend"), &json!({})).await;
    assert_eq!(extended.status, 200);
    let more = shop.customer("bob", "POST", &format!("/v1/reservations/{bob}/extend"), &json!({})).await;
    assert_eq!((more.problem().as_str(), more.body.get("reason")), ("409 extension_refused", Some(&json!("used_up"))));
}

#[tokio::test]
async fn a_reader_who_has_seen_it_is_told_nothing_and_one_who_waits_is_told_of_the_change() {
    let shop = Shop::open().await;
    shop.item("lamp", 1, json!({})).await;
    let (_, ann) = shop.reserve("ann", "lamp").await;
    let (_, bob) = shop.reserve("bob", "lamp").await;
    let path = format!("/v1/reservations/{bob}");
    let first = shop.read("bob", &path).await;
    let etag = first.header("etag").unwrap().to_owned();
    assert_eq!(etag, "W/\"4-1\"", "its last change, and its place in line");
    let seen = shop.ask(Ask::new("GET", &path).customer("bob").header("If-None-Match", &etag)).await;
    assert_eq!((seen.status, seen.raw.as_str(), seen.header("etag")), (304, "", Some(etag.as_str())));

    let waiting =
        shop.ask(Ask::new("GET", &path).customer("bob").header("If-None-Match", &etag).header("Prefer", "wait=30"));
    let cancelling = shop.ask(Ask::new("DELETE", &format!("/v1/reservations/{ann}")).customer("ann"));
    let (told, _) = tokio::join!(waiting, cancelling);
    assert_eq!((told.status, told.text("state")), (200, "held".to_owned()));
    assert_eq!(told.header("preference-applied"), Some("wait=30"));

    let head = shop.ask(Ask::new("HEAD", &path).customer("bob")).await;
    assert_eq!((head.status, head.raw.as_str()), (200, ""));
    assert!(head.header("content-length").unwrap().parse::<usize>().unwrap() > 100);
}

#[tokio::test]
async fn an_answer_has_the_tag_it_is_read_with_and_a_poller_who_sends_it_misses_nothing() {
    let shop = Shop::open().await;
    shop.item("lamp", 1, json!({})).await;
    let key = common::fresh_key();
    let reserve = |who: &str| {
        let ask = Ask::new("POST", "/v1/items/lamp/reservations").customer(who).header("Idempotency-Key", &key);
        shop.ask(ask.json(&json!({ "quantity": 1 })))
    };
    let (held, waiting) = (reserve("ann").await, reserve("bob").await);
    assert_eq!((held.header("etag"), held.header("cache-control")), (Some("W/\"3\""), Some("no-store")));
    assert_eq!((waiting.status, waiting.header("etag")), (202, Some("W/\"4-1\"")));
    let [ann, bob] = [&held, &waiting].map(|heard| format!("/v1/reservations/{}", heard.text("id")));
    for (who, path, heard) in [("ann", &ann, &held), ("bob", &bob, &waiting)] {
        assert_eq!(shop.read(who, path).await.header("etag"), heard.header("etag"));
    }

    let extended = shop.customer("ann", "POST", &format!("{ann}/extend"), &json!({})).await;
    assert_eq!(shop.read("ann", &ann).await.header("etag"), extended.header("etag"));
    assert_ne!(extended.header("etag"), held.header("etag"));
    let cancelled = shop.customer("ann", "DELETE", &ann, &json!({})).await;
    assert_eq!(shop.read("ann", &ann).await.header("etag"), cancelled.header("etag"));

    // Bob's turn has come before his first look. He is told at once, whatever he would have waited.
    let again = reserve("bob").await;
    assert_eq!((again.header("idempotent-replayed"), again.header("etag")), (Some("true"), waiting.header("etag")));
    let look = Ask::new("GET", &bob).customer("bob").header("If-None-Match", waiting.header("etag").unwrap());
    let told = shop.ask(look.header("Prefer", "wait=30")).await;
    assert_eq!((told.status, told.text("state")), (200, "held".to_owned()));
}

#[tokio::test]
async fn a_wait_that_ends_without_a_change_tells_the_time_of_its_end() {
    let shop = Shop::open().await;
    shop.item("lamp", 1, json!({})).await;
    let (held, id) = shop.reserve("ann", "lamp").await;
    let path = format!("/v1/reservations/{id}");
    // The shortest wait there is: nothing changes, so it lasts its second.
    let waiting = shop.ask(Ask::new("GET", &path).customer("ann").header("Prefer", "wait=1"));
    tokio::pin!(waiting);
    let soon = std::time::Duration::from_millis(100);
    assert!(tokio::time::timeout(soon, &mut waiting).await.is_err(), "nothing has changed yet");
    let begun = shop.later_than(&held.text("server_time")).await;
    let told = waiting.await;
    assert_eq!(
        (told.status, told.text("state"), told.header("preference-applied")),
        (200, "held".to_owned(), Some("wait=1"))
    );
    assert!(told.text("server_time") >= begun, "read at the end, not when the wait began: {told:?}");
}

#[tokio::test]
async fn an_item_is_read_by_everybody_as_new_as_they_want() {
    let shop = Shop::open_with(|config| config.timeouts.fresh_read = std::time::Duration::from_millis(20)).await;
    shop.item("lamp", 3, json!({ "name": "A lamp" })).await;
    let item = shop.ask(Ask::new("GET", "/v1/items/lamp")).await;
    assert_eq!((item.status, item.header("etag")), (200, Some("W/\"2\"")));
    insta::assert_json_snapshot!("item", still(&item));
    let seen = shop.ask(Ask::new("GET", "/v1/items/lamp").header("If-None-Match", "\"1\", \"2\"")).await;
    assert_eq!(seen.status, 304);
    let waiting = shop.ask(Ask::new("GET", "/v1/items/lamp?min_sequence=3"));
    let (fresh, _) = tokio::join!(waiting, shop.reserve("ann", "lamp"));
    assert_eq!((fresh.status, fresh.body.get("sequence")), (200, Some(&json!(3))));
    let now = shop.later_than(&fresh.text("server_time")).await;
    let never = shop.ask(Ask::new("GET", "/v1/items/lamp?min_sequence=99")).await;
    assert_eq!((never.problem().as_str(), never.body.get("sequence")), ("503 overloaded", Some(&json!(3))));
    assert!(never.text("server_time") >= now, "the time of the answer, not of the item's last change");
    let wrong = shop.ask(Ask::new("GET", "/v1/items/lamp?min_sequence=x")).await;
    assert_eq!(wrong.problem(), "422 validation_failed");
    assert_eq!(wrong.body.pointer("/errors/0/parameter"), Some(&json!("min_sequence")));
}

#[tokio::test]
async fn lists_come_in_pages_that_lead_to_each_other() {
    let shop = Shop::open().await;
    for sku in ["a", "b", "c"] {
        shop.item(sku, 5, json!({})).await;
        shop.reserve("ann", sku).await;
    }
    shop.reserve("bob", "a").await;
    for (who, path, list, entries) in [
        ("ann", "/v1/items", "items", 3),
        ("ann", "/v1/customers/me/reservations", "reservations", 3),
        ("ann", "/v1/customers/ann/reservations", "reservations", 3),
        ("bob", "/v1/customers/me/reservations", "reservations", 1),
        ("bob", "/v1/customers/me/orders", "orders", 0),
    ] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = shop.read(who, &format!("{path}?limit=2{cursor}")).await;
            assert_eq!(page.status, 200, "{page:?}");
            found.extend(page.body.get(list).and_then(Value::as_array).unwrap().clone());
            match page.body.get("next_cursor") {
                Some(Value::String(next)) => cursor = format!("&cursor={next}"),
                _ => break,
            }
        }
        assert_eq!(found.len(), entries, "{who} {path}");
        found.dedup();
        assert_eq!(found.len(), entries, "nothing twice");
    }
    let stranger = shop.read("bob", "/v1/customers/ann/reservations").await;
    assert_eq!(stranger.problem(), "404 not_found");
    let operator = Ask::new("GET", "/v1/customers/ann/orders").header("Authorization", &bearer(common::OPERATOR));
    assert_eq!(shop.ask(operator).await.status, 200);
    let service = Ask::new("GET", "/v1/customers/ann/orders").header("Authorization", &bearer(SERVICE));
    assert_eq!(shop.ask(service).await.problem(), "401 unauthenticated");
}
