//! Messages to integrators, from the registration of an endpoint to a receiver that checks the signature.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use common::Shop;
use integrations::outgoing::{SenderConfig, WebhookSender, parse_secret, sign};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// A receiver of messages.
#[derive(Clone, Default)]
struct Receiver(Arc<Inner>);

#[derive(Default)]
struct Inner {
    heard: Mutex<Vec<(HeaderMap, String)>>,
    answers: AtomicU16,
    more: Notify,
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: String) -> StatusCode {
    receiver.0.heard.lock().unwrap().push((headers, body));
    receiver.0.more.notify_one();
    StatusCode::from_u16(receiver.0.answers.load(Ordering::Relaxed)).unwrap()
}

impl Receiver {
    /// Starts it, and tells where it listens.
    async fn start() -> (Self, String) {
        let receiver = Self::default();
        receiver.0.answers.store(204, Ordering::Relaxed);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/told", listener.local_addr().unwrap());
        let routes = axum::Router::new().route("/told", post(take)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (receiver, url)
    }

    /// Waits until it has heard all of these types (and maybe more), and gives back all that it heard.
    async fn hears(&self, types: &[&str]) -> Vec<(HeaderMap, String)> {
        loop {
            let heard = self.0.heard.lock().unwrap().clone();
            let known: BTreeSet<String> = heard.iter().map(|(_, body)| kind(body)).collect();
            if types.iter().all(|wanted| known.contains(*wanted)) {
                return heard;
            }
            self.0.more.notified().await;
        }
    }
}

fn kind(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap();
    body.get("type").and_then(Value::as_str).unwrap().to_owned()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).unwrap().to_str().unwrap()
}

async fn shop() -> Shop {
    let sender = WebhookSender::new(SenderConfig { allow_private: true }).unwrap();
    let outside = engine::Outside { notifier: Some(Arc::new(sender)), ..engine::Outside::default() };
    Shop::open_to(outside, |config| config.notify_private = true).await
}

#[tokio::test]
async fn an_integrator_is_told_in_signed_messages_and_can_ask_for_them_again() {
    let shop = shop().await;
    let (receiver, url) = Receiver::start().await;
    let added = shop.operator("POST", "/v1/admin/endpoints", &json!({ "url": url })).await;
    assert_eq!((added.status, added.text("state")), (201, "on".to_owned()), "{}", added.raw);
    assert!(added.text("server_time") >= added.text("since"));
    let secret = parse_secret(&added.text("secret")).unwrap();

    for sku in ["lamp", "vase"] {
        shop.item(sku, 5, json!({})).await;
    }
    let (_, reservation) = shop.reserve("ann", "lamp").await;
    let placed = shop.customer("ann", "POST", "/v1/orders", &json!({ "reservation": reservation })).await;
    let confirm = format!("/v1/orders/{}/confirm", placed.text("id"));
    let paid = shop.service("ann", &confirm, &json!({ "payment_reference": "pay-1" })).await;
    assert_eq!(paid.text("state"), "paid", "{}", paid.raw);
    let heard = receiver.hears(&["item.opened", "reservation.held", "order.created", "order.paid"]).await;
    for (headers, body) in &heard {
        let (id, at) = (header(headers, "webhook-id"), header(headers, "webhook-timestamp").parse().unwrap());
        let ours = sign(std::slice::from_ref(&secret), id, at, body.as_bytes());
        assert_eq!(header(headers, "webhook-signature"), ours);
    }
    let ids: BTreeSet<&str> = heard.iter().map(|(headers, _)| header(headers, "webhook-id")).collect();
    assert_eq!(ids.len(), heard.len(), "each message once, while nothing fails");

    // A bundle's order is told as any other.
    let lines = json!({ "lines": [{ "sku": "lamp", "quantity": 1 }, { "sku": "vase", "quantity": 1 }] });
    let bundle = shop.customer("bob", "POST", "/v1/bundles", &lines).await;
    assert_eq!(bundle.status, 201, "{}", bundle.raw);
    shop.customer("bob", "DELETE", &format!("/v1/bundles/{}", bundle.text("id")), &json!({})).await;
    let heard = receiver.hears(&["reservation.cancelled"]).await;
    let of_bundle = heard.iter().filter(|(_, body)| body.contains(&bundle.text("id")));
    let kinds: Vec<String> = of_bundle.map(|(_, body)| kind(body)).collect();
    assert_eq!(kinds, ["reservation.held", "reservation.cancelled"]);

    // Told again: the same ids, so that whoever heard them can tell.
    receiver.0.heard.lock().unwrap().clear();
    let opened_at = added.text("since");
    let again = shop.operator("POST", "/v1/admin/endpoints/1/redeliver", &json!({ "since": opened_at })).await;
    assert_eq!(again.status, 200, "{}", again.raw);
    let told_again = receiver.hears(&["order.paid", "reservation.cancelled"]).await;
    let told_before: BTreeSet<&str> = heard.iter().map(|(headers, _)| header(headers, "webhook-id")).collect();
    assert!(told_again.iter().all(|(headers, _)| told_before.contains(header(headers, "webhook-id"))));
}

#[tokio::test]
async fn a_new_secret_signs_beside_the_old_one_and_a_receiver_that_is_gone_is_told_no_more() {
    let shop = shop().await;
    let (receiver, url) = Receiver::start().await;
    let asked = json!({ "url": url, "types": ["item.opened", "item.closed"] });
    let added = shop.operator("POST", "/v1/admin/endpoints", &asked).await;
    let rotated = shop.operator("POST", "/v1/admin/endpoints/1/rotate", &json!({})).await;
    let secrets = [parse_secret(&rotated.text("secret")).unwrap(), parse_secret(&added.text("secret")).unwrap()];
    assert_ne!(rotated.text("secret"), added.text("secret"));

    receiver.0.answers.store(410, Ordering::Relaxed);
    shop.item("lamp", 5, json!({})).await;
    let heard = receiver.hears(&["item.opened"]).await;
    let [(headers, body)] = heard.as_slice() else { panic!("told of what it wants: {heard:?}") };
    let (id, at) = (header(headers, "webhook-id"), header(headers, "webhook-timestamp").parse().unwrap());
    assert_eq!(header(headers, "webhook-signature"), sign(&secrets, id, at, body.as_bytes()));

    loop {
        let listed = shop.operator("GET", "/v1/admin/endpoints", &Value::Null).await;
        assert!(!listed.raw.contains("whsec_"), "secrets are shown once");
        if listed.body.pointer("/endpoints/0/state") == Some(&json!("gone")) {
            break;
        }
        tokio::task::yield_now().await;
    }
    let enabled = shop.operator("POST", "/v1/admin/endpoints/1/enable", &json!({})).await;
    assert_eq!((enabled.status, enabled.text("state")), (200, "on".to_owned()));
    let removed = shop.operator("DELETE", "/v1/admin/endpoints/1", &Value::Null).await;
    assert_eq!(removed.status, 200);
    assert!(removed.text("server_time") >= enabled.text("server_time"));
    assert!(enabled.text("server_time") >= rotated.text("server_time"));
    let unknown = shop.operator("POST", "/v1/admin/endpoints/1/rotate", &json!({})).await;
    assert_eq!(unknown.problem(), "404 not_found");
}

#[tokio::test]
async fn a_private_address_is_refused_unless_it_is_allowed() {
    let shop = Shop::open().await;
    for url in ["https://127.0.0.1/told", "http://example.com/told", "https://[::1]/", "https://10.0.0.7/", "told"] {
        let refused = shop.operator("POST", "/v1/admin/endpoints", &json!({ "url": url })).await;
        assert_eq!(refused.status, 422, "{url}: {}", refused.raw);
    }
    let fine = shop.operator("POST", "/v1/admin/endpoints", &json!({ "url": "https://example.com/told" })).await;
    assert_eq!(fine.status, 201, "{}", fine.raw);
}
