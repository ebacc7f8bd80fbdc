//! Instants and durations as the log knows them: whole milliseconds.
//!
//! Nothing here reads a clock; time enters the domain as an argument.

use core::fmt;
use core::num::NonZeroU64;

/// A logged instant: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// The milliseconds and one more: so an instant that there may or may not be takes no more room than one.
    millis_plus_one: NonZeroU64,
}

impl Timestamp {
    /// The latest instant the domain accepts: the end of the year 9999, the last that RFC 3339 can write.
    pub const MAX: Self = Self::from_millis(MAX_MILLIS);

    /// An instant `millis` after the Unix epoch; later than [`Timestamp::MAX`] becomes it.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        let millis = if millis > MAX_MILLIS { MAX_MILLIS } else { millis };
        Self { millis_plus_one: NonZeroU64::MIN.saturating_add(millis) }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.millis_plus_one.get() - 1
    }

    /// This instant moved later by `by`, at most [`Timestamp::MAX`].
    #[must_use]
    pub const fn plus(self, by: DurationMs) -> Self {
        Self::from_millis(self.as_millis().saturating_add(by.0))
    }

    /// How long after `earlier` this instant is; zero where it is not after.
    #[must_use]
    pub const fn since(self, earlier: Self) -> DurationMs {
        DurationMs(self.millis_plus_one.get().saturating_sub(earlier.millis_plus_one.get()))
    }
}

/// 9999-12-31T23:59:59.999Z.
const MAX_MILLIS: u64 = 253_402_300_799_999;

impl Default for Timestamp {
    fn default() -> Self {
        Self::from_millis(0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.as_millis())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timestamp").field(&self.as_millis()).finish()
    }
}

/// A length of time in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DurationMs(u64);

impl DurationMs {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// `millis` milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// `secs` seconds, at most what fits.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000))
    }

    /// Milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}
