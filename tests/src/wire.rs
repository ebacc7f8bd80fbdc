//! One HTTP/1.1 connection, byte by byte: for tests that must know what was sent and what came back when it ended.
//!
//! It opens no second connection and sends nothing twice.

use crate::client::Client;
use http::StatusCode;
use serde_json::Value;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection to the public listener.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// What came back for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A whole answer.
    Whole {
        /// Its status.
        status: StatusCode,
        /// Its body.
        body: String,
        /// Whether the server said that it closes the connection.
        last: bool,
    },
    /// Not one byte: the connection ended first.
    Nothing,
    /// The connection ended inside an answer. These are its bytes.
    Half(String),
}

/// A request's head, without the empty line that ends it.
#[must_use]
pub fn head(client: &Client, method: &str, path: &str, more: &[(&str, &str)]) -> String {
    let host = client.public.trim_start_matches("http://");
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
    for (name, value) in more {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head
}

/// A POST's head and body as one text. `customer` and `key` as headers; `bearer` where a service asks.
#[must_use]
pub fn post(client: &Client, customer: &str, path: &str, key: &str, bearer: Option<&str>, body: &Value) -> String {
    let body = body.to_string();
    let (length, bearer) = (body.len().to_string(), bearer.map(|token| format!("Bearer {token}")));
    let mut headers = vec![
        ("x-customer-id", customer),
        ("idempotency-key", key),
        ("content-type", "application/json"),
        ("content-length", length.as_str()),
    ];
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    format!("{}\r\n{body}", head(client, "POST", path, &headers))
}

impl Wire {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens.
    pub async fn open(client: &Client) -> io::Result<Self> {
        let stream = TcpStream::connect(client.public.trim_start_matches("http://")).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, unread: Vec::new() })
    }

    /// Sends bytes. That the other side has closed shows when the reply is read.
    pub async fn send(&mut self, text: &str) {
        let _closed_is_seen_by_the_reader = self.stream.write_all(text.as_bytes()).await;
    }

    /// Waits for the interim answer that asks for the body: from then on the server has taken the request. Whether it
    /// came.
    pub async fn is_asked_for_the_body(&mut self) -> bool {
        let Some(end) = self.head_end().await else { return false };
        let head: Vec<u8> = self.unread.drain(..end).collect();
        head.starts_with(b"HTTP/1.1 100")
    }

    /// Reads the answer to a request.
    pub async fn reply(&mut self) -> Reply {
        let Some(end) = self.head_end().await else { return self.broken() };
        let head = String::from_utf8_lossy(self.unread.get(..end).unwrap_or_default()).to_lowercase();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name).map(str::trim));
        let length: usize = field("content-length:").and_then(|text| text.parse().ok()).unwrap_or(0);
        while self.unread.len() < end + length {
            if !self.read_more().await {
                return self.broken();
            }
        }
        let status = head.get(9..12).and_then(|text| text.parse().ok()).unwrap_or(StatusCode::IM_A_TEAPOT);
        let last = field("connection:") == Some("close");
        let answer: Vec<u8> = self.unread.drain(..end + length).collect();
        let body = String::from_utf8_lossy(answer.get(end..).unwrap_or_default()).into_owned();
        Reply::Whole { status, body, last }
    }

    fn broken(&self) -> Reply {
        if self.unread.is_empty() { Reply::Nothing } else { Reply::Half(String::from_utf8_lossy(&self.unread).into()) }
    }

    /// Where the head ends; nothing if the connection ends first.
    async fn head_end(&mut self) -> Option<usize> {
        loop {
            if let Some(at) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                return Some(at + 4);
            }
            if !self.read_more().await {
                return None;
            }
        }
    }

    async fn read_more(&mut self) -> bool {
        // A reset is an end like any other: what had arrived before it was read before it.
        matches!(self.stream.read_buf(&mut self.unread).await, Ok(1..))
    }
}
