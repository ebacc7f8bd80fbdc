//! Whatever comes in, a problem document comes out, and nothing is lost.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use tests::client::fresh_key;
use tests::{Answer, Client, Server};

fn is_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{}", answer.text);
    let content_type = answer.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert_eq!(content_type, "application/problem+json");
    assert_eq!(answer.text_of("type"), format!("/problems/{code}"));
    for member in ["title", "detail", "retry", "request_id"] {
        assert!(!answer.text_of(member).is_empty(), "{member} is missing: {}", answer.text);
    }
}

/// A problem without what differs from request to request.
fn without_its_own(answer: &Answer) -> Value {
    let mut document = answer.json.clone();
    if let Some(members) = document.as_object_mut() {
        members.retain(|name, _| !matches!(name.as_str(), "request_id" | "server_time"));
    }
    document
}

async fn raw(client: &Client, headers: &[(&str, &str)], body: &str) -> Answer {
    let url = format!("{}/v1/items/lamp/reservations", client.public);
    client.send(Method::POST, &url, headers, body.to_owned()).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_bad_body_is_told_what_is_wrong_and_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path()).await.expect("a server");
    let client = &server.client;
    client.open_item("lamp", 3, Value::Null).await.expect("an item");
    let cases = [
        ("", 400, "malformed_request"),
        ("{", 400, "malformed_request"),
        ("not json", 400, "malformed_request"),
        ("[]", 422, "validation_failed"),
        ("{}", 422, "validation_failed"),
        (r#"{"quantity":0}"#, 422, "validation_failed"),
        (r#"{"quantity":-1}"#, 422, "validation_failed"),
        (r#"{"quantity":1.5}"#, 422, "validation_failed"),
        (r#"{"quantity":"1"}"#, 422, "validation_failed"),
        (r#"{"quantity":99999999999999999999}"#, 422, "validation_failed"),
        (r#"{"quantity":2}"#, 422, "validation_failed"),
        (r#"{"quantity":1,"colour":"red"}"#, 422, "validation_failed"),
        (r#"{"quantity":1,"waitlist":"maybe"}"#, 422, "validation_failed"),
    ];
    for (body, status, code) in cases {
        let key = fresh_key();
        let headers =
            [("x-customer-id", "ann"), ("idempotency-key", key.as_str()), ("content-type", "application/json")];
        let answer = raw(client, &headers, body).await;
        is_problem(&answer, status, code);
        if code == "validation_failed" {
            assert!(answer.json.pointer("/errors/0/pointer").is_some(), "{body}: {}", answer.text);
        }
    }
    let view = client.get("ann", "/v1/items/lamp").await.expect("an answer");
    assert_eq!((view.number_of("available"), view.number_of("sequence")), (3, 2), "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_customers_content_types_and_methods_are_checked() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path()).await.expect("a server");
    let client = &server.client;
    client.open_item("lamp", 3, Value::Null).await.expect("an item");
    let body = r#"{"quantity":1}"#;
    let (json, who) = (("content-type", "application/json"), ("x-customer-id", "ann"));
    let (good, long) = (fresh_key(), "k".repeat(256));
    is_problem(&raw(client, &[json, who], body).await, 400, "idempotency_key_missing");
    for bad in ["short", long.as_str(), "\"half-quoted-0123456789", "half-quoted-0123456789\""] {
        is_problem(&raw(client, &[json, who, ("idempotency-key", bad)], body).await, 400, "idempotency_key_invalid");
    }
    let key = ("idempotency-key", good.as_str());
    is_problem(&raw(client, &[json, key], body).await, 401, "unauthenticated");
    is_problem(&raw(client, &[json, key, ("x-customer-id", "me")], body).await, 401, "unauthenticated");
    let plain = raw(client, &[("content-type", "text/plain"), who, key], body).await;
    is_problem(&plain, 415, "unsupported_media_type");

    let delete = client.delete("ann", "/v1/items/lamp").await.expect("an answer");
    is_problem(&delete, 405, "method_not_allowed");
    assert!(delete.headers.contains_key("allow"));
    is_problem(&client.get("ann", "/v1/nothing").await.expect("an answer"), 404, "not_found");
    is_problem(&client.reserve("ann", "unknown").await.expect("an answer"), 404, "not_found");
    is_problem(&client.reserve("ann", "NOT-a-sku").await.expect("an answer"), 404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_reservation_and_order_do_not_exist() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path()).await.expect("a server");
    let client = &server.client;
    client.open_item("lamp", 3, Value::Null).await.expect("an item");
    let held = client.reserve("ann", "lamp").await.expect("an answer");
    let id = held.text_of("id");
    let path = format!("/v1/reservations/{id}");
    is_problem(&client.get("eve", &path).await.expect("an answer"), 404, "not_found");
    is_problem(&client.delete("eve", &path).await.expect("an answer"), 404, "not_found");
    // The very document that a made-up id gets: a stranger does not even learn that the id is real.
    let made_up = path.replace(id, "rsv_00000001000080008000000000000000");
    let real = without_its_own(&client.get("eve", &path).await.expect("an answer"));
    assert_eq!(real, without_its_own(&client.get("eve", &made_up).await.expect("an answer")));
    let order = client.post("eve", "/v1/orders", &fresh_key(), json!({"reservation": id})).await;
    is_problem(&order.expect("an answer"), 404, "not_found");
    let mut guess = id.to_owned();
    guess.pop();
    for last in "0123456789abcdef".chars().filter(|last| !id.ends_with(*last)) {
        is_problem(
            &client.get("ann", &format!("/v1/reservations/{guess}{last}")).await.expect("an answer"),
            404,
            "not_found",
        );
    }
    assert_eq!(client.get("ann", &path).await.expect("an answer").text_of("state"), "held");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_and_services_need_their_tokens() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path()).await.expect("a server");
    let mut client = server.client.clone();
    client.open_item("lamp", 3, Value::Null).await.expect("an item");
    let purchase = client.post("ann", "/v1/items/lamp/purchases", &fresh_key(), json!({"quantity": 1})).await;
    is_problem(&purchase.expect("an answer"), 403, "forbidden");
    let bought = client.service_post("ann", "/v1/items/lamp/purchases", &fresh_key(), json!({"quantity": 1})).await;
    assert_eq!(bought.expect("an answer").status, StatusCode::CREATED);
    client.operator = "wrong".to_owned();
    let refused = client.operate(Method::POST, "/v1/admin/items/lamp/close", Value::Null).await.expect("an answer");
    is_problem(&refused, 401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_are_refused_at_once_and_the_shop_stays_open() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path()).await.expect("a server");
    let client = server.client.clone();
    client.open_item("lamp", 3, Value::Null).await.expect("an item");
    let address = client.public.trim_start_matches("http://").to_owned();
    let refused = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).expect("a connection");
        let head = "POST /v1/items/lamp/reservations HTTP/1.1\r\nhost: x\r\nx-customer-id: ann\r\n\
                    idempotency-key: 0123456789abcdef\r\ncontent-type: application/json\r\ncontent-length: 104857600\r\n\r\n";
        stream.write_all(head.as_bytes()).expect("the head goes out");
        // The answer comes before the body has been sent: nothing of it is needed.
        let mut answer = Vec::new();
        let mut chunk = [0; 4_096];
        while !String::from_utf8_lossy(&answer).contains("content_too_large") {
            let count = stream.read(&mut chunk).expect("an answer");
            assert!(count > 0, "cut without an answer: {}", String::from_utf8_lossy(&answer));
            answer.extend(chunk.iter().take(count));
        }
        String::from_utf8_lossy(&answer).into_owned()
    })
    .await
    .expect("no panic");
    assert!(refused.starts_with("HTTP/1.1 413"), "{refused}");
    assert_eq!(client.reserve("ann", "lamp").await.expect("an answer").status, StatusCode::CREATED);
}
