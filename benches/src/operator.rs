//! What the bench needs an operator for: items, open sales, and what became of them. Blocking, over one connection.

use crate::load::wire::Head;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an operator waits for an answer: longer than any request may take, so that a hang is told as one.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connections over which many items are made, or asked about. Their commits are shared, so more of them take no longer.
const AT_ONCE: usize = 32;

/// An operator of one server.
#[derive(Clone, Debug)]
pub struct Operator {
    admin: SocketAddr,
    token: String,
}

/// An item to be sold.
#[derive(Clone, Copy, Debug)]
pub struct Stock {
    /// Its units.
    pub units: u32,
    /// How long a hold lasts.
    pub hold_time_ms: u64,
    /// How many can wait; none: there is no waitlist.
    pub waitlist: Option<u32>,
}

/// What an item says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Counts {
    /// Units there are.
    pub total: u32,
    /// Units nobody has.
    pub available: u32,
    /// Units held.
    pub held: u32,
    /// Units sold.
    pub sold: u32,
    /// Customers who wait.
    pub waiting: u32,
}

impl Operator {
    /// The operator of the server with this admin address.
    #[must_use]
    pub const fn new(admin: SocketAddr, token: String) -> Self {
        Self { admin, token }
    }

    /// Makes items and opens their sales.
    ///
    /// # Errors
    /// When the server refuses one.
    pub fn open_all(&self, skus: &[String], stock: Stock) -> Result<()> {
        self.each(skus, |stream, sku| self.open(stream, sku, stock))?;
        Ok(())
    }

    /// How items stand, in the order asked.
    ///
    /// # Errors
    /// When the server does not say.
    pub fn counts_of_all(&self, skus: &[String]) -> Result<Vec<Counts>> {
        self.each(skus, |stream, sku| self.counts_over(stream, sku))
    }

    /// Does something about each item, over a few connections at once.
    fn each<T: Send>(&self, skus: &[String], ask: impl Fn(&mut TcpStream, &str) -> Result<T> + Sync) -> Result<Vec<T>> {
        let (size, ask) = (skus.len().div_ceil(AT_ONCE).max(1), &ask);
        let work = move |share: &[String]| {
            let mut stream = self.connect()?;
            share.iter().map(|sku| ask(&mut stream, sku)).collect::<Result<Vec<T>>>()
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = skus.chunks(size).map(|share| scope.spawn(move || work(share))).collect();
            let mut all = Vec::with_capacity(skus.len());
            for thread in threads {
                all.extend(thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("an operator's thread panicked")))?);
            }
            Ok(all)
        })
    }

    fn connect(&self) -> Result<TcpStream> {
        TcpStream::connect(self.admin).context("the operators' address cannot be reached")
    }

    fn open(&self, stream: &mut TcpStream, sku: &str, stock: Stock) -> Result<()> {
        let item = json!({
            "sku": sku,
            "name": sku,
            "total": stock.units,
            "unit_price": {"amount": 1_900, "currency": "USD"},
            "hold_time_ms": stock.hold_time_ms,
            "close_when_sold": false,
            "waitlist": {"enabled": stock.waitlist.is_some(), "capacity": stock.waitlist.unwrap_or(1)},
        });
        self.ask(stream, "POST", "/v1/admin/items", &item)?;
        self.ask(stream, "POST", &format!("/v1/admin/items/{sku}/open"), &json!({}))?;
        Ok(())
    }

    /// How an item stands.
    ///
    /// # Errors
    /// When the server does not say.
    pub fn counts(&self, sku: &str) -> Result<Counts> {
        self.counts_over(&mut self.connect()?, sku)
    }

    fn counts_over(&self, stream: &mut TcpStream, sku: &str) -> Result<Counts> {
        let answer = self.ask(stream, "GET", &format!("/v1/admin/items/{sku}"), &Value::Null)?;
        serde_json::from_slice(&answer).context("what the item says is not understood")
    }

    fn ask(&self, stream: &mut TcpStream, method: &str, path: &str, body: &Value) -> Result<Vec<u8>> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (token, length) = (&self.token, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes())?;
        let (mut input, mut chunk) = (Vec::new(), [0; 4_096]);
        loop {
            let taken = stream.read(&mut chunk)?;
            ensure!(taken > 0, "{method} {path}: the connection was closed");
            input.extend_from_slice(chunk.get(..taken).unwrap_or_default());
            let Some(head) = Head::read(&input)? else { continue };
            let Some(body) = input.get(head.head_bytes..head.head_bytes + head.body_bytes) else { continue };
            let told = String::from_utf8_lossy(body);
            ensure!((200..300).contains(&head.status), "{method} {path}: {} {told}", head.status);
            return Ok(body.to_vec());
        }
    }
}
