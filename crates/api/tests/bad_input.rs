//! Bad input gets the right problem document, and nothing is lost by it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

mod common;

use common::{Ask, OPERATOR, SERVICE, Shop, ask, bearer, fresh_key};
use serde_json::{Value, json};

const RESERVE: &str = "/v1/items/lamp/reservations";

/// The item's sequence and stock: what must not move.
async fn untouched(shop: &Shop) -> Vec<Value> {
    let item = shop.read("ann", "/v1/items/lamp").await;
    ["sequence", "available", "held", "sold", "waiting"].map(|name| item.body.get(name).unwrap().clone()).to_vec()
}

#[tokio::test]
async fn every_bad_body_gets_its_problem_and_changes_nothing() {
    let shop = Shop::open().await;
    shop.item("lamp", 10, json!({ "per_order_max": 2, "per_customer_limit": 9 })).await;
    let before = untouched(&shop).await;
    for (body, problem, pointer) in [
        ("", "400 malformed_request", None),
        ("{", "400 malformed_request", None),
        ("not json", "400 malformed_request", None),
        ("{\"quantity\":1}x", "400 malformed_request", None),
        ("{\"quantity\":1,\"quantity\":2}", "400 malformed_request", None),
        ("{\"quantity\":1e999}", "400 malformed_request", None),
        ("\u{feff}{\"quantity\":1}", "400 malformed_request", None),
        ("[]", "422 validation_failed", Some("")),
        ("null", "422 validation_failed", Some("")),
        ("{}", "422 validation_failed", Some("/quantity")),
        ("{\"quantity\":0}", "422 validation_failed", Some("/quantity")),
        ("{\"quantity\":-1}", "422 validation_failed", Some("/quantity")),
        ("{\"quantity\":1.5}", "422 validation_failed", Some("/quantity")),
        ("{\"quantity\":\"1\"}", "422 validation_failed", Some("/quantity")),
        ("{\"quantity\":1e99}", "422 validation_failed", Some("/quantity")),
        ("{\"quantity\":4294967297}", "422 validation_failed", Some("/quantity")),
        ("{\"quantity\":99999999999999999999999999}", "422 validation_failed", Some("/quantity")),
        ("{\"quantity\":3}", "422 validation_failed", Some("/quantity")),
        ("{\"quantity\":1,\"customer\":\"bob\"}", "422 validation_failed", Some("/customer")),
        ("{\"quantity\":1,\"waitlist\":true}", "422 validation_failed", Some("/waitlist")),
    ] {
        let asked = Ask::new("POST", RESERVE).customer("ann").fresh_key().header("Content-Type", "application/json");
        let heard = shop.ask(asked.text(body)).await;
        assert_eq!(heard.problem(), problem, "{body}");
        let found = heard.body.pointer("/errors/0/pointer").and_then(Value::as_str);
        assert_eq!(found, pointer, "{body}: {}", heard.body);
        if problem.starts_with("400") && !body.is_empty() {
            assert!(heard.body.get("line").is_some() && heard.body.get("column").is_some(), "{body}");
        }
    }
    assert_eq!(untouched(&shop).await, before);
}

/// Plain spellings are answered without the router, others with it.
#[tokio::test]
async fn a_name_spelled_with_percent_signs_is_the_same_item_whatever_comes_of_it() {
    let shop = Shop::open().await;
    shop.item("lamp", 10, json!({})).await;
    let spellings = [RESERVE, "/v1/items/l%61mp/reservations"];
    let key = fresh_key();
    let same = |path| Ask::new("POST", path).customer("ann").header("Idempotency-Key", &key);
    let [first, again] = spellings.map(|path| shop.ask(same(path).json(&json!({ "quantity": 1 }))));
    let (first, again) = (first.await, again.await);
    assert_eq!((first.status, again.status, &again.body), (201, 201, &first.body));
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), (None, Some("true")));
    for [plain, escaped] in [spellings, ["/v1/items/lam/reservations", "/v1/items/l%61m/reservations"]] {
        let bad: [fn(Ask) -> Ask; 6] = [
            |ask| ask,
            |ask| ask.customer("ann").text("{\"quantity\":1}"),
            |ask| ask.customer("ann").header("Idempotency-Key", "short").text("{\"quantity\":1}"),
            |ask| ask.customer("ann").customer("bob").fresh_key().json(&json!({ "quantity": 1 })),
            |ask| ask.customer("ann").fresh_key().text("{\"quantity\":1}"),
            |ask| ask.customer("ann").fresh_key().json(&json!({ "quantity": 0 })),
        ];
        for make in bad {
            let [plain, escaped] = [plain, escaped].map(|path| shop.ask(make(Ask::new("POST", path))));
            let (plain, escaped) = (plain.await, escaped.await);
            assert_eq!((plain.problem(), plain.body.get("detail")), (escaped.problem(), escaped.body.get("detail")));
        }
    }
    assert_eq!(shop.read("ann", "/v1/items/lamp").await.body.get("held"), Some(&json!(1)));
}

#[tokio::test]
async fn keys_and_media_types_are_checked_before_anything_happens() {
    let shop = Shop::open().await;
    shop.item("lamp", 10, json!({})).await;
    let before = untouched(&shop).await;
    let body = json!({ "quantity": 1 });
    let plain = || Ask::new("POST", RESERVE).customer("ann");
    let long = "k".repeat(256);
    for (asked, problem) in [
        (plain().json(&body), "400 idempotency_key_missing"),
        (plain().header("Idempotency-Key", "short").json(&body), "400 idempotency_key_invalid"),
        (plain().header("Idempotency-Key", &long).json(&body), "400 idempotency_key_invalid"),
        (plain().fresh_key().fresh_key().json(&body), "400 idempotency_key_invalid"),
        (plain().fresh_key().text(&body.to_string()), "415 unsupported_media_type"),
        (
            plain().fresh_key().header("Content-Type", "application/x-www-form-urlencoded").text("quantity=1"),
            "415 unsupported_media_type",
        ),
        (plain().fresh_key().header("Content-Encoding", "gzip").json(&body), "415 unsupported_media_type"),
        (plain().fresh_key().header("Accept", "text/html").json(&body), "406 not_acceptable"),
    ] {
        assert_eq!(shop.ask(asked).await.problem(), problem);
    }
    assert_eq!(untouched(&shop).await, before);
}

#[tokio::test]
async fn a_customer_is_who_the_gateway_says_and_nobody_else() {
    let shop = Shop::open().await;
    shop.item("lamp", 10, json!({})).await;
    let path = "/v1/customers/me/reservations";
    let long = "c".repeat(65);
    for asked in [
        Ask::new("GET", path),
        Ask::new("GET", path).customer("me"),
        Ask::new("GET", path).customer(""),
        Ask::new("GET", path).customer("two words"),
        Ask::new("GET", path).customer(&long),
        Ask::new("GET", path).customer("ann").customer("bob"),
        Ask::new("GET", path).customer("ann").customer("ann"),
    ] {
        assert_eq!(shop.ask(asked).await.problem(), "401 unauthenticated");
    }
    let far = Shop::open_with(|config| config.gateway.peers = vec!["192.0.2.0/24".parse().unwrap()]).await;
    assert_eq!(far.read("ann", path).await.problem(), "401 unauthenticated", "from a peer that is no gateway");
    let traced = Ask::new("GET", path).customer("ann").header("X-Request-Id", "trace-7");
    assert_eq!(shop.ask(traced).await.header("x-request-id"), Some("trace-7"));
    let traced = far.ask(Ask::new("GET", "/livez").header("X-Request-Id", "trace-7")).await;
    assert_ne!(traced.header("x-request-id"), Some("trace-7"));
}

#[tokio::test]
async fn money_is_reported_by_a_service_and_nobody_else() {
    let shop = Shop::open().await;
    shop.item("lamp", 10, json!({ "close_when_sold": false, "per_customer_limit": 9 })).await;
    let (_, id) = shop.reserve("ann", "lamp").await;
    let order = shop.customer("ann", "POST", "/v1/orders", &json!({ "reservation": id })).await.text("id");
    let before = untouched(&shop).await;
    let purchase = ("/v1/items/lamp/purchases".to_owned(), json!({ "quantity": 1 }));
    let confirm = (format!("/v1/orders/{order}/confirm"), json!({ "payment_reference": "pay-1" }));
    for (path, body) in [&purchase, &confirm] {
        for token in [None, Some("wrong-token-0123456789"), Some("")] {
            let asked = Ask::new("POST", path).customer("ann").fresh_key();
            let asked = match token {
                Some(token) => asked.header("Authorization", &bearer(token)),
                None => asked,
            };
            assert_eq!(shop.ask(asked.json(body)).await.problem(), "403 forbidden", "{path}");
        }
        let stranger =
            shop.ask(Ask::new("POST", path).fresh_key().header("Authorization", &bearer(SERVICE)).json(body));
        assert_eq!(stranger.await.problem(), "401 unauthenticated", "a service still says for whom");
    }
    assert_eq!(untouched(&shop).await, before);
    let wrong = shop.service("bob", &confirm.0, &confirm.1).await;
    assert_eq!(wrong.problem(), "404 not_found", "not that customer's order");
    let asked = Ask::new("POST", &confirm.0).customer("ann").fresh_key().header("Authorization", &bearer(OPERATOR));
    assert_eq!(shop.ask(asked.json(&confirm.1)).await.status, 200, "an operator's token counts");
    let trusting = Shop::open_with(|config| config.gateway.reports_payments = true).await;
    trusting.item("lamp", 10, json!({})).await;
    assert_eq!(trusting.customer("ann", "POST", &purchase.0, &purchase.1).await.status, 201);
}

#[tokio::test]
async fn what_is_not_yours_or_not_there_is_not_found() {
    let shop = Shop::open().await;
    shop.item("lamp", 10, json!({})).await;
    let (_, id) = shop.reserve("ann", "lamp").await;
    let order = shop.customer("ann", "POST", "/v1/orders", &json!({ "reservation": id })).await.text("id");
    let before = untouched(&shop).await;
    let forged = format!("{}{}", &id.get(..id.len() - 1).unwrap(), if id.ends_with('0') { '1' } else { '0' });
    for id in [id.as_str(), &forged, "rsv_0", "rsv_00000000000000000000000000000000", "ord_x", "%ff", "%00", "a%2Fb"] {
        for (method, path) in [
            ("GET", format!("/v1/reservations/{id}")),
            ("DELETE", format!("/v1/reservations/{id}")),
            ("POST", format!("/v1/reservations/{id}/extend")),
            ("GET", format!("/v1/orders/{}", id.replace("rsv_", "ord_"))),
        ] {
            let heard = shop.customer("eve", method, &path, &json!({})).await;
            assert_eq!(heard.problem(), "404 not_found", "{method} {path}");
        }
    }
    let theirs = shop.customer("eve", "POST", "/v1/orders", &json!({ "reservation": id })).await;
    assert_eq!(theirs.problem(), "404 not_found");
    assert_eq!(shop.read("eve", &format!("/v1/orders/{order}")).await.problem(), "404 not_found");
    for sku in ["nothing", "LAMP", "-", "a%20b", "%ff"] {
        let heard =
            shop.customer("ann", "POST", &format!("/v1/items/{sku}/reservations"), &json!({ "quantity": 1 })).await;
        assert_eq!(heard.problem(), "404 not_found", "{sku}");
    }
    for path in ["/", "/v2/items", "/v1/items/lamp/", "//v1/items", "/v1/admin/items", "/metrics"] {
        assert_eq!(shop.read("ann", path).await.problem(), "404 not_found", "{path}");
    }
    assert_eq!(untouched(&shop).await, before);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let shop = Shop::open().await;
    shop.item("lamp", 10, json!({})).await;
    for (method, path, allowed) in [
        ("PUT", "/v1/items/lamp", "GET,HEAD"),
        ("GET", RESERVE, "POST"),
        ("POST", "/v1/reservations/x", "GET,HEAD,DELETE"),
        ("OPTIONS", "/v1/orders", "POST"),
        ("BREW", "/livez", "GET,HEAD"),
    ] {
        let heard = shop.ask(Ask::new(method, path).customer("ann").header("Idempotency-Key", &fresh_key())).await;
        assert_eq!(
            (heard.problem().as_str(), heard.header("allow")),
            ("405 method_not_allowed", Some(allowed)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn heads_a_little_too_large_get_a_problem_and_much_too_large_ones_are_cut_off() {
    let shop = Shop::open().await;
    let mut many = Ask::new("GET", "/livez");
    for number in 0..70 {
        many = many.header(&format!("X-Field-{number}"), "x");
    }
    assert_eq!(shop.ask(many).await.problem(), "431 header_fields_too_large");
    let large = Ask::new("GET", "/livez").header("X-Large", &"x".repeat(17_000));
    assert_eq!(shop.ask(large).await.problem(), "431 header_fields_too_large");
    let target = format!("/v1/items?cursor={}", "x".repeat(5_000));
    assert_eq!(shop.ask(Ask::new("GET", &target)).await.problem(), "414 uri_too_long");
    let huge = Ask::new("GET", "/livez").header("X-Huge", &"x".repeat(100_000));
    let bare = common::exchange(shop.public, &huge.bytes()).await;
    assert!(bare.is_empty() || bare.starts_with(b"HTTP/1.1 431 "), "hyper itself gives up");
    let admin = ask(shop.admin, Ask::new("GET", "/livez").header("X-Large", &"x".repeat(17_000))).await;
    assert_eq!(admin.problem(), "431 header_fields_too_large");
}

#[tokio::test]
async fn no_page_of_parameters_is_taken_that_makes_no_sense() {
    let shop = Shop::open().await;
    shop.item("lamp", 10, json!({})).await;
    for path in [
        "/v1/items?limit=0",
        "/v1/items?limit=101",
        "/v1/items?limit=x",
        "/v1/items?limit=1&limit=2",
        "/v1/items?cursor=NOT",
        "/v1/customers/me/reservations?cursor=1",
        "/v1/items/lamp?min_sequence=-1",
    ] {
        assert_eq!(shop.read("ann", path).await.problem(), "422 validation_failed", "{path}");
    }
    assert_eq!(shop.read("ann", "/v1/items?colour=red").await.status, 200, "unknown ones are ignored");
}
