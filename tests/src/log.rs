//! Folding the log of a stopped server, the same way recovery does.

use anyhow::{Context, Result};
use domain::ids::PartitionNo;
use engine::fold::Folded;
use eventlog::{ChainPoint, DataDir, SledLog, SledOptions, recover};
use std::path::Path;

/// Folds a partition's whole log from its first record. The server must have stopped.
///
/// # Errors
/// The directory is in use, or the log is damaged.
pub fn fold(path: &Path, partition: PartitionNo) -> Result<Folded> {
    let count = DataDir::partition_count(path)?.context("not a data directory")?;
    let data_dir = DataDir::open(path, count)?;
    let place = data_dir.partitions().find(|place| place.no == partition).context("no such partition")?;
    let mut log = SledLog::open(&place.path, place.log_id, SledOptions::default())?;
    let mut folded = Folded::new(partition);
    recover(&mut log, ChainPoint::START, &mut |event| folded.apply(event.item, &event.event))?;
    Ok(folded)
}
