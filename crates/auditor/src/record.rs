//! One record as bytes: the header's places, and what can be wrong with them (docs/log-format.md, "Records").

/// Bytes of a record's header.
const HEADER_BYTES: usize = 92;

/// Longest record.
const RECORD_BYTES_MAX: usize = 6_000;

/// Longest text that says who claims a log.
const CLAIMANT_BYTES_MAX: usize = 128;

/// Where the checksum stands.
const CRC_AT: usize = 88;

const MAGIC: [u8; 4] = *b"HFR1";
const FORMAT_VERSION: u8 = 1;

pub(crate) const GROUP_FIRST: u8 = 1;
pub(crate) const GROUP_LAST: u8 = 2;
pub(crate) const CLAIM: u8 = 4;

/// What is wrong with a record. A log that has one of these says nothing from there on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant says itself in words, with its fields")]
pub enum Fault {
    #[error("it has {length} bytes, and a record has from 92 to 6000")]
    Length { length: usize },
    #[error("it does not begin with HFR1")]
    Magic,
    #[error("its header tells of a payload of {told} bytes, and there are {found}")]
    PayloadLength { told: u32, found: usize },
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it was written by a newer program (format {version}, flags {flags}); use the auditor of that one")]
    Newer { version: u8, flags: u8 },
    #[error("it belongs to another log")]
    LogId,
    #[error("it has number {found} where {expected} should stand")]
    Number { expected: u64, found: u64 },
    #[error("it does not name the hash of the record before it")]
    PreviousHash,
    #[error("it is of term {found}, and the term is {expected}")]
    Epoch { expected: u64, found: u64 },
    #[error("its first event is {found} where {expected} should stand")]
    FirstEvent { expected: u64, found: u64 },
    #[error("its flags say that it begins or goes on with a group, and the record before says otherwise")]
    Group,
    #[error("a claim has flags 7, no event, its own number for its term, and a text of at most 128 bytes")]
    Claim,
    #[error("its events do not fill its payload exactly: {0}")]
    Events(&'static str),
    #[error("event {event} of the log cannot be decoded: {error}")]
    Body { event: u64, error: crate::BodyError },
    #[error("it is missing")]
    Missing,
    #[error("it is not the record that the anchor names")]
    NotTheAnchors,
    #[error("the anchor is missing, damaged or another log's")]
    Anchor,
}

/// Takes bytes from the front of a slice; numbers are little-endian.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'b>(pub(crate) &'b [u8]);

impl<'b> Bytes<'b> {
    pub(crate) fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

/// A record whose bytes are whole in themselves. Its place in the log is the chain's to check.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) flags: u8,
    pub(crate) log_id: [u8; 16],
    pub(crate) number: u64,
    pub(crate) epoch: u64,
    pub(crate) first_event: u64,
    pub(crate) event_count: u32,
    pub(crate) previous: [u8; 32],
    pub(crate) hash: [u8; 32],
    pub(crate) payload: Vec<u8>,
}

impl Record {
    pub(crate) const fn is_claim(&self) -> bool {
        self.flags & CLAIM != 0
    }

    /// Reads a record, checking in the published order.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let length = bytes.len();
        if length > RECORD_BYTES_MAX {
            return Err(Fault::Length { length });
        }
        let (head, payload) = bytes.split_at_checked(HEADER_BYTES).ok_or(Fault::Length { length })?;
        let mut at = Bytes(head);
        let read = Self::read(&mut at, payload, blake3::hash(bytes).into());
        let (magic, version, told, crc, record) = read.ok_or(Fault::Length { length })?;
        if magic != MAGIC {
            return Err(Fault::Magic);
        }
        if usize::try_from(told) != Ok(payload.len()) {
            return Err(Fault::PayloadLength { told, found: payload.len() });
        }
        if checksum(head, payload) != crc {
            return Err(Fault::Checksum);
        }
        if version != FORMAT_VERSION || record.flags & !(GROUP_FIRST | GROUP_LAST | CLAIM) != 0 {
            return Err(Fault::Newer { version, flags: record.flags });
        }
        record.check_shape()
    }

    /// Magic, format version, payload length, checksum, and the rest.
    fn read(at: &mut Bytes<'_>, payload: &[u8], hash: [u8; 32]) -> Option<([u8; 4], u8, u32, u32, Self)> {
        let (magic, version, flags, _rules) = (at.array()?, at.u8()?, at.u8()?, at.u16()?);
        let (log_id, number, epoch, first_event) = (at.array()?, at.u64()?, at.u64()?, at.u64()?);
        let (event_count, told, previous, crc) = (at.u32()?, at.u32()?, at.array()?, at.u32()?);
        let payload = payload.to_vec();
        let record = Self { flags, log_id, number, epoch, first_event, event_count, previous, hash, payload };
        Some((magic, version, told, crc, record))
    }

    fn check_shape(self) -> Result<Self, Fault> {
        if !self.is_claim() {
            return if self.event_count == 0 { Err(Fault::Events("there is none")) } else { Ok(self) };
        }
        let flags = self.flags == (GROUP_FIRST | GROUP_LAST | CLAIM);
        let text = self.payload.len() <= CLAIMANT_BYTES_MAX && str::from_utf8(&self.payload).is_ok();
        if flags && text && self.event_count == 0 && self.epoch == self.number { Ok(self) } else { Err(Fault::Claim) }
    }
}

/// The CRC of the complete record with its own four bytes taken as 0.
fn checksum(head: &[u8], payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(head.get(..CRC_AT).unwrap_or_default());
    crc.update(&[0; 4]);
    crc.update(payload);
    crc.finalize()
}
