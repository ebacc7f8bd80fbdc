//! A generation in fjall: the only module that calls fjall. How and why: docs/log-format.md, "fjall, used safely".
//!
//! Everything lies in one journal: bounds far above a generation's size keep fjall from moving anything into tables,
//! and from beginning another journal. fjall 2 drops errors of writing a batch on the floor (`Batch::commit`), so every
//! batch is read back from the journal through a descriptor of our own, and that descriptor is what is synced.

use super::journal::{self, Item, Scan};
use super::{Store, guarded_from};
use crate::disk;
use crate::disk_log::options::SyncFile;
use crate::ids::RecordNo;
use crate::limits::{FJALL_CACHE_BYTES, RECORD_BYTES_MAX};
use crate::log::LogError;
use crate::record::Record;
use fjall::{Config, Keyspace, PartitionCreateOptions, PartitionHandle, PersistMode};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The one fjall partition that holds the records.
const PARTITION: &str = "records";

/// No memory table reaches this. What a generation and the largest group together take is below 500 MiB.
const MEMTABLE_BYTES_MAX: u32 = u32::MAX;

/// No write buffer and no journal reaches this either.
const NEVER_BYTES: u64 = 1 << 50;

/// An open fjall database. One thread writes; any may read.
pub(super) struct FjallStore {
    keyspace: Keyspace,
    records: PartitionHandle,
    journal: File,
    /// Where the journal ends. Only the writer moves it.
    end: AtomicU64,
    dir: PathBuf,
    sync: SyncFile,
}

impl FjallStore {
    /// Opens or creates the database. What is no whole batch at the end of its journal is cut before fjall sees it.
    pub(super) fn open(dir: &Path, sync: &SyncFile) -> Result<Self, LogError> {
        let scan = cut_torn_tail(dir)?;
        let (keyspace, records) = guarded("open", dir, || {
            let config = Config::new(dir)
                // There is never anything to flush or to compact.
                .flush_workers(0)
                .compaction_workers(0)
                .cache_size(FJALL_CACHE_BYTES)
                .max_write_buffer_size(NEVER_BYTES)
                .max_journaling_size(NEVER_BYTES);
            let keyspace = config.open()?;
            let options = PartitionCreateOptions::default()
                .compression(fjall::CompressionType::None)
                .max_memtable_size(MEMTABLE_BYTES_MAX);
            let records = keyspace.open_partition(PARTITION, options)?;
            Ok((keyspace, records))
        })?;
        let path = journal_of(dir);
        let journal = OpenOptions::new().read(true).write(true).open(&path).map_err(LogError::io("open", &path))?;
        let end = AtomicU64::new(scan.whole);
        let store = Self { keyspace, records, journal, end, dir: dir.to_owned(), sync: sync.clone() };
        disk::sync_tree(dir)?;
        disk::sync_parent(dir)?;
        store.check()?;
        store.check_holds(&scan)?;
        Ok(store)
    }

    /// That fjall took everything out of its journal: it passes over what belongs to a partition it does not know.
    fn check_holds(&self, scan: &Scan) -> Result<(), LogError> {
        let ends = self.ends()?.map(|(first, last)| (first.0, last.0));
        if ends == scan.ends {
            return Ok(());
        }
        Err(self.refused("open", format!("its journal has the records {:?}, it found {ends:?}", scan.ends)))
    }

    /// Commits a batch, and returns once it is durable.
    fn store(&self, items: &[Item]) -> Result<(), LogError> {
        guarded("write to", &self.dir, || {
            let mut batch = self.keyspace.batch().durability(Some(PersistMode::Buffer));
            for Item { key, value } in items {
                match value {
                    Some(value) => batch.insert(&self.records, key.as_slice(), value.as_slice()),
                    None => batch.remove(&self.records, key.as_slice()),
                }
            }
            batch.commit()
        })?;
        let end = self.end.load(Ordering::Acquire);
        let written = journal::batch_at(&self.journal, end, PARTITION);
        let written = written.map_err(LogError::io("read back", journal_of(&self.dir)))?;
        match written.filter(|written| written.items == items) {
            Some(written) => self.end.store(end.saturating_add(written.bytes), Ordering::Release),
            None => return Err(self.refused("write to", "what it took is not in its journal".to_owned())),
        }
        self.sync_journal()
    }

    fn sync_journal(&self) -> Result<(), LogError> {
        (self.sync)(&self.journal).map_err(LogError::io("sync", journal_of(&self.dir)))
    }

    fn refused(&self, action: &'static str, message: String) -> LogError {
        LogError::Engine { action, path: self.dir.clone(), message }
    }
}

impl Store for FjallStore {
    fn write(&self, records: &[Record]) -> Result<(), LogError> {
        let item = |record: &Record| {
            assert!(record.bytes().len() <= RECORD_BYTES_MAX, "a record is cut to fit when it is framed");
            Item { key: record.number().0.to_be_bytes().to_vec(), value: Some(record.bytes().to_vec()) }
        };
        self.store(&records.iter().map(item).collect::<Vec<_>>())
    }

    fn commit(&self) -> Result<(), LogError> {
        guarded("flush", &self.dir, || self.keyspace.persist(PersistMode::Buffer))?;
        self.sync_journal()
    }

    fn read(&self, from: RecordNo, upto: RecordNo, limit: usize) -> Result<Vec<(RecordNo, Vec<u8>)>, LogError> {
        let range = from.0.to_be_bytes()..=upto.0.to_be_bytes();
        guarded("read", &self.dir, || {
            let mut found = Vec::new();
            for (entry, expected) in self.records.range(range).zip(from.0..).take(limit) {
                let (key, value) = entry?;
                if *key != expected.to_be_bytes() {
                    break;
                }
                found.push((RecordNo(expected), value.to_vec()));
            }
            Ok(found)
        })
    }

    fn ends(&self) -> Result<Option<(RecordNo, RecordNo)>, LogError> {
        let ends =
            guarded("read", &self.dir, || Ok((self.records.first_key_value()?, self.records.last_key_value()?)))?;
        let number = |key: &[u8]| key.try_into().map(u64::from_be_bytes).map(RecordNo);
        match ends {
            (Some((first, _)), Some((last, _))) => match (number(&first), number(&last)) {
                (Ok(first), Ok(last)) => Ok(Some((first, last))),
                _ => Err(self.refused("read", "a key is not 8 bytes long".to_owned())),
            },
            _ => Ok(None),
        }
    }

    fn remove_from(&self, from: RecordNo) -> Result<(), LogError> {
        let keys = guarded("read", &self.dir, || {
            let behind = self.records.range(from.0.to_be_bytes()..);
            behind.map(|entry| entry.map(|(key, _)| key.to_vec())).collect::<Result<Vec<_>, _>>()
        })?;
        if keys.is_empty() {
            return self.commit();
        }
        // One batch: after a crash all of them are there, or none.
        self.store(&keys.into_iter().map(|key| Item { key, value: None }).collect::<Vec<_>>())
    }

    fn check(&self) -> Result<(), LogError> {
        let folder = journals_of(&self.dir);
        let names = disk::names_in(&folder)?;
        if names == ["0"] {
            return Ok(());
        }
        Err(self.refused("keep everything in one journal of", format!("{} has {names:?}", folder.display())))
    }

    fn record_bytes(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    fn close(self: Box<Self>) -> Result<(), LogError> {
        self.commit()?;
        self.check()?;
        let Self { keyspace, records, journal, dir, .. } = *self;
        guarded("close", &dir, || {
            drop(records);
            drop(keyspace);
            Ok(())
        })?;
        journal.sync_all().map_err(LogError::io("sync", journal_of(&dir)))?;
        disk::sync_tree(&dir)
    }
}

fn journals_of(dir: &Path) -> PathBuf {
    dir.join("journals")
}

fn journal_of(dir: &Path) -> PathBuf {
    journals_of(dir).join("0")
}

/// Cuts what is no whole batch off the end of the journal, and says what is left. fjall cuts too, but without a word,
/// and where only a middle part of a batch is missing it refuses to open. What is cut here was either never
/// acknowledged, or recovery misses it.
fn cut_torn_tail(dir: &Path) -> Result<Scan, LogError> {
    let path = journal_of(dir);
    let file = match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Scan::default()),
        Err(error) => return Err(LogError::io("open", &path)(error)),
    };
    let scan = journal::scan(&file, PARTITION).map_err(LogError::io("read", &path))?;
    if scan.whole > 0 && !dir.join("version").exists() {
        // fjall would take it for a database that was never finished, and empty the journal.
        let message = "it has records, but its file `version` is missing".to_owned();
        return Err(LogError::Engine { action: "open", path: dir.to_owned(), message });
    }
    if scan.torn > 0 {
        tracing::warn!(
            journal = %path.display(), whole_bytes = scan.whole, cut_bytes = scan.torn,
            "the end of the journal is no whole batch and is cut; recovery tells whether anything known is missing"
        );
        file.set_len(scan.whole).and_then(|()| file.sync_all()).map_err(LogError::io("cut", &path))?;
    }
    Ok(scan)
}

fn guarded<T>(action: &'static str, dir: &Path, call: impl FnOnce() -> Result<T, fjall::Error>) -> Result<T, LogError> {
    guarded_from(action, dir, is_disk_full, call)
}

fn is_disk_full(error: &fjall::Error) -> bool {
    matches!(error, fjall::Error::Io(error) if error.kind() == std::io::ErrorKind::StorageFull)
}
