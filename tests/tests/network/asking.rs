//! A client on the simulated network: loses patience, loses connections, and asks again under the same key until it is
//! told.

use super::shop;
use anyhow::{Context, Result, ensure};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use turmoil::net::TcpStream;

/// A request that can be sent again and again.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) customer: String,
    pub(crate) key: Option<String>,
    pub(crate) body: Value,
    /// Whether the backend's credential goes with it.
    pub(crate) as_service: bool,
}

/// An answer that is not "ask again".
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Told {
    pub(crate) fn text_of(&self, member: &str) -> String {
        self.json.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    pub(crate) fn number_of(&self, member: &str) -> u64 {
        self.json.get(member).and_then(Value::as_u64).unwrap_or_default()
    }
}

/// A client with at most one connection.
pub(crate) struct Asker {
    port: u16,
    bearer: Option<&'static str>,
    open: Option<SendRequest<Full<Bytes>>>,
    pub(crate) dice: ChaCha8Rng,
    /// How often it asked again.
    pub(crate) again: u64,
}

impl Asker {
    pub(crate) fn customer(seed: u64) -> Self {
        Self { port: shop::PUBLIC, bearer: None, open: None, dice: ChaCha8Rng::seed_from_u64(seed), again: 0 }
    }

    pub(crate) fn operator(seed: u64) -> Self {
        Self { port: shop::ADMIN, bearer: Some(shop::OPERATOR), ..Self::customer(seed) }
    }

    /// Asks until there is an answer that settles it.
    pub(crate) async fn ask(&mut self, asked: &Asked) -> Told {
        loop {
            let patience = Duration::from_millis(self.dice.random_range(50..1_500));
            // At times a client does not even wait for its connection to be closed.
            if self.dice.random_range(0..10) == 0 {
                self.open = None;
            }
            match timeout(patience, self.once(asked)).await {
                Ok(Ok(told)) if is_settled(told.status) => return told,
                Ok(Ok(_)) => {}
                // Whatever was under way on this connection is lost; what it did is not known.
                Ok(Err(_)) | Err(_) => self.open = None,
            }
            self.again += 1;
            let pause = Duration::from_millis(self.dice.random_range(1..200));
            sleep(pause).await;
        }
    }

    async fn once(&mut self, asked: &Asked) -> Result<Told> {
        if self.open.as_ref().is_none_or(SendRequest::is_closed) {
            let stream = TcpStream::connect((shop::HOST, self.port)).await?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await?;
            // It ends with the sender, or when the connection breaks, which the sender is told.
            tokio::spawn(async move { drop(connection.await) });
            self.open = Some(sender);
        }
        let request = self.request(asked)?;
        let sender = self.open.as_mut().context("a connection")?;
        sender.ready().await?;
        let (head, body) = sender.send_request(request).await?.into_parts();
        let bytes = body.collect().await?.to_bytes();
        let text = String::from_utf8(bytes.to_vec())?;
        ensure!(!text.is_empty(), "an answer without a body");
        Ok(Told { status: head.status, json: serde_json::from_str(&text)?, text })
    }

    fn request(&self, asked: &Asked) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder().method(asked.method.clone()).uri(&asked.path).header("host", shop::HOST);
        if !asked.customer.is_empty() {
            request = request.header("x-customer-id", &asked.customer);
        }
        if let Some(key) = &asked.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(token) = self.bearer.or(asked.as_service.then_some(shop::SERVICE)) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = if asked.body.is_null() { String::new() } else { asked.body.to_string() };
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        Ok(request.body(Full::from(body))?)
    }
}

/// Whether an answer says what became of the request. 5xx and 408 say to ask again.
fn is_settled(status: StatusCode) -> bool {
    !status.is_server_error() && status != StatusCode::REQUEST_TIMEOUT
}
