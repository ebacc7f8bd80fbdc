//! `Idempotency-Key`, bare or quoted.

use crate::app::SharedApp;
use crate::problem::{Code, Problem};
use axum::extract::FromRequestParts;
use domain::idempotency::{Attempt, IdempotencyKey};
use domain::text::CustomerId;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// The key of a request that has to have one.
pub(crate) struct Key(IdempotencyKey);

/// The key of a request that may have one.
pub(crate) struct MaybeKey(Option<IdempotencyKey>);

/// Who an attempt belongs to. The kinds do not share keys: what a backend does for a customer is not what the
/// customer does.
pub(crate) enum Caller<'a> {
    Customer(&'a CustomerId),
    ServiceFor(&'a CustomerId),
    Operator,
}

impl Caller<'_> {
    fn scope(&self) -> String {
        match self {
            Self::Customer(id) => ["customer:", id.as_str()].concat(),
            Self::ServiceFor(id) => ["service:", id.as_str()].concat(),
            Self::Operator => "operator".to_owned(),
        }
    }
}

impl Key {
    /// The key these headers give.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let missing = || Problem::new(Code::IdempotencyKeyMissing, "send an Idempotency-Key, for example a fresh UUID");
        find(headers)?.map(Self).ok_or_else(missing)
    }

    /// The attempt of this key at a route. `route` is method and path in one spelling, whatever the client wrote.
    pub(crate) fn attempt(self, caller: &Caller<'_>, route: String) -> Attempt {
        Attempt { caller: caller.scope(), route, key: self.0 }
    }
}

impl MaybeKey {
    /// The attempt of this key at a route, if there is a key.
    pub(crate) fn attempt(self, caller: &Caller<'_>, route: String) -> Option<Attempt> {
        self.0.map(|key| Key(key).attempt(caller, route))
    }
}

fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(Code::IdempotencyKeyInvalid, detail)
}

fn find(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut given = headers.get_all(HEADER).iter();
    let Some(value) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(invalid("Idempotency-Key is given more than once"));
    }
    let text = value.to_str().map_err(|_| invalid("an idempotency key is printable ASCII"))?;
    let bare = match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) if inner.contains(['"', '\\']) => {
            return Err(invalid("a quoted idempotency key has no quotes or backslashes inside"));
        }
        Some(inner) => inner,
        None if text.starts_with('"') || text.ends_with('"') => {
            return Err(invalid("a quoted idempotency key has a quote at both ends"));
        }
        None => text,
    };
    IdempotencyKey::parse(bare).map(Some).map_err(|error| invalid(error.to_string()))
}

impl FromRequestParts<SharedApp> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &SharedApp) -> Result<Self, Problem> {
        Self::of(&parts.headers)
    }
}

impl FromRequestParts<SharedApp> for MaybeKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &SharedApp) -> Result<Self, Problem> {
        find(&parts.headers).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn found(values: &[&[u8]]) -> Result<Option<IdempotencyKey>, Code> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_bytes(value).expect("a header value"));
        }
        find(&headers).map_err(|problem| problem.code())
    }

    #[test]
    fn a_key_is_the_same_bare_and_quoted() {
        let bare = found(&[b"8e03978e-40d5-43e8-bc93-6894a57f9324"]);
        assert!(matches!(bare, Ok(Some(_))));
        assert_eq!(found(&[b"\"8e03978e-40d5-43e8-bc93-6894a57f9324\""]), bare);
        assert_eq!(found(&[]), Ok(None));
    }

    #[test]
    fn a_key_too_short_too_long_doubled_or_odd_is_refused() {
        let long = [b'x'; 256];
        let fine: &[u8] = b"0123456789abcdef";
        for bad in [&[b"short" as &[u8]] as &[&[u8]], &[&long], &[fine, fine], &[b"0123456789abcd\xc3\xa9"], &[b""]] {
            assert_eq!(found(bad), Err(Code::IdempotencyKeyInvalid));
        }
        assert_eq!(found(&[b"\"0123456789\\\"abcdef\""]), Err(Code::IdempotencyKeyInvalid));
        assert!(matches!(found(&[&[b'x'; 255]]), Ok(Some(_))));
    }
}
