//! A partition's own stream, number 0: which sku has which item number.

use crate::command::{Command, Request};
use crate::event::{Event, PartitionEvent, Recorded};
use crate::idempotency::Attempt;
use crate::identity::ItemKey;
use crate::ids::{ItemNo, PartitionNo, Seq};
use crate::limits::ITEMS_PER_PARTITION_MAX;
use crate::policy::ItemSpec;
use crate::text::Sku;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// The partition that a sku belongs to: the first 8 bytes of its BLAKE3 hash, little-endian, modulo the count.
#[must_use]
pub fn partition_of(sku: &Sku, partition_count: u16) -> PartitionNo {
    let hash = blake3::hash(sku.as_str().as_bytes());
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(hash.as_bytes()) {
        *to = *from;
    }
    let number = u64::from_le_bytes(first) % u64::from(partition_count.clamp(1, 256));
    // At most 255, by the modulo.
    PartitionNo(number as u8)
}

/// What a partition knows besides its items.
#[derive(Clone, Debug)]
pub struct Partition {
    no: PartitionNo,
    seq: Seq,
    now: Timestamp,
    items: BTreeMap<Sku, ItemNo>,
}

/// Why an item is not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterRefusal {
    /// There is one of this name; ask it.
    Exists(ItemNo),
    /// The partition has no number left.
    Full,
}

/// The two events a new item begins with: one in the partition's stream, one in its own. They share a frame.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The new item's number.
    pub item: ItemNo,
    /// In the partition's stream.
    pub registered: Recorded<PartitionEvent>,
    /// In the item's stream.
    pub created: Recorded,
}

impl Partition {
    /// A partition without items.
    #[must_use]
    pub const fn new(no: PartitionNo) -> Self {
        Self { no, seq: Seq(0), now: Timestamp::from_millis(0), items: BTreeMap::new() }
    }

    /// Its number.
    #[must_use]
    pub const fn no(&self) -> PartitionNo {
        self.no
    }

    /// The last event of its stream.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// Logged time of its stream.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The item of this name.
    #[must_use]
    pub fn find(&self, sku: &Sku) -> Option<ItemNo> {
        self.items.get(sku).copied()
    }

    /// Every item, by name.
    pub fn items(&self) -> impl ExactSizeIterator<Item = (&Sku, ItemNo)> {
        self.items.iter().map(|(sku, &no)| (sku, no))
    }

    /// What registering a new item leads to. Pure: nothing changes until the events are applied.
    ///
    /// # Errors
    /// [`RegisterRefusal`] where the name is taken or the numbers are used up.
    pub fn register(
        &self,
        spec: ItemSpec,
        key: ItemKey,
        attempt: Option<&Attempt>,
        now: Timestamp,
    ) -> Result<Registration, RegisterRefusal> {
        if let Some(existing) = self.find(&spec.sku) {
            return Err(RegisterRefusal::Exists(existing));
        }
        let counter = u32::try_from(self.items.len()).map_err(|_| RegisterRefusal::Full)?.saturating_add(1);
        let item = ItemNo::new(self.no, counter)
            .filter(|_| counter <= ITEMS_PER_PARTITION_MAX)
            .ok_or(RegisterRefusal::Full)?;
        let at = now.max(self.now);
        let event = PartitionEvent::ItemRegistered { item, sku: spec.sku.clone() };
        let registered = Recorded { seq: self.seq.next(), at, idempotency: None, event };
        let request = Request::new(Command::CreateItem(Box::new(spec.clone())), attempt, &key);
        let event = Event::ItemCreated { spec: Box::new(spec), key };
        let created = Recorded { seq: Seq(1), at, idempotency: request.idempotency, event };
        Ok(Registration { item, registered, created })
    }

    /// Applies the next event of the partition's stream.
    ///
    /// # Panics
    /// If the event breaks an invariant: the log is wrong, and the partition must stop.
    pub fn apply(&mut self, recorded: &Recorded<PartitionEvent>) {
        assert_eq!(recorded.seq, self.seq.next(), "invariant 34: partition {} misses an event", self.no.0);
        assert!(recorded.at >= self.now, "invariant 20: logged time of partition {} runs backwards", self.no.0);
        self.seq = recorded.seq;
        self.now = recorded.at;
        match &recorded.event {
            PartitionEvent::ItemRegistered { item, sku } => {
                let expected = ItemNo::new(self.no, self.items.len() as u32 + 1);
                assert_eq!(Some(*item), expected, "invariant 34: item numbers of partition {} have a gap", self.no.0);
                let known = self.items.insert(sku.clone(), *item);
                assert!(known.is_none(), "invariant 43: sku {sku} is registered twice");
            }
        }
    }

    /// The partition with these facts, from a snapshot.
    #[must_use]
    pub fn from_parts(no: PartitionNo, seq: Seq, now: Timestamp, items: BTreeMap<Sku, ItemNo>) -> Self {
        Self { no, seq, now, items }
    }
}
