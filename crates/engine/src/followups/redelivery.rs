//! Messages told again: derived from the log once more, with the ids they had.

use super::notice::{About, Message, bundle_told_of, messages, messages_of_bundle};
use super::work::Work;
use crate::registry::Registry;
use domain::endpoint::Endpoint;
use domain::ids::ItemNo;
use domain::time::Timestamp;
use eventlog::{LogReader, RecordNo, StreamEvent};
use tokio::sync::mpsc;

/// A message to be told again.
#[derive(Debug)]
pub(crate) struct Redelivery(pub(crate) Work);

/// Reads a partition's log and passes on what this endpoint wants of it, from `since` on. What happened before the
/// endpoint was added is none of its business.
pub(crate) fn read_again(
    reader: &dyn LogReader,
    registry: &Registry,
    endpoint: &Endpoint,
    since: Timestamp,
    to: &mpsc::Sender<Redelivery>,
) -> Result<(), String> {
    for event in eventlog::events(reader, RecordNo(1)) {
        let (item, event) = event.map_err(|error| error.to_string())?;
        for message in told_then(registry, item, &event, since) {
            if !endpoint.wants(message.notice, message.at) {
                continue;
            }
            let work = Work::Notify { endpoint: endpoint.no.0, id: message.id, body: message.body };
            if to.blocking_send(Redelivery(work)).is_err() {
                // Whoever asked has gone.
                return Ok(());
            }
        }
    }
    Ok(())
}

fn told_then(registry: &Registry, stream: ItemNo, event: &StreamEvent, since: Timestamp) -> Vec<Message> {
    match event {
        StreamEvent::Item(recorded) if recorded.at >= since => {
            let Some(slot) = registry.slot(stream) else { return Vec::new() };
            messages(&About { item: stream, sku: &slot.sku, key: &slot.key }, recorded)
        }
        StreamEvent::Partition(recorded) if recorded.at >= since => {
            let id = bundle_told_of(&recorded.event).and_then(|bundle| registry.partition.blocking_id_of(bundle));
            id.map(|id| messages_of_bundle(stream, id, recorded)).unwrap_or_default()
        }
        StreamEvent::Item(_) | StreamEvent::Partition(_) => Vec::new(),
    }
}
