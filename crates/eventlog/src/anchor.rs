//! The anchor: a small file that remembers a point which the log had durably reached. What is missing or wrong up to
//! it is damage; what is wrong behind it may be a torn tail.

use crate::disk;
use crate::ids::{ChainHash, ChainPoint, EventNo, LogId, RecordNo};
use crate::log::LogError;
use crate::record::Cursor;
use std::path::Path;

const MAGIC: [u8; 4] = *b"HFA1";
/// Magic, log id, record, event, hash, checksum.
const ANCHOR_BYTES: usize = 4 + 16 + 8 + 8 + 32 + 4;

/// Why an anchor cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// There is none, though every log has one from its creation on.
    #[error("it is missing")]
    Missing,
    /// It is not an anchor, or bits of it have changed.
    #[error("it is damaged")]
    Damaged,
    /// It belongs to another log.
    #[error("it belongs to log {found}, not to {expected}")]
    OtherLog {
        /// This log.
        expected: LogId,
        /// The log it names.
        found: LogId,
    },
}

/// The bytes of an anchor.
#[must_use]
pub fn encode(log_id: LogId, point: ChainPoint) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ANCHOR_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&log_id.0);
    bytes.extend_from_slice(&point.record.0.to_le_bytes());
    bytes.extend_from_slice(&point.event.0.to_le_bytes());
    bytes.extend_from_slice(&point.hash.0);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// Reads the bytes of an anchor.
///
/// # Errors
/// [`AnchorError`] where it is damaged or another log's.
pub fn decode(log_id: LogId, bytes: &[u8]) -> Result<ChainPoint, AnchorError> {
    let (found, point) = read(bytes).ok_or(AnchorError::Damaged)?;
    if found == log_id { Ok(point) } else { Err(AnchorError::OtherLog { expected: log_id, found }) }
}

fn read(bytes: &[u8]) -> Option<(LogId, ChainPoint)> {
    let (content, crc) = bytes.split_last_chunk::<4>()?;
    if bytes.len() != ANCHOR_BYTES || crc32fast::hash(content) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut at = Cursor(content);
    if at.array()? != MAGIC {
        return None;
    }
    let log_id = LogId(at.array()?);
    let (record, event) = (RecordNo(at.u64()?), EventNo(at.u64()?));
    Some((log_id, ChainPoint { record, event, hash: ChainHash(at.array()?) }))
}

pub(crate) fn store(path: &Path, log_id: LogId, point: ChainPoint) -> Result<(), LogError> {
    disk::write_whole(path, &encode(log_id, point))
}

pub(crate) fn load(path: &Path, log_id: LogId) -> Result<Result<ChainPoint, AnchorError>, LogError> {
    let bytes = disk::read_if_there(path)?;
    Ok(bytes.ok_or(AnchorError::Missing).and_then(|bytes| decode(log_id, &bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_an_anchor_is_noticed() {
        let log_id = LogId([7; 16]);
        let point = ChainPoint { record: RecordNo(9), hash: ChainHash::of(b"x"), event: EventNo(70) };
        let bytes = encode(log_id, point);
        assert_eq!(decode(log_id, &bytes), Ok(point));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            if let Some(byte) = flipped.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            assert_eq!(decode(log_id, &flipped), Err(AnchorError::Damaged), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert_eq!(decode(log_id, bytes.get(..len).unwrap_or_default()), Err(AnchorError::Damaged), "{len} bytes");
        }
    }
}
