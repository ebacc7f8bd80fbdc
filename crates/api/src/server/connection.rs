//! One connection: HTTP/1.1 or h2, with a bound on everything a peer can make it do or wait for.
//!
//! A watch of our own ends connections that have been quiet: while the protocol is still being found out, between
//! requests, in the middle of a request's head, or with HTTP/2 and no stream open. hyper has a timer for the third of these
//! alone, and makes a new one for every request; this is one for a connection's whole life.

use super::socket::Socket;
use crate::app::Stage;
use crate::front::Front;
use crate::limits;
use axum::response::Response;
use core::convert::Infallible;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use http::Request;
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// The protocols, with their limits.
pub(super) fn protocol() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(limits::CONNECTION_BUFFER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::H2_STREAMS_MAX)
        .max_pending_accept_reset_streams(limits::H2_RESET_STREAMS_MAX)
        .max_local_error_reset_streams(limits::H2_RESET_STREAMS_MAX)
        // A little above what the front refuses, so that a request a little too large gets a problem document.
        .max_header_list_size((limits::HEADER_BYTES_MAX * 2) as u32)
        .initial_stream_window_size(limits::H2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::H2_CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(limits::H2_SEND_BUFFER_BYTES)
        .keep_alive_interval(limits::H2_PING_EVERY)
        .keep_alive_timeout(limits::H2_PING_TIMEOUT);
    builder
}

/// What a connection is doing, seen from its socket, its requests and its watch.
#[derive(Debug)]
pub(super) struct Activity {
    since: Instant,
    running: AtomicUsize,
    /// When the last request ended, in milliseconds from `since`.
    quiet_from_ms: AtomicU64,
    refused_body: AtomicBool,
}

impl Activity {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            running: AtomicUsize::new(0),
            quiet_from_ms: AtomicU64::new(0),
            refused_body: AtomicBool::new(false),
        }
    }

    /// Whether the peer may still be sending a body that nobody reads.
    pub(super) fn has_refused_a_body(&self) -> bool {
        self.refused_body.load(Ordering::Relaxed)
    }

    fn begin(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(self))
    }

    /// Resolves when no request has run for as long as `most`.
    async fn quiet(&self, most: Duration) {
        loop {
            let running = self.running.load(Ordering::Relaxed) > 0;
            let quiet_from = self.since + Duration::from_millis(self.quiet_from_ms.load(Ordering::Relaxed));
            let left = if running { most } else { most.saturating_sub(quiet_from.elapsed()) };
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }
}

/// A request that runs; dropped when it ends, or when its stream is reset.
struct Running(Arc<Activity>);

impl Drop for Running {
    fn drop(&mut self) {
        let millis = u64::try_from(self.0.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.quiet_from_ms.store(millis, Ordering::Relaxed);
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a connection needs to be served.
pub(super) struct Connection {
    pub(super) peer: IpAddr,
    pub(super) front: Arc<Front>,
    pub(super) protocol: Arc<auto::Builder<TokioExecutor>>,
    pub(super) quiet_max: Duration,
    pub(super) stage: watch::Receiver<Stage>,
}

impl Connection {
    /// Serves it until either side ends it.
    pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let Self { peer, front, protocol, quiet_max, mut stage } = self;
        let activity = Arc::new(Activity::new());
        let shared = Arc::clone(&activity);
        // h2 runs each stream's request in a task of its own, hence the clones.
        let service = service_fn(move |request| respond(Arc::clone(&front), Arc::clone(&shared), request, peer));
        let io = TokioIo::new(Socket::new(stream, Arc::clone(&activity)));
        let mut serving = pin!(protocol.serve_connection(io, service));
        let mut quiet = pin!(activity.quiet(quiet_max));
        loop {
            tokio::select! {
                biased;
                ended = serving.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, error, "a connection broke");
                    }
                    return;
                }
                changed = stage.changed() => {
                    if changed.is_err() || *stage.borrow_and_update() == Stage::CutOff {
                        return;
                    }
                    serving.as_mut().graceful_shutdown();
                }
                () = quiet.as_mut() => {
                    serving.as_mut().graceful_shutdown();
                    // It has said nothing for long; it gets a moment to take leave, not another timeout.
                    let _ = timeout(limits::LEAVE, serving.as_mut()).await;
                    return;
                }
            }
        }
    }
}

async fn respond(
    front: Arc<Front>,
    activity: Arc<Activity>,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Result<Response, Infallible> {
    let _running = activity.begin();
    let has_body = !request.body().is_end_stream();
    let response = front.answer(request, peer).await;
    activity.refused_body.store(has_body && response.status().is_client_error(), Ordering::Relaxed);
    Ok(response)
}
