//! What refusals say: what happened, what it means, and what to do next.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

mod common;

use common::{Ask, Heard, OPERATOR, SERVICE, Shop, ask, bearer};
use serde_json::{Value, json};

/// Checks code, advice and words of a refusal.
fn check(refused: &Heard, expected: [&str; 3]) {
    assert_eq!([refused.problem(), refused.text("retry"), refused.text("detail")], expected);
}

#[tokio::test]
async fn what_is_free_but_promised_to_those_in_line_is_not_said_to_be_none() {
    let shop = Shop::open().await;
    let settings = json!({ "per_order_max": 3, "per_customer_limit": 3 });
    shop.item("lamp", 3, settings).await;
    let ask = |who: &'static str, body: Value| {
        let shop = &shop;
        async move { shop.customer(who, "POST", "/v1/items/lamp/reservations", &body).await }
    };
    ask("ann", json!({ "quantity": 2 })).await;
    ask("bob", json!({ "quantity": 3 })).await;
    assert_eq!(shop.read("cyd", "/v1/items/lamp").await.body.get("available"), Some(&json!(1)));
    let refused = ask("cyd", json!({ "quantity": 1, "waitlist": "decline" })).await;
    let words = "no unit is free for a newcomer: all are held, sold, or promised to those who wait";
    check(&refused, ["409 sold_out", "after", words]);
}

#[tokio::test]
async fn more_than_is_left_unsold_is_not_to_be_asked_for_again() {
    let shop = Shop::open().await;
    shop.item("lamp", 2, json!({ "per_order_max": 9, "per_customer_limit": 9, "waitlist": { "enabled": false } }))
        .await;
    shop.reserve("ann", "lamp").await;
    let later = shop.customer("bob", "POST", "/v1/items/lamp/reservations", &json!({ "quantity": 2 })).await;
    check(&later, ["409 insufficient_stock", "after", "fewer units are free than were asked for"]);
    let never = shop.customer("bob", "POST", "/v1/items/lamp/reservations", &json!({ "quantity": 3 })).await;
    let words = "more units were asked for than are left unsold, held ones included";
    check(&never, ["409 insufficient_stock", "never", words]);
    assert_eq!(never.body.get("available"), Some(&json!(1)));

    shop.item("vase", 1, json!({})).await;
    shop.reserve("ann", "vase").await;
    for (other, quantity, retry) in
        [("vase", 1, "after"), ("lamp", 2, "after"), ("lamp", 3, "never"), ("nothing", 1, "never")]
    {
        let lines = json!({ "lines": [{ "sku": other, "quantity": quantity }] });
        let refused = shop.customer("bob", "POST", "/v1/bundles", &lines).await;
        assert_eq!((refused.problem().as_str(), refused.text("retry").as_str()), ("409 bundle_unavailable", retry));
        assert_eq!(refused.body.pointer("/lines/0/retry"), Some(&json!(retry)), "{other}");
    }
}

#[tokio::test]
async fn a_reservation_that_is_over_says_what_became_of_it() {
    let shop = Shop::open().await;
    shop.item("lamp", 1, json!({ "close_when_sold": false })).await;
    let (_, ann) = shop.reserve("ann", "lamp").await;
    let (_, bob) = shop.reserve("bob", "lamp").await;
    let (_, cyd) = shop.reserve("cyd", "lamp").await;
    shop.customer("bob", "DELETE", &format!("/v1/reservations/{bob}"), &json!({})).await;
    shop.operator("POST", "/v1/admin/items/lamp/close", &json!({})).await;
    let order = shop.customer("ann", "POST", "/v1/orders", &json!({ "reservation": ann })).await.text("id");
    shop.service("ann", &format!("/v1/orders/{order}/confirm"), &json!({ "payment_reference": "pay-1" })).await;

    let extend = |who, id: &str| {
        let (shop, path) = (&shop, format!("/v1/reservations/{id}/extend"));
        async move { shop.customer(who, "POST", &path, &json!({})).await }
    };
    let paid = extend("ann", &ann).await;
    let words = "the reservation is paid, and the sale is final: there is nothing to extend";
    check(&paid, ["409 hold_already_used", "never", words]);
    let cancelled = extend("bob", &bob).await;
    check(&cancelled, ["409 hold_expired", "never", "the reservation was cancelled"]);
    let lapsed = shop.customer("cyd", "POST", "/v1/orders", &json!({ "reservation": cyd })).await;
    let words = "the sale closed before the reservation got its turn";
    check(&lapsed, ["409 hold_expired", "never", words]);
    assert_eq!((cancelled.text("state"), lapsed.text("state")), ("cancelled".to_owned(), "lapsed".to_owned()));
    let page = shop.ask(Ask::new("GET", "/problems/hold_expired")).await;
    assert!(!page.raw.contains("Money"), "who only waited has paid nothing: {}", page.raw);
}

#[tokio::test]
async fn a_customer_who_has_enough_is_told_how_many_that_is() {
    let shop = Shop::open().await;
    shop.item("lamp", 5, json!({})).await;
    shop.reserve("ann", "lamp").await;
    let (refused, words) = (
        shop.customer("ann", "POST", "/v1/items/lamp/reservations", &json!({ "quantity": 1 })).await,
        "one customer can have at most 1 of this item; this one has 1 (held, waiting or bought), and with what was \
         asked for would have more",
    );
    check(&refused, ["409 customer_limit_reached", "never", words]);
    let odd = shop.read("two words", "/v1/customers/me/reservations").await;
    let words = "X-Customer-Id must be printable ASCII without spaces; it has ' '";
    check(&odd, ["401 unauthenticated", "never", words]);
}

#[tokio::test]
async fn whoever_shows_no_token_or_another_is_told_so_and_where_the_right_one_lies() {
    let shop = Shop::open().await;
    shop.item("lamp", 5, json!({})).await;
    let wrong = bearer("another-token-0123456789");
    for (shown, words) in [
        (None, "none is shown (Authorization: Bearer …)"),
        (Some(wrong.as_str()), "another one is shown"),
        (Some("Basic b3BlcmF0b3I6"), "Authorization is not one Bearer token"),
    ] {
        let with = |asked: Ask| match shown {
            Some(shown) => asked.header("Authorization", shown),
            None => asked,
        };
        let operator = ask(shop.admin, with(Ask::new("GET", "/v1/admin/items"))).await;
        let detail = format!(
            "this needs the operator token, and {words}; it lies in the file admin-token of the server's data \
             directory, unless one is configured"
        );
        check(&operator, ["401 unauthenticated", "never", &detail]);
        let buy = Ask::new("POST", "/v1/items/lamp/purchases").customer("ann").fresh_key();
        let service = shop.ask(with(buy).json(&json!({ "quantity": 1 }))).await;
        let detail = format!(
            "only a backend with the service token may report money, and {words}; it lies in the file service-token \
             of the server's data directory, unless one is configured"
        );
        check(&service, ["403 forbidden", "never", &detail]);
        assert!(!operator.raw.contains(OPERATOR) && !service.raw.contains(SERVICE));
    }
}

#[tokio::test]
async fn whoever_asks_at_the_wrong_address_is_sent_to_the_other_one() {
    let shop = Shop::open().await;
    let detail = |heard: &Heard| {
        assert_eq!(heard.problem(), "404 not_found");
        heard.text("detail")
    };
    let operators = "operators are served at another address than this one: ask the admin listener";
    for path in ["/v1/admin", "/v1/admin/items", "/v1/admin/nothing"] {
        assert_eq!(detail(&shop.read("ann", path).await), operators);
    }
    let customers = "customers and their backends are served at another address than this one: ask the public listener";
    assert_eq!(detail(&ask(shop.admin, Ask::new("GET", "/v1/items")).await), customers);
    let nothing = "There is nothing here, or it belongs to somebody else.";
    assert_eq!(detail(&shop.read("ann", "/v1/administrators").await), nothing);
    for path in ["/v1/admin/nothing", "/nothing"] {
        assert_eq!(detail(&ask(shop.admin, Ask::new("GET", path)).await), nothing);
    }
}
