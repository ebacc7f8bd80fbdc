//! Registering items: a name is given its number, once.

use super::Partition;
use crate::command::{Command, Request};
use crate::event::{Event, PartitionEvent, Recorded};
use crate::idempotency::Attempt;
use crate::identity::ItemKey;
use crate::ids::{ItemNo, Seq};
use crate::limits::ITEMS_PER_PARTITION_MAX;
use crate::policy::ItemSpec;
use crate::time::Timestamp;

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
        let counter = u32::try_from(self.items().len()).map_err(|_| RegisterRefusal::Full)?.saturating_add(1);
        let item = ItemNo::new(self.no(), counter)
            .filter(|_| counter <= ITEMS_PER_PARTITION_MAX)
            .ok_or(RegisterRefusal::Full)?;
        let at = now.max(self.now());
        let event = PartitionEvent::ItemRegistered { item, sku: spec.sku.clone() };
        let registered = Recorded { seq: self.seq().next(), at, idempotency: None, event };
        let request = Request::new(Command::CreateItem(Box::new(spec.clone())), attempt, &key);
        let event = Event::ItemCreated { spec: Box::new(spec), key };
        let created = Recorded { seq: Seq(1), at, idempotency: request.idempotency, event };
        Ok(Registration { item, registered, created })
    }
}
