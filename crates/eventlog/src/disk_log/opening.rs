//! Opening a generation without losing anything.
//!
//! Opening an engine after an unclean stop writes over what lies behind the first tear (sled) or cuts it (fjall), and
//! sometimes fails. So its files are copied aside first, durably, and the copy goes only once recovery has checked the chain. A copy that is there
//! when opening begins is from a recovery that did not finish: it is the original, and opening starts from it again.
//! Every step may be cut short by a crash and is then taken anew.

use super::layout::GenerationDir;
use super::live::Live;
use super::options::{DiskOptions, StorageEngine};
use crate::disk;
use crate::log::LogError;
use std::path::Path;

/// Opens the database of a generation, or creates it.
pub(super) fn open(at: &GenerationDir, clean: bool, options: &DiskOptions) -> Result<Live, LogError> {
    let engine = at.engine().unwrap_or(options.engine);
    disk::remove_tree(&at.aside_unfinished(engine))?;
    if at.aside(engine).exists() {
        restore(at, engine)?;
    } else if !clean && at.database(engine).exists() {
        keep_aside(at, engine)?;
    }
    if engine == StorageEngine::Sled {
        remove_snapshots(&at.database(engine), is_unfinished_snapshot)?;
    }
    match Live::open(at, engine, &options.sync) {
        Ok(live) => Ok(live),
        Err(first) => open_once_more(at, engine, options, &first),
    }
}

/// The second and last try: from the copy, and without sled's own snapshots, which it can do without.
fn open_once_more(
    at: &GenerationDir,
    engine: StorageEngine,
    options: &DiskOptions,
    first: &LogError,
) -> Result<Live, LogError> {
    let dir = at.database(engine);
    tracing::warn!(error = %first, dir = %dir.display(), "{engine} did not open; trying once more from a copy");
    if at.aside(engine).exists() {
        restore(at, engine)?;
    } else {
        keep_aside(at, engine)?;
    }
    if engine == StorageEngine::Sled {
        remove_snapshots(&dir, |name| name.starts_with("snap."))?;
    }
    Live::open(at, engine, &options.sync).map_err(|second| unopenable(at, engine, first, &second))
}

fn unopenable(at: &GenerationDir, engine: StorageEngine, first: &LogError, second: &LogError) -> LogError {
    let (database, aside) = (at.database(engine), at.aside(engine));
    let without = match engine {
        StorageEngine::Sled => " and without sled's snapshots",
        StorageEngine::Fjall => "",
    };
    LogError::Unopenable {
        instructions: format!(
            "the log's current generation cannot be opened.\n  where: {}\n  first try: {first}\n  second try, from a \
             copy{without}: {second}\n  what to do: the files as they were are in {}; keep a copy of the whole data \
             directory, look at the disk's health, restore the latest backup of this partition's directory, and start \
             again.",
            database.display(),
            aside.display(),
        ),
    }
}

/// Copies the database aside. The copy counts only under its final name.
fn keep_aside(at: &GenerationDir, engine: StorageEngine) -> Result<(), LogError> {
    let unfinished = at.aside_unfinished(engine);
    disk::remove_tree(&unfinished)?;
    disk::copy_tree(&at.database(engine), &unfinished)?;
    disk::rename(&unfinished, &at.aside(engine))
}

/// Puts the copy back; the copy stays.
fn restore(at: &GenerationDir, engine: StorageEngine) -> Result<(), LogError> {
    let restoring = at.restoring(engine);
    disk::remove_tree(&restoring)?;
    disk::copy_tree(&at.aside(engine), &restoring)?;
    disk::remove_tree(&at.database(engine))?;
    disk::rename(&restoring, &at.database(engine))
}

/// Removes the copy, whole: half a copy is never taken for one.
pub(super) fn forget_aside(at: &GenerationDir) -> Result<(), LogError> {
    for engine in StorageEngine::ALL {
        disk::remove_tree(&at.restoring(engine))?;
        disk::remove_tree_whole(&at.aside(engine))?;
    }
    Ok(())
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
