//! Reading a local log back after a stop of any kind: verify the chain, hand the events to a visitor, cut a torn tail.
//!
//! The anchor tells the two cases apart. What is wrong or missing at or before it is **damage**: the partition stops
//! with [`Damage`], and nothing is changed. What is wrong behind it was perhaps never acknowledged: it is cut, and
//! reported with its size. Never the reverse. A record that only a newer program understands is neither.

mod damage;

pub use damage::{Damage, Fault};

use crate::events::{DecodedEvent, EventsError, decode_record};
use crate::ids::{ChainPoint, RecordNo};
use crate::log::{LocalLog, LogError, LogReader, ReadError};
use crate::record::{Pushed, Record, RecordError, Verifier};
use bytes::Bytes;
use domain::planted::{self, Bug};

/// A log that was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Its last record, from which it can be claimed.
    pub tail: ChainPoint,
    /// Where reading began.
    pub from: ChainPoint,
    /// Records that were read and are right.
    pub records: u64,
    /// Events that were handed out.
    pub events: u64,
    /// What was cut, if anything.
    pub cut: Option<Cut>,
}

/// A torn tail that was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The first record that was removed.
    pub from: RecordNo,
    /// How many.
    pub records: u64,
    /// How many bytes of records, as far as they could be read.
    pub bytes: u64,
    /// What was wrong with it.
    pub fault: Fault,
}

/// Why a log cannot be recovered. Nothing was cut.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// Damage at or before the anchor. The words say what to do.
    #[error(transparent)]
    Damage(#[from] Box<Damage>),
    /// Written by a newer program: use that one.
    #[error("record {record} was written by a newer program: {error}")]
    Newer {
        /// Which.
        record: RecordNo,
        /// What this program does not know.
        error: RecordError,
    },
    /// An event that this program does not know: use the newer one that wrote it.
    #[error(transparent)]
    Events(#[from] EventsError),
    /// The log begins later than where reading should begin: give the snapshot that covers what was retired.
    #[error("the log begins at record {first}; without a snapshot of record {} or later it cannot be folded", first.before())]
    Gap {
        /// The first record there is.
        first: RecordNo,
        /// Where reading should have begun.
        from: RecordNo,
    },
    /// The log itself failed.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Reads `log` as [`scan`] does, cuts a torn tail durably and readies the log to be claimed. What `visit` was given is
/// worth nothing when this fails.
///
/// # Errors
/// [`RecoverError`]; then the log was not changed, except that a cut may have begun, which the next try finishes.
pub fn recover(
    log: &mut dyn LocalLog,
    from: ChainPoint,
    visit: &mut dyn FnMut(DecodedEvent),
) -> Result<Recovered, RecoverError> {
    scan(log, from, visit)?.settle(log)
}

/// Reads `log` from the record behind `from` ([`ChainPoint::START`], or what a snapshot covers) to its tail, checks the
/// chain and hands every event of a whole group to `visit` in order. Changes nothing.
///
/// # Errors
/// [`RecoverError`], also for damage. A torn tail is none.
pub fn scan(
    log: &dyn LocalLog,
    from: ChainPoint,
    visit: &mut dyn FnMut(DecodedEvent),
) -> Result<Scanned, RecoverError> {
    let reader = log.reader();
    let known = latest(log.anchor(), from);
    check_start(log, reader.as_ref(), from, known)?;
    let mut scan = Scan { verifier: Verifier::after(log.log_id(), from), anchor: log.anchor(), records: 0, events: 0 };
    if from == ChainPoint::START {
        scan.verifier = Verifier::from_start(log.log_id());
    }
    let fault = scan.run(reader.as_ref(), from.record.next(), visit)?;
    let whole = scan.verifier.whole();
    let torn = fault.or_else(|| scan.fault_at_the_end(known));
    if let Some(found) = &torn
        && (found.record <= known.record || whole.record < known.record)
        && !planted::is(Bug::AnchorIgnored)
    {
        return Err(Box::new(found.damage(log, known)).into());
    }
    Ok(Scanned { whole, from, records: scan.records, events: scan.events, torn: torn.map(|found| found.fault) })
}

/// A log that was read to its tail.
#[derive(Debug)]
#[must_use = "a log can be claimed when this is settled"]
pub struct Scanned {
    whole: ChainPoint,
    from: ChainPoint,
    records: u64,
    events: u64,
    torn: Option<Fault>,
}

impl Scanned {
    /// Cuts a torn tail durably and readies the log to be claimed.
    ///
    /// # Errors
    /// [`RecoverError`]; a cut may have begun, which the next try finishes.
    pub fn settle(self, log: &mut dyn LocalLog) -> Result<Recovered, RecoverError> {
        let reader = log.reader();
        let cut = self.torn.map(|fault| cut(log, reader.as_ref(), self.whole, fault)).transpose()?;
        log.settle(self.whole)?;
        Ok(Recovered { tail: self.whole, from: self.from, records: self.records, events: self.events, cut })
    }
}

fn latest(a: ChainPoint, b: ChainPoint) -> ChainPoint {
    if a.record >= b.record { a } else { b }
}

/// Something wrong, before it is judged.
struct Found {
    record: RecordNo,
    fault: Fault,
    bytes: Bytes,
}

impl Found {
    fn damage(&self, log: &dyn LocalLog, known: ChainPoint) -> Damage {
        let place = log.place_of(self.record);
        Damage::new(log.log_id(), self.record, known.record, place, self.fault.clone(), &self.bytes)
    }
}

/// Checks that the record which reading starts behind is the one that the snapshot was made of.
fn check_start(
    log: &dyn LocalLog,
    reader: &dyn LogReader,
    from: ChainPoint,
    known: ChainPoint,
) -> Result<(), RecoverError> {
    let first = reader.first();
    if from.record.next() < first {
        return Err(RecoverError::Gap { first, from: from.record });
    }
    if from == ChainPoint::START || from.record < first {
        return Ok(());
    }
    let damage = |fault, bytes| {
        let found = Found { record: from.record, fault, bytes };
        Err(RecoverError::from(Box::new(found.damage(log, known))))
    };
    match reader.read_from(from.record).next() {
        None | Some(Err(ReadError::Missing { .. })) => damage(Fault::Missing, Bytes::new()),
        Some(Err(error)) => Err(LogError::from(error).into()),
        Some(Ok((_, bytes))) if crate::ids::ChainHash::of(&bytes) == from.hash => Ok(()),
        Some(Ok((_, bytes))) => damage(Fault::NotTheKnownRecord, bytes.into()),
    }
}

struct Scan {
    verifier: Verifier,
    anchor: ChainPoint,
    records: u64,
    events: u64,
}

impl Scan {
    /// Reads until the end, or to the first record that is wrong.
    fn run(
        &mut self,
        reader: &dyn LogReader,
        from: RecordNo,
        visit: &mut dyn FnMut(DecodedEvent),
    ) -> Result<Option<Found>, RecoverError> {
        for read in reader.read_from(from) {
            let (record, bytes) = match read {
                Ok((record, bytes)) => (record, Bytes::from(bytes)),
                Err(ReadError::Missing { record, .. }) => {
                    return Ok(Some(Found { record, fault: Fault::Missing, bytes: Bytes::new() }));
                }
                Err(error) => return Err(LogError::from(error).into()),
            };
            if let Some(fault) = self.take(record, &bytes, visit)? {
                return Ok(Some(Found { record, fault, bytes }));
            }
        }
        Ok(None)
    }

    fn take(
        &mut self,
        number: RecordNo,
        bytes: &Bytes,
        visit: &mut dyn FnMut(DecodedEvent),
    ) -> Result<Option<Fault>, RecoverError> {
        let parsed = Record::parse(bytes.clone());
        let pushed = parsed.and_then(|record| {
            let is_the_anchor = number == self.anchor.record;
            let other = is_the_anchor && record.hash() != self.anchor.hash;
            if other { Ok(None) } else { self.verifier.push_record(record).map(Some) }
        });
        match pushed {
            Ok(None) => return Ok(Some(Fault::NotTheKnownRecord)),
            Ok(Some(Pushed::Whole(group))) => self.hand_out(&group, visit)?,
            Ok(Some(Pushed::Open | Pushed::Claimed { .. })) => {}
            Err(error) if error.is_from_newer_program() => return Err(RecoverError::Newer { record: number, error }),
            Err(error) => return Ok(Some(Fault::Wrong(error))),
        }
        self.records = self.records.saturating_add(1);
        Ok(None)
    }

    fn hand_out(&mut self, group: &[Record], visit: &mut dyn FnMut(DecodedEvent)) -> Result<(), RecoverError> {
        for record in group {
            let events = &mut self.events;
            decode_record(record, &mut |event| {
                *events = events.saturating_add(1);
                visit(event);
            })?;
        }
        Ok(())
    }

    /// Whether the log ends too early: before a point that it is known to have reached, or inside a group.
    fn fault_at_the_end(&self, known: ChainPoint) -> Option<Found> {
        let whole = self.verifier.whole();
        let fault = if self.verifier.is_group_open() {
            Fault::GroupNotWhole
        } else if whole.record < known.record {
            Fault::Missing
        } else {
            return None;
        };
        let end = self.verifier.expected().unwrap_or(whole.record.next());
        Some(Found { record: end, fault, bytes: Bytes::new() })
    }
}

/// Removes everything behind the last whole group.
fn cut(log: &mut dyn LocalLog, reader: &dyn LogReader, whole: ChainPoint, fault: Fault) -> Result<Cut, RecoverError> {
    let from = whole.record.next();
    let records = reader.tail().0.saturating_sub(whole.record.0);
    let bytes = reader.read_from(from).map_while(Result::ok).map(|(_, bytes)| bytes.len() as u64).sum();
    let cut = Cut { from, records, bytes, fault };
    tracing::warn!(
        log = %log.log_id(), from = %cut.from, records = cut.records, bytes = cut.bytes, fault = %cut.fault,
        "the log has a torn tail behind its anchor, from an unclean stop; it is cut"
    );
    log.cut(from)?;
    Ok(cut)
}
