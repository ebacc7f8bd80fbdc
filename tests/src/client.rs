//! A small JSON client over keep-alive connections.

use anyhow::{Context, Result};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as text.
    pub text: String,
    /// Its body as JSON, or null.
    pub json: Value,
}

impl Answer {
    /// A text member of the body, or nothing.
    #[must_use]
    pub fn text_of(&self, member: &str) -> &str {
        self.json.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number member of the body, or 0.
    #[must_use]
    pub fn number_of(&self, member: &str) -> u64 {
        self.json.get(member).and_then(Value::as_u64).unwrap_or_default()
    }

    /// The problem's code, or nothing.
    #[must_use]
    pub fn code(&self) -> &str {
        self.text_of("code")
    }
}

/// Talks to one server.
#[derive(Clone, Debug)]
pub struct Client {
    inner: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    /// `http://host:port` of customers and services.
    pub public: String,
    /// `http://host:port` of operators.
    pub admin: String,
    /// The operators' token.
    pub operator: String,
    /// The services' token.
    pub service: String,
}

static KEYS: AtomicU64 = AtomicU64::new(0);

/// A key no other call in this process has used.
#[must_use]
pub fn fresh_key() -> String {
    format!("test-key-{:08}-{}", KEYS.fetch_add(1, Ordering::Relaxed), std::process::id())
}

impl Client {
    /// A client of the server at these addresses.
    #[must_use]
    pub fn new(public: String, admin: String, operator: String, service: String) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let inner = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
        Self { inner, public, admin, operator, service }
    }

    /// Any request. `body` goes as it is.
    ///
    /// # Errors
    /// When no answer came: the connection failed or was cut.
    pub async fn send(&self, method: Method, url: &str, headers: &[(&str, &str)], body: String) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.inner.request(request.body(Full::from(body))?).await.context("no answer")?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.context("the answer was cut")?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { status: parts.status, headers: parts.headers, text, json })
    }

    /// A customer's POST with a key.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn post(&self, customer: &str, path: &str, key: &str, body: Value) -> Result<Answer> {
        let headers = [("x-customer-id", customer), ("idempotency-key", key), ("content-type", "application/json")];
        self.send(Method::POST, &format!("{}{path}", self.public), &headers, body.to_string()).await
    }

    /// A customer's POST with the service credential besides.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn service_post(&self, customer: &str, path: &str, key: &str, body: Value) -> Result<Answer> {
        let bearer = format!("Bearer {}", self.service);
        let headers = [
            ("x-customer-id", customer),
            ("idempotency-key", key),
            ("content-type", "application/json"),
            ("authorization", bearer.as_str()),
        ];
        self.send(Method::POST, &format!("{}{path}", self.public), &headers, body.to_string()).await
    }

    /// A customer's GET.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn get(&self, customer: &str, path: &str) -> Result<Answer> {
        self.send(Method::GET, &format!("{}{path}", self.public), &[("x-customer-id", customer)], String::new()).await
    }

    /// A customer's DELETE.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn delete(&self, customer: &str, path: &str) -> Result<Answer> {
        self.send(Method::DELETE, &format!("{}{path}", self.public), &[("x-customer-id", customer)], String::new())
            .await
    }

    /// An operator's request.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn operate(&self, method: Method, path: &str, body: Value) -> Result<Answer> {
        let bearer = format!("Bearer {}", self.operator);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, &format!("{}{path}", self.admin), &headers, body).await
    }

    /// Creates and opens an item. `more` is merged over what every item needs.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn open_item(&self, sku: &str, total: u32, more: Value) -> Result<Answer> {
        let mut body = json!({"sku": sku, "total": total, "unit_price": {"amount": 99_900, "currency": "USD"}});
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.clone());
        }
        let created = self.operate(Method::POST, "/v1/admin/items", body).await?;
        anyhow::ensure!(created.status == StatusCode::CREATED, "not created: {}", created.text);
        let opened = self.operate(Method::POST, &format!("/v1/admin/items/{sku}/open"), Value::Null).await?;
        anyhow::ensure!(opened.status == StatusCode::OK, "not opened: {}", opened.text);
        Ok(opened)
    }

    /// Reserves one unit under a fresh key.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn reserve(&self, customer: &str, sku: &str) -> Result<Answer> {
        self.post(customer, &format!("/v1/items/{sku}/reservations"), &fresh_key(), json!({"quantity": 1})).await
    }
}
