//! A server over an engine in this process, and the smallest HTTP client that can misbehave.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "shared by test binaries that each use a part")]

pub mod engine;

use api::{ApiConfig, Drained, Token, serve};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub const OPERATOR: &str = "operator-token-0123456789";
pub const SERVICE: &str = "service-token-0123456789";

/// A running server.
pub struct Shop {
    pub public: SocketAddr,
    pub admin: SocketAddr,
    pub engine: ::engine::Engine,
    pub disk: eventlog::MemoryDisk,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<Drained>>,
}

impl Shop {
    /// With the defaults.
    pub async fn open() -> Self {
        Self::open_with(|_| ()).await
    }

    /// With a configuration of the test's own.
    pub async fn open_with(configure: impl FnOnce(&mut ApiConfig)) -> Self {
        Self::open_to(::engine::Outside::default(), configure).await
    }

    /// With a world outside.
    pub async fn open_to(outside: ::engine::Outside, configure: impl FnOnce(&mut ApiConfig)) -> Self {
        let mut config = ApiConfig::new(Token::parse(OPERATOR).unwrap(), Token::parse(SERVICE).unwrap());
        configure(&mut config);
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (public_at, admin_at) = (public.local_addr().unwrap(), admin.local_addr().unwrap());
        let (engine, disk) = engine::in_memory(outside);
        let served = engine.clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            serve(public, admin, served, config, async {
                let _ = stopped.await;
            })
            .await
        });
        Self { public: public_at, admin: admin_at, engine, disk, stop: Some(stop), running: Some(running) }
    }

    /// Begins to stop.
    pub fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Stops and says how it ended.
    pub async fn stopped(mut self) -> Drained {
        self.stop();
        self.running.take().unwrap().await.unwrap()
    }

    /// An open item.
    pub async fn item(&self, sku: &str, total: u32, more: Value) {
        let mut body = json!({ "sku": sku, "total": total, "unit_price": { "amount": 500, "currency": "USD" } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let created = self.operator("POST", "/v1/admin/items", &body).await;
        assert_eq!(created.status, 201, "{}", created.body);
        let opened = self.operator("POST", &format!("/v1/admin/items/{sku}/open"), &json!({})).await;
        assert_eq!(opened.status, 200, "{}", opened.body);
    }

    /// What an operator asks.
    pub async fn operator(&self, method: &str, path: &str, body: &Value) -> Heard {
        ask(self.admin, Ask::new(method, path).header("Authorization", &bearer(OPERATOR)).json(body)).await
    }

    /// What a customer asks, under a key of its own.
    pub async fn customer(&self, who: &str, method: &str, path: &str, body: &Value) -> Heard {
        self.ask(Ask::new(method, path).customer(who).fresh_key().json(body)).await
    }

    /// What a customer reads.
    pub async fn read(&self, who: &str, path: &str) -> Heard {
        self.ask(Ask::new("GET", path).customer(who)).await
    }

    /// What a backend reports for a customer, under a key of its own.
    pub async fn service(&self, who: &str, path: &str, body: &Value) -> Heard {
        let ask = Ask::new("POST", path).customer(who).fresh_key().json(body);
        self.ask(ask.header("Authorization", &bearer(SERVICE))).await
    }

    /// The server's time, once it is later than `then`. Instants of one spelling compare as texts.
    pub async fn later_than(&self, then: &str) -> String {
        loop {
            let now = self.ask(Ask::new("GET", "/v1/items")).await.text("server_time");
            if now.as_str() > then {
                return now;
            }
        }
    }

    /// What anybody asks on the public listener.
    pub async fn ask(&self, asked: Ask) -> Heard {
        ask(self.public, asked).await
    }

    /// A reservation of one unit, and its id.
    pub async fn reserve(&self, who: &str, sku: &str) -> (Heard, String) {
        let heard =
            self.customer(who, "POST", &format!("/v1/items/{sku}/reservations"), &json!({ "quantity": 1 })).await;
        let id = heard.text("id");
        (heard, id)
    }
}

pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// A key nobody used before.
pub fn fresh_key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("test-key-{:016}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A request under construction.
pub struct Ask {
    head: String,
    method: String,
    body: Vec<u8>,
}

impl Ask {
    pub fn new(method: &str, path: &str) -> Self {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n");
        Self { head, method: method.to_owned(), body: Vec::new() }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    pub fn customer(self, who: &str) -> Self {
        self.header("X-Customer-Id", who)
    }

    pub fn fresh_key(self) -> Self {
        let key = fresh_key();
        self.header("Idempotency-Key", &key)
    }

    pub fn json(self, body: &Value) -> Self {
        if self.method == "GET" {
            return self;
        }
        self.header("Content-Type", "application/json").text(&body.to_string())
    }

    pub fn text(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        let length = self.body.len();
        self.header("Content-Length", &length.to_string())
    }

    pub fn bytes(self) -> Vec<u8> {
        let mut bytes = self.head.into_bytes();
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Heard {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub raw: String,
    pub body: Value,
}

impl Heard {
    /// From what came over the wire; `None` where no answer did.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8(bytes.to_vec()).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let field =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        let headers = lines.filter_map(field).collect();
        let parsed = serde_json::from_str(body).unwrap_or(Value::Null);
        Some(Self { status, headers, raw: body.to_owned(), body: parsed })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A member of the body by its pointer, as a text.
    pub fn text(&self, name: &str) -> String {
        self.body.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name} in {self:?}")).to_owned()
    }

    /// `status code`, after checking that it is a whole problem document.
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        let code = self.text("code");
        assert_eq!(self.text("type"), format!("/problems/{code}"));
        assert_eq!(self.body.get("status"), Some(&Value::from(self.status)));
        assert_eq!(self.header("x-request-id"), Some(self.text("request_id").as_str()));
        for member in ["title", "detail", "retry", "server_time"] {
            assert!(!self.text(member).is_empty());
        }
        format!("{} {code}", self.status)
    }
}

/// Asks over a connection of its own.
pub async fn ask(at: SocketAddr, asked: Ask) -> Heard {
    let heard = exchange(at, &asked.bytes()).await;
    Heard::parse(&heard).unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(&heard)))
}

/// Sends bytes and reads until the other side closes.
pub async fn exchange(at: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_all(&mut stream).await
}

/// Reads until the other side closes.
pub async fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    // A reset ends it too; what was heard before counts.
    let _ = stream.read_to_end(&mut heard).await;
    heard
}
