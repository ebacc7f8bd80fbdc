//! The recount: books of every stream, entered event by event, and what can be said only of all of them together.

mod across;
mod bundle;
mod item;
mod keys;
mod life;
mod money;
mod order;
mod sale;
#[cfg(test)]
mod tests;

pub use across::Moment;
pub use bundle::PartitionBooks;
pub use item::{ItemBooks, Units};
pub use life::Life;
pub use money::{MoneySums, Taken};

use crate::chain::{Anchor, Chain, Damage, LogRead};
use crate::event::{Body, Event};
use crate::finding::{Findings, Place, Rule};
use crate::report::Report;
use std::collections::BTreeMap;

/// The latest instant: the end of the year 9999. Nothing ends later.
const TIME_MAX: u64 = 253_402_300_799_999;

/// The instant so many milliseconds later.
pub(crate) fn later(at: u64, by_ms: u64) -> u64 {
    at.saturating_add(by_ms).min(TIME_MAX)
}

/// Whether money came for an order, and whether it goes, or has gone, back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// None came.
    Nothing,
    /// Some came, and none of it goes back.
    Kept,
    /// Some of it goes, or has gone, back.
    GoesBack,
}

impl Came {
    fn of<'a>(captures: impl Iterator<Item = &'a Taken>) -> Self {
        captures.fold(Self::Nothing, |came, taken| match came {
            Self::GoesBack => came,
            Self::Nothing | Self::Kept => {
                if taken.goes_back() {
                    Self::GoesBack
                } else {
                    Self::Kept
                }
            }
        })
    }
}

/// An audit under way: give it logs, or events, then finish it.
#[derive(Debug, Default)]
pub struct Auditor {
    items: BTreeMap<u32, ItemBooks>,
    partitions: BTreeMap<u32, PartitionBooks>,
    strays: Findings,
    logs: Vec<LogRead>,
    events: u64,
}

impl Auditor {
    /// Reads one partition's log from its first record on. With an anchor, what is wrong behind it is a torn end; without
    /// one, everything counts as acknowledged.
    ///
    /// # Errors
    /// [`Damage`] where the log says nothing from some record on; what stood before it has been entered.
    pub fn log<B: AsRef<[u8]>>(
        &mut self,
        records: impl IntoIterator<Item = B>,
        anchor: Option<Anchor>,
    ) -> Result<(), Damage> {
        let read = Chain::new(anchor).read(records, &mut |record, event| self.event(&event, record))?;
        self.logs.push(read);
        Ok(())
    }

    /// Enters one event, from this record.
    pub fn event(&mut self, event: &Event, record: u64) {
        self.events += 1;
        let place = Place { record, item: event.item, seq: event.seq };
        if event.item & 0x00ff_ffff == 0 {
            return self.partitions.entry(event.item).or_default().enter(place, event);
        }
        if let Body::ItemCreated { sku, total, settings, key } = &event.body {
            self.items.entry(event.item).or_insert_with(|| ItemBooks::new(sku, *total, settings, *key));
        }
        match self.items.get_mut(&event.item) {
            Some(books) => books.enter(place, event),
            None => {
                self.strays.move_to(place);
                self.strays.check(Rule::Sequence, false, || "it is of an item that was never created".to_owned());
            }
        }
    }

    /// Ends the recount: what is left in each stream, and what streams say of each other.
    #[must_use]
    pub fn finish(mut self, moment: Moment) -> Report {
        self.items.values_mut().for_each(ItemBooks::close);
        self.partitions.values_mut().for_each(PartitionBooks::close);
        across::registered(&mut self.items, &self.partitions);
        across::bundles(&mut self.items, &mut self.partitions, moment);
        let Self { items, partitions, strays, logs, events } = self;
        Report { logs, events, items, partitions, strays }
    }
}
