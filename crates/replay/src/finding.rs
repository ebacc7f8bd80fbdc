//! What a replay found that should not be: which promise, and the event at which it shows.
//!
//! Damage of the log's bytes is not here: nothing can be read behind it, so it ends a replay as an error.

use crate::walk::Placed;
use domain::ids::{ItemNo, PartitionNo, Seq};
use domain::text::Sku;
use domain::time::Timestamp;
use eventlog::{EventNo, RecordNo, StreamEvent};

/// Findings kept one by one. A log that is wrong once is often wrong a million times.
const TOLD_MAX: usize = 100;

/// What a log promises besides being readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Every invariant of the domain holds after every event.
    Invariant,
    /// Every item is registered in its partition under its name, and belongs there.
    Registration,
    /// Every event stands in the log as this program would write it.
    Encoding,
    /// Every snapshot holds what the log says up to its record.
    Snapshot,
    /// Every event is what the rules lead to.
    Decision,
}

impl Promise {
    /// Its name for machines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invariant => "invariant",
            Self::Registration => "registration",
            Self::Encoding => "encoding",
            Self::Snapshot => "snapshot",
            Self::Decision => "decision",
        }
    }
}

/// A promise that is not kept, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which promise.
    pub promise: Promise,
    /// In which partition.
    pub partition: PartitionNo,
    /// The record of the event at which it shows.
    pub record: RecordNo,
    /// That event among all of the partition.
    pub number: EventNo,
    /// Whose stream it is in; the partition's own where no item is concerned.
    pub item: ItemNo,
    /// The item's name, if it is known.
    pub sku: Option<Sku>,
    /// The event's place in its stream.
    pub sequence: Seq,
    /// When.
    pub at: Timestamp,
    /// What is wrong.
    pub words: String,
}

/// All of them; the first so many one by one.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    told: Vec<Finding>,
    count: u64,
}

impl Findings {
    /// The first ones, in the order of the log.
    #[must_use]
    pub fn told(&self) -> &[Finding] {
        &self.told
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Enters one.
    pub(crate) fn enter(&mut self, finding: Finding) {
        self.count = self.count.saturating_add(1);
        if self.told.len() < TOLD_MAX {
            self.told.push(finding);
        }
    }
}

impl Placed {
    /// Its place in its stream.
    #[must_use]
    pub const fn sequence(&self) -> Seq {
        self.event.seq()
    }

    /// When it was logged.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match &self.event {
            StreamEvent::Item(recorded) => recorded.at,
            StreamEvent::Partition(recorded) => recorded.at,
        }
    }

    pub(crate) fn finding(&self, promise: Promise, sku: Option<&Sku>, words: impl Into<String>) -> Finding {
        Finding {
            promise,
            partition: self.partition,
            record: self.record,
            number: self.number,
            item: self.item,
            sku: sku.cloned(),
            sequence: self.sequence(),
            at: self.at(),
            words: words.into(),
        }
    }
}
