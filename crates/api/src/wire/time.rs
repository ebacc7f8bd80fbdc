//! Instants as RFC 3339 in UTC with milliseconds, both ways.

use core::fmt;
use domain::time::Timestamp;
use serde::{Serialize, Serializer};

/// An instant as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rfc3339(pub(crate) Timestamp);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Timestamp::MAX fits. The last day of the year 9999 is beyond jiff and shown as the instant before it.
        let millis = i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX);
        write!(f, "{:.3}", jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX))
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads an instant with any offset. What is finer than a millisecond is cut off.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let millis = text.parse::<jiff::Timestamp>().ok()?.as_millisecond();
    u64::try_from(millis).ok().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_in_utc_with_milliseconds() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_767_225_600_007, "2026-01-01T00:00:00.007Z"),
            (Timestamp::MAX.as_millis(), "9999-12-30T22:00:00.999Z"),
        ] {
            assert_eq!(Rfc3339(Timestamp::from_millis(millis)).to_string(), text);
        }
    }

    #[test]
    fn instants_are_read_with_any_offset_and_refused_without_one() {
        let instant = Some(Timestamp::from_millis(1_767_225_600_000));
        for text in ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2025-12-31T23:00:00.0009-01:00"] {
            assert_eq!(parse(text), instant, "{text}");
        }
        for text in
            ["", "2026-01-01", "2026-01-01T00:00:00", "tomorrow", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
