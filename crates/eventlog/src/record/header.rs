//! The header of a record: fixed places, little-endian, written by hand.

use super::cursor::Cursor;
use super::error::RecordError;
use crate::ids::{ChainHash, Epoch, EventNo, LogId, RecordNo, RulesVersion};
use crate::limits::{HEADER_BYTES, RECORD_BYTES_MAX};

const MAGIC: [u8; 4] = *b"HFR1";
const FORMAT_VERSION: u8 = 1;
/// Where the checksum stands; it is taken as zero while it is computed.
const CRC_AT: usize = HEADER_BYTES - 4;

/// What kind of record it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    const GROUP_FIRST: u8 = 1;
    const GROUP_LAST: u8 = 2;
    const CLAIM: u8 = 4;

    /// A claim, which is a group by itself.
    pub const CLAIM_RECORD: Self = Self(Self::GROUP_FIRST | Self::GROUP_LAST | Self::CLAIM);

    /// A record with events.
    #[must_use]
    pub const fn of_group(first: bool, last: bool) -> Self {
        Self(((first as u8) * Self::GROUP_FIRST) | ((last as u8) * Self::GROUP_LAST))
    }

    /// Whether it is the first of its group.
    #[must_use]
    pub const fn is_group_first(self) -> bool {
        self.0 & Self::GROUP_FIRST != 0
    }

    /// Whether it is the last of its group.
    #[must_use]
    pub const fn is_group_last(self) -> bool {
        self.0 & Self::GROUP_LAST != 0
    }

    /// Whether it is a claim.
    #[must_use]
    pub const fn is_claim(self) -> bool {
        self.0 & Self::CLAIM != 0
    }

    const fn parse(found: u8) -> Result<Self, RecordError> {
        if found & !(Self::GROUP_FIRST | Self::GROUP_LAST | Self::CLAIM) != 0 {
            return Err(RecordError::Flags { found });
        }
        Ok(Self(found))
    }
}

/// What stands before a record's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What kind of record it is.
    pub flags: Flags,
    /// The rules its events were decided by.
    pub rules: RulesVersion,
    /// Which log.
    pub log_id: LogId,
    /// Its place.
    pub number: RecordNo,
    /// Its writer's term.
    pub epoch: Epoch,
    /// The partition-wide number of its first event; for a claim, of the next one.
    pub first_event: EventNo,
    /// How many events.
    pub event_count: u32,
    /// The hash of the record before.
    pub previous: ChainHash,
}

impl Header {
    /// Reads and checks a complete record's header. Checksum before version: a flipped bit is never mistaken for a
    /// newer format.
    pub(super) fn parse(record: &[u8]) -> Result<Self, RecordError> {
        let len = record.len();
        if len > RECORD_BYTES_MAX {
            return Err(RecordError::TooLong { len });
        }
        let (head, payload) = record.split_first_chunk::<HEADER_BYTES>().ok_or(RecordError::TooShort { len })?;
        let mut at = Cursor(head);
        let fields = Fields::read(&mut at).ok_or(RecordError::TooShort { len })?;
        if fields.magic != MAGIC {
            return Err(RecordError::Magic { found: fields.magic });
        }
        if usize::try_from(fields.payload_len) != Ok(payload.len()) {
            return Err(RecordError::Length { told: fields.payload_len, found: payload.len() });
        }
        let computed = checksum(head, payload);
        if computed != fields.crc {
            return Err(RecordError::Checksum { told: fields.crc, computed });
        }
        if fields.version != FORMAT_VERSION {
            return Err(RecordError::Version { found: fields.version });
        }
        fields.header()?.check_shape()
    }

    fn check_shape(self) -> Result<Self, RecordError> {
        if self.flags.is_claim() {
            let claim = self.flags == Flags::CLAIM_RECORD && self.event_count == 0 && self.epoch.0 == self.number.0;
            return if claim { Ok(self) } else { Err(RecordError::Claim) };
        }
        if self.event_count == 0 { Err(RecordError::Empty) } else { Ok(self) }
    }
}

struct Fields {
    magic: [u8; 4],
    version: u8,
    flags: u8,
    rules: u16,
    log_id: [u8; 16],
    number: u64,
    epoch: u64,
    first_event: u64,
    event_count: u32,
    payload_len: u32,
    previous: [u8; 32],
    crc: u32,
}

impl Fields {
    fn read(at: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            magic: at.array()?,
            version: at.u8()?,
            flags: at.u8()?,
            rules: at.u16()?,
            log_id: at.array()?,
            number: at.u64()?,
            epoch: at.u64()?,
            first_event: at.u64()?,
            event_count: at.u32()?,
            payload_len: at.u32()?,
            previous: at.array()?,
            crc: at.u32()?,
        })
    }

    fn header(&self) -> Result<Header, RecordError> {
        Ok(Header {
            flags: Flags::parse(self.flags)?,
            rules: RulesVersion(self.rules),
            log_id: LogId(self.log_id),
            number: RecordNo(self.number),
            epoch: Epoch(self.epoch),
            first_event: EventNo(self.first_event),
            event_count: self.event_count,
            previous: ChainHash(self.previous),
        })
    }
}

fn checksum(head: &[u8; HEADER_BYTES], payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(head.get(..CRC_AT).unwrap_or_default());
    crc.update(&[0; 4]);
    crc.update(payload);
    crc.finalize()
}

/// The bytes of a record.
pub(super) fn seal(header: Header, payload: &[u8]) -> (Header, Vec<u8>) {
    assert!(payload.len() <= crate::limits::PAYLOAD_BYTES_MAX, "a payload is cut to fit before it is sealed");
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.push(FORMAT_VERSION);
    bytes.push(header.flags.0);
    bytes.extend_from_slice(&header.rules.0.to_le_bytes());
    bytes.extend_from_slice(&header.log_id.0);
    bytes.extend_from_slice(&header.number.0.to_le_bytes());
    bytes.extend_from_slice(&header.epoch.0.to_le_bytes());
    bytes.extend_from_slice(&header.first_event.0.to_le_bytes());
    bytes.extend_from_slice(&header.event_count.to_le_bytes());
    // Below RECORD_BYTES_MAX, by the assertion above.
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&header.previous.0);
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    let crc = crc32fast::hash(&bytes).to_le_bytes();
    for (to, from) in bytes.iter_mut().skip(CRC_AT).zip(crc) {
        *to = from;
    }
    (header, bytes)
}
