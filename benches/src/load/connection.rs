//! One keep-alive connection: a request out, its answer in, nothing copied that need not be.

use super::wire::Head;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest answer that is read. None of a server's is a tenth of it.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    to: SocketAddr,
    stream: Option<TcpStream>,
    input: Box<[u8]>,
}

impl Connection {
    /// A connection that is made when it is first needed.
    pub(super) fn new(to: SocketAddr) -> Self {
        Self { to, stream: None, input: vec![0; ANSWER_BYTES_MAX].into() }
    }

    /// Makes it now.
    pub(super) async fn connect(&mut self) -> io::Result<()> {
        let stream = TcpStream::connect(self.to).await?;
        stream.set_nodelay(true)?;
        self.stream = Some(stream);
        Ok(())
    }

    /// What was under way here is given up: an answer that still comes must not be taken for the next one's.
    pub(super) fn drop_stream(&mut self) {
        self.stream = None;
    }

    /// Sends a request and reads its answer. If this is not awaited to its end, call [`Connection::drop_stream`].
    pub(super) async fn exchange(&mut self, request: &[u8]) -> io::Result<Head> {
        let is_new = self.stream.is_none();
        if is_new {
            self.connect().await?;
        }
        let mut answered = self.exchange_on_stream(request).await;
        if !is_new && answered.as_ref().is_err_and(|error| may_have_been_idle(error.kind())) {
            // A server closes connections that nobody uses for a while, and this one may just have been. Asked again
            // under the same key, so that it happens once if it was something else.
            self.connect().await?;
            answered = self.exchange_on_stream(request).await;
        }
        if answered.as_ref().is_ok_and(|head| head.closes) || answered.is_err() {
            self.drop_stream();
        }
        answered
    }

    async fn exchange_on_stream(&mut self, request: &[u8]) -> io::Result<Head> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        stream.write_all(request).await?;
        let mut filled = 0;
        loop {
            let room = self.input.get_mut(filled..).filter(|room| !room.is_empty());
            let taken = stream.read(room.ok_or(io::ErrorKind::FileTooLarge)?).await?;
            if taken == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += taken;
            let got = self.input.get(..filled).unwrap_or_default();
            let head = Head::read(got).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if let Some(head) = head.filter(|head| head.head_bytes.saturating_add(head.body_bytes) <= filled) {
                return Ok(head);
            }
        }
    }
}

/// Errors of a connection that the other side has closed.
fn may_have_been_idle(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
