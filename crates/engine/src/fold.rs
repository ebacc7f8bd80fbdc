//! Folding a log into state: `apply`, event by event. What recovery, rebuilding and the snapshot folder share.
//!
//! An event that breaks an invariant stops its item, not the others: the broken one is kept with its reason.

use domain::event::Recorded;
use domain::ids::{ItemNo, PartitionNo};
use domain::item::Item;
use domain::partition::Partition;
use domain::text::Sku;
use domain::time::Timestamp;
use eventlog::StreamEvent;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A partition's state, folded.
#[derive(Debug)]
pub struct Folded {
    /// What the partition's own stream says.
    pub partition: Partition,
    /// Every item.
    pub items: BTreeMap<ItemNo, FoldedItem>,
    /// The latest logged time.
    pub last: Timestamp,
    /// How many events were applied.
    pub events: u64,
}

/// An item, folded.
#[derive(Debug)]
pub enum FoldedItem {
    /// As its events say.
    Whole(Box<Item>),
    /// Its events break an invariant. It must not be used; what it looked like may be shown.
    Broken {
        /// The item where its fold stopped, if it began at all.
        item: Option<Box<Item>>,
        /// Which invariant, and where.
        why: String,
    },
}

impl Folded {
    /// Nothing yet.
    #[must_use]
    pub fn new(no: PartitionNo) -> Self {
        Self { partition: Partition::new(no), items: BTreeMap::new(), last: Timestamp::from_millis(0), events: 0 }
    }

    /// Applies the next event of the log.
    pub fn apply(&mut self, no: ItemNo, event: &StreamEvent) {
        self.events = self.events.saturating_add(1);
        match event {
            StreamEvent::Partition(recorded) => {
                self.last = self.last.max(recorded.at);
                self.partition.apply(recorded);
            }
            StreamEvent::Item(recorded) => {
                self.last = self.last.max(recorded.at);
                self.apply_to_item(no, recorded);
            }
        }
    }

    /// Counts every item anew; one that does not add up is broken from here on.
    pub fn recount(&mut self) {
        for folded in self.items.values_mut() {
            let FoldedItem::Whole(item) = folded else { continue };
            if let Err(broken) = item.recount() {
                *folded = FoldedItem::Broken { item: Some(item.clone()), why: broken.to_string() };
            }
        }
    }

    /// The broken items, by name.
    #[must_use]
    pub fn broken(&self) -> Vec<(Sku, String)> {
        let name = |no: &ItemNo| self.partition.items().find(|(_, item)| item == no).map(|(sku, _)| sku.clone());
        let broken = self.items.iter().filter_map(|(no, folded)| match folded {
            FoldedItem::Broken { why, .. } => Some((name(no)?, why.clone())),
            FoldedItem::Whole(_) => None,
        });
        broken.collect()
    }

    fn apply_to_item(&mut self, no: ItemNo, recorded: &Recorded) {
        match self.items.get_mut(&no) {
            Some(folded) => folded.apply(recorded),
            None => {
                let begun = Item::begin(no, recorded).map(|item| FoldedItem::Whole(Box::new(item)));
                let why = || format!("its stream begins with event {}", recorded.seq);
                self.items.insert(no, begun.unwrap_or_else(|| FoldedItem::Broken { item: None, why: why() }));
            }
        }
    }
}

impl FoldedItem {
    /// A broken one stays what it is.
    fn apply(&mut self, recorded: &Recorded) {
        let Self::Whole(item) = self else { return };
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| item.apply(recorded))) else { return };
        let broken = |item| Self::Broken { item, why: words(panic.as_ref()) };
        if let Self::Whole(item) = std::mem::replace(self, broken(None)) {
            *self = broken(Some(item));
        }
    }
}

/// What a panic said.
#[must_use]
pub fn words(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic without words".to_owned())
}
