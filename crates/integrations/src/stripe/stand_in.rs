//! A server that stands in for Stripe in tests: it checks what Stripe documents that it checks, remembers what Stripe
//! remembers under an idempotency key, and fails in the ways that servers and networks do.
//!
//! What it does not do: take payments. Tests say what became of an intent. What it does when all is well is in `acts`.

mod acts;

use super::{StripeConfig, StripeKey, StripeProvider};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// The one key it knows.
pub(super) const KEY: &str = "sk_test_51StandIn";

/// Long enough for the slowest machine: only tests of a server that never answers get there, and they set their own.
const PATIENCE: Duration = Duration::from_secs(60);

/// How it behaves.
#[derive(Clone, Debug)]
pub(super) enum Mode {
    Serves,
    /// Answers 500 this many times before it does anything, and then serves.
    Fails(u32),
    /// Does what it is told and loses the answer on the way, this many times.
    LosesAnswers(u32),
    Hangs,
    /// Answers this, whatever it is asked.
    Says(u16, String),
    RedirectsTo(String),
}

/// What a form holds.
pub(super) type Form = BTreeMap<String, String>;

/// A status and a body.
type Answer = (u16, Value);

pub(super) struct Inner {
    pub(super) mode: Mode,
    /// Intents by id, as they are shown.
    pub(super) intents: BTreeMap<String, Value>,
    /// Every request that came: method and path, idempotency key, form.
    pub(super) asked: Vec<(String, String, Form)>,
    /// What was asked and answered under each idempotency key.
    stored: BTreeMap<String, ((String, Form), Answer)>,
    refunds: u32,
}

#[derive(Clone)]
pub(super) struct StandIn {
    inner: Arc<Mutex<Inner>>,
    pub(super) url: String,
}

impl StandIn {
    /// Starts it on a free port of this machine. It ends with the test's runtime.
    pub(super) async fn start(mode: Mode) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let (intents, asked, stored) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let inner = Arc::new(Mutex::new(Inner { mode, intents, asked, stored, refunds: 0 }));
        let stand_in = Self { inner, url };
        let router = Router::new().fallback(serve).with_state(stand_in.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        stand_in
    }

    /// What it holds and has seen.
    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics with it")
    }

    /// A provider that asks this server.
    pub(super) fn provider(&self) -> StripeProvider {
        self.provider_with(KEY, PATIENCE)
    }

    /// A provider with another key or less patience.
    pub(super) fn provider_with(&self, key: &str, request_timeout: Duration) -> StripeProvider {
        let secret_key = StripeKey::parse(key).expect("a key");
        StripeProvider::new(&StripeConfig { base_url: format!("{}/", self.url), secret_key, request_timeout })
            .expect("a good configuration")
    }

    /// Puts an intent there, or changes the one that is.
    pub(super) fn set(&self, intent: &str, status: &str, received: u64) {
        let mut inner = self.inner();
        let shown = inner.intents.entry(intent.to_owned()).or_insert_with(|| {
            json!({ "id": intent, "object": "payment_intent", "amount": 99_900, "currency": "usd",
                    "client_secret": format!("{intent}_secret_x") })
        });
        shown["status"] = json!(status);
        shown["amount_received"] = json!(received);
    }
}

async fn serve(State(stand_in): State<StandIn>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let named = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (key, call) = (named("idempotency-key"), format!("{method} {}", uri.path()));
    let form = form(&body);
    let mode = {
        let mut inner = stand_in.inner();
        inner.asked.push((call.clone(), key.clone(), form.clone()));
        inner.mode.clone()
    };
    match mode {
        Mode::Hangs => return std::future::pending().await,
        Mode::Says(status, body) => return (code(status), body).into_response(),
        Mode::RedirectsTo(url) => return (code(307), [(header::LOCATION, url)]).into_response(),
        Mode::Fails(left @ 1..) => {
            stand_in.inner().mode = Mode::Fails(left - 1);
            return shown(&(500, error("api_error", "", "try again")));
        }
        Mode::Serves | Mode::Fails(0) | Mode::LosesAnswers(_) => {}
    }
    if named("authorization") != format!("Bearer {KEY}") {
        return shown(&(401, error("invalid_request_error", "", "Invalid API Key provided")));
    }
    if named("stripe-version").is_empty() {
        return shown(&(400, error("invalid_request_error", "", "these tests pin the API's version")));
    }
    if method == Method::POST && named("content-type") != "application/x-www-form-urlencoded" {
        return shown(&(400, error("invalid_request_error", "", "the API takes forms")));
    }
    let mut inner = stand_in.inner();
    let answer = inner.remembering(call, key, form);
    if let Mode::LosesAnswers(left @ 1..) = inner.mode {
        inner.mode = Mode::LosesAnswers(left - 1);
        return (code(502), "the proxy is sorry").into_response();
    }
    shown(&answer)
}

impl Inner {
    /// The same key and the same parameters: the same answer. Other parameters: a mistake of the caller.
    fn remembering(&mut self, call: String, key: String, form: Form) -> Answer {
        let asked = (call, form);
        match self.stored.get(&key) {
            Some((before, answer)) if *before == asked => answer.clone(),
            Some(_) => (400, error("idempotency_error", "", "Keys can only be used with the same parameters")),
            None => {
                let answer = self.act(&asked.0, &asked.1);
                if !key.is_empty() {
                    self.stored.insert(key, (asked, answer.clone()));
                }
                answer
            }
        }
    }
}

/// A URL's query is spelt as a form is.
fn form(body: &[u8]) -> Form {
    let url = format!("http://form/?{}", String::from_utf8_lossy(body));
    reqwest::Url::parse(&url).expect("a query").query_pairs().into_owned().collect()
}

/// An error as Stripe spells it; one without a code is spelt with null here.
pub(super) fn error(kind: &str, code: &str, message: &str) -> Value {
    let code = (!code.is_empty()).then_some(code);
    json!({ "error": { "type": kind, "code": code, "message": message } })
}

fn shown((status, body): &Answer) -> Response {
    (code(*status), [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("a status")
}
