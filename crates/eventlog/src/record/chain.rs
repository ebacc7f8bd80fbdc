//! The writer's side: strings groups of events together into records, each naming the one before.

use super::{EncodedEvent, Flags, Header, Record};
use crate::ids::{ChainPoint, Epoch, EventNo, LogId, RecordNo, RulesVersion};
use crate::limits::{CLAIMANT_BYTES_MAX, GROUP_RECORDS_MAX, PAYLOAD_BYTES_MAX};

/// Where a claimed log's writer stands. Pure: framing writes nothing; what was framed must be appended in order, or
/// the chain thrown away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    log_id: LogId,
    epoch: Epoch,
    point: ChainPoint,
}

/// A text that cannot say who claims a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("who claims a log is said in at most {CLAIMANT_BYTES_MAX} bytes, got {len}")]
pub struct ClaimantError {
    /// Its length in bytes.
    pub len: usize,
}

impl Chain {
    /// Claims the log behind `point`: the claim record, and the chain of the term that it opens.
    ///
    /// # Errors
    /// [`ClaimantError`] where the text is too long.
    pub fn claim(log_id: LogId, point: ChainPoint, claimant: &str) -> Result<(Record, Self), ClaimantError> {
        if claimant.len() > CLAIMANT_BYTES_MAX {
            return Err(ClaimantError { len: claimant.len() });
        }
        let epoch = Epoch(point.record.next().0);
        let mut chain = Self { log_id, epoch, point };
        let record = chain.seal(Flags::CLAIM_RECORD, 0, claimant.as_bytes());
        Ok((record, chain))
    }

    /// Frames a group: as few records as hold it, marked so that it is valid only whole. No events, no records.
    pub fn frame<'a>(&mut self, events: impl IntoIterator<Item = &'a EncodedEvent>) -> Vec<Record> {
        let payloads = pack(events);
        assert!(payloads.len() <= GROUP_RECORDS_MAX, "the committer bounds its groups far below GROUP_RECORDS_MAX");
        let last = payloads.len().saturating_sub(1);
        let seal = |(at, (payload, count)): (usize, (Vec<u8>, u32))| {
            self.seal(Flags::of_group(at == 0, at == last), count, &payload)
        };
        payloads.into_iter().enumerate().map(seal).collect()
    }

    fn seal(&mut self, flags: Flags, event_count: u32, payload: &[u8]) -> Record {
        let header = Header {
            flags,
            rules: RulesVersion::CURRENT,
            log_id: self.log_id,
            number: self.point.record.next(),
            epoch: self.epoch,
            first_event: self.point.event.plus(1),
            event_count,
            previous: self.point.hash,
        };
        let record = Record::seal(header, payload);
        let event = self.point.event.plus(u64::from(event_count));
        self.point = ChainPoint { record: header.number, hash: record.hash(), event };
        record
    }

    /// Which log.
    #[must_use]
    pub const fn log_id(&self) -> LogId {
        self.log_id
    }

    /// The writer's term.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The number of the record that will be framed next.
    #[must_use]
    pub const fn next_record(&self) -> RecordNo {
        self.point.record.next()
    }

    /// The partition-wide number of the event that will be framed next.
    #[must_use]
    pub const fn next_event(&self) -> EventNo {
        self.point.event.plus(1)
    }

    /// The last record framed.
    #[must_use]
    pub const fn point(&self) -> ChainPoint {
        self.point
    }
}

/// Fills payloads one after another: (bytes, events).
fn pack<'a>(events: impl IntoIterator<Item = &'a EncodedEvent>) -> Vec<(Vec<u8>, u32)> {
    let mut payloads: Vec<(Vec<u8>, u32)> = Vec::new();
    for event in events {
        let bytes = event.bytes();
        match payloads.last_mut().filter(|(payload, _)| payload.len() + bytes.len() <= PAYLOAD_BYTES_MAX) {
            Some((payload, count)) => {
                payload.extend_from_slice(bytes);
                // A payload holds at most a few hundred events.
                *count = count.saturating_add(1);
            }
            None => payloads.push((bytes.to_vec(), 1)),
        }
    }
    payloads
}
