//! Fairness receipts: a line of text that says which event stands where in a log, and what the log was up to there.
//!
//! A receipt names the hash of the event's record, and that hash covers every record before. So whoever holds one can
//! later be shown that nothing before it was added, removed or changed. It says nothing of what came after.
//!
//! ```text
//! hfr1:<partition>:<record>:<BLAKE3 of the record>:<sku>:<sequence>:<BLAKE3 of the event's bytes>
//! ```

use crate::error::ReplayError;
use crate::fold::Progress;
use crate::scope::Scope;
use crate::source::Source;
use crate::walk::Placed;
use core::fmt;
use domain::ids::{PartitionNo, Seq};
use domain::text::Sku;
use eventlog::{ChainHash, RecordNo, StreamEvent};
use std::str::FromStr;

/// What a receipt begins with: its kind and the version of its form.
const PREFIX: &str = "hfr1";

/// Says that an event stands in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// In which partition's log.
    pub partition: PartitionNo,
    /// In which record.
    pub record: RecordNo,
    /// That record's hash, which covers all before it.
    pub chain: ChainHash,
    /// Of which item.
    pub sku: Sku,
    /// Its place in the item's stream.
    pub sequence: Seq,
    /// BLAKE3 of the event as it is stored, header and body.
    pub event: [u8; 32],
}

/// A text that is no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a receipt is hfr1:<partition>:<record>:<64 hexadecimal digits>:<item>:<sequence>:<64 hexadecimal digits>, on one line; this text has a wrong {part}"
)]
pub struct ReceiptError {
    /// Which part is wrong.
    pub part: &'static str,
}

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

impl Receipt {
    /// The receipt of an event of this item.
    #[must_use]
    pub fn of(placed: &Placed, sku: Sku) -> Self {
        Self {
            partition: placed.partition,
            record: placed.record,
            chain: placed.chain,
            sku,
            sequence: placed.sequence(),
            event: *blake3::hash(&placed.bytes).as_bytes(),
        }
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, record, chain, sku, sequence, event } = self;
        let event = blake3::Hash::from_bytes(*event).to_hex();
        write!(f, "{PREFIX}:{}:{record}:{chain}:{sku}:{sequence}:{event}", partition.0)
    }
}

impl FromStr for Receipt {
    type Err = ReceiptError;

    fn from_str(text: &str) -> Result<Self, ReceiptError> {
        let mut parts = text.trim().split(':');
        let mut next = |part| parts.next().ok_or(ReceiptError { part });
        let wrong = |part| move || ReceiptError { part };
        let hash = |text: &str| blake3::Hash::from_hex(text).ok().map(|hash| *hash.as_bytes());
        if next("beginning")? != PREFIX {
            return Err(ReceiptError { part: "beginning" });
        }
        let receipt = Self {
            partition: next("partition")?.parse().ok().map(PartitionNo).ok_or_else(wrong("partition"))?,
            record: next("record")?.parse().ok().map(RecordNo).ok_or_else(wrong("record"))?,
            chain: hash(next("record's hash")?).map(ChainHash).ok_or_else(wrong("record's hash"))?,
            sku: Sku::parse(next("item")?).ok().ok_or_else(wrong("item"))?,
            sequence: next("sequence")?.parse().ok().map(Seq).ok_or_else(wrong("sequence"))?,
            event: hash(next("event's hash")?).ok_or_else(wrong("event's hash"))?,
        };
        if parts.next().is_some() { Err(ReceiptError { part: "end" }) } else { Ok(receipt) }
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
            return Ok(Some(Receipt::of(&placed, sku.clone())));
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
            let same = *blake3::hash(&placed.bytes).as_bytes() == receipt.event;
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
    if placed.ends_group.is_some() {
        progress(Progress { partition: source.partition(), record: placed.record, last: source.last() });
    }
}
