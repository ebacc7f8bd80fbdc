//! After a panic in an item's turn: that item alone is folded from the log again, once its submitted events are
//! durable. A third panic within a minute, or a fold that breaks an invariant, leaves it stopped.

use crate::fold::{Folded, FoldedItem};
use crate::registry::Registry;
use crate::shell::Ticket;
use crate::slot::{Seat, Slot};
use crate::snapshots;
use domain::item::Item;
use eventlog::{ChainPoint, SnapshotStore};
use std::sync::Arc;
use tokio::time::Instant;

pub(crate) async fn after_panic(registry: Arc<Registry>, slot: Arc<Slot>, submitted: Ticket) {
    leave(&slot, &mut slot.seat());
    if slot.note_panic(Instant::now()) {
        stop(&slot, "its turns panicked again and again; the log is untouched");
        return;
    }
    tracing::error!(sku = %slot.sku, "a turn panicked; the item is rebuilt from the log");
    wait_until_durable(&registry, &slot, submitted).await;
    let (fold_registry, fold_slot) = (Arc::clone(&registry), Arc::clone(&slot));
    // Reading a long log takes a while and blocks; the runtime has threads for that.
    let folded = tokio::task::spawn_blocking(move || fold(&fold_registry, &fold_slot)).await;
    match folded {
        Ok(Ok(item)) => {
            tracing::warn!(sku = %slot.sku, sequence = item.seq().0, "the item is rebuilt and takes requests again");
            registry.reseat(&slot, Box::new(slot.rebuilt(*item, submitted)));
        }
        Ok(Err(why)) => stop(&slot, &why),
        Err(error) => stop(&slot, &error.to_string()),
    }
}

/// Takes an item out of its seat whose state is not to be trusted. Nobody speaks for it meanwhile.
pub(crate) fn leave(slot: &Slot, seat: &mut Seat) {
    slot.newcomers.forget();
    *seat = Seat::Rebuilding;
}

fn stop(slot: &Slot, why: &str) {
    tracing::error!(sku = %slot.sku, why, "the item stays stopped");
    *slot.seat() = Seat::Stopped(why.to_owned());
}

async fn wait_until_durable(registry: &Registry, slot: &Slot, submitted: Ticket) {
    loop {
        let committed = registry.committed.notified();
        if slot.durable() >= submitted {
            return;
        }
        committed.await;
    }
}

/// Folds one item: from the newest snapshot, if there is one, or from the start of the log.
fn fold(registry: &Registry, slot: &Slot) -> Result<Box<Item>, String> {
    // Other items are served meanwhile.
    let store = registry.snapshots.as_ref().map(SnapshotStore::alone);
    let newest = store.as_ref().and_then(snapshots::newest);
    let (from, mut folded) = newest.unwrap_or_else(|| (ChainPoint::START, Folded::new(registry.no)));
    folded.items.retain(|no, _| *no == slot.no);
    for event in eventlog::events(registry.reader.as_ref(), from.record.next()) {
        let (no, event) = event.map_err(|error| error.to_string())?;
        if no == slot.no {
            folded.apply(no, &event);
        }
    }
    match folded.items.remove(&slot.no) {
        Some(FoldedItem::Whole(item)) => {
            item.recount().map_err(|broken| broken.to_string())?;
            Ok(item)
        }
        Some(FoldedItem::Broken { why, .. }) => Err(why),
        None => Err("the log does not know it".to_owned()),
    }
}
