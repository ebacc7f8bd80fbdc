//! What happens to every request, around its handler: its id, limits on its head, and the one place where problems
//! are written, whoever found them: a handler, the router, or a panic.

use crate::app::{App, SharedApp};
use crate::extract::identity::{Peer, is_gateway};
use crate::limits::{HEADER_BYTES_MAX, HEADERS_MAX, TARGET_BYTES_MAX};
use crate::problem::{Code, Problem};
use crate::request_id::{self, RequestId, RequestIds};
use crate::routes::reservations;
use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::response::{IntoResponse as _, Response};
use core::pin::Pin;
use http::header::{ACCEPT, CONNECTION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Method, Request, Version};
use hyper::body::Incoming;
use std::future::poll_fn;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use tower::Service as _;
use tracing::Instrument as _;

/// One listener's front.
pub(crate) struct Front {
    app: SharedApp,
    serves: Serves,
    router: Router,
    ids: Arc<RequestIds>,
}

/// Whom a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serves {
    /// Customers and their backends.
    Customers,
    /// Operators, or somebody else's routes.
    Others,
}

impl Front {
    pub(crate) fn new(app: SharedApp, serves: Serves, router: Router, ids: Arc<RequestIds>) -> Self {
        Self { app, serves, router, ids }
    }

    /// Answers a request that came from `peer`.
    pub(crate) async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Response {
        let from_gateway = is_gateway(&self.app, peer);
        let id = self.ids.of(request.headers(), from_gateway);
        let (head, version) = (request.method() == Method::HEAD, request.version());
        let span = tracing::debug_span!("request", %id, method = %request.method(), path = request.uri().path());
        let response = match refuse_at_sight(&request) {
            // In a place of its own: a handler's future has kilobytes, and hyper moves what it is given several times.
            Ok(()) => contained(Box::pin(self.handle(request, peer, from_gateway))).instrument(span).await,
            Err(problem) => problem.into_response(),
        };
        let mut response = finish(response, &id, version, &self.app);
        response.headers_mut().insert(request_id::HEADER, id.header());
        if head { without_body(response) } else { response }
    }
}

impl Front {
    /// Finds who answers it.
    async fn handle(&self, request: Request<Incoming>, peer: IpAddr, from_gateway: bool) -> Response {
        let (mut parts, body) = request.into_parts();
        if self.serves == Serves::Customers
            && let Some(sku) = reservations::wanted(&parts)
        {
            let answered = reservations::reserve_at_once(&self.app, from_gateway, sku, &parts.headers, body).await;
            return answered.into_response();
        }
        parts.extensions.insert(Peer(peer));
        let request = Request::from_parts(parts, Body::new(body));
        match self.router.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// Runs a handler. A panic is a bug, and stays one request's.
async fn contained(mut handler: Pin<Box<impl Future<Output = Response>>>) -> Response {
    let handled = poll_fn(|context| {
        // After a panic the handler is never touched again but to be dropped.
        match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    });
    match handled.await {
        Some(response) => response,
        None => Problem::new(Code::Internal, "the request ran into a bug; it may have happened").into_response(),
    }
}

/// What is refused whatever it asks for.
fn refuse_at_sight<B>(request: &Request<B>) -> Result<(), Problem> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES_MAX {
        return Err(Problem::new(Code::UriTooLong, format!("path and query have at most {TARGET_BYTES_MAX} bytes")));
    }
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len())).sum();
    if headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        let detail = format!("a request has at most {HEADERS_MAX} header fields of {HEADER_BYTES_MAX} bytes together");
        return Err(Problem::new(Code::HeaderFieldsTooLarge, detail));
    }
    if request.uri().path().starts_with("/v1/") && !accepts_json(headers) {
        return Err(Problem::new(Code::NotAcceptable, "there is only JSON here, and Accept excludes it"));
    }
    Ok(())
}

/// Whether a client takes JSON: it does not say otherwise, or names it, or a range it is in, and not with `q=0`.
fn accepts_json(headers: &HeaderMap) -> bool {
    let mut given = headers.get_all(ACCEPT).iter().peekable();
    given.peek().is_none()
        || given.filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(',')).any(takes_json)
}

fn takes_json(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let named = parts.next().unwrap_or_default().to_ascii_lowercase();
    let fits = matches!(named.as_str(), "*/*" | "application/*" | "application/json" | "application/problem+json");
    let refused = parts.any(|part| {
        let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
        weight.and_then(|weight| weight.parse::<f32>().ok()) == Some(0.0)
    });
    fits && !refused
}

/// Writes the problem a response carries, or stands for.
fn finish(mut response: Response, id: &RequestId, version: Version, app: &App) -> Response {
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if response.status().is_client_error() || response.status().is_server_error() => {
            let code = Code::of_status(response.status());
            Problem::new(code, code.meaning())
        }
        None => return response,
    };
    log(&problem, id);
    *response.status_mut() = problem.status();
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    let body = problem.render(&id.to_string(), headers, || app.engine.now());
    if closes(&problem) && version <= Version::HTTP_11 {
        // What is left of the body is not waited for.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    *response.body_mut() = Body::from(body);
    response
}

fn closes(problem: &Problem) -> bool {
    matches!(problem.code(), Code::ContentTooLarge | Code::RequestTimeout)
}

/// Trouble of ours is logged here, once; trouble of the caller's is theirs to log.
fn log(problem: &Problem, id: &RequestId) {
    let (code, detail) = (problem.code().name(), problem.detail());
    match problem.status().as_u16() {
        500 => tracing::error!(%id, code, detail, "request failed"),
        504 => tracing::warn!(%id, code, detail, "request without an outcome"),
        _ => tracing::debug!(%id, code, detail, "request refused"),
    }
}

/// The answer to `HEAD`: everything but the body, with its length.
fn without_body(response: Response) -> Response {
    let length = response.body().size_hint().exact();
    let mut response = response.map(|_| Body::empty());
    if let Some(length) = length.filter(|length| *length > 0) {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_handler_is_a_problem_of_one_request() {
        let response = contained(Box::pin(async { panic!("a bug") })).await;
        assert_eq!(response.extensions().get::<Problem>().map(Problem::code), Some(Code::Internal));
    }

    #[test]
    fn json_is_taken_unless_a_client_says_otherwise() {
        let accepts =
            |value: &'static str| accepts_json(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(value))]));
        assert!(accepts_json(&HeaderMap::new()));
        for yes in ["*/*", "application/json", "text/html, application/*;q=0.1", "Application/JSON; q=1"] {
            assert!(accepts(yes), "{yes}");
        }
        for no in ["text/html", "application/json;q=0", "application/jsonx", "image/*, */json"] {
            assert!(!accepts(no), "{no}");
        }
    }
}
