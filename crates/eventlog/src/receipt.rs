//! Fairness receipts: a line of text that says which event stands where in a log, and what the log was up to there.
//!
//! A receipt names the hash of the event's record, and that hash covers every record before. So whoever holds one can
//! later be shown that nothing before it was added, removed or changed. It says nothing of what came after.
//!
//! ```text
//! hfr1:<partition>:<record>:<BLAKE3 of the record>:<sku>:<sequence>:<BLAKE3 of the event's bytes>
//! ```

use crate::ids::{ChainHash, RecordNo};
use core::fmt;
use domain::ids::{PartitionNo, Seq};
use domain::text::Sku;
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

/// The hash of an event as it is stored, header and body.
#[must_use]
pub fn hash_of_event(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
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
