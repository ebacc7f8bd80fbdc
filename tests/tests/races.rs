//! The races of a flash sale, over HTTP, against the shipped binary.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tests::client::fresh_key;
use tests::{Answer, Client, Server};

async fn rush(client: &Client, sku: &str, customers: usize) -> Vec<Answer> {
    let mut rush = tokio::task::JoinSet::new();
    for number in 0..customers {
        let (client, sku) = (client.clone(), sku.to_owned());
        rush.spawn(async move { client.reserve(&format!("customer-{number}"), &sku).await });
    }
    let mut answers = Vec::new();
    while let Some(answer) = rush.join_next().await {
        answers.push(answer.expect("no panic").expect("an answer"));
    }
    answers
}

/// Stops the server and lets the auditor recount what it left behind.
async fn judged(server: Server, dir: &Path) {
    assert_eq!(server.stop().await.expect("a status"), Some(0));
    tests::audited::clean(dir, "after the race");
}

fn count(answers: &[Answer], status: StatusCode) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

async fn item(client: &Client, sku: &str) -> Answer {
    client.get("anybody", &format!("/v1/items/{sku}")).await.expect("an answer")
}

/// Reads until `done`, each read told by the server itself when something changed: no sleep.
async fn until(client: &Client, customer: &str, path: &str, done: impl Fn(&Answer) -> bool) -> Answer {
    let url = format!("{}{path}", client.public);
    let mut etag = String::new();
    for _ in 0..200 {
        let headers = [("x-customer-id", customer), ("prefer", "wait=5"), ("if-none-match", etag.as_str())];
        let answer = client.send(Method::GET, &url, &headers, String::new()).await.expect("an answer");
        if answer.status == StatusCode::OK && done(&answer) {
            return answer;
        }
        if let Some(tag) = answer.headers.get("etag").and_then(|tag| tag.to_str().ok()) {
            etag = tag.to_owned();
        }
    }
    panic!("{path} never got there");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_buyers_against_a_stock_of_one_hundred_get_exactly_one_hundred() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path()).await.expect("a server");
    let client = &server.client;
    client.open_item("lamp", 100, json!({"waitlist": {"enabled": false, "capacity": 0}})).await.expect("an item");
    let answers = rush(client, "lamp", 200).await;
    assert_eq!(count(&answers, StatusCode::CREATED), 100);
    assert_eq!(count(&answers, StatusCode::CONFLICT), 100);
    assert!(answers.iter().filter(|a| a.status == StatusCode::CONFLICT).all(|a| a.code() == "sold_out"));
    let view = item(client, "lamp").await;
    assert_eq!((view.number_of("available"), view.number_of("held"), view.number_of("total")), (0, 100, 100));
    judged(server, dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_waitlist_a_hundred_are_held_and_a_hundred_wait_in_the_order_of_arrival() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path()).await.expect("a server");
    let client = &server.client;
    client.open_item("lamp", 100, Value::Null).await.expect("an item");
    let answers = rush(client, "lamp", 200).await;
    assert_eq!(count(&answers, StatusCode::CREATED), 100);
    assert_eq!(count(&answers, StatusCode::ACCEPTED), 100);

    let mut waiting: Vec<&Answer> = answers.iter().filter(|answer| answer.status == StatusCode::ACCEPTED).collect();
    waiting.sort_by_key(|answer| answer.number_of("sequence"));
    for (at, answer) in waiting.iter().enumerate() {
        let place = answer.json.pointer("/waitlist/position").and_then(Value::as_u64);
        assert_eq!(place, Some(at as u64 + 1), "places follow the order in the log");
    }

    let held: Vec<&Answer> = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).collect();
    for (left, next) in held.iter().zip(&waiting).take(3) {
        let path = format!("/v1/reservations/{}", left.text_of("id"));
        let gone = client.delete(left.text_of("customer"), &path).await.expect("an answer");
        assert_eq!((gone.status, gone.text_of("state")), (StatusCode::OK, "cancelled"));
        let path = format!("/v1/reservations/{}", next.text_of("id"));
        let promoted = client.get(next.text_of("customer"), &path).await.expect("an answer");
        assert_eq!(promoted.text_of("state"), "held", "exactly the next one in line");
    }
    let fourth = waiting.get(3).expect("a fourth");
    let path = format!("/v1/reservations/{}", fourth.text_of("id"));
    let still = client.get(fourth.text_of("customer"), &path).await.expect("an answer");
    assert_eq!(still.json.pointer("/waitlist/position"), Some(&json!(1)));
    judged(server, dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_pay_in_time_makes_room_for_exactly_the_next() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path()).await.expect("a server");
    let client = &server.client;
    client.open_item("lamp", 1, json!({"hold_time_ms": 1_000})).await.expect("an item");
    let first = client.reserve("ann", "lamp").await.expect("an answer");
    let second = client.reserve("bob", "lamp").await.expect("an answer");
    let third = client.reserve("cyd", "lamp").await.expect("an answer");
    assert_eq!((first.status, second.status), (StatusCode::CREATED, StatusCode::ACCEPTED));
    let path = |answer: &Answer| format!("/v1/reservations/{}", answer.text_of("id"));

    let promoted = until(client, "bob", &path(&second), |answer| answer.text_of("state") == "held").await;
    assert_eq!(client.get("ann", &path(&first)).await.expect("an answer").text_of("state"), "expired");
    let order = json!({"reservation": promoted.text_of("id")});
    let order = client.post("bob", "/v1/orders", &fresh_key(), order).await.expect("an answer");
    assert_eq!(order.status, StatusCode::CREATED, "{}", order.text);
    let confirm = format!("/v1/orders/{}/confirm", order.text_of("id"));
    let paid = client.service_post("bob", &confirm, &fresh_key(), json!({"payment_reference": "bank-1"})).await;
    assert_eq!(paid.expect("an answer").text_of("state"), "paid");
    let lapsed = client.get("cyd", &path(&third)).await.expect("an answer");
    assert_eq!(lapsed.text_of("state"), "lapsed", "everything is sold, the line is over");
    assert_eq!(item(client, "lamp").await.text_of("phase"), "closed");
    judged(server, dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_many_times_at_once_has_one_effect_and_one_answer() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path()).await.expect("a server");
    let client = &server.client;
    client.open_item("lamp", 10, json!({"per_customer_limit": 10})).await.expect("an item");
    let key = fresh_key();
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (client, key) = (client.clone(), key.clone());
        tries.spawn(
            async move { client.post("ann", "/v1/items/lamp/reservations", &key, json!({"quantity": 1})).await },
        );
    }
    let mut bodies = std::collections::BTreeSet::new();
    let mut replayed = 0;
    while let Some(answer) = tries.join_next().await {
        let answer = answer.expect("no panic").expect("an answer");
        assert_eq!(answer.status, StatusCode::CREATED);
        replayed += usize::from(answer.headers.contains_key("idempotent-replayed"));
        bodies.insert(answer.text);
    }
    assert_eq!(bodies.len(), 1, "every answer is the same");
    assert_eq!(replayed, 19, "one had the effect");
    assert_eq!(item(client, "lamp").await.number_of("held"), 1);

    let other = client.post("ann", "/v1/items/lamp/reservations", &key, json!({"quantity": 1, "waitlist": "decline"}));
    let other = other.await.expect("an answer");
    assert_eq!((other.status, other.code()), (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"));
    judged(server, dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_keeps_every_answer_and_the_next_start_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path()).await.expect("a server");
    server.client.open_item("lamp", 5, Value::Null).await.expect("an item");
    let answers = rush(&server.client, "lamp", 8).await;
    let stopped = tokio::time::timeout(Duration::from_secs(60), server.stop()).await.expect("it ends");
    assert_eq!(stopped.expect("a status"), Some(0));

    tests::audited::clean(dir.path(), "after the graceful stop");
    let server = Server::start(dir.path()).await.expect("it starts again");
    for answer in &answers {
        let path = format!("/v1/reservations/{}", answer.text_of("id"));
        let again = server.client.get(answer.text_of("customer"), &path).await.expect("an answer");
        assert_eq!(again.text_of("state"), answer.text_of("state"));
        assert_eq!(again.json.get("quantity"), answer.json.get("quantity"));
    }
    judged(server, dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_data_directory_is_refused_in_words() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path()).await.expect("a server");
    let second = Server::start(dir.path()).await.expect_err("a second one cannot start").to_string();
    assert!(second.contains("already") || second.contains("in use"), "{second}");
    let pid = server.pid().expect("it runs").to_string();
    assert!(second.contains(&pid), "it names who holds it: {second}");
}
