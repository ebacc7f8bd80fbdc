//! The open database of one generation, in whichever engine the generation was made with.
//!
//! A store is an ordered map of record numbers to bytes and nothing more. What makes a log of it (framing, chain,
//! anchor, copies aside, closed generations) is the same for every engine and does not lie here.

mod fjall;
mod journal;
mod sled;

use super::layout::GenerationDir;
use super::options::{StorageEngine, SyncFile};
use crate::ids::RecordNo;
use crate::log::LogError;
use crate::record::Record;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// An open database. One thread writes; any may read.
pub(super) trait Store: Send + Sync {
    /// Writes records and returns once they are durable.
    fn write(&self, records: &[Record]) -> Result<(), LogError>;

    /// Makes everything written so far durable.
    fn commit(&self) -> Result<(), LogError>;

    /// Up to `limit` records from `from` to `upto`, by key. A gap in the numbers ends the list before it.
    fn read(&self, from: RecordNo, upto: RecordNo, limit: usize) -> Result<Vec<(RecordNo, Vec<u8>)>, LogError>;

    /// The first and the last key.
    fn ends(&self) -> Result<Option<(RecordNo, RecordNo)>, LogError>;

    /// Removes the records from `from` to the end, durably.
    fn remove_from(&self, from: RecordNo) -> Result<(), LogError>;

    /// That the engine keeps nothing where it is not synced.
    fn check(&self) -> Result<(), LogError>;

    /// Some measure of how many bytes of records there are, from the size of a file.
    fn record_bytes(&self) -> u64;

    /// Closes it, and syncs what closing wrote.
    fn close(self: Box<Self>) -> Result<(), LogError>;
}

/// The open database of one generation.
pub(super) struct Live {
    engine: StorageEngine,
    dir: PathBuf,
    store: Box<dyn Store>,
}

impl Live {
    /// Opens or creates a generation's database, and syncs all that opening wrote. Destructive after an unclean stop:
    /// `opening` keeps a copy.
    pub(super) fn open(at: &GenerationDir, engine: StorageEngine, sync: &SyncFile) -> Result<Self, LogError> {
        let dir = at.database(engine);
        let store: Box<dyn Store> = match engine {
            StorageEngine::Sled => Box::new(sled::SledStore::open(&dir, sync)?),
            StorageEngine::Fjall => Box::new(fjall::FjallStore::open(&dir, sync)?),
        };
        Ok(Self { engine, dir, store })
    }

    pub(super) const fn engine(&self) -> StorageEngine {
        self.engine
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn close(self) -> Result<(), LogError> {
        self.store.close()
    }
}

impl Deref for Live {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        self.store.as_ref()
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("engine", &self.engine).field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// Calls an engine; its errors and its panics become errors of ours.
fn guarded_from<T, E: std::fmt::Display>(
    action: &'static str,
    dir: &Path,
    is_disk_full: fn(&E) -> bool,
    call: impl FnOnce() -> Result<T, E>,
) -> Result<T, LogError> {
    let refused = |message| LogError::Engine { action, path: dir.to_owned(), message };
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if is_disk_full(&error) => Err(LogError::DiskFull),
        Ok(Err(error)) => Err(refused(error.to_string())),
        Err(panic) => Err(refused(format!("it panicked: {}", words(panic.as_ref())))),
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without words".to_owned())
}
