//! Folding the log of a stopped server, the same way recovery does, and what lies around it.

use anyhow::{Context, Result, ensure};
use domain::ids::PartitionNo;
use engine::fold::Folded;
use eventlog::{ChainHash, ChainPoint, DataDir, DiskLog, DiskOptions, EventLog, RecordNo, Recovered, recover};
use std::path::{Path, PathBuf};

/// Folds a partition's whole log from its first record. The server must have stopped.
///
/// # Errors
/// The directory is in use, or the log is damaged.
pub fn fold(path: &Path, partition: PartitionNo) -> Result<Folded> {
    Ok(recovered(path, partition)?.1)
}

/// Recovers a partition's log and folds it. The server must have stopped.
///
/// # Errors
/// The directory is in use, or the log is damaged.
pub fn recovered(path: &Path, partition: PartitionNo) -> Result<(Recovered, Folded)> {
    let (_held, mut log) = open(path, partition)?;
    let mut folded = Folded::new(partition);
    let recovered = recover(&mut log, ChainPoint::START, &mut |event| folded.apply(event.item, &event.event))?;
    ensure!(folded.stopped.is_none(), "the partition's own stream is broken: {:?}", folded.stopped);
    Ok((recovered, folded))
}

/// The hash of each record of a partition's log, the first one first. The server must have stopped.
///
/// # Errors
/// The directory is in use, or the log cannot be read.
pub fn hashes(path: &Path, partition: PartitionNo) -> Result<Vec<ChainHash>> {
    let (_held, log) = open(path, partition)?;
    let records = log.reader().read_from(RecordNo(1));
    records.map(|read| Ok(ChainHash::of(&read?.1))).collect()
}

fn open(path: &Path, partition: PartitionNo) -> Result<(DataDir, DiskLog)> {
    let count = DataDir::partition_count(path)?.context("not a data directory")?;
    let data_dir = DataDir::open(path, count)?;
    let place = data_dir.partitions().find(|place| place.no == partition).context("no such partition")?;
    let log = DiskLog::open(&place.path, place.log_id, DiskOptions::default())?;
    Ok((data_dir, log))
}

/// Where each partition's log is marked as cleanly stopped. The server must have stopped.
///
/// # Errors
/// The directory is in use.
pub fn clean_markers(path: &Path) -> Result<Vec<PathBuf>> {
    let count = DataDir::partition_count(path)?.context("not a data directory")?;
    let data_dir = DataDir::open(path, count)?;
    Ok(data_dir.partitions().map(|place| place.path.join("clean")).collect())
}

/// Copies a directory of files and directories into one that is there.
///
/// # Errors
/// Something could not be read or written.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
