//! Making a fairness receipt of an event that stands in a log, and checking one against a log.

use crate::error::ReplayError;
use crate::fold::Progress;
use crate::scope::Scope;
use crate::source::Source;
use crate::walk::Placed;
use domain::ids::Seq;
use domain::text::Sku;
use eventlog::receipt::hash_of_event;
use eventlog::{ChainHash, Receipt, RecordNo, StreamEvent};

/// Why a log does not bear a receipt out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It does not reach so far.
    #[error(
        "the log ends at record {last}, and the receipt tells of record {told}. An older copy cannot bear it out; if this is the newest, acknowledged records are missing"
    )]
    NotReached {
        /// The record it tells of.
        told: RecordNo,
        /// The last there is.
        last: RecordNo,
    },
    /// The record is another one.
    #[error(
        "record {record} of this log has the hash {found}, not the one of the receipt: it is another log, or its history was changed"
    )]
    OtherRecord {
        /// Which record.
        record: RecordNo,
        /// Its hash here.
        found: ChainHash,
    },
    /// The event is not in the record.
    #[error(
        "record {record} is the one of the receipt, but it holds no event {sequence} of {sku}: the receipt was changed"
    )]
    NoSuchEvent {
        /// Which record.
        record: RecordNo,
        /// Which item.
        sku: Sku,
        /// Which event.
        sequence: Seq,
    },
    /// The event is another one.
    #[error("event {sequence} of {sku} stands there, but it is not the one of the receipt: the receipt was changed")]
    OtherEvent {
        /// Which item.
        sku: Sku,
        /// Which event.
        sequence: Seq,
    },
}

fn of(placed: &Placed, sku: Sku) -> Receipt {
    Receipt {
        partition: placed.partition,
        record: placed.record,
        chain: placed.chain,
        sku,
        sequence: placed.sequence(),
        event: hash_of_event(&placed.bytes),
    }
}

/// The receipt of an item's event. `None` where the log has no such event.
///
/// # Errors
/// [`ReplayError`] where the log is damaged, cannot be read, or does not know the item.
pub fn make(
    source: &Source,
    sku: &Sku,
    sequence: Seq,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<Receipt>, ReplayError> {
    let mut finder = Finder::new(source, sku)?;
    for placed in source.walk(finder.began) {
        let placed = placed.map_err(source.failed())?;
        report(source, &placed, progress);
        if finder.is_of_item(&placed) && placed.sequence() == sequence {
            return Ok(Some(of(&placed, sku.clone())));
        }
    }
    match finder.scope.wanted() {
        Some(_) => Ok(None),
        None => Err(ReplayError::UnknownItem { sku: sku.clone() }),
    }
}

/// Checks a receipt against its partition's log, whose chain is checked up to it on the way.
///
/// # Errors
/// [`ReplayError`] where the log is damaged before the record, or cannot be read. `Err` inside where the log is right
/// and does not bear the receipt out.
pub fn check(
    source: &Source,
    receipt: &Receipt,
    progress: &mut dyn FnMut(Progress),
) -> Result<Result<Placed, Refused>, ReplayError> {
    let mut finder = Finder::new(source, &receipt.sku)?;
    let (record, sku, sequence) = (receipt.record, receipt.sku.clone(), receipt.sequence);
    let mut walk = source.walk(finder.began);
    for placed in walk.by_ref() {
        let placed = placed.map_err(source.failed())?;
        report(source, &placed, progress);
        let is_of_item = finder.is_of_item(&placed);
        if placed.record < record {
            continue;
        }
        if placed.record > record {
            return Ok(Err(Refused::NoSuchEvent { record, sku, sequence }));
        }
        if placed.chain != receipt.chain {
            return Ok(Err(Refused::OtherRecord { record, found: placed.chain }));
        }
        if is_of_item && placed.sequence() == sequence {
            let same = hash_of_event(&placed.bytes) == receipt.event;
            return Ok(if same { Ok(placed) } else { Err(Refused::OtherEvent { sku, sequence }) });
        }
    }
    let last = walk.whole().record;
    if last < record {
        return Ok(Err(Refused::NotReached { told: record, last }));
    }
    Ok(Err(Refused::NoSuchEvent { record, sku, sequence }))
}

/// Finds an item's events by its name.
struct Finder<'a> {
    began: eventlog::ChainPoint,
    scope: Scope<'a>,
}

impl<'a> Finder<'a> {
    fn new(source: &Source, sku: &'a Sku) -> Result<Self, ReplayError> {
        let (began, folded) = source.begin()?;
        let scope = Scope::new(Some(sku), None, folded.partition.find(sku));
        Ok(Self { began, scope })
    }

    fn is_of_item(&mut self, placed: &Placed) -> bool {
        // Judging lets it learn the item's number.
        self.scope.judge(placed);
        matches!(placed.event, StreamEvent::Item(_)) && self.scope.wanted() == Some(placed.item)
    }
}

fn report(source: &Source, placed: &Placed, progress: &mut dyn FnMut(Progress)) {
    if placed.ends_group {
        progress(Progress { partition: source.partition(), record: placed.record, last: source.last() });
    }
}
