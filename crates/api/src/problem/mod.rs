//! Problem documents (RFC 9457): what every refusal and every error looks like.
//!
//! A handler says what is wrong; `crate::front` renders it, because only there the request's id is known. So there
//! is one place that writes problems, for handlers, the router and panics alike.

pub mod code;
pub(crate) mod page;
mod rejection;
mod submit;

pub use code::{Code, Retry};
pub(crate) use rejection::{charged_and_refused, refused};

use crate::wire::time::Rfc3339;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use domain::ids::Seq;
use domain::time::Timestamp;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};

/// Room for a document from the start: most are some three hundred bytes.
const DOCUMENT_BYTES: usize = 512;

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    code: Code,
    retry: Retry,
    detail: Cow<'static, str>,
    facts: Vec<(&'static str, Value)>,
    judged: Option<(Seq, Timestamp)>,
    retry_after_s: Option<u64>,
}

impl Problem {
    /// A problem of this code, told in this occurrence's words.
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let retry = code.retry();
        Self { code, retry, detail: detail.into(), facts: Vec::new(), judged: None, retry_after_s: None }
    }

    /// With a fact that the caller can act on.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.facts.push((name, value.into()));
        self
    }

    /// In vain, however often and whenever it is tried: what others of this code wait for will not come.
    #[must_use]
    pub(crate) fn for_good(mut self) -> Self {
        self.retry = Retry::Never;
        self
    }

    /// As an item judged it, at this place of its log.
    #[must_use]
    pub(crate) fn judged(mut self, sequence: Seq, at: Timestamp) -> Self {
        self.judged = Some((sequence, at));
        self
    }

    /// With an instant at which to come back.
    #[must_use]
    pub(crate) fn come_back_at(mut self, instant: Timestamp, now: Timestamp) -> Self {
        self.retry_after_s = Some(instant.since(now).as_millis().div_ceil(1_000));
        self
    }

    /// Come back soon, but not all at once.
    #[must_use]
    pub(crate) fn come_back_soon(mut self) -> Self {
        // Each state is seeded anew: this is a source of jitter, not of secrets.
        let random = std::hash::RandomState::new().build_hasher().finish();
        self.retry_after_s = Some(crate::limits::RETRY_AFTER_MIN_S + random % crate::limits::RETRY_AFTER_SPREAD_S);
        self
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Whether and how to try again: as its code says, unless this occurrence knows better.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.retry
    }

    /// The words for this occurrence.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The status it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// A member of the document by its name, where this problem carries it.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&Value> {
        self.facts.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Writes the document, and what it needs into the headers. `now` is what `server_time` says where no item judged.
    pub(crate) fn render(&self, request_id: &str, headers: &mut HeaderMap, now: impl FnOnce() -> Timestamp) -> Vec<u8> {
        let server_time = self.judged.map_or_else(now, |(_, at)| at);
        let document = Document { problem: self, request_id, server_time };
        // Strings and numbers: nothing here can fail to be JSON.
        let mut body = Vec::with_capacity(DOCUMENT_BYTES);
        serde_json::to_writer(&mut body, &document).unwrap_or_default();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"holdfast\""));
        }
        body
    }
}

impl IntoResponse for Problem {
    /// A response that carries the problem for the front to render.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status();
        response.extensions_mut().insert(self);
        response
    }
}

/// A problem as it is written.
struct Document<'a> {
    problem: &'a Problem,
    request_id: &'a str,
    server_time: Timestamp,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (problem, code) = (self.problem, self.problem.code);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &format_args!("/problems/{}", code.name()))?;
        map.serialize_entry("title", code.title())?;
        map.serialize_entry("status", &code.status().as_u16())?;
        map.serialize_entry("detail", &problem.detail)?;
        map.serialize_entry("code", code.name())?;
        map.serialize_entry("retry", problem.retry.name())?;
        map.serialize_entry("request_id", self.request_id)?;
        for (name, value) in &problem.facts {
            map.serialize_entry(name, value)?;
        }
        if let Some((sequence, _)) = problem.judged {
            map.serialize_entry("sequence", &sequence.0)?;
        }
        map.serialize_entry("server_time", &Rfc3339(self.server_time))?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_written_with_its_facts_and_the_place_it_was_judged_at() {
        let problem = Problem::new(Code::SaleNotStarted, "the sale has not started")
            .with("opens_at", "2030-01-01T00:00:00.000Z")
            .judged(Seq(7), Timestamp::from_millis(1_000))
            .come_back_at(Timestamp::from_millis(2_001), Timestamp::from_millis(1_000));
        let mut headers = HeaderMap::new();
        let body = problem.render("req-1", &mut headers, || Timestamp::from_millis(0));
        assert_eq!(headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()), Some("2"), "rounded up");
        insta::assert_snapshot!(String::from_utf8(body).expect("UTF-8"), @r#"{"type":"/problems/sale_not_started","title":"The sale has not started","status":403,"detail":"the sale has not started","code":"sale_not_started","retry":"after","request_id":"req-1","opens_at":"2030-01-01T00:00:00.000Z","sequence":7,"server_time":"1970-01-01T00:00:01.000Z"}"#);
    }

    #[test]
    fn callers_who_come_back_soon_do_not_all_come_at_once() {
        let seconds: std::collections::BTreeSet<u64> =
            (0..1_000).filter_map(|_| Problem::new(Code::Overloaded, "full").come_back_soon().retry_after_s).collect();
        assert_eq!(seconds.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
    }
}
