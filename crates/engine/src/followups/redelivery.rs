//! Messages told again: derived from the log once more, with the ids they had.

use super::notice::{About, messages};
use super::work::Work;
use crate::registry::Registry;
use domain::endpoint::Endpoint;
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
        let StreamEvent::Item(recorded) = event else { continue };
        let Some(slot) = (recorded.at >= since).then(|| registry.slot(item)).flatten() else { continue };
        let about = About { item, sku: &slot.sku, key: &slot.key };
        for message in messages(&about, &recorded) {
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
