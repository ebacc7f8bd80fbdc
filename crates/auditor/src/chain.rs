//! A log, record after record: number, hash of the one before, term, event numbers, and groups that count only whole.
//!
//! What is wrong at or before the anchor is damage. What is wrong behind it may be a torn write that nobody was told
//! of: the log ends before the group that it stands in, and the report says so.

use crate::decode::{RawEvent, decode};
use crate::event::Event;
use crate::record::{Fault, GROUP_FIRST, GROUP_LAST, Record};
use serde::Serialize;

/// Most records of one group.
const GROUP_RECORDS_MAX: usize = 65_536;

/// A point that the log had durably reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Which log.
    pub log_id: [u8; 16],
    /// The record; 0 for a log that was only created.
    pub record: u64,
    /// Its BLAKE3.
    pub hash: [u8; 32],
}

/// Damage: from this record on, and for what was acknowledged, the log says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", in_words(log, *record, fault))]
pub struct Damage {
    /// The log's id in hexadecimal.
    pub log: String,
    /// The record's place in the log; 0 where it is the anchor that is damaged.
    pub record: u64,
    /// The record that the log had durably reached, if its anchor tells.
    pub known: Option<u64>,
    /// What is wrong.
    pub fault: Fault,
}

fn in_words(log: &str, record: u64, fault: &Fault) -> String {
    match fault {
        Fault::Anchor => format!("log {log} cannot be judged: {fault}"),
        Fault::Newer { .. } => format!("record {record} of log {log} cannot be read: {fault}"),
        _ => format!("record {record} of log {log} is damaged: {fault}"),
    }
}

/// What one log held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogRead {
    /// Its id in hexadecimal.
    pub log: String,
    /// Records up to the last whole group.
    pub records: u64,
    /// Events in them.
    pub events: u64,
    /// Terms: how often a writer claimed the log.
    pub claims: u64,
    /// What lies behind the last whole group, if anything does.
    pub torn: Option<Torn>,
}

/// The end of a log that an unclean stop tore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Torn {
    /// The first record that is wrong, or missing.
    pub record: u64,
    /// What is wrong, in words.
    pub why: String,
}

/// Reads a log from its first record on.
#[derive(Debug)]
pub(crate) struct Chain {
    anchor: Option<Anchor>,
    log_id: Option<[u8; 16]>,
    number: u64,
    hash: [u8; 32],
    epoch: u64,
    /// The number of the last event, those of an open group included.
    event: u64,
    whole: Whole,
    claims: u64,
    open: Vec<Record>,
}

/// The end of the last whole group.
#[derive(Clone, Copy, Debug, Default)]
struct Whole {
    record: u64,
    event: u64,
}

impl Chain {
    pub(crate) fn new(anchor: Option<Anchor>) -> Self {
        Self {
            anchor,
            log_id: anchor.map(|anchor| anchor.log_id),
            number: 0,
            hash: [0; 32],
            epoch: 0,
            event: 0,
            whole: Whole::default(),
            claims: 0,
            open: Vec::new(),
        }
    }

    /// Reads all records and hands out the events of whole groups, each with the number of its record.
    pub(crate) fn read<B: AsRef<[u8]>>(
        mut self,
        records: impl IntoIterator<Item = B>,
        visit: &mut dyn FnMut(u64, Event),
    ) -> Result<LogRead, Damage> {
        for bytes in records {
            if let Err(fault) = self.push(bytes.as_ref(), visit) {
                return self.end(Some(fault));
            }
        }
        let fault = (!self.open.is_empty()).then_some(Fault::Missing);
        self.end(fault)
    }

    fn end(self, fault: Option<Fault>) -> Result<LogRead, Damage> {
        let log = hex(&self.log_id.unwrap_or_default());
        let next = self.number + 1;
        // Without an anchor everything counts as acknowledged.
        let reached = self.anchor.map(|anchor| anchor.record);
        let known = reached.unwrap_or(u64::MAX);
        let damage = |fault| Damage { log: log.clone(), record: next, known: reached, fault };
        let is_short = self.anchor.is_some() && self.whole.record < known;
        let torn = match fault {
            // A newer program's record is no tear: cutting there would lose what it wrote.
            Some(fault) if next <= known || is_short || matches!(fault, Fault::Newer { .. }) => {
                return Err(damage(fault));
            }
            None if is_short => return Err(damage(Fault::Missing)),
            Some(fault) => Some(Torn { record: next, why: fault.to_string() }),
            None => None,
        };
        Ok(LogRead { log, records: self.whole.record, events: self.whole.event, claims: self.claims, torn })
    }

    fn push(&mut self, bytes: &[u8], visit: &mut dyn FnMut(u64, Event)) -> Result<(), Fault> {
        let record = Record::parse(bytes)?;
        self.check_place(&record)?;
        if record.is_claim() {
            // A group that a claim cuts is void: its events never happened.
            self.event = self.whole.event;
            check_first_event(&record, self.event)?;
            self.open.clear();
            self.epoch = record.number;
            self.claims += 1;
            self.advance(&record);
            self.whole.record = record.number;
            return Ok(());
        }
        if record.epoch != self.epoch || self.epoch == 0 {
            return Err(Fault::Epoch { expected: self.epoch, found: record.epoch });
        }
        check_first_event(&record, self.event)?;
        let begins = record.flags & GROUP_FIRST != 0;
        if begins != self.open.is_empty() || self.open.len() >= GROUP_RECORDS_MAX {
            return Err(Fault::Group);
        }
        RawEvent::check_all(&record.payload, record.event_count).map_err(Fault::Events)?;
        let is_last = record.flags & GROUP_LAST != 0;
        let decoded = if is_last && begins { Some(decode_all(&record)?) } else { None };
        if is_last && !begins {
            return self.end_group(&record, visit);
        }
        self.event += u64::from(record.event_count);
        self.advance(&record);
        match decoded {
            Some(events) => {
                self.whole = Whole { record: record.number, event: self.event };
                events.into_iter().for_each(|event| visit(record.number, event));
            }
            None => self.open.push(record),
        }
        Ok(())
    }

    /// The last record of a group of several: all of it counts now.
    fn end_group(&mut self, last: &Record, visit: &mut dyn FnMut(u64, Event)) -> Result<(), Fault> {
        let mut events = Vec::new();
        for record in self.open.iter().chain([last]) {
            events.extend(decode_all(record)?.into_iter().map(|event| (record.number, event)));
        }
        self.open.clear();
        self.event += u64::from(last.event_count);
        self.advance(last);
        self.whole = Whole { record: last.number, event: self.event };
        events.into_iter().for_each(|(record, event)| visit(record, event));
        Ok(())
    }

    fn check_place(&mut self, record: &Record) -> Result<(), Fault> {
        if *self.log_id.get_or_insert(record.log_id) != record.log_id {
            return Err(Fault::LogId);
        }
        let expected = self.number + 1;
        if record.number != expected {
            return Err(Fault::Number { expected, found: record.number });
        }
        if record.previous != self.hash {
            return Err(Fault::PreviousHash);
        }
        match self.anchor {
            Some(anchor) if anchor.record == record.number && anchor.hash != record.hash => Err(Fault::NotTheAnchors),
            Some(_) | None => Ok(()),
        }
    }

    fn advance(&mut self, record: &Record) {
        (self.number, self.hash) = (record.number, record.hash);
    }
}

fn check_first_event(record: &Record, before: u64) -> Result<(), Fault> {
    let (expected, found) = (before + 1, record.first_event);
    if expected == found { Ok(()) } else { Err(Fault::FirstEvent { expected, found }) }
}

fn decode_all(record: &Record) -> Result<Vec<Event>, Fault> {
    let raw = RawEvent::all(&record.payload).zip(record.first_event..);
    raw.map(|(raw, event)| decode(&raw).map_err(|error| Fault::Body { event, error })).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
