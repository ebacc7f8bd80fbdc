//! The reader's side: takes records one after another and lets events through only when all that holds them is right.

use super::{Record, RecordError};
use crate::ids::{ChainHash, ChainPoint, Epoch, EventNo, LogId, RecordNo};
use crate::limits::GROUP_RECORDS_MAX;
use bytes::Bytes;

/// Checks a log, record by record: log id, contiguous numbers, the hash of the record before, terms, event numbers
/// and that groups are whole. Pure.
#[derive(Clone, Debug)]
pub struct Verifier {
    log_id: LogId,
    /// The last record taken; `None` until the first where the reader trusts it.
    tip: Option<ChainPoint>,
    /// The last record that ended a group.
    whole: ChainPoint,
    epoch: Option<Epoch>,
    open: Vec<Record>,
}

/// What taking a record led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// A claim: a new term is open. A group that was not whole is void, with `voided` records.
    Claimed {
        /// The new term.
        epoch: Epoch,
        /// Records of the group that nobody will ever finish.
        voided: usize,
    },
    /// The group is not whole yet.
    Open,
    /// The group is whole: its records, in order.
    Whole(Vec<Record>),
}

impl Verifier {
    /// Expects the log from its first record on.
    #[must_use]
    pub const fn from_start(log_id: LogId) -> Self {
        Self { log_id, tip: Some(ChainPoint::START), whole: ChainPoint::START, epoch: None, open: Vec::new() }
    }

    /// Expects the record behind `point`. The term open there is not known; the first record tells it.
    #[must_use]
    pub const fn after(log_id: LogId, point: ChainPoint) -> Self {
        Self { log_id, tip: Some(point), whole: point, epoch: None, open: Vec::new() }
    }

    /// Takes the first record as it comes, at whatever place: for readers that start in the middle of a log that was
    /// verified when it was opened.
    #[must_use]
    pub const fn trusting(log_id: LogId) -> Self {
        Self { log_id, tip: None, whole: ChainPoint::START, epoch: None, open: Vec::new() }
    }

    /// The last record that ended a group: up to here the log is right.
    #[must_use]
    pub const fn whole(&self) -> ChainPoint {
        self.whole
    }

    /// The record that should come next, if that is known.
    #[must_use]
    pub fn expected(&self) -> Option<RecordNo> {
        self.tip.map(|tip| tip.record.next())
    }

    /// Whether a group is open.
    #[must_use]
    pub const fn is_group_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Takes the next record's bytes.
    ///
    /// # Errors
    /// [`RecordError`] names what is wrong; the verifier stays as it was.
    pub fn push(&mut self, bytes: impl Into<Bytes>) -> Result<Pushed, RecordError> {
        self.push_record(Record::parse(bytes)?)
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// [`RecordError`] names what is wrong; the verifier stays as it was.
    pub fn push_record(&mut self, record: Record) -> Result<Pushed, RecordError> {
        self.check_place(&record)?;
        if record.header().flags.is_claim() { self.take_claim(&record) } else { self.take_events(record) }
    }

    fn check_place(&self, record: &Record) -> Result<(), RecordError> {
        let header = record.header();
        if header.log_id != self.log_id {
            return Err(RecordError::LogId { expected: self.log_id, found: header.log_id });
        }
        let Some(tip) = self.tip else { return Ok(()) };
        if header.number != tip.record.next() {
            return Err(RecordError::Number { expected: tip.record.next(), found: header.number });
        }
        if header.previous != tip.hash {
            return Err(RecordError::PreviousHash);
        }
        Ok(())
    }

    fn take_claim(&mut self, record: &Record) -> Result<Pushed, RecordError> {
        // Events of a group that was never finished do not count: their numbers are given again.
        let before = if self.tip.is_some() { self.whole.event } else { record.header().first_event.before() };
        check_first_event(record, before)?;
        let voided = self.open.len();
        self.open.clear();
        self.epoch = Some(record.epoch());
        self.advance(record, before, true);
        Ok(Pushed::Claimed { epoch: record.epoch(), voided })
    }

    fn take_events(&mut self, record: Record) -> Result<Pushed, RecordError> {
        let header = *record.header();
        self.check_epoch(header.epoch, header.number)?;
        let before = self.tip.map_or(header.first_event.before(), |tip| tip.event);
        check_first_event(&record, before)?;
        let begins = header.flags.is_group_first();
        if begins == self.is_group_open() && self.tip.is_some() {
            return Err(RecordError::Group { begins });
        }
        if self.open.len() >= GROUP_RECORDS_MAX {
            return Err(RecordError::GroupTooLong);
        }
        let last = header.flags.is_group_last();
        self.epoch = Some(header.epoch);
        self.advance(&record, before.plus(u64::from(header.event_count)), last);
        self.open.push(record);
        Ok(if last { Pushed::Whole(core::mem::take(&mut self.open)) } else { Pushed::Open })
    }

    fn check_epoch(&self, found: Epoch, number: RecordNo) -> Result<(), RecordError> {
        let fits = match self.epoch {
            Some(open) => found == open,
            // A reader that starts later learns the term from its first record; only record 1 must be a claim.
            None => found.0 >= 1 && found.0 < number.0 && self.tip != Some(ChainPoint::START),
        };
        if fits { Ok(()) } else { Err(RecordError::Epoch { expected: self.epoch, found }) }
    }

    fn advance(&mut self, record: &Record, event: EventNo, whole: bool) {
        let tip = ChainPoint { record: record.number(), hash: record.hash(), event };
        self.tip = Some(tip);
        if whole {
            self.whole = tip;
        }
    }

    /// The hash of the last record taken.
    #[must_use]
    pub fn tip_hash(&self) -> Option<ChainHash> {
        self.tip.map(|tip| tip.hash)
    }
}

fn check_first_event(record: &Record, before: EventNo) -> Result<(), RecordError> {
    let (expected, found) = (before.plus(1), record.header().first_event);
    if expected == found { Ok(()) } else { Err(RecordError::FirstEvent { expected, found }) }
}
