//! What a server answers that decides nothing: the bytes of a real answer to a reservation.

use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// The route that every contestant answers.
pub const ROUTE: &str = "/v1/items/{sku}/reservations";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PLACE: &str = "/v1/reservations/rsv_000000010000800083c1be39b43fcb16";
const BODY: &str = concat!(
    r#"{"id":"rsv_000000010000800083c1be39b43fcb16","state":"held","item":"hot","quantity":1,"#,
    r#""customer":"c0001000000000001","sequence":300000,"created_at":"2026-11-21T12:30:57.832Z","#,
    r#""expires_at":"2026-11-21T13:30:57.832Z","waitlist":null,"order":null,"#,
    r#""links":{"self":"/v1/reservations/rsv_000000010000800083c1be39b43fcb16","item":"/v1/items/hot"},"#,
    r#""server_time":"2026-11-21T12:30:57.832Z"}"#
);

/// Reads the request whole and answers that a unit is held.
pub async fn held(Path(_sku): Path<String>, _headers: HeaderMap, _body: Bytes) -> Response {
    let mut response = Response::new(Body::from(Bytes::from_static(BODY.as_bytes())));
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(LOCATION, HeaderValue::from_static(PLACE));
    headers.insert(ETAG, HeaderValue::from_static("W/\"300000\""));
    // Our own front puts a fresh one in its place.
    headers.insert(REQUEST_ID, HeaderValue::from_static("01a1fe16-9f29-7000-8002-b6e0dce3cdd7"));
    response
}
