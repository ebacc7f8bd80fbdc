//! Answers: judgements as responses, with their status, entity tag and place.

use crate::problem::{Code, Problem, refused};
use crate::wire::item::ItemBody;
use crate::wire::order::OrderBody;
use crate::wire::reservation::ReservationBody;
use crate::wire::rush::{self, Made};
use axum::body::Body as HttpBody;
use axum::response::Response;
use domain::time::Timestamp;
use domain::views::{Answer, Body, ItemView, Judgement, OrderView, Origin, ReservationView, StateView};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, LOCATION};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What one item said: a reservation, and how it came about.
pub(crate) struct Told<T> {
    pub(crate) view: Box<T>,
    pub(crate) origin: Origin,
}

/// The answer of a judgement; a refusal is a problem.
pub(crate) fn answered(judgement: Judgement) -> Result<Answer, Problem> {
    let Judgement { sequence, at, outcome } = judgement;
    outcome.map_err(|rejection| refused(&rejection, sequence, at))
}

pub(crate) fn another_body() -> Problem {
    Problem::new(Code::Internal, "the item answered something else than it was asked for")
}

/// The reservation an answer tells of.
pub(crate) fn reservation(answer: Answer) -> Result<Told<ReservationView>, Problem> {
    match answer.body {
        Body::Reservation(view) => Ok(Told { view, origin: answer.origin }),
        Body::Order(_)
        | Body::Item(_)
        | Body::Payment(_)
        | Body::Refund(_)
        | Body::Bundle(_)
        | Body::BundleOrder(_)
        | Body::Endpoints(_)
        | Body::Unmatched { .. }
        | Body::Captures { .. }
        | Body::Reservations { .. } => Err(another_body()),
    }
}

/// The order an answer tells of.
pub(crate) fn order(answer: Answer) -> Result<Told<OrderView>, Problem> {
    match answer.body {
        Body::Order(view) => Ok(Told { view, origin: answer.origin }),
        Body::Reservation(_)
        | Body::Item(_)
        | Body::Payment(_)
        | Body::Refund(_)
        | Body::Bundle(_)
        | Body::BundleOrder(_)
        | Body::Endpoints(_)
        | Body::Unmatched { .. }
        | Body::Captures { .. }
        | Body::Reservations { .. } => Err(another_body()),
    }
}

/// The item an answer tells of.
pub(crate) fn item(answer: Answer) -> Result<Told<ItemView>, Problem> {
    match answer.body {
        Body::Item(view) => Ok(Told { view, origin: answer.origin }),
        Body::Reservation(_)
        | Body::Order(_)
        | Body::Payment(_)
        | Body::Refund(_)
        | Body::Bundle(_)
        | Body::BundleOrder(_)
        | Body::Endpoints(_)
        | Body::Unmatched { .. }
        | Body::Captures { .. }
        | Body::Reservations { .. } => Err(another_body()),
    }
}

/// A JSON response that nobody keeps.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut bytes = Vec::with_capacity(768);
    if serde_json::to_writer(&mut bytes, body).is_err() {
        // Our bodies are strings and numbers under string names: they always are JSON.
        return axum::response::IntoResponse::into_response(Problem::new(Code::Internal, "an answer is not JSON"));
    }
    json_written(status, bytes)
}

/// The same of JSON that is written already.
fn json_written(status: StatusCode, bytes: impl Into<HttpBody>) -> Response {
    let mut response = Response::new(bytes.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn put(response: &mut Response, name: HeaderName, value: String) {
    // Made of ids and numbers, so it always is a header value.
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Who may keep an answer that has an entity tag, if they ask each time whether it still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeptBy {
    /// Any cache.
    Anybody,
    /// The one who asked.
    Owner,
    /// Nobody; the tag is for `If-Match`.
    Nobody,
}

/// With an entity tag.
pub(crate) fn tagged(mut response: Response, etag: String, kept_by: KeptBy) -> Response {
    put(&mut response, ETAG, etag);
    let control = match kept_by {
        KeptBy::Anybody => "no-cache",
        KeptBy::Owner => "private, no-cache",
        KeptBy::Nobody => "no-store",
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(control));
    response
}

/// With the address of what was made.
pub(crate) fn located(mut response: Response, location: String) -> Response {
    put(&mut response, LOCATION, location);
    response
}

/// Marked as a repetition, if it is one.
pub(crate) fn marked(mut response: Response, origin: Origin) -> Response {
    if origin == Origin::Replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// `304`: the reader has seen it.
pub(crate) fn not_modified(etag: String, kept_by: KeptBy) -> Response {
    let mut response = Response::new(HttpBody::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    tagged(response, etag, kept_by)
}

/// A reservation's entity tag: its last change, and its place while it waits. Weak, for `server_time` moves on.
pub(crate) fn reservation_tag(view: &ReservationView) -> String {
    match view.state {
        StateView::Waiting { position, .. } => format!("W/\"{}-{position}\"", view.changed),
        StateView::Held { .. }
        | StateView::HeldInBundle
        | StateView::Confirmed
        | StateView::Cancelled
        | StateView::Expired
        | StateView::Lapsed(_) => format!("W/\"{}\"", view.changed),
    }
}

/// A public item's entity tag: its sequence.
pub(crate) fn item_tag(view: &ItemView) -> String {
    format!("W/\"{}\"", view.sequence)
}

/// An order's entity tag: its last change.
pub(crate) fn order_tag(view: &OrderView) -> String {
    format!("W/\"{}\"", view.changed)
}

/// A reservation.
pub(crate) fn reservation_json(status: StatusCode, view: &ReservationView) -> Response {
    match rush::in_one_piece(view) {
        Some(written) => json_written(status, written),
        None => json(status, &ReservationBody::from(view)),
    }
}

/// A reservation as the answer to a command, with the tag that says what its reader has seen.
pub(crate) fn reservation_response(status: StatusCode, told: &Told<ReservationView>) -> Response {
    let response = tagged(reservation_json(status, &told.view), reservation_tag(&told.view), KeptBy::Nobody);
    marked(response, told.origin)
}

/// The same for a new reservation, with its address.
pub(crate) fn new_reservation_response(status: StatusCode, told: &Told<ReservationView>) -> Response {
    let Some(Made { body, address, etag }) = Made::of(&told.view) else {
        return located(reservation_response(status, told), rush::address(told.view.id));
    };
    let mut response = json_written(status, body);
    for (name, bytes) in [(LOCATION, address), (ETAG, etag)] {
        // Made of ids and numbers, so it always is a header value.
        if let Ok(value) = HeaderValue::from_maybe_shared(bytes) {
            response.headers_mut().insert(name, value);
        }
    }
    marked(response, told.origin)
}

/// An order as the answer to a command.
pub(crate) fn order_response(status: StatusCode, told: &Told<OrderView>) -> Response {
    let response = json(status, &OrderBody::from(&*told.view));
    let location = format!("/v1/orders/{}", told.view.summary.id);
    let response = if status == StatusCode::CREATED { located(response, location) } else { response };
    marked(response, told.origin)
}

/// An item as operators see it. Its entity tag is strong: `If-Match` compares it.
pub(crate) fn operators_item_response(status: StatusCode, view: &ItemView, now: Timestamp) -> Response {
    let response = json(status, &ItemBody::operators(view, now));
    tagged(response, format!("\"{}\"", view.status.revision.0), KeptBy::Nobody)
}
