//! Snapshots: folded state in files of their own, so that recovery need not read the whole log.
//!
//! What the sections of a snapshot hold is the caller's business. A file is written aside, synced and renamed, ends
//! with the hash of all of it, and is named by the record that it was folded up to. The newest one that is whole
//! wins; others are passed over with a report. A snapshot is never the only copy of anything the log still holds.

mod sections;

pub use sections::{Paced, Sections};

use crate::background::Unhurried;
use crate::disk;
use crate::ids::{ChainHash, ChainPoint, EventNo, LogId, RecordNo};
use crate::limits::SNAPSHOTS_KEPT;
use crate::log::LogError;
use crate::record::Cursor;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::thread::Builder;

/// The last character is the version of what the sections hold: a snapshot of another one is passed over, and the log
/// is folded instead.
const MAGIC: [u8; 4] = *b"HFS3";
/// Magic, log id, record, event, hash.
const HEAD_BYTES: usize = 4 + 16 + 8 + 8 + 32;
const HASH_BYTES: u64 = 32;
/// What is read at once for the hash.
const CHECKED_AT_ONCE: usize = 128 * 1024;
/// Stands where a section's length would: the end, and then how many sections there were.
const END: u64 = u64::MAX;

/// The snapshots of one log.
#[derive(Clone, Debug)]
pub struct SnapshotStore {
    dir: PathBuf,
    log_id: LogId,
    pace: Pace,
}

/// How snapshots are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// As fast as can be, on several threads: somebody waits, and nobody is served meanwhile.
    Ahead,
    /// On one thread: others are served.
    Alone,
    /// On one thread, with rests: nobody waits for it.
    Unhurried,
}

impl Pace {
    fn rests(self) -> Option<Unhurried> {
        (self == Self::Unhurried).then(Unhurried::begin)
    }
}

/// A snapshot.
#[derive(Debug)]
pub struct Snapshot {
    /// What it covers: reading goes on behind this.
    pub point: ChainPoint,
    /// Its file.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    file: File,
    pace: Pace,
}

/// What was read of the newest snapshot that is whole, and the newer ones that are not.
#[derive(Debug)]
pub struct Newest<T> {
    /// `None` if there is none: fold from the start.
    pub read: Option<T>,
    /// What was passed over.
    pub skipped: Vec<Skipped>,
}

/// A snapshot that was passed over.
#[derive(Debug)]
pub struct Skipped {
    /// Its file.
    pub path: PathBuf,
    /// Why.
    pub error: SnapshotError,
}

/// Why a snapshot cannot be used. The log can still be folded from an older one, or from the start.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It could not be read.
    #[error("it could not be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is not whole, or bits of it have changed.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// It belongs to another log.
    #[error("it belongs to log {found}, not to {expected}")]
    OtherLog {
        /// This log.
        expected: LogId,
        /// The log it names.
        found: LogId,
    },
}

/// A section as it is written: piece by piece, for one may be larger than memory should be. It writes the same bytes
/// each time.
pub trait Section {
    /// Writes it.
    ///
    /// # Errors
    /// It could not be written there.
    fn write_to(&self, to: &mut dyn Write) -> std::io::Result<()>;

    /// How long it is, in bytes.
    ///
    /// # Errors
    /// It could not be made.
    fn length(&self) -> std::io::Result<u64> {
        let mut counted = Counted { to: &mut std::io::sink(), count: 0 };
        self.write_to(&mut counted)?;
        Ok(counted.count)
    }

    /// All of it at once.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write_to(&mut bytes).expect("memory takes all that is written");
        bytes
    }
}

impl Section for Vec<u8> {
    fn write_to(&self, to: &mut dyn Write) -> std::io::Result<()> {
        to.write_all(self)
    }
}

/// Counts what goes through.
struct Counted<'w> {
    to: &'w mut dyn Write,
    count: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.count = self.count.saturating_add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

impl SnapshotStore {
    /// The snapshots in `dir`.
    #[must_use]
    pub fn new(dir: &Path, log_id: LogId) -> Self {
        Self { dir: dir.to_owned(), log_id, pace: Pace::Ahead }
    }

    /// The same, to be read on one thread: others are served meanwhile.
    #[must_use]
    pub fn alone(&self) -> Self {
        Self { pace: Pace::Alone, ..self.clone() }
    }

    /// The same, to be read with rests: nobody waits for it.
    #[must_use]
    pub fn unhurried(&self) -> Self {
        Self { pace: Pace::Unhurried, ..self.clone() }
    }

    /// Writes a snapshot of the state at `point`, one section after another, and removes all but the newest two.
    /// Returns only when it would survive a crash.
    ///
    /// # Errors
    /// It could not be written; the ones before are still there.
    pub fn write(
        &self,
        point: ChainPoint,
        sections: impl IntoIterator<Item = impl Section>,
    ) -> Result<PathBuf, LogError> {
        let path = self.dir.join(name(point.record));
        let aside = path.with_extension("tmp");
        let write = || write_file(&aside, self.log_id, point, sections);
        write().map_err(LogError::io("write", &aside))?;
        disk::rename(&aside, &path)?;
        self.prune()?;
        Ok(path)
    }

    /// Reads the newest snapshot that is whole. Whether it is shows while it is read already, for both take long; what
    /// was read of one that is not goes no further.
    ///
    /// # Errors
    /// The directory could not be read.
    pub fn newest<T>(&self, read: impl Fn(&Snapshot) -> T) -> Result<Newest<T>, LogError> {
        let mut skipped = Vec::new();
        for (_, path) in self.list()?.into_iter().rev() {
            match self.look(&path).and_then(|snapshot| snapshot.read_and_check(&read)) {
                Ok(read) => return Ok(Newest { read: Some(read), skipped }),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a snapshot is passed over");
                    skipped.push(Skipped { path, error });
                }
            }
        }
        Ok(Newest { read: None, skipped })
    }

    /// Records that have a snapshot file, oldest first. Files left by a crash are none.
    ///
    /// # Errors
    /// The directory could not be read.
    pub fn list(&self) -> Result<Vec<(RecordNo, PathBuf)>, LogError> {
        if !self.dir.exists() {
            return Ok(Vec::new());
        }
        let names = disk::names_in(&self.dir)?;
        Ok(names.iter().filter_map(|name| Some((record_of(name)?, self.dir.join(name)))).collect())
    }

    fn prune(&self) -> Result<(), LogError> {
        // What a crash left half-written: there is one writer, and it has just finished.
        for name in disk::names_in(&self.dir)?.iter().filter(|name| name.ends_with(".tmp")) {
            disk::remove_file_unhurried(&self.dir.join(name))?;
        }
        let all = self.list()?;
        let gone = all.len().saturating_sub(SNAPSHOTS_KEPT);
        all.iter().take(gone).try_for_each(|(_, path)| disk::remove_file_unhurried(path))
    }

    /// The snapshot in this file, if it is whole and of this log.
    ///
    /// # Errors
    /// [`SnapshotError`] says why it cannot be used.
    pub fn open(&self, path: &Path) -> Result<Snapshot, SnapshotError> {
        let snapshot = self.look(path)?;
        check_hash(&snapshot.file, snapshot.bytes, snapshot.pace)?;
        Ok(snapshot)
    }

    /// The snapshot in this file as its head and its name tell.
    fn look(&self, path: &Path) -> Result<Snapshot, SnapshotError> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        match self.told_by(&file, path) {
            Ok(point) => Ok(Snapshot { point, path: path.to_owned(), bytes, file, pace: self.pace }),
            // A head that is damaged may tell anything.
            Err(error) => check_hash(&file, bytes, self.pace).and(Err(error)),
        }
    }

    /// What it covers.
    fn told_by(&self, mut file: &File, path: &Path) -> Result<ChainPoint, SnapshotError> {
        let (found, point) = read_head(&mut file)?;
        if found != self.log_id {
            return Err(SnapshotError::OtherLog { expected: self.log_id, found });
        }
        if record_of(path.file_name().and_then(|name| name.to_str()).unwrap_or_default()) != Some(point.record) {
            return Err(SnapshotError::Damaged("its name tells of another record"));
        }
        Ok(point)
    }
}

impl Snapshot {
    /// What `read` makes of it, if it is whole.
    fn read_and_check<T>(&self, read: impl Fn(&Self) -> T) -> Result<T, SnapshotError> {
        if !self.reads_ahead() {
            check_hash(&self.file, self.bytes, self.pace)?;
            return Ok(read(self));
        }
        std::thread::scope(|scope| {
            let check = || check_hash(&self.file, self.bytes, self.pace);
            let checking = Builder::new().name("snapshot-check".to_owned()).spawn_scoped(scope, check);
            // Bytes that are not what was written may lead anywhere; only those that are have a right to be heard.
            let made = catch_unwind(AssertUnwindSafe(|| read(self)));
            match checking {
                Ok(checking) => checking.join().unwrap_or_else(|panic| resume_unwind(panic))?,
                Err(_no_thread) => check()?,
            }
            Ok(made.unwrap_or_else(|panic| resume_unwind(panic)))
        })
    }

    /// Whether it may be read on a thread beside the one that uses it.
    #[must_use]
    pub fn reads_ahead(&self) -> bool {
        self.pace == Pace::Ahead
    }

    /// Its sections, in the order they were written.
    ///
    /// # Errors
    /// The file could not be read.
    pub fn sections(&self) -> Result<Sections, SnapshotError> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(HEAD_BYTES as u64))?;
        let left = self.bytes.saturating_sub(HEAD_BYTES as u64).saturating_sub(HASH_BYTES);
        Ok(Sections::begin_at(file, left, self.pace.rests()))
    }
}

fn name(record: RecordNo) -> String {
    format!("upto-{:020}.snapshot", record.0)
}

fn record_of(name: &str) -> Option<RecordNo> {
    let digits = name.strip_prefix("upto-")?.strip_suffix(".snapshot")?;
    digits.parse().ok().filter(|_| digits.len() == 20).map(RecordNo)
}

fn write_file(
    path: &Path,
    log_id: LogId,
    point: ChainPoint,
    sections: impl IntoIterator<Item = impl Section>,
) -> std::io::Result<()> {
    let hashing = Hashing { to: disk::Steady::create_unhurried(path)?, hasher: blake3::Hasher::new() };
    // Sections come in small pieces, and are hashed and written in large ones.
    let mut to = BufWriter::with_capacity(disk::PIECE_BYTES, hashing);
    to.write_all(&MAGIC)?;
    to.write_all(&log_id.0)?;
    to.write_all(&point.record.0.to_le_bytes())?;
    to.write_all(&point.event.0.to_le_bytes())?;
    to.write_all(&point.hash.0)?;
    let mut count = 0u64;
    for section in sections {
        let length = section.length()?;
        to.write_all(&length.to_le_bytes())?;
        let mut counted = Counted { to: &mut to, count: 0 };
        section.write_to(&mut counted)?;
        if counted.count != length {
            return Err(std::io::Error::other(format!("a section of {length} bytes became {}", counted.count)));
        }
        count = count.saturating_add(1);
    }
    to.write_all(&END.to_le_bytes())?;
    to.write_all(&count.to_le_bytes())?;
    let Hashing { mut to, hasher } = to.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    to.write_all(hasher.finalize().as_bytes())?;
    to.finish()
}

struct Hashing {
    to: disk::Steady,
    hasher: blake3::Hasher,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

/// Whether a file is whole: that it has the hash which it ends with. Reads beside whoever else reads it.
fn check_hash(file: &File, bytes: u64, pace: Pace) -> Result<(), SnapshotError> {
    let content = bytes.checked_sub(HASH_BYTES).ok_or(SnapshotError::Damaged("it is too short"))?;
    let (mut hasher, mut pace) = (blake3::Hasher::new(), pace.rests());
    let (mut piece, mut at) = (vec![0; CHECKED_AT_ONCE], 0_u64);
    while at < content {
        let wanted = usize::try_from(content.saturating_sub(at)).unwrap_or(usize::MAX).min(piece.len());
        let read = file.read_at(piece.get_mut(..wanted).unwrap_or_default(), at)?;
        if read == 0 {
            return Err(SnapshotError::Damaged("it is too short"));
        }
        hasher.update(piece.get(..read).unwrap_or_default());
        at = at.saturating_add(read as u64);
        if let Some(pace) = &mut pace {
            pace.breathe();
        }
    }
    let mut told = [0; HASH_BYTES as usize];
    file.read_exact_at(&mut told, content)?;
    if hasher.finalize() == blake3::Hash::from_bytes(told) {
        Ok(())
    } else {
        Err(SnapshotError::Damaged("its hash is another"))
    }
}

fn read_head(file: &mut impl Read) -> Result<(LogId, ChainPoint), SnapshotError> {
    let mut head = [0; HEAD_BYTES];
    file.read_exact(&mut head)?;
    let mut at = Cursor(&head);
    let fields = || {
        let magic: [u8; 4] = at.array()?;
        let log_id = LogId(at.array()?);
        let (record, event) = (RecordNo(at.u64()?), EventNo(at.u64()?));
        Some((magic, log_id, ChainPoint { record, event, hash: ChainHash(at.array()?) }))
    };
    let mut fields = fields;
    match fields() {
        Some((MAGIC, log_id, point)) => Ok((log_id, point)),
        _ => Err(SnapshotError::Damaged("it does not begin like a snapshot")),
    }
}

#[cfg(test)]
mod tests;
