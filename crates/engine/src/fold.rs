//! Folding a log into state: `apply`, event by event. What recovery, rebuilding and the snapshot folder share.
//!
//! An event that breaks an invariant stops its item, not the others: the broken one is kept with its reason.

use domain::event::{PartitionEvent, Recorded};
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
    /// Why its events break an invariant, if they do: from there on it was not folded any further.
    pub stopped: Option<String>,
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
        let (partition, last) = (Partition::new(no), Timestamp::from_millis(0));
        Self { partition, stopped: None, items: BTreeMap::new(), last, events: 0 }
    }

    /// Applies the next event of the log.
    pub fn apply(&mut self, no: ItemNo, event: &StreamEvent) {
        self.events = self.events.saturating_add(1);
        match event {
            StreamEvent::Partition(recorded) => {
                self.last = self.last.max(recorded.at);
                self.apply_to_partition(recorded);
            }
            StreamEvent::Item(recorded) => {
                self.last = self.last.max(recorded.at);
                self.apply_to_item(no, recorded);
            }
        }
    }

    /// Counts everything anew; what does not add up is broken from here on.
    pub fn recount(&mut self) {
        if self.stopped.is_none() {
            self.stopped = self.partition.recount().err().map(|broken| broken.to_string());
        }
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

    /// A partition's own stream that breaks stops, and its items go on.
    fn apply_to_partition(&mut self, recorded: &Recorded<PartitionEvent>) {
        if self.stopped.is_none() {
            let applied = catch_unwind(AssertUnwindSafe(|| self.partition.apply(recorded)));
            self.stopped = applied.err().map(|panic| words(panic.as_ref()));
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::spec;
    use domain::identity::ItemKey;

    #[test]
    fn a_partitions_own_stream_that_breaks_stops_and_its_items_go_on() {
        let no = PartitionNo(0);
        let (mut partition, mut folded) = (Partition::new(no), Folded::new(no));
        let now = Timestamp::from_millis(1_000);
        let key = ItemKey::from_bytes([1; 32]);
        let lamp = partition.register(spec("lamp", 1), key, None, now).expect("a new item");
        partition.apply(&lamp.registered);
        let vase = partition.register(spec("vase", 1), key, None, now).expect("a new item");
        // The first event of the stream is missing.
        folded.apply(ItemNo::partition_stream(no), &StreamEvent::Partition(vase.registered.clone()));
        let why = folded.stopped.clone().expect("it stops");
        folded.apply(ItemNo::partition_stream(no), &StreamEvent::Partition(lamp.registered));
        assert_eq!(folded.stopped, Some(why), "and stays so");
        folded.apply(vase.item, &StreamEvent::Item(vase.created));
        folded.recount();
        assert!(matches!(folded.items.get(&vase.item), Some(FoldedItem::Whole(_))));
    }
}
