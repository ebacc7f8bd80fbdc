//! Request ids: a UUID version 7 for every request, or the gateway's own.

use crate::limits::REQUEST_ID_BYTES_MAX;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::{Builder, Uuid};

/// Where a request's id stands, both ways.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Gives out ids that are unique among processes by a random part drawn at the start, and within one by a counter:
/// no system call for each.
pub(crate) struct RequestIds {
    random: u64,
    counter: AtomicU64,
}

/// A request's id.
#[derive(Clone, Debug)]
pub(crate) enum RequestId {
    /// Given out here.
    Ours(Uuid),
    /// Taken over from a gateway.
    Theirs(HeaderValue),
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        Self { random: Uuid::new_v4().as_u64_pair().1, counter: AtomicU64::new(0) }
    }

    fn next(&self) -> Uuid {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or(0);
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        // RFC 9562, 6.2, method 1: 32 bits of counter, then the process's random bits.
        let [_, _, _, _, a, b, c, d] = count.to_be_bytes();
        let [e, f, g, h, i, j, ..] = self.random.to_be_bytes();
        Builder::from_unix_timestamp_millis(millis, &[a, b, c, d, e, f, g, h, i, j]).into_uuid()
    }

    /// The id of a request: a trusted gateway's, if it is sane, else a fresh one.
    pub(crate) fn of(&self, headers: &HeaderMap, from_gateway: bool) -> RequestId {
        let theirs = headers.get(HEADER).filter(|value| {
            let bytes = value.as_bytes();
            from_gateway && (1..=REQUEST_ID_BYTES_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
        });
        theirs.map_or_else(|| RequestId::Ours(self.next()), |value| RequestId::Theirs(value.clone()))
    }
}

impl RequestId {
    /// As a header's value.
    pub(crate) fn header(&self) -> HeaderValue {
        match self {
            Self::Ours(id) => {
                let mut buffer = Uuid::encode_buffer();
                // Hexadecimal digits and hyphens: always a header value.
                HeaderValue::from_str(id.as_hyphenated().encode_lower(&mut buffer))
                    .unwrap_or_else(|_| HeaderValue::from_static(""))
            }
            Self::Theirs(value) => value.clone(),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(id) => fmt::Display::fmt(id, f),
            // Checked when it was taken over.
            Self::Theirs(value) => f.write_str(value.to_str().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_fresh_version_7_uuids_and_a_sane_one_of_a_gateway_is_kept() {
        let ids = RequestIds::new();
        let none = HeaderMap::new();
        let (first, second) = (ids.of(&none, true).to_string(), ids.of(&none, true).to_string());
        assert_ne!(first, second);
        assert_eq!(Uuid::try_parse(&first).expect("a UUID").get_version_num(), 7);
        let given = |value: &'static str| HeaderMap::from_iter([(HEADER, HeaderValue::from_static(value))]);
        assert_eq!(ids.of(&given("trace-1"), true).to_string(), "trace-1");
        assert_ne!(ids.of(&given("trace-1"), false).to_string(), "trace-1", "from a stranger");
        assert_ne!(ids.of(&given("two words"), true).to_string(), "two words");
    }
}
