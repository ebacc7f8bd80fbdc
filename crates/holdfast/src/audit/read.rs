//! Where the audit gets its events from: every record of every log, verified on the way.

use super::Audit;
use anyhow::Context;
use eventlog::{LogReader, StreamEvent, events};
use std::sync::Arc;

/// Reads these logs from their first record to their durable tail and enters every event.
pub(crate) fn read(logs: &[Arc<dyn LogReader>]) -> anyhow::Result<Audit> {
    let mut audit = Audit::default();
    for log in logs {
        for read in events(log.as_ref(), log.first()) {
            match read.with_context(|| format!("the log {} cannot be read back", log.log_id()))? {
                (_, StreamEvent::Partition(recorded)) => audit.enter_partition(&recorded),
                (item, StreamEvent::Item(recorded)) => audit.enter(item, &recorded),
            }
        }
    }
    Ok(audit)
}
