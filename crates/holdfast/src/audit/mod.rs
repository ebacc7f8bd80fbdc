//! The audit: every record of the log is read back from disk, and everything is recounted by books of its own.
//!
//! It shares no rule with the engine: neither the item nor the decisions. That records are whole and chained to each
//! other is checked by the log's reader; what they say is checked here.

mod check;
mod ledger;
mod money;
mod read;
mod render;

#[cfg(test)]
mod tests;

pub(crate) use read::read;
pub(crate) use render::render;

use crate::crowd::Told;
use check::Promise;
use domain::event::{Event, PartitionEvent, Recorded};
use domain::identity::{OrderId, ReservationId};
use domain::ids::ItemNo;
use domain::payment::Provider;
use ledger::{Ledger, Life};
use money::Came;
pub(crate) use money::OfProvider;
use std::collections::{BTreeMap, BTreeSet};

/// An audit under way, and its result.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    items: BTreeMap<u32, Ledger>,
    registered: BTreeMap<u32, String>,
    strays: Vec<String>,
    /// A provider whose own books were compared, and what they say.
    provider: Option<(Provider, OfProvider)>,
    events: u64,
}

impl Audit {
    /// Enters an event of a partition's own stream.
    pub(crate) fn enter_partition(&mut self, recorded: &Recorded<PartitionEvent>) {
        self.events = self.events.saturating_add(1);
        match &recorded.event {
            PartitionEvent::ItemRegistered { item, sku } => {
                let known = self.registered.insert(item.as_u32(), sku.as_str().to_owned());
                if known.is_some() {
                    self.strays.push(format!("item number {item} was given out twice"));
                }
            }
            // What bundles do to units is told by their parts' own events, in the items' streams.
            PartitionEvent::PartitionKeyed { .. }
            | PartitionEvent::BundleHeld { .. }
            | PartitionEvent::BundleOrdered { .. }
            | PartitionEvent::BundleCancelled { .. }
            | PartitionEvent::BundleExpired { .. }
            | PartitionEvent::Payment { .. }
            | PartitionEvent::PaymentUnmatched { .. }
            | PartitionEvent::Endpoint { .. }
            | PartitionEvent::ClockResumed { .. } => {}
        }
    }

    /// Enters an item's event.
    pub(crate) fn enter(&mut self, item: ItemNo, recorded: &Recorded) {
        self.events = self.events.saturating_add(1);
        if let Event::ItemCreated { spec, key } = &recorded.event {
            self.items.entry(item.as_u32()).or_insert_with(|| Ledger::new(spec, *key));
        }
        match self.items.get_mut(&item.as_u32()) {
            Some(ledger) => ledger.enter(recorded),
            None => self.strays.push(format!("event {} of item {item}, which was never created", recorded.seq)),
        }
    }

    /// Ends the recount and compares it with what a crowd was told.
    pub(crate) fn close(&mut self, told: &[&Told]) {
        for (number, ledger) in &mut self.items {
            ledger.close();
            if self.registered.get(number) != Some(&ledger.sku) {
                self.strays.push(format!("item {} is not registered under its number", ledger.sku));
            }
        }
        for told in told {
            let any = |_: Life| true;
            self.compare(&told.accepted, ReservationId::parse, any, "was accepted");
            self.compare(&told.cancelled, ReservationId::parse, |life| life == Life::Cancelled, "was cancelled");
            let order = |text: &str| OrderId::parse(text).map(OrderId::reservation);
            self.compare(&told.paid, order, |life| life == Life::Sold, "was paid");
            self.compare_money(&told.charged, |came| came != Came::Nothing, "was charged for");
            self.compare_money(&told.refunded, |came| came == Came::GoesBack, "is refunded");
        }
    }

    fn compare<E>(
        &mut self,
        ids: &[String],
        parse: impl Fn(&str) -> Result<ReservationId, E>,
        right: impl Fn(Life) -> bool,
        words: &str,
    ) {
        for text in ids.iter().collect::<BTreeSet<_>>() {
            let id = parse(text).ok();
            let ledger = id.and_then(|id| self.items.get_mut(&id.item().as_u32()));
            let (Some(id), Some(ledger)) = (id, ledger) else {
                self.strays.push(format!("{text} {words}, and the log knows no such item"));
                continue;
            };
            let life = ledger.life(id.ordinal().0).filter(|_| id.is_genuine(&ledger.key));
            ledger.findings.check(Promise::Told, life.is_some_and(&right), || {
                format!("{text} {words}, and in the log it is {life:?}")
            });
        }
    }

    fn compare_money(&mut self, ids: &[String], right: impl Fn(Came) -> bool, words: &str) {
        for text in ids.iter().collect::<BTreeSet<_>>() {
            let id = OrderId::parse(text).ok().map(OrderId::reservation);
            let ledger = id.and_then(|id| self.items.get_mut(&id.item().as_u32()));
            let (Some(id), Some(ledger)) = (id, ledger) else {
                self.strays.push(format!("{text} {words}, and the log knows no such item"));
                continue;
            };
            let came = ledger.came_for(id.ordinal().0);
            ledger
                .findings
                .check(Promise::Told, right(came), || format!("{text} {words}, and in the log it is {came:?}"));
        }
    }

    /// Compares with a provider's own books: both know of the same money.
    pub(crate) fn compare_with(&mut self, provider: Provider, theirs: OfProvider) {
        let ours = self.items.values().map(|ledger| ledger.of_provider(provider));
        let ours = ours.fold(OfProvider::default(), |sum, one| OfProvider {
            captured: sum.captured + one.captured,
            refunded: sum.refunded + one.refunded,
        });
        if ours != theirs {
            self.strays.push(format!("the {} provider says {theirs:?}, and the log says {ours:?}", provider.name()));
        }
        self.provider = Some((provider, theirs));
    }

    /// Whether every promise is kept.
    pub(crate) fn is_clean(&self) -> bool {
        self.strays.is_empty() && self.items.values().all(|ledger| ledger.findings.is_clean())
    }
}
