//! One event inside a payload: a fixed header and a body that only the codec understands.

use super::cursor::Cursor;
use super::error::{EventError, RecordError};
use crate::limits::{EVENT_BYTES_MAX, EVENT_HEADER_BYTES};
use bytes::Bytes;
use domain::ids::{ItemNo, Seq};
use domain::time::Timestamp;

/// What kind of event a body holds. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u16);

/// Which frozen shape of its kind a body has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BodyVersion(pub u8);

/// What stands before an event's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventHead {
    /// Whose stream.
    pub item: ItemNo,
    /// Its place there.
    pub seq: Seq,
    /// Logged time.
    pub at: Timestamp,
    /// What kind of event.
    pub tag: Tag,
    /// Which shape.
    pub version: BodyVersion,
}

/// One event's header and body, ready to be framed. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedEvent(Bytes);

impl EncodedEvent {
    /// Puts an event together.
    ///
    /// # Errors
    /// [`EventError`] where it would not be read back.
    pub fn new(head: EventHead, body: &[u8]) -> Result<Self, EventError> {
        let len = body.len();
        let told = u16::try_from(len).map_err(|_| EventError::TooLong { len })?;
        if EVENT_HEADER_BYTES + len > EVENT_BYTES_MAX {
            return Err(EventError::TooLong { len });
        }
        if head.seq.0 == 0 {
            return Err(EventError::Sequence);
        }
        let mut bytes = Vec::with_capacity(EVENT_HEADER_BYTES + len);
        bytes.extend_from_slice(&head.item.as_u32().to_le_bytes());
        bytes.extend_from_slice(&head.seq.0.to_le_bytes());
        bytes.extend_from_slice(&head.at.as_millis().to_le_bytes());
        bytes.extend_from_slice(&head.tag.0.to_le_bytes());
        bytes.push(head.version.0);
        bytes.extend_from_slice(&told.to_le_bytes());
        bytes.extend_from_slice(body);
        Ok(Self(Bytes::from(bytes)))
    }

    /// Header and body as they will be stored.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// One event as it stands in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawEvent<'a> {
    /// What stands before the body.
    pub head: EventHead,
    /// The body.
    pub body: &'a [u8],
}

impl<'a> RawEvent<'a> {
    /// Reads bytes that are exactly one event, as [`EncodedEvent::bytes`] gives them.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut at = Cursor(bytes);
        Self::read(&mut at).ok().filter(|_| at.0.is_empty())
    }

    fn read(at: &mut Cursor<'a>) -> Result<Self, EventError> {
        let (item, seq, millis) = read_place(at).ok_or(EventError::Truncated)?;
        let (tag, version, len) = read_kind(at).ok_or(EventError::Truncated)?;
        if millis > Timestamp::MAX.as_millis() {
            return Err(EventError::Time { millis });
        }
        if seq == 0 {
            return Err(EventError::Sequence);
        }
        if EVENT_HEADER_BYTES + len > EVENT_BYTES_MAX {
            return Err(EventError::TooLong { len });
        }
        let body = at.take(len).ok_or(EventError::Truncated)?;
        let (item, seq, at) = (ItemNo::from_u32(item), Seq(seq), Timestamp::from_millis(millis));
        Ok(Self { head: EventHead { item, seq, at, tag: Tag(tag), version: BodyVersion(version) }, body })
    }
}

fn read_place(at: &mut Cursor<'_>) -> Option<(u32, u64, u64)> {
    Some((at.u32()?, at.u64()?, at.u64()?))
}

fn read_kind(at: &mut Cursor<'_>) -> Option<(u16, u8, usize)> {
    Some((at.u16()?, at.u8()?, usize::from(at.u16()?)))
}

/// The events of a payload, one after another. Stops at the first that does not fit its frame; in a [`super::Record`]
/// there is none such.
#[derive(Clone, Debug)]
pub struct RawEvents<'a>(&'a [u8]);

impl<'a> RawEvents<'a> {
    /// The events of these bytes.
    #[must_use]
    pub const fn new(payload: &'a [u8]) -> Self {
        Self(payload)
    }

    /// Checks that a payload is exactly `count` events.
    pub(super) fn check(payload: &[u8], count: u32) -> Result<(), RecordError> {
        let mut at = Cursor(payload);
        for index in 0..count {
            RawEvent::read(&mut at).map_err(|error| RecordError::Event { index, error })?;
        }
        if at.0.is_empty() { Ok(()) } else { Err(RecordError::Trailing { len: at.0.len() }) }
    }
}

impl<'a> Iterator for RawEvents<'a> {
    type Item = RawEvent<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut at = Cursor(self.0);
        let event = RawEvent::read(&mut at).ok();
        self.0 = if event.is_some() { at.0 } else { &[] };
        event
    }
}
