//! Redis without any front: clients that each call the script over a connection of their own, one call at a time.
//!
//! The protocol is written by hand, so that as little as possible of the machine goes to asking.

use super::super::HAPPEN_MAX;
use super::{PeerError, Said, keys};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

/// An answer is a line of less than a hundred bytes.
const ANSWER_BYTES_MAX: usize = 512;

/// A load of bare calls to be.
#[derive(Clone, Debug)]
pub struct Bare {
    pub(super) socket: PathBuf,
    pub(super) script: String,
}

/// What the clients of a load share.
#[derive(Debug, Default)]
struct Shared {
    done: AtomicU64,
    over: AtomicBool,
}

impl Bare {
    /// Has that many clients reserve as fast as they are answered, and tells how many answers a second there were after
    /// the warm-up. Every attempt is another customer's and has to be granted: the sale needs units enough.
    ///
    /// All clients live on one thread, as those of Redis's own benchmark do: one core asks, one answers.
    ///
    /// # Errors
    /// [`PeerError`] where a client fails, or is refused.
    pub async fn operations_per_s(
        &self,
        sku: &str,
        clients: usize,
        warm_up: Duration,
        measured: Duration,
    ) -> Result<f64, PeerError> {
        let (bare, sku) = (self.clone(), sku.to_owned());
        let thread = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(bare.load(&sku, clients, warm_up, measured))
        });
        thread.await.map_err(|_| PeerError::Stopped)?
    }

    async fn load(&self, sku: &str, clients: usize, warm_up: Duration, measured: Duration) -> Result<f64, PeerError> {
        let shared = Arc::new(Shared::default());
        let mut running = JoinSet::new();
        for number in 0..clients {
            let client = Client::connect(self, sku, number).await?;
            running.spawn(client.run(Arc::clone(&shared)));
        }
        tokio::time::sleep(warm_up).await;
        let (begin, before) = (Instant::now(), shared.done.load(Ordering::Relaxed));
        tokio::time::sleep(measured).await;
        let (taken, after) = (begin.elapsed(), shared.done.load(Ordering::Relaxed));
        shared.over.store(true, Ordering::Relaxed);
        while let Some(ended) = running.join_next().await {
            ended.map_err(|_| PeerError::Stopped)??;
        }
        // A count of answers is far below 2^53.
        Ok(after.saturating_sub(before) as f64 / taken.as_secs_f64())
    }
}

struct Client {
    stream: UnixStream,
    /// Everything of a request up to the customer, which is the same each time.
    head: Vec<u8>,
    /// The same for what comes after the key.
    tail: Vec<u8>,
    name: String,
}

impl Client {
    async fn connect(bare: &Bare, sku: &str, number: usize) -> Result<Self, PeerError> {
        let keys = keys(sku);
        let mut head = format!("*{}\r\n", keys.len().saturating_add(8)).into_bytes();
        put(&mut head, "EVALSHA");
        put(&mut head, &bare.script);
        put(&mut head, &keys.len().to_string());
        keys.iter().for_each(|key| put(&mut head, key));
        let mut tail = Vec::new();
        put(&mut tail, "1");
        put(&mut tail, "1");
        put(&mut tail, &HAPPEN_MAX.to_string());
        let stream = UnixStream::connect(&bare.socket).await?;
        Ok(Self { stream, head, tail, name: format!("bare-{number}") })
    }

    async fn run(mut self, shared: Arc<Shared>) -> Result<(), PeerError> {
        let (mut request, mut answer) = (Vec::with_capacity(512), Vec::with_capacity(ANSWER_BYTES_MAX));
        for number in 0_u64.. {
            if shared.over.load(Ordering::Relaxed) {
                break;
            }
            request.clear();
            request.extend_from_slice(&self.head);
            put(&mut request, &format!("{}-{number}", self.name));
            put(&mut request, &format!("{}-{number:016}", self.name));
            request.extend_from_slice(&self.tail);
            self.stream.write_all(&request).await?;
            answer.clear();
            let line = loop {
                if self.stream.read_buf(&mut answer).await? == 0 || answer.len() > ANSWER_BYTES_MAX {
                    return Err(PeerError::Nonsense(String::from_utf8_lossy(&answer).into_owned()));
                }
                if let Some(line) = bulk(&answer)? {
                    break line;
                }
            };
            match Said::parse(line)? {
                Said::Taken(_) => shared.done.fetch_add(1, Ordering::Relaxed),
                Said::Refused(refusal) => return Err(PeerError::Nonsense(refusal.code().to_owned())),
            };
        }
        Ok(())
    }
}

fn put(into: &mut Vec<u8>, word: &str) {
    into.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
}

/// The text of a whole answer, if it is all there.
fn bulk(bytes: &[u8]) -> Result<Option<&str>, PeerError> {
    let nonsense = || PeerError::Nonsense(String::from_utf8_lossy(bytes).into_owned());
    let text = core::str::from_utf8(bytes).map_err(|_| nonsense())?;
    if !text.ends_with("\r\n") {
        return Ok(None);
    }
    let rest = text.strip_prefix('$').ok_or_else(nonsense)?;
    let Some((length, rest)) = rest.split_once("\r\n") else { return Ok(None) };
    let length: usize = length.parse().map_err(|_| nonsense())?;
    Ok(rest.strip_suffix("\r\n").filter(|line| line.len() == length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_when_it_is_whole_and_an_error_is_none() {
        for part in ["", "$", "$5\r\n", "$5\r\nhel", "$5\r\nhello"] {
            assert!(matches!(bulk(part.as_bytes()), Ok(None)), "{part:?}");
        }
        assert!(matches!(bulk(b"$5\r\nhello\r\n"), Ok(Some("hello"))));
        assert!(bulk(b"-ERR no\r\n").is_err());
    }
}
