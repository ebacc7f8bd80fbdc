//! What the writer shares with readers and with its own background threads.

use super::layout::GenerationDir;
use super::live::Live;
use super::sealed::Sealed;
use crate::ids::{ChainPoint, LogId, RecordNo};
use crate::limits::READ_BATCH_RECORDS;
use crate::log::{LogError, LogReader, Place, ReadError, Records};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// One generation.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) no: u32,
    pub(super) dir: GenerationDir,
    /// Its first record, or the one that will be.
    pub(super) first: RecordNo,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    Live(Arc<Live>),
    Sealed(Sealed),
}

impl Generation {
    fn read(&self, from: RecordNo, upto: RecordNo) -> Result<Vec<(RecordNo, Vec<u8>)>, LogError> {
        match &self.body {
            Body::Live(live) => live.read(from, upto, READ_BATCH_RECORDS),
            Body::Sealed(sealed) => sealed.read(from, upto, READ_BATCH_RECORDS),
        }
    }

    pub(super) fn place_of(&self, record: RecordNo) -> Place {
        let (path, offset): (PathBuf, _) = match &self.body {
            Body::Live(live) => (live.dir().to_owned(), None),
            Body::Sealed(sealed) => (sealed.path().to_owned(), sealed.offset_of(record)),
        };
        Place { generation: self.no, path, offset }
    }
}

/// Shared by the writer, its readers and its background threads.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) log_id: LogId,
    /// Oldest first. Empty once the log is closed. Readers hold this only while they take one batch.
    generations: RwLock<Vec<Generation>>,
    /// The last durable point.
    durable: Mutex<ChainPoint>,
}

impl Shared {
    pub(super) const fn new(log_id: LogId, generations: Vec<Generation>, durable: ChainPoint) -> Self {
        Self { log_id, generations: RwLock::new(generations), durable: Mutex::new(durable) }
    }

    // A thread that panicked while it held one of these locks had only read or replaced whole values.
    pub(super) fn generations(&self) -> RwLockReadGuard<'_, Vec<Generation>> {
        self.generations.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn generations_mut(&self) -> RwLockWriteGuard<'_, Vec<Generation>> {
        self.generations.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn durable_mut(&self) -> MutexGuard<'_, ChainPoint> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn durable(&self) -> ChainPoint {
        *self.durable_mut()
    }

    pub(super) fn set_durable(&self, point: ChainPoint) {
        *self.durable_mut() = point;
    }

    /// The next batch of records from `from` on, none at the tail.
    fn batch(&self, from: RecordNo) -> Result<Vec<(RecordNo, Vec<u8>)>, ReadError> {
        let tail = self.durable().record;
        let generations = self.generations();
        let Some(oldest) = generations.first() else { return Err(ReadError::Closed) };
        if from < oldest.first {
            return Err(ReadError::Retired { asked: from, first: oldest.first });
        }
        if from > tail {
            return Ok(Vec::new());
        }
        let at = generations.partition_point(|generation| generation.first <= from).saturating_sub(1);
        let upto = generations.get(at.saturating_add(1)).map_or(tail, |next| tail.min(next.first.before()));
        let generation = generations.get(at).unwrap_or(oldest);
        let found = generation.read(from, upto).map_err(|error| ReadError::Failed {
            record: from,
            place: generation.place_of(from),
            message: error.to_string(),
        })?;
        if found.is_empty() {
            return Err(ReadError::Missing { record: from, place: generation.place_of(from) });
        }
        Ok(found)
    }

    /// One record's bytes.
    pub(super) fn read_one(&self, record: RecordNo) -> Option<Vec<u8>> {
        let batch = self.batch(record).ok()?;
        batch.into_iter().next().map(|(_, bytes)| bytes)
    }

    pub(super) fn place_of(&self, record: RecordNo) -> Place {
        let generations = self.generations();
        let at = generations.partition_point(|generation| generation.first <= record).saturating_sub(1);
        let nowhere = || Place { generation: 0, path: PathBuf::new(), offset: None };
        generations.get(at).map_or_else(nowhere, |generation| generation.place_of(record))
    }
}

/// Reads a log on disk.
#[derive(Clone, Debug)]
pub(super) struct DiskReader(pub(super) Arc<Shared>);

impl LogReader for DiskReader {
    fn log_id(&self) -> LogId {
        self.0.log_id
    }

    fn first(&self) -> RecordNo {
        self.0.generations().first().map_or(RecordNo(1), |oldest| oldest.first)
    }

    fn tail(&self) -> RecordNo {
        self.0.durable().record
    }

    fn read_from(&self, from: RecordNo) -> Records {
        let next = from.max(RecordNo(1));
        Box::new(DiskRecords { shared: Arc::clone(&self.0), next, batch: Vec::new().into_iter(), ended: false })
    }
}

struct DiskRecords {
    shared: Arc<Shared>,
    next: RecordNo,
    batch: std::vec::IntoIter<(RecordNo, Vec<u8>)>,
    ended: bool,
}

impl Iterator for DiskRecords {
    type Item = Result<(RecordNo, Vec<u8>), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.batch.len() == 0 && !self.ended {
            match self.shared.batch(self.next) {
                Ok(batch) => self.batch = batch.into_iter(),
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        let record = self.batch.next()?;
        self.next = record.0.next();
        Some(Ok(record))
    }
}
