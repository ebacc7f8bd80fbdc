//! Reading a log from a point on: every record's checksum, number, hash of the one before, term and group checked, and
//! every event handed out with its place and its very bytes once its group is whole.
//!
//! What is wrong at or before the anchor is damage and ends the walk with its position. What is wrong behind it was
//! perhaps never acknowledged: the walk ends there too, and tells what it left out. Nothing is changed.

use crate::source::Source;
use bytes::Bytes;
use domain::ids::{ItemNo, PartitionNo};
use eventlog::limits::{EVENT_HEADER_BYTES, HEADER_BYTES};
use eventlog::record::{Pushed, RawEvents};
use eventlog::recovery::{Damage, Fault};
use eventlog::{
    ChainHash, ChainPoint, CodecError, EventNo, LogReader, Place, ReadError, Record, RecordError, RecordNo, Records,
    RulesVersion, StreamEvent, Verifier, decode_event,
};
use std::collections::VecDeque;

/// An event with all its places.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Whose log.
    pub partition: PartitionNo,
    /// The record it stands in.
    pub record: RecordNo,
    /// That record's hash, which the next record names.
    pub chain: ChainHash,
    /// The rules it was decided by.
    pub rules: RulesVersion,
    /// Its place among all events of the partition.
    pub number: EventNo,
    /// Whose stream; the partition's own for [`StreamEvent::Partition`].
    pub item: ItemNo,
    /// Header and body as they are stored.
    pub bytes: Bytes,
    /// What happened.
    pub event: StreamEvent,
    /// The point that the log has reached with the group it is of.
    pub group: ChainPoint,
    /// Whether it is the last of that group.
    pub ends_group: bool,
}

/// What was left out at the end: wrong, and behind the anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The first record left out.
    pub from: RecordNo,
    /// How many.
    pub records: u64,
    /// How many bytes of records, as far as they could be read.
    pub bytes: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

/// Why a log cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// Damage at or before the anchor. The words say what to do.
    #[error(transparent)]
    Damage(Box<Damage>),
    /// The same, in a copy made while somebody wrote.
    #[error(
        "{0}\n  note: somebody wrote to the log while it was copied, and every copy was torn. Try again when less is going on, or replay a backup, before believing this"
    )]
    DamageInHaste(Box<Damage>),
    /// Written by a newer program: use that one.
    #[error("record {record} ({place}) was written by a newer program: {error}. Replay it with that program")]
    Newer {
        /// Which.
        record: RecordNo,
        /// Where it lies.
        place: Place,
        /// What this program does not know.
        error: RecordError,
    },
    /// An event whose record is right, and which makes no sense.
    #[error(
        "record {record}, event {number} ({place}): {error}. Its record's checksum is right, so it was written so: by a newer program, which can replay it, or by a wrong one"
    )]
    Body {
        /// The record.
        record: RecordNo,
        /// The event.
        number: EventNo,
        /// Where it lies.
        place: Place,
        /// What is wrong.
        error: CodecError,
    },
    /// The copy cannot be read.
    #[error("the copy cannot be read: {0}")]
    Read(#[from] ReadError),
}

impl WalkError {
    /// Whether the log itself is damaged, or newer than this program.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        match self {
            Self::Damage(_) | Self::DamageInHaste(_) | Self::Newer { .. } | Self::Body { .. } => true,
            Self::Read(_) => false,
        }
    }

    /// The record it is about, if it is about one.
    #[must_use]
    pub fn record(&self) -> Option<RecordNo> {
        match self {
            Self::Damage(damage) | Self::DamageInHaste(damage) => Some(damage.record),
            Self::Newer { record, .. } | Self::Body { record, .. } => Some(*record),
            Self::Read(_) => None,
        }
    }
}

/// A walk through a log: an iterator over its events that ends at the first error.
pub struct Walk<'s> {
    source: &'s Source,
    reader: &'s dyn LogReader,
    records: Records,
    verifier: Verifier,
    group: VecDeque<Record>,
    ready: VecDeque<Placed>,
    read: u64,
    torn: Option<Torn>,
    ended: bool,
}

impl<'s> Walk<'s> {
    pub(crate) fn new(source: &'s Source, reader: &'s dyn LogReader, point: ChainPoint) -> Self {
        let verifier = if point == ChainPoint::START {
            Verifier::from_start(source.log_id())
        } else {
            Verifier::after(source.log_id(), point)
        };
        Self {
            source,
            reader,
            records: reader.read_from(point.record.next()),
            verifier,
            group: VecDeque::new(),
            ready: VecDeque::new(),
            read: 0,
            torn: None,
            ended: false,
        }
    }

    /// The last point that the log was right up to so far.
    #[must_use]
    pub const fn whole(&self) -> ChainPoint {
        self.verifier.whole()
    }

    /// How many records were read and are right so far.
    #[must_use]
    pub const fn records_read(&self) -> u64 {
        self.read
    }

    /// What was left out, once the walk has ended.
    #[must_use]
    pub const fn torn(&self) -> Option<&Torn> {
        self.torn.as_ref()
    }

    /// Whether every record up to the anchor is right. Decodes nothing. From `first` on, where older ones are gone.
    pub(crate) fn chain_holds(mut self, first: RecordNo) -> bool {
        if first > RecordNo(1) {
            self.verifier = Verifier::trusting(self.source.log_id());
            self.records = self.reader.read_from(first);
        }
        loop {
            match self.step() {
                Ok(true) => self.group.clear(),
                Ok(false) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Takes one more record. `false` at the end.
    fn step(&mut self) -> Result<bool, WalkError> {
        let (number, bytes) = match self.records.next() {
            Some(Ok((number, bytes))) => (number, Bytes::from(bytes)),
            Some(Err(ReadError::Missing { record, .. })) => {
                return self.stop(record, Fault::Missing, &[]).map(|()| false);
            }
            Some(Err(error)) => return Err(error.into()),
            None => return self.finish().map(|()| false),
        };
        match self.take(number, &bytes) {
            Ok(()) => {
                self.read = self.read.saturating_add(1);
                Ok(true)
            }
            Err(Fault::Wrong(error)) if error.is_from_newer_program() => {
                Err(WalkError::Newer { record: number, place: self.source.place_of(number), error })
            }
            Err(fault) => self.stop(number, fault, &bytes).map(|()| false),
        }
    }

    fn take(&mut self, number: RecordNo, bytes: &Bytes) -> Result<(), Fault> {
        let record = Record::parse(bytes.clone())?;
        let anchor = self.source.anchor();
        if number == anchor.record && record.hash() != anchor.hash {
            return Err(Fault::NotTheKnownRecord);
        }
        match self.verifier.push_record(record)? {
            Pushed::Whole(group) => self.group = group.into(),
            Pushed::Open | Pushed::Claimed { .. } => {}
        }
        Ok(())
    }

    /// The log is over: in the right place?
    fn finish(&mut self) -> Result<(), WalkError> {
        let whole = self.verifier.whole();
        let fault = if self.verifier.is_group_open() {
            Fault::GroupNotWhole
        } else if whole.record < self.source.anchor().record {
            Fault::Missing
        } else {
            self.ended = true;
            return Ok(());
        };
        let end = self.verifier.expected().unwrap_or(whole.record.next());
        self.stop(end, fault, &[])
    }

    /// Something is wrong with a record: at or before the anchor it is damage, behind it a torn tail.
    fn stop(&mut self, record: RecordNo, fault: Fault, bytes: &[u8]) -> Result<(), WalkError> {
        self.ended = true;
        let (whole, known) = (self.verifier.whole(), self.source.anchor());
        if record <= known.record || whole.record < known.record {
            let damage = Box::new(damage(self.source, record, known.record, fault, bytes));
            let in_haste = self.source.was_written_meanwhile();
            return Err(if in_haste { WalkError::DamageInHaste(damage) } else { WalkError::Damage(damage) });
        }
        let from = whole.record.next();
        let records = self.reader.tail().0.saturating_sub(whole.record.0);
        let bytes = self.reader.read_from(from).map_while(Result::ok).map(|(_, bytes)| bytes.len() as u64).sum();
        self.torn = Some(Torn { from, records, bytes, fault });
        Ok(())
    }

    /// Decodes the next record of a whole group.
    fn decode(&mut self, record: &Record) -> Result<(), WalkError> {
        let ends = self.group.is_empty();
        let (header, mut at) = (*record.header(), HEADER_BYTES);
        let mut number = header.first_event;
        for raw in record.events() {
            let upto = at.saturating_add(EVENT_HEADER_BYTES).saturating_add(raw.body.len());
            let event = decode_event(&raw).map_err(|error| WalkError::Body {
                record: header.number,
                number,
                place: self.source.place_of(header.number),
                error,
            })?;
            self.ready.push_back(Placed {
                partition: self.source.partition(),
                record: header.number,
                chain: record.hash(),
                rules: header.rules,
                number,
                item: raw.head.item,
                bytes: record.bytes().slice(at..upto),
                event,
                group: self.verifier.whole(),
                ends_group: false,
            });
            (at, number) = (upto, number.plus(1));
        }
        if let Some(last) = self.ready.back_mut().filter(|_| ends) {
            last.ends_group = true;
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<Option<Placed>, WalkError> {
        loop {
            if let Some(placed) = self.ready.pop_front() {
                return Ok(Some(placed));
            }
            if let Some(record) = self.group.pop_front() {
                self.decode(&record)?;
            } else if self.ended || !self.step()? {
                return Ok(None);
            }
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Placed, WalkError>;

    fn next(&mut self) -> Option<Self::Item> {
        let advanced = self.advance();
        self.ended |= advanced.is_err();
        advanced.transpose()
    }
}

/// As recovery would name it: where, what, and which items, as far as they can be read.
fn damage(source: &Source, record: RecordNo, known: RecordNo, fault: Fault, bytes: &[u8]) -> Damage {
    let (log_id, place) = (source.log_id(), source.place_of(record));
    let payload = bytes.get(HEADER_BYTES..).unwrap_or_default();
    let mut items: Vec<ItemNo> = RawEvents::new(payload).map(|event| event.head.item).collect();
    items.sort_unstable();
    items.dedup();
    Damage { log_id, record, known, place, fault, items }
}
