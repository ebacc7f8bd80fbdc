//! Framing: what a record looks like as bytes, how a writer strings records together, and how a reader checks them.
//!
//! Pure: no files, no time. The layout is published in docs/log-format.md and written by hand, so that an auditor in
//! any language can read it. What the events inside mean is `codec`'s business.

mod chain;
mod cursor;
mod error;
mod event;
mod header;
mod verifier;

pub use chain::{Chain, ClaimantError};
pub(crate) use cursor::Cursor;
pub use error::{EventError, RecordError};
pub use event::{BodyVersion, EncodedEvent, EventHead, RawEvent, RawEvents, Tag};
pub use header::{Flags, Header};
pub use verifier::{Pushed, Verifier};

use crate::ids::{ChainHash, Epoch, RecordNo};
use bytes::Bytes;
use header::seal;

/// A record that is well formed by itself: magic, lengths, checksum, flags and the events' frames are right. Whether
/// it is the right one at its place, only a [`Verifier`] can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    header: Header,
    hash: ChainHash,
    bytes: Bytes,
}

impl Record {
    /// Checks bytes. Nothing is copied.
    ///
    /// # Errors
    /// [`RecordError`] names what is wrong.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, RecordError> {
        let bytes = bytes.into();
        let header = Header::parse(&bytes)?;
        let record = Self { header, hash: ChainHash::of(&bytes), bytes };
        record.check_payload()?;
        Ok(record)
    }

    /// Makes the record of a header and its payload; fills in length and checksum.
    pub(crate) fn seal(header: Header, payload: &[u8]) -> Self {
        let (header, bytes) = seal(header, payload);
        Self { header, hash: ChainHash::of(&bytes), bytes: Bytes::from(bytes) }
    }

    fn check_payload(&self) -> Result<(), RecordError> {
        if self.header.flags.is_claim() {
            return core::str::from_utf8(self.payload()).map(|_| ()).map_err(|_| RecordError::Claimant);
        }
        RawEvents::check(self.payload(), self.header.event_count)
    }

    /// What stands before the payload.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Its place.
    #[must_use]
    pub const fn number(&self) -> RecordNo {
        self.header.number
    }

    /// The term of its writer.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.header.epoch
    }

    /// Its hash, which the next record names.
    #[must_use]
    pub const fn hash(&self) -> ChainHash {
        self.hash
    }

    /// The record as it is stored.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What stands behind the header.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(crate::limits::HEADER_BYTES..).unwrap_or_default()
    }

    /// Its events. A claim has none.
    #[must_use]
    pub fn events(&self) -> RawEvents<'_> {
        RawEvents::new(if self.header.flags.is_claim() { &[] } else { self.payload() })
    }

    /// Who claimed the log, if this is a claim.
    #[must_use]
    pub fn claimant(&self) -> Option<&str> {
        core::str::from_utf8(self.payload()).ok().filter(|_| self.header.flags.is_claim())
    }
}

#[cfg(test)]
mod tests;
