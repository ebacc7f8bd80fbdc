//! Receipts that the API gives with what it accepts are what the replay tool makes of the log, and bears out.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use tests::{Answer, Client, Server, server};
use tokio::task::JoinSet;

/// Customers at once: enough that several share a turn, and turns a record.
const CROWD: usize = 60;
/// Of their receipts, every so many-th is checked: each check folds a copy of the log.
const CHECKED_EVERY: usize = 5;

fn replay(arguments: &[&str], dir: &Path) -> Output {
    Command::new(server::binary()).arg("replay").args(arguments).arg(dir).output().expect("the program runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Asks with `Prefer: receipt`.
async fn ask(client: &Client, customer: &str, path: &str, key: &str, body: &Value) -> Answer {
    let url = format!("{}{path}", client.public);
    let headers = [
        ("x-customer-id", customer),
        ("idempotency-key", key),
        ("content-type", "application/json"),
        ("prefer", "wait=1, Receipt"),
    ];
    client.send(Method::POST, &url, &headers, body.to_string()).await.expect("an answer")
}

fn receipt(answer: &Answer) -> Option<&str> {
    answer.headers.get("receipt").map(|value| value.to_str().expect("a line of text"))
}

/// The log, as it is now, bears it out, and it is what the tool itself makes of this event.
fn is_borne_out(receipt: &str, data: &Path) {
    let checked = replay(&["receipt", "check", receipt], data);
    assert_eq!(checked.status.code(), Some(0), "{receipt}: {}", text(&checked));
    let sequence = receipt.rsplit(':').nth(1).expect("a sequence");
    let made = replay(&["receipt", "make", "--item", "lamp", "--seq", sequence], data);
    assert_eq!(text(&made), receipt);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_given_with_an_acceptance_is_borne_out_by_the_log() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let server = Server::start(&data).await.expect("a server");
    server.client.open_item("lamp", CROWD as u32, json!({"close_when_sold": false})).await.expect("an item");
    let mut crowd = JoinSet::new();
    for number in 0..CROWD {
        let client = server.client.clone();
        crowd.spawn(async move {
            let (customer, key) = (format!("c{number}"), format!("0123456789abcdef-{number}"));
            ask(&client, &customer, "/v1/items/lamp/reservations", &key, &json!({"quantity": 1})).await
        });
    }
    let told = crowd.join_all().await;
    for (number, answer) in told.iter().enumerate() {
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        let given = receipt(answer).unwrap_or_else(|| panic!("no receipt: {:?}", answer.headers));
        let sequence = answer.number_of("sequence");
        assert!(given.contains(&format!(":lamp:{sequence}:")), "{given} is not of event {sequence}");
        if number % CHECKED_EVERY == 0 {
            is_borne_out(given, &data);
        }
    }
    let first = told.first().expect("somebody");
    let customer = first.text_of("customer");
    let order = json!({"reservation": first.text_of("id")});
    let ordered = ask(&server.client, customer, "/v1/orders", "0123456789abcdef-order", &order).await;
    assert_eq!(ordered.status, StatusCode::CREATED, "{}", ordered.text);
    is_borne_out(receipt(&ordered).expect("a receipt"), &data);
    // What is answered again was made before; its receipt was given then, and the tool can make it again.
    let again = ask(&server.client, customer, "/v1/orders", "0123456789abcdef-order", &order).await;
    assert_eq!((again.status, receipt(&again)), (StatusCode::CREATED, None));
    // Whoever does not ask gets none, nor does who is refused.
    let plain = server.client.reserve("somebody", "lamp").await.expect("an answer");
    assert_eq!(receipt(&plain), None);
    let body = json!({"quantity": 1_000});
    let refused = ask(&server.client, "else", "/v1/items/lamp/reservations", "0123456789abcdef-no", &body).await;
    assert!(refused.status.is_client_error() && receipt(&refused).is_none(), "{}", refused.text);
    assert_eq!(server.stop().await.expect("a status"), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_of_what_was_asked_for_and_not_of_what_followed_from_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let server = Server::start(&data).await.expect("a server");
    server.client.open_item("lamp", 1, json!({"close_when_sold": true})).await.expect("an item");
    let one = json!({"quantity": 1});
    let reserve = |customer: &'static str| {
        let (client, one) = (server.client.clone(), one.clone());
        async move { ask(&client, customer, "/v1/items/lamp/reservations", "0123456789abcdef-r", &one).await }
    };
    let (ann, bob) = (reserve("ann").await, reserve("bob").await);
    assert_eq!((ann.status, bob.status), (StatusCode::CREATED, StatusCode::ACCEPTED));
    // Ann lets go, and bob is promoted in the same turn.
    let url = format!("{}/v1/reservations/{}", server.client.public, ann.text_of("id"));
    let headers = [("x-customer-id", "ann"), ("prefer", "receipt")];
    let cancelled = server.client.send(Method::DELETE, &url, &headers, String::new()).await.expect("an answer");
    is_of_its_own_event(&cancelled, &data);
    // Bob pays for the last unit, and the sale closes in the same turn.
    let body = json!({"reservation": bob.text_of("id")});
    let order = ask(&server.client, "bob", "/v1/orders", "0123456789abcdef-o", &body).await;
    assert_eq!(order.status, StatusCode::CREATED, "{}", order.text);
    let url = format!("{}/v1/orders/{}/confirm", server.client.public, order.text_of("id"));
    let authorization = format!("Bearer {}", server.client.service);
    let headers = [
        ("x-customer-id", "bob"),
        ("idempotency-key", "0123456789abcdef-c"),
        ("content-type", "application/json"),
        ("authorization", authorization.as_str()),
        ("prefer", "receipt"),
    ];
    let paid = json!({"payment_reference": "p-1"}).to_string();
    let confirmed = server.client.send(Method::POST, &url, &headers, paid).await.expect("an answer");
    assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.text);
    is_of_its_own_event(&confirmed, &data);
    assert_eq!(server.stop().await.expect("a status"), Some(0));
}

/// The receipt names the event that the answer's body tells of.
fn is_of_its_own_event(answer: &Answer, data: &Path) {
    let given = receipt(answer).unwrap_or_else(|| panic!("no receipt: {}", answer.text));
    let sequence = answer.number_of("sequence");
    assert!(given.contains(&format!(":lamp:{sequence}:")), "{given} is not of event {sequence}: {}", answer.text);
    is_borne_out(given, data);
}
