//! Instants as RFC 3339 in UTC with milliseconds, both ways.

use core::fmt;
use domain::time::Timestamp;
use jiff::tz::Offset;
use serde::{Serialize, Serializer};

/// An instant as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rfc3339(pub(crate) Timestamp);

impl Rfc3339 {
    /// The text, digit by digit: nearly every answer has three of these, and a formatter takes ten times as long.
    pub(super) fn text(self) -> [u8; 24] {
        // Timestamp::MAX fits. The last day of the year 9999 is beyond jiff and shown as the instant before it.
        let millis = i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX);
        let instant = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
        let at = Offset::UTC.to_datetime(instant);
        let [y1, y2, y3, y4] = digits(at.year().unsigned_abs());
        let [[.., m1, m2], [.., d1, d2]] = [at.month(), at.day()].map(digits_of_two);
        let [[.., h1, h2], [.., n1, n2], [.., s1, s2]] = [at.hour(), at.minute(), at.second()].map(digits_of_two);
        let [_, f1, f2, f3] = digits(at.millisecond().unsigned_abs());
        [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2, b'.', f1, f2, f3, b'Z']
    }
}

/// Of a number below 10,000.
const fn digits(number: u16) -> [u8; 4] {
    const fn digit(number: u16) -> u8 {
        b'0' + (number % 10) as u8
    }
    [digit(number / 1_000), digit(number / 100), digit(number / 10), digit(number)]
}

const fn digits_of_two(number: i8) -> [u8; 4] {
    digits(number.unsigned_abs() as u16)
}

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(str::from_utf8(&self.text()).unwrap_or_default())
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
