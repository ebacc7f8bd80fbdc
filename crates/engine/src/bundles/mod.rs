//! Bundles at work: coordinators take parts, and whatever is held in an item for a bundle that is decided is told so
//! until it has followed.
//!
//! Parts are known from committed events and, at a start of the process, from the items themselves; never from a
//! coordinator's memory. So a coordinator that died, a part that was held late and an item that was overloaded all end
//! the same way (domain rule 12; docs/decisions/0010).

mod collect;
mod handle;
mod sweep;
#[cfg(test)]
mod tests;

pub use handle::PartitionHandle;
pub(crate) use sweep::sweep;

use crate::error::SubmitError;
use crate::fold::{Folded, FoldedItem};
use crate::mailbox::Caller;
use crate::partition::BundleDecided;
use crate::shell::Handover;
use domain::event::{Event, PartDecision};
use domain::idempotency::Fingerprint;
use domain::identity::BundleId;
use domain::ids::ItemNo;
use domain::item::Item;
use domain::partition::Fate;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

/// Parts that have to follow their bundles, over all partitions.
#[derive(Debug, Default)]
pub(crate) struct Bundles {
    parts: Mutex<Parts>,
    /// Told when a bundle is queued.
    work: Notify,
    /// Requests whose coordinators are at work, by their hash: the same request joins, and does nothing of its own.
    asked: Mutex<HashMap<Fingerprint, collect::InHand>>,
}

#[derive(Debug, Default)]
struct Parts {
    /// Parts that are not at their end, by bundle and item.
    owing: BTreeMap<BundleId, BTreeMap<ItemNo, Owing>>,
    /// Bundles whose coordinators are at work: their parts are left alone.
    collecting: BTreeSet<BundleId>,
    /// Bundles whose parts are being told.
    following: BTreeMap<BundleId, Following>,
    queue: VecDeque<BundleId>,
}

/// What a part still has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owing {
    /// How its bundle ended.
    End,
    /// That its units return to stock.
    Return,
}

#[derive(Debug)]
struct Following {
    stage: Stage,
    /// Answers that wait until the parts have followed.
    waiting: Vec<oneshot::Sender<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Queued,
    /// Being told; `again`: something was decided meanwhile.
    UnderWay {
        again: bool,
    },
    /// An item could not be told. It is tried again a little later.
    Resting,
}

impl Parts {
    /// Queues a bundle if it has parts that owe something.
    fn queue(&mut self, bundle: BundleId) -> bool {
        if !self.owing.contains_key(&bundle) {
            return false;
        }
        let following =
            self.following.entry(bundle).or_insert_with(|| Following { stage: Stage::Resting, waiting: Vec::new() });
        match &mut following.stage {
            Stage::Queued => return false,
            Stage::UnderWay { again } => {
                *again = true;
                return false;
            }
            stage @ Stage::Resting => *stage = Stage::Queued,
        }
        self.queue.push_back(bundle);
        true
    }

    fn held(&mut self, bundle: BundleId, item: ItemNo) {
        self.owing.entry(bundle).or_default().insert(item, Owing::End);
    }

    /// A part has taken a step.
    fn took(&mut self, bundle: BundleId, item: ItemNo, decision: PartDecision) {
        let Some(items) = self.owing.get_mut(&bundle) else { return };
        // A part that is to return its units is at its end only then.
        if items.get(&item) == Some(&Owing::End) || decision == PartDecision::Returned {
            items.remove(&item);
        }
        if items.is_empty() {
            self.owing.remove(&bundle);
        }
    }

    fn decided(&mut self, decided: &BundleDecided) -> bool {
        for item in &decided.returns {
            self.owing.entry(decided.bundle).or_default().insert(*item, Owing::Return);
        }
        self.queue(decided.bundle)
    }

    fn event(&mut self, item: ItemNo, event: &Event) -> bool {
        match event {
            Event::PartHeld { bundle, .. } => {
                self.held(*bundle, item);
                // Held late, when nobody collects any more: it has to ask at once.
                !self.collecting.contains(bundle) && self.queue(*bundle)
            }
            Event::PartSettled { bundle, decision, .. } => {
                self.took(*bundle, item, *decision);
                false
            }
            _ => false,
        }
    }
}

impl Bundles {
    /// Everything that recovered items still owe: they all ask.
    pub(crate) fn recovered<'f>(partitions: impl Iterator<Item = &'f Folded> + Clone) -> Self {
        let mut parts = Parts::default();
        let by_no: BTreeMap<_, _> =
            partitions.clone().map(|folded| (folded.partition.no(), &folded.partition)).collect();
        let returned = |bundle: BundleId| {
            let partition = by_no.get(&bundle.partition());
            partition.is_some_and(|home| home.fate_of(bundle) == Fate::Decided(PartDecision::Returned))
        };
        for item in partitions.flat_map(whole_items) {
            for (_, bundle) in item.open_parts() {
                let owing = if returned(bundle) { Owing::Return } else { Owing::End };
                parts.owing.entry(bundle).or_default().insert(item.no(), owing);
            }
            for (_, bundle) in item.sold_parts().filter(|(_, bundle)| returned(*bundle)) {
                parts.owing.entry(bundle).or_default().insert(item.no(), Owing::Return);
            }
        }
        let all: Vec<BundleId> = parts.owing.keys().copied().collect();
        for bundle in all {
            parts.queue(bundle);
        }
        Self { parts: Mutex::new(parts), work: Notify::new(), asked: Mutex::default() }
    }

    /// Changed whole under the lock: a panic elsewhere leaves it good.
    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the log, before anybody hears of what was committed.
    pub(crate) fn follow(&self, group: &[Handover<Caller>]) {
        let is_part = |event: &Event| matches!(event, Event::PartHeld { .. } | Event::PartSettled { .. });
        let of_bundles = |handover: &&Handover<Caller>| {
            !handover.decided.is_empty() || handover.events.iter().any(|recorded| is_part(&recorded.event))
        };
        let mut concerned = group.iter().filter(of_bundles).peekable();
        if concerned.peek().is_none() {
            return;
        }
        let mut queued = false;
        let mut parts = self.parts();
        for handover in concerned {
            for recorded in &handover.events {
                queued |= parts.event(handover.item, &recorded.event);
            }
            for decided in &handover.decided {
                queued |= parts.decided(decided);
            }
        }
        drop(parts);
        if queued {
            self.work.notify_one();
        }
    }

    /// A coordinator sets to work.
    fn begin(&self, bundle: BundleId) {
        self.parts().collecting.insert(bundle);
    }

    /// A coordinator is done. If it gave up, its parts are told.
    fn end(&self, bundle: BundleId, gave_up: bool) {
        let mut parts = self.parts();
        parts.collecting.remove(&bundle);
        let queued = gave_up && parts.queue(bundle);
        drop(parts);
        if queued {
            self.work.notify_one();
        }
    }

    /// Waits until the parts of this bundle have been told everything that is decided by now.
    ///
    /// # Errors
    /// [`SubmitError::OutcomeUnknown`] if a log failed meanwhile: after that nothing is told any more.
    async fn followed(&self, bundle: BundleId) -> Result<(), SubmitError> {
        let waiting = {
            let mut parts = self.parts();
            let Some(following) = parts.following.get_mut(&bundle) else { return Ok(()) };
            let (done, waiting) = oneshot::channel();
            // Who gave up in the meantime leaves nothing behind.
            following.waiting.retain(|waiting| !waiting.is_closed());
            following.waiting.push(done);
            waiting
        };
        waiting.await.map_err(|_| SubmitError::OutcomeUnknown)
    }

    /// How many bundles have parts that still have to be told.
    pub(crate) fn following_count(&self) -> usize {
        self.parts().following.len()
    }
}

fn whole_items(folded: &Folded) -> impl Iterator<Item = &Item> {
    folded.items.values().filter_map(|item| match item {
        FoldedItem::Whole(item) => Some(&**item),
        FoldedItem::Broken { .. } => None,
    })
}
