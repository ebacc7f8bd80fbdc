//! A generation in sled: the only module that calls sled. How and why: docs/log-format.md, "sled, used safely".
//!
//! `flush` alone is not durable on Linux (it ends in `sync_file_range`), so every commit also syncs through a
//! descriptor of our own, opened before the first write: syncing works per inode, and only our own descriptor tells
//! us of errors that sled's background thread merely logs. `flush_async` is never called: several at once deadlock.

use super::{Store, guarded_from};
use crate::disk;
use crate::disk_log::options::SyncFile;
use crate::ids::RecordNo;
use crate::limits::{RECORD_BYTES_MAX, SLED_BYTES_PER_BYTE, SLED_CACHE_BYTES};
use crate::log::LogError;
use crate::record::Record;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

/// An open sled database. One thread writes; any may read.
pub(super) struct SledStore {
    db: sled::Db,
    file: File,
    dir: PathBuf,
    sync: SyncFile,
}

impl SledStore {
    /// Opens or creates the database, and syncs all that opening wrote. Destructive after an unclean stop: `opening`
    /// keeps a copy.
    pub(super) fn open(dir: &Path, sync: &SyncFile) -> Result<Self, LogError> {
        let config = sled::Config::new()
            .path(dir)
            .mode(sled::Mode::LowSpace)
            .cache_capacity(SLED_CACHE_BYTES)
            .flush_every_ms(Some(500))
            .use_compression(false);
        let db = guarded("open", dir, || open_unlocked(&config))?;
        let db_path = dir.join("db");
        let file = OpenOptions::new().read(true).write(true).open(&db_path);
        let file = file.map_err(LogError::io("open", &db_path))?;
        let store = Self { db, file, dir: dir.to_owned(), sync: sync.clone() };
        store.sync_all_files()?;
        store.check()?;
        Ok(store)
    }

    fn sync_all_files(&self) -> Result<(), LogError> {
        let conf = self.dir.join("conf");
        self.file.sync_all().map_err(LogError::io("sync", self.dir.join("db")))?;
        File::open(&conf).and_then(|file| file.sync_all()).map_err(LogError::io("sync", &conf))?;
        disk::sync_dir(&self.blobs())?;
        disk::sync_dir(&self.dir)?;
        disk::sync_parent(&self.dir)
    }

    fn blobs(&self) -> PathBuf {
        self.dir.join("blobs")
    }

    fn refused(&self, action: &'static str, message: String) -> LogError {
        LogError::Engine { action, path: self.dir.clone(), message }
    }
}

impl Store for SledStore {
    fn check(&self) -> Result<(), LogError> {
        // Values that spill into blob files are never synced. None may.
        let path = self.blobs();
        if disk::names_in(&path)?.is_empty() { Ok(()) } else { Err(LogError::Spilled { path }) }
    }

    fn write(&self, records: &[Record]) -> Result<(), LogError> {
        for record in records {
            let bytes = record.bytes().as_ref();
            assert!(bytes.len() <= RECORD_BYTES_MAX, "a record is cut to fit when it is framed");
            let key = record.number().0.to_be_bytes();
            guarded("insert a record into", &self.dir, || self.db.insert(key, bytes))?;
        }
        self.commit()
    }

    fn commit(&self) -> Result<(), LogError> {
        guarded("flush", &self.dir, || self.db.flush())?;
        (self.sync)(&self.file).map_err(LogError::io("sync", self.dir.join("db")))
    }

    fn read(&self, from: RecordNo, upto: RecordNo, limit: usize) -> Result<Vec<(RecordNo, Vec<u8>)>, LogError> {
        let range = from.0.to_be_bytes()..=upto.0.to_be_bytes();
        guarded("read", &self.dir, || {
            let mut found = Vec::new();
            for (entry, expected) in self.db.range(range).zip(from.0..).take(limit) {
                let (key, value) = entry?;
                if key.as_ref() != expected.to_be_bytes() {
                    break;
                }
                found.push((RecordNo(expected), value.to_vec()));
            }
            Ok(found)
        })
    }

    fn ends(&self) -> Result<Option<(RecordNo, RecordNo)>, LogError> {
        let ends = guarded("read", &self.dir, || Ok((self.db.first()?, self.db.last()?)))?;
        let number = |key: &sled::IVec| key.as_ref().try_into().map(u64::from_be_bytes).map(RecordNo);
        match ends {
            (Some((first, _)), Some((last, _))) => match (number(&first), number(&last)) {
                (Ok(first), Ok(last)) => Ok(Some((first, last))),
                _ => Err(self.refused("read", "a key is not 8 bytes long".to_owned())),
            },
            _ => Ok(None),
        }
    }

    fn remove_from(&self, from: RecordNo) -> Result<(), LogError> {
        // The last one first: what a crash leaves is a shorter tail.
        loop {
            let last = guarded("read", &self.dir, || self.db.last())?;
            match last {
                Some((key, _)) if key.as_ref() >= from.0.to_be_bytes().as_slice() => {
                    guarded("cut", &self.dir, || self.db.remove(&key))?;
                }
                _ => return self.commit(),
            }
        }
    }

    fn close(self: Box<Self>) -> Result<(), LogError> {
        self.commit()?;
        let Self { db, file, dir, .. } = *self;
        guarded("close", &dir, || {
            drop(db);
            Ok(())
        })?;
        file.sync_all().map_err(LogError::io("sync", dir.join("db")))?;
        disk::sync_dir(&dir)
    }

    fn record_bytes(&self) -> u64 {
        std::fs::metadata(self.dir.join("db")).map_or(0, |file| file.len()) / SLED_BYTES_PER_BYTE
    }
}

/// sled gives its lock back a moment after a database was dropped; try for about two seconds.
fn open_unlocked(config: &sled::Config) -> Result<sled::Db, sled::Error> {
    let mut waits = [5, 20, 50, 100, 300, 500, 1_000].into_iter().map(std::time::Duration::from_millis);
    loop {
        match config.open() {
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => match waits.next() {
                Some(wait) => std::thread::sleep(wait),
                None => return Err(sled::Error::Io(error)),
            },
            opened => return opened,
        }
    }
}

fn guarded<T>(action: &'static str, dir: &Path, call: impl FnOnce() -> Result<T, sled::Error>) -> Result<T, LogError> {
    guarded_from(action, dir, is_disk_full, call)
}

fn is_disk_full(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.kind() == std::io::ErrorKind::StorageFull)
}
