//! Damage, and the words that tell an operator what it means.

use crate::ids::{LogId, RecordNo};
use crate::limits::HEADER_BYTES;
use crate::log::Place;
use crate::record::{RawEvents, RecordError};
use domain::ids::ItemNo;
use std::collections::BTreeSet;
use std::fmt;

/// What is wrong with a record or its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is not there.
    #[error("it is missing")]
    Missing,
    /// It is not what it should be.
    #[error("{0}")]
    Wrong(#[from] RecordError),
    /// It is well formed, and yet not the record that the anchor or the snapshot tells of.
    #[error("it is not the record that was known to stand there")]
    NotTheKnownRecord,
    /// The log ends inside its group.
    #[error("the log ends inside a group, which is valid only whole")]
    GroupNotWhole,
}

/// Damage at or before a point that the log is known to have reached: acknowledged events are not readable. The
/// partition stops; its files are left as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Which log.
    pub log_id: LogId,
    /// The first record that is not right.
    pub record: RecordNo,
    /// The record that the log is known to have reached.
    pub known: RecordNo,
    /// Where it lies.
    pub place: Place,
    /// What is wrong.
    pub fault: Fault,
    /// Items with events in that record, as far as it can be read. Later records may concern others.
    pub items: Vec<ItemNo>,
}

impl Damage {
    pub(super) fn new(
        log_id: LogId,
        record: RecordNo,
        known: RecordNo,
        place: Place,
        fault: Fault,
        bytes: &[u8],
    ) -> Self {
        let payload = bytes.get(HEADER_BYTES..).unwrap_or_default();
        let items: BTreeSet<ItemNo> = RawEvents::new(payload).map(|event| event.head.item).collect();
        Self { log_id, record, known, place, fault, items: items.into_iter().collect() }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { log_id, record, known, place, fault, items } = self;
        writeln!(f, "record {record} of log {log_id} is damaged: {fault}.")?;
        writeln!(f, "  where: {place}")?;
        match items.as_slice() {
            [] => writeln!(f, "  items: cannot be told from this record")?,
            items => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                writeln!(f, "  items in this record, as far as it can be read: {}", items.join(", "))?;
            }
        }
        writeln!(
            f,
            "  what it means: the log was durable up to record {known}, so answers that rest on record {record}"
        )?;
        writeln!(f, "    and later ones may have been given. This is no torn tail, and it is not cut away.")?;
        writeln!(
            f,
            "  what to do: nothing was thrown away (a database that had to be opened has its original in `aside`)."
        )?;
        writeln!(f, "    Keep a copy of the whole data directory, look at the disk's health,")?;
        write!(f, "    restore the latest backup of this partition's directory, and start again.")
    }
}

impl std::error::Error for Damage {}
