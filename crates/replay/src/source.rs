//! The logs to be replayed: those of a data directory, opened on a private copy, or any others that are given.
//!
//! The one writer of the original is not disturbed, and nothing of it is ever changed. Recovery is not run either: a
//! torn tail is left out while reading, not cut.

use crate::copy::{self, Original, Workplace};
use crate::error::ReplayError;
use crate::walk::{Walk, WalkError};
use domain::ids::PartitionNo;
use domain::partition::partition_of;
use domain::text::Sku;
use engine::fold::Folded;
use engine::snapshots;
use eventlog::data_dir::PartitionDir;
use eventlog::{
    ChainPoint, DataDir, DiskLog, DiskOptions, LocalLog, LogId, LogReader, PartitionCount, RecordNo, SnapshotStore,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How often a log that is being written is copied until a copy holds.
const COPIES_MAX: usize = 5;

/// Which logs of a directory are wanted. Only these are copied.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// Every partition's.
    All,
    /// That of the partition an item belongs to.
    Item(&'a Sku),
    /// One partition's.
    Partition(PartitionNo),
}

/// Logs opened for replay.
#[derive(Debug)]
pub struct Logs {
    /// One for each partition wanted, in order.
    pub sources: Vec<Source>,
    /// How many partitions the directory has.
    pub partition_count: u16,
}

/// One log opened for replay.
#[derive(Debug)]
pub struct Source {
    no: PartitionNo,
    log: Box<dyn LocalLog>,
    reader: Arc<dyn LogReader>,
    snapshots: Option<SnapshotStore>,
    /// The copy's directory and the original's: damage is told by where it lies there.
    moved: Option<(PathBuf, PathBuf)>,
    written_meanwhile: bool,
}

impl Logs {
    /// Copies the wanted logs of a data directory, a copy of one or a backup, and opens the copies. A server may run
    /// on the directory meanwhile.
    ///
    /// # Errors
    /// [`ReplayError`] says in words what is wrong and what to do.
    pub fn open(dir: &Path, wanted: Wanted<'_>, place: &Workplace) -> Result<Self, ReplayError> {
        let count = DataDir::partition_count(dir)?;
        let count = count.ok_or_else(|| ReplayError::NotADataDirectory { path: dir.to_owned() })?;
        let only = match wanted {
            Wanted::All => None,
            Wanted::Item(sku) => Some(partition_of(sku, count.get())),
            Wanted::Partition(no) => Some(no),
        };
        if let Some(partition) = only.filter(|no| u16::from(no.0) >= count.get()) {
            return Err(ReplayError::NoSuchPartition { partition, count: count.get() });
        }
        let room = place.room()?;
        let mut sources = Vec::new();
        for copied in lay_out(dir, &room, count)? {
            if only.is_none_or(|only| only == copied.no) {
                let name = copied.path.file_name().unwrap_or_default();
                sources.push(open_one(&dir.join(name), &copied)?);
            }
        }
        Ok(Self { sources, partition_count: count.get() })
    }

    /// These logs, as one data directory.
    #[must_use]
    pub fn of(sources: Vec<Source>) -> Self {
        let partition_count = u16::try_from(sources.len()).unwrap_or(u16::MAX).max(1);
        Self { sources, partition_count }
    }
}

impl Source {
    /// A log that is open already, of a partition. It is read and otherwise left alone.
    #[must_use]
    pub fn of_log(no: PartitionNo, log: Box<dyn LocalLog>, snapshots: Option<SnapshotStore>) -> Self {
        let reader = log.reader();
        Self { no, log, reader, snapshots, moved: None, written_meanwhile: false }
    }

    /// Whose log it is.
    #[must_use]
    pub const fn partition(&self) -> PartitionNo {
        self.no
    }

    /// Which log it is.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        self.log.log_id()
    }

    /// The point that the log is known to have reached.
    #[must_use]
    pub fn anchor(&self) -> ChainPoint {
        self.log.anchor()
    }

    /// The first record there is.
    #[must_use]
    pub fn first(&self) -> RecordNo {
        self.reader.first()
    }

    /// The last record there is, right or torn.
    #[must_use]
    pub fn last(&self) -> RecordNo {
        self.reader.tail()
    }

    /// Whether somebody wrote to the original while it was copied: records behind [`Source::last`] may exist.
    #[must_use]
    pub const fn was_written_meanwhile(&self) -> bool {
        self.written_meanwhile
    }

    /// Its snapshots, if it keeps any.
    #[must_use]
    pub const fn snapshots(&self) -> Option<&SnapshotStore> {
        self.snapshots.as_ref()
    }

    /// Reads it from behind `point`, checking everything.
    #[must_use]
    pub fn walk(&self, point: ChainPoint) -> Walk<'_> {
        Walk::new(self, self.reader.as_ref(), point)
    }

    /// Where replay begins: before the first record, or, where old records were removed, at the oldest snapshot that
    /// stands for them.
    ///
    /// # Errors
    /// [`ReplayError::Retired`] where there is none.
    pub fn begin(&self) -> Result<(ChainPoint, Folded), ReplayError> {
        if self.first() <= RecordNo(1) {
            return Ok((ChainPoint::START, Folded::new(self.no)));
        }
        let retired = ReplayError::Retired { partition: self.no, first: self.first() };
        let Some(store) = &self.snapshots else { return Err(retired) };
        let listed = store.list().map_err(|error| ReplayError::Log { partition: self.no, error })?;
        let covering = listed.iter().filter(|(record, _)| record.next() >= self.first());
        let mut unfolded = covering.filter_map(|(_, path)| {
            let snapshot = store.open(path).ok()?;
            Some((snapshot.point, snapshots::unfold(&snapshot).ok()?))
        });
        unfolded.next().ok_or(retired)
    }

    /// Where a record lies in the original.
    pub(crate) fn place_of(&self, record: RecordNo) -> eventlog::Place {
        let mut place = self.log.place_of(record);
        if let Some((copy, original)) = &self.moved
            && let Ok(inside) = place.path.strip_prefix(copy)
        {
            place.path = original.join(inside);
        }
        place
    }

    pub(crate) fn failed(&self) -> impl Fn(WalkError) -> ReplayError + use<> {
        let partition = self.no;
        move |error| ReplayError::Walk { partition, error }
    }
}

/// The empty shell of a copy: its identity, and a directory for each partition.
fn lay_out(dir: &Path, room: &Path, count: PartitionCount) -> Result<Vec<PartitionDir>, ReplayError> {
    copy::file(&dir.join("data.toml"), &room.join("data.toml"))?;
    for no in count.partitions() {
        copy::make_dir(&room.join(format!("partition-{:03}", no.0)))?;
    }
    Ok(DataDir::open(room, count)?.partitions().collect())
}

/// Copies and opens one partition, again if it was written meanwhile and the copy does not hold.
fn open_one(original: &Path, copied: &PartitionDir) -> Result<Source, ReplayError> {
    if !original.is_dir() {
        return Err(eventlog::DataDirError::PartitionMissing { path: original.to_owned() }.into());
    }
    let mut left = COPIES_MAX;
    loop {
        left = left.saturating_sub(1);
        std::fs::remove_dir_all(&copied.path).map_err(copy::failed("clear", &copied.path))?;
        let stood = copy::partition(original, &copied.path)?;
        let opened = open_copy(original, copied, stood);
        if stood == Original::StoodStill || left == 0 {
            return opened;
        }
        match opened {
            // Reading it once more than needed is the price of knowing that this copy is not torn in the middle.
            Ok(source) if source.walk(ChainPoint::START).chain_holds(source.first()) => return Ok(source),
            Ok(_) => {}
            Err(error) if error.is_damage() => {}
            Err(error) => return Err(error),
        }
    }
}

fn open_copy(original: &Path, copied: &PartitionDir, stood: Original) -> Result<Source, ReplayError> {
    // Nothing of a private copy has to survive a power cut.
    let options = DiskOptions { is_throwaway_copy: true, sync: Arc::new(|_| Ok(())), ..DiskOptions::default() };
    let log = DiskLog::open(&copied.path, copied.log_id, options);
    let log = log.map_err(|error| ReplayError::Log { partition: copied.no, error })?;
    let snapshots = Some(log.snapshots());
    Ok(Source {
        moved: Some((copied.path.clone(), original.to_owned())),
        written_meanwhile: stood == Original::Changed,
        ..Source::of_log(copied.no, Box::new(log), snapshots)
    })
}
