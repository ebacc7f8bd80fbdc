//! Opening a generation without losing anything.
//!
//! Opening sled after an unclean stop writes over what lies behind the first tear, and sometimes fails. So its files
//! are copied aside first, durably, and the copy goes only once recovery has checked the chain. A copy that is there
//! when opening begins is from a recovery that did not finish: it is the original, and opening starts from it again.
//! Every step may be cut short by a crash and is then taken anew.

use super::layout::GenerationDir;
use super::live::Live;
use super::options::SyncFile;
use crate::disk;
use crate::log::LogError;
use std::path::Path;

/// Opens the sled database of a generation, or creates it.
pub(super) fn open(at: &GenerationDir, clean: bool, sync: &SyncFile) -> Result<Live, LogError> {
    disk::remove_tree(&at.aside_unfinished())?;
    if at.aside().exists() {
        restore(at)?;
    } else if !clean && at.sled().exists() {
        keep_aside(at)?;
    }
    remove_snapshots(&at.sled(), is_unfinished_snapshot)?;
    match Live::open(&at.sled(), sync) {
        Ok(live) => Ok(live),
        Err(first) => open_once_more(at, sync, &first),
    }
}

/// The second and last try: from the copy, and without sled's own snapshots, which it can do without.
fn open_once_more(at: &GenerationDir, sync: &SyncFile, first: &LogError) -> Result<Live, LogError> {
    tracing::warn!(error = %first, dir = %at.sled().display(), "sled did not open; trying once more from a copy");
    if at.aside().exists() {
        restore(at)?;
    } else {
        keep_aside(at)?;
    }
    remove_snapshots(&at.sled(), |name| name.starts_with("snap."))?;
    Live::open(&at.sled(), sync).map_err(|second| unopenable(at, first, &second))
}

fn unopenable(at: &GenerationDir, first: &LogError, second: &LogError) -> LogError {
    let (sled, aside) = (at.sled(), at.aside());
    LogError::Unopenable {
        instructions: format!(
            "the log's current generation cannot be opened.\n  where: {}\n  first try: {first}\n  second try, from a \
             copy and without sled's snapshots: {second}\n  what to do: the files as they were are in {}; keep a copy \
             of the whole data directory, look at the disk's health, restore the latest backup of this partition's \
             directory, and start again.",
            sled.display(),
            aside.display(),
        ),
    }
}

/// Copies the database aside. The copy counts only under its final name.
fn keep_aside(at: &GenerationDir) -> Result<(), LogError> {
    disk::remove_tree(&at.aside_unfinished())?;
    disk::copy_tree(&at.sled(), &at.aside_unfinished())?;
    disk::rename(&at.aside_unfinished(), &at.aside())
}

/// Puts the copy back; the copy stays.
fn restore(at: &GenerationDir) -> Result<(), LogError> {
    disk::remove_tree(&at.restoring())?;
    disk::copy_tree(&at.aside(), &at.restoring())?;
    disk::remove_tree(&at.sled())?;
    disk::rename(&at.restoring(), &at.sled())
}

/// Removes the copy. Renamed first, so that half a copy is never taken for one.
pub(super) fn forget_aside(at: &GenerationDir) -> Result<(), LogError> {
    disk::remove_tree(&at.restoring())?;
    disk::remove_tree(&at.aside_unfinished())?;
    if at.aside().exists() {
        disk::rename(&at.aside(), &at.aside_unfinished())?;
    }
    disk::remove_tree(&at.aside_unfinished())
}

/// A snapshot of sled's that a crash interrupted makes opening fail with `Corruption`.
fn is_unfinished_snapshot(name: &str) -> bool {
    name.starts_with("snap.") && name.ends_with(".generating")
}

fn remove_snapshots(sled: &Path, which: impl Fn(&str) -> bool) -> Result<(), LogError> {
    if !sled.exists() {
        return Ok(());
    }
    for name in disk::names_in(sled)?.iter().filter(|name| which(name)) {
        disk::remove_file(&sled.join(name))?;
    }
    Ok(())
}
