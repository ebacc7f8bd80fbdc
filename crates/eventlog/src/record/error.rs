//! What can be wrong with a record, each by its name.

use crate::ids::{Epoch, EventNo, LogId, RecordNo};
use crate::limits::RECORD_BYTES_MAX;

/// What is wrong with a record. Whether that is a torn write or damage depends on where it stands; `recovery` tells.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Shorter than a header.
    #[error("{len} bytes are too few for a record")]
    TooShort {
        /// Bytes there are.
        len: usize,
    },
    /// Longer than a record can be.
    #[error("{len} bytes are more than the {RECORD_BYTES_MAX} a record can have")]
    TooLong {
        /// Bytes there are.
        len: usize,
    },
    /// It does not begin like a record.
    #[error("it begins with {found:02x?}, not with HFR1")]
    Magic {
        /// What it begins with.
        found: [u8; 4],
    },
    /// The header tells another length.
    #[error("its header tells of {told} bytes of payload, there are {found}")]
    Length {
        /// Bytes of payload by the header.
        told: u32,
        /// Bytes of payload there are.
        found: usize,
    },
    /// The checksum is another: bits have changed.
    #[error("its checksum is {computed:08x} and should be {told:08x}")]
    Checksum {
        /// By the header.
        told: u32,
        /// By the bytes.
        computed: u32,
    },
    /// Whole, but written by a newer program. Never cut away: use that program.
    #[error("it has format version {found}, which this program does not know; use the newer one that wrote it")]
    Version {
        /// The version it tells.
        found: u8,
    },
    /// Whole, but with flags that this program does not know. Never cut away: use the program that wrote it.
    #[error("it has the flags {found:#010b}, which this program does not know; use the newer one that wrote it")]
    Flags {
        /// All its flags.
        found: u8,
    },
    /// A claim that is not formed like one.
    #[error("it is a claim, but not formed like one")]
    Claim,
    /// A claim whose text is not UTF-8.
    #[error("it is a claim, and its text is not UTF-8")]
    Claimant,
    /// A record without events that is no claim.
    #[error("it has no events and is no claim")]
    Empty,
    /// An event inside does not fit its frame.
    #[error("event {index} inside it: {error}")]
    Event {
        /// Which, from 0.
        index: u32,
        /// What is wrong.
        error: EventError,
    },
    /// Bytes behind the last event.
    #[error("{len} bytes stand behind its last event")]
    Trailing {
        /// How many.
        len: usize,
    },
    /// It belongs to another log.
    #[error("it belongs to log {found}, not to {expected}")]
    LogId {
        /// This log.
        expected: LogId,
        /// The log it names.
        found: LogId,
    },
    /// It has another number than its place.
    #[error("it has number {found} where {expected} should stand")]
    Number {
        /// The number of the place.
        expected: RecordNo,
        /// The number it tells.
        found: RecordNo,
    },
    /// It does not follow the record before it.
    #[error("it does not name the hash of the record before it")]
    PreviousHash,
    /// Its writer's term is not the one that is open.
    #[error("it was written in term {found} while {} was open", expected.map_or("none".to_owned(), |e| e.to_string()))]
    Epoch {
        /// The term that is open, if any.
        expected: Option<Epoch>,
        /// The term it tells.
        found: Epoch,
    },
    /// Its first event has another number.
    #[error("its events begin at {found} where {expected} should stand")]
    FirstEvent {
        /// The number that follows the event before.
        expected: EventNo,
        /// The number it tells.
        found: EventNo,
    },
    /// A group begins although one is open, or goes on although none is.
    #[error("it {} a group although {}", if *.begins { "begins" } else { "continues" }, if *.begins { "one is open" } else { "none is open" })]
    Group {
        /// Whether it says that it begins one.
        begins: bool,
    },
    /// A group of more records than a group can have.
    #[error("its group has too many records")]
    GroupTooLong,
}

impl RecordError {
    /// Whether the record is whole and only too new for this program. Such a record must never be cut away.
    #[must_use]
    pub const fn is_from_newer_program(&self) -> bool {
        matches!(self, Self::Version { .. } | Self::Flags { .. })
    }
}

/// What is wrong with an event's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The payload ends inside it.
    #[error("the payload ends inside it")]
    Truncated,
    /// Longer than an event can be.
    #[error("its body has {len} bytes, more than an event can have")]
    TooLong {
        /// Bytes of the body.
        len: usize,
    },
    /// A time later than the end of the year 9999.
    #[error("its time, {millis} ms, is out of range")]
    Time {
        /// What it tells.
        millis: u64,
    },
    /// A sequence number of 0.
    #[error("its sequence number is 0")]
    Sequence,
}
