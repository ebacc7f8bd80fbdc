//! Whether a group may be appended: the same judgement in every local engine.

use crate::ids::{ChainPoint, Epoch, LogId, RecordNo};
use crate::record::Record;

/// What is to be done with a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Write what is not there yet: leave out this many records at its head. None left means that all of it is there.
    Write {
        /// Records that stand in their places already, byte for byte.
        skip: usize,
    },
    /// Refuse: the term is over, the place is taken by others, or it is not the next.
    Fenced,
    /// Refuse: no correct writer frames this.
    NotTheNext,
}

/// Where the log stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) log_id: LogId,
    pub(crate) tail: ChainPoint,
    pub(crate) epoch: Option<Epoch>,
}

/// Judges a group. `stored` gives the bytes of a record that is there.
pub(crate) fn admit(
    log: &Standing,
    expected: RecordNo,
    group: &[Record],
    stored: impl Fn(RecordNo) -> Option<Vec<u8>>,
) -> Admission {
    if !is_one_group(log.log_id, expected, group) {
        return Admission::NotTheNext;
    }
    if group.iter().any(|record| Some(record.epoch()) != log.epoch) || expected > log.tail.record.next() {
        return Admission::Fenced;
    }
    let is_there = |record: &&Record| record.number() <= log.tail.record;
    let there = group.iter().take_while(is_there).count();
    let same = |record: &Record| stored(record.number()).is_some_and(|bytes| bytes == *record.bytes());
    if !group.iter().take(there).all(same) {
        return Admission::Fenced;
    }
    match group.get(there) {
        Some(next) if next.header().previous != log.tail.hash => Admission::NotTheNext,
        _ => Admission::Write { skip: there },
    }
}

fn is_one_group(log_id: LogId, expected: RecordNo, group: &[Record]) -> bool {
    let numbers = (expected.0..).map(RecordNo);
    let last = group.len().saturating_sub(1);
    group.iter().zip(numbers).enumerate().all(|(at, (record, number))| {
        let flags = record.header().flags;
        record.header().log_id == log_id
            && record.number() == number
            && flags.is_group_first() == (at == 0)
            && flags.is_group_last() == (at == last)
    })
}
