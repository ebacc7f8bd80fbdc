//! Conditions on what the caller has seen: `If-None-Match`, `If-Match`, and `Prefer: wait`.

use crate::app::SharedApp;
use crate::limits::PREFER_WAIT_MAX;
use crate::problem::{Code, Problem};
use axum::extract::FromRequestParts;
use domain::ids::Revision;
use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;
use std::time::Duration;

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What a reader has seen already, and how long it would wait for more.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    seen: Vec<String>,
    /// `Prefer: wait`, cut to what is allowed.
    pub(crate) wait: Option<Duration>,
}

impl Conditions {
    /// Whether the reader said what it has seen.
    pub(crate) fn has_seen_something(&self) -> bool {
        !self.seen.is_empty()
    }

    /// Whether the reader has seen this. Weak comparison (RFC 9110, 13.1.2).
    pub(crate) fn has_seen(&self, etag: &str) -> bool {
        let opaque = etag.strip_prefix("W/").unwrap_or(etag);
        self.seen.iter().any(|seen| seen == "*" || seen.strip_prefix("W/").unwrap_or(seen) == opaque)
    }
}

/// The entity tags of a header. Our tags have no commas, so others need not survive the cut.
fn tags(headers: &HeaderMap, name: HeaderName) -> Vec<String> {
    let lines = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

/// What a client would rather have, by name and value (RFC 7240). What is not understood is ignored, as preferences are,
/// and so are their parameters.
pub(super) fn preferences(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(PREFER).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|preference| {
        let preference = preference.split_once(';').map_or(preference, |(preference, _parameters)| preference);
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        (name.trim(), value.trim().trim_matches('"'))
    })
}

/// `wait=20` among the preferences.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = preferences(headers)
        .find_map(|(name, value)| name.eq_ignore_ascii_case("wait").then(|| value.parse::<u64>().ok()).flatten())?;
    Some(Duration::from_secs(seconds).min(PREFER_WAIT_MAX)).filter(|wait| !wait.is_zero())
}

impl FromRequestParts<SharedApp> for Conditions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &SharedApp) -> Result<Self, Problem> {
        Ok(Self { seen: tags(&parts.headers, IF_NONE_MATCH), wait: wait(&parts.headers) })
    }
}

/// The revisions a change is meant for: those of `If-Match`, or any (`*`). Weak tags never match (RFC 9110, 13.1.1).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum MeantFor {
    Any,
    OneOf(Vec<Revision>),
}

impl MeantFor {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let given = tags(headers, IF_MATCH);
        if given.is_empty() {
            return Err(Problem::new(
                Code::PreconditionRequired,
                "send If-Match with the ETag of the item as you read it",
            ));
        }
        if given.iter().any(|tag| tag == "*") {
            return Ok(Self::Any);
        }
        let revision = |tag: &String| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok().map(Revision);
        Ok(Self::OneOf(given.iter().filter_map(revision).collect()))
    }

    /// What the item should expect, as far as `current`, its revision now, is one of those meant.
    pub(crate) fn expected(&self, current: Revision) -> Result<Option<Revision>, Problem> {
        match self {
            Self::Any => Ok(None),
            Self::OneOf(revisions) if revisions.contains(&current) => Ok(Some(current)),
            // An older answer may be asked for again under its key, so the item has the last word.
            Self::OneOf(revisions) => match revisions.first() {
                Some(first) => Ok(Some(*first)),
                None => Err(Problem::new(Code::PreconditionFailed, "If-Match names no revision of this item")
                    .with("revision", current.0)),
            },
        }
    }
}

impl FromRequestParts<SharedApp> for MeantFor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &SharedApp) -> Result<Self, Problem> {
        Self::of(&parts.headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_tag_is_seen_whether_it_is_weak_or_strong() {
        let seen = Conditions { seen: tags(&headers(IF_NONE_MATCH, "\"1\", W/\"7-3\""), IF_NONE_MATCH), wait: None };
        assert!(seen.has_seen("W/\"1\"") && seen.has_seen("W/\"7-3\"") && !seen.has_seen("W/\"7\""));
        let any = Conditions { seen: tags(&headers(IF_NONE_MATCH, "*"), IF_NONE_MATCH), wait: None };
        assert!(any.has_seen("W/\"9\""));
    }

    #[test]
    fn a_wait_is_cut_to_what_is_allowed_and_nonsense_is_ignored() {
        for (given, seconds) in [
            ("wait=20", Some(20)),
            ("respond-async, Wait = \"5\"; x=y", Some(5)),
            ("wait=99999", Some(30)),
            ("wait=0", None),
            ("wait=soon", None),
            ("wait", None),
        ] {
            assert_eq!(wait(&headers(PREFER, given)), seconds.map(Duration::from_secs), "{given}");
        }
    }

    #[test]
    fn a_change_says_which_revision_it_is_meant_for() {
        let of = |value| MeantFor::of(&headers(IF_MATCH, value)).expect("given");
        assert_eq!(of("*").expected(Revision(3)), Ok(None));
        assert_eq!(of("\"2\", \"3\"").expected(Revision(3)), Ok(Some(Revision(3))));
        assert_eq!(of("\"2\"").expected(Revision(3)), Ok(Some(Revision(2))));
        let code = |value| of(value).expected(Revision(3)).map_err(|problem| problem.code());
        assert_eq!(code("W/\"3\""), Err(Code::PreconditionFailed));
        assert_eq!(code("3"), Err(Code::PreconditionFailed));
        let none = MeantFor::of(&HeaderMap::new()).map_err(|problem| problem.code());
        assert_eq!(none, Err(Code::PreconditionRequired));
    }
}
