//! Instants as people read and write them: RFC 3339 in UTC, and "up to here" as a number or an instant.
//!
//! Nothing here reads a clock.

use core::fmt;
use domain::time::Timestamp;
use serde::{Serialize, Serializer};
use std::str::FromStr;

/// An instant as it is written: RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rfc3339(pub Timestamp);

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

/// How far to replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Up to and with this event: the item's own sequence number where one item is asked for, else the number among
    /// all events of the partition.
    Number(u64),
    /// Everything that was logged at this instant or before.
    Instant(Timestamp),
}

impl FromStr for Until {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(number) = text.parse() {
            return Ok(Self::Number(number));
        }
        let instant = text.parse::<jiff::Timestamp>().ok().and_then(|at| u64::try_from(at.as_millisecond()).ok());
        let instant = instant.map(|millis| Self::Instant(Timestamp::from_millis(millis)));
        instant.ok_or("it is an event's number, or an instant such as 2026-01-31T12:00:00Z")
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "event {number}"),
            Self::Instant(at) => fmt::Display::fmt(&Rfc3339(*at), f),
        }
    }
}

/// The domain names instants as milliseconds in brackets; people read them as everywhere else.
#[must_use]
pub fn with_instants(words: &str) -> String {
    let mut told = String::with_capacity(words.len());
    let mut rest = words;
    while let Some((before, behind)) = rest.split_once('[') {
        told.push_str(before);
        match behind.split_once(']').and_then(|(inside, after)| Some((inside.parse::<u64>().ok()?, after))) {
            Some((millis, after)) => {
                told.push_str(&Rfc3339(Timestamp::from_millis(millis)).to_string());
                rest = after;
            }
            None => {
                told.push('[');
                rest = behind;
            }
        }
    }
    told.push_str(rest);
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_is_a_number_or_an_instant_with_its_offset() {
        assert_eq!("17".parse(), Ok(Until::Number(17)));
        let noon = Until::Instant(Timestamp::from_millis(1_767_268_800_000));
        assert_eq!("2026-01-01T12:00:00Z".parse(), Ok(noon));
        assert_eq!("2026-01-01T13:00:00+01:00".parse(), Ok(noon));
        for nonsense in ["", "-1", "noon", "2026-01-01", "2026-01-01T12:00:00", "1969-01-01T00:00:00Z"] {
            assert!(nonsense.parse::<Until>().is_err(), "{nonsense}");
        }
    }

    #[test]
    fn instants_in_brackets_are_written_out_and_other_brackets_stay() {
        let told = with_instants("held until [1000], said \"[no]\" [");
        assert_eq!(told, "held until 1970-01-01T00:00:01.000Z, said \"[no]\" [");
    }
}
