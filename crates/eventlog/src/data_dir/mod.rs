//! A data directory: an identity file, a lock, and one directory per partition.
//!
//! ```text
//! data.toml            format, partition count, log ids; written once, last of all that creation writes
//! lock                 locked while a process uses the directory; holds its process id
//! partition-000/ …     see `disk_log`
//! ```

mod identity;

use crate::disk;
use crate::disk_log::DiskLog;
use crate::ids::LogId;
use crate::limits::PARTITIONS_MAX;
use crate::log::LogError;
use domain::ids::PartitionNo;
use identity::Identity;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How many partitions a data directory has: 1 to 256, fixed when it is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionCount(u16);

impl PartitionCount {
    /// One partition, the default.
    pub const ONE: Self = Self(1);

    /// `count` partitions. `None` for none and for more than 256.
    #[must_use]
    pub const fn new(count: u16) -> Option<Self> {
        if count == 0 || count > PARTITIONS_MAX { None } else { Some(Self(count)) }
    }

    /// The count.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Every partition.
    pub fn partitions(self) -> impl Iterator<Item = PartitionNo> + use<> {
        // At most 256 of them, by `new`.
        (0..=255).take(usize::from(self.0)).map(PartitionNo)
    }
}

/// Why a data directory cannot be used. The words say what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process uses it.
    #[error("{} is in use by {}; one process at a time can use a data directory. Stop that one, or give this one another directory", path.display(), holder.map_or("another process".to_owned(), |pid| format!("process {pid}")))]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The other process, if it said so.
        holder: Option<u32>,
    },
    /// It was created with another number of partitions, which is fixed from then on.
    #[error("{} was created with {found} partitions, which cannot be changed; {asked} were asked for. Ask for {found}, or create a new directory", path.display())]
    PartitionCount {
        /// The directory.
        path: PathBuf,
        /// What it has.
        found: u16,
        /// What was asked for.
        asked: u16,
    },
    /// The identity file is not what it should be.
    #[error("{}: {problem}. Restore the file from a backup; without it nobody knows which logs belong here", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// There are partitions, but no identity file.
    #[error("{} holds partitions but no data.toml: it is not a whole data directory. Restore data.toml from a backup, or give an empty directory", path.display())]
    NotWhole {
        /// The directory.
        path: PathBuf,
    },
    /// A partition's directory is missing.
    #[error("{} is missing. Is the disk mounted? Otherwise restore it from a backup", path.display())]
    PartitionMissing {
        /// The directory.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// A data directory, held by this process until dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    identity: Identity,
    /// Locked. The lock ends with the process, however it ends.
    _lock: File,
}

/// One partition of a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDir {
    /// Which.
    pub no: PartitionNo,
    /// Its directory.
    pub path: PathBuf,
    /// Its log.
    pub log_id: LogId,
}

impl DataDir {
    /// Opens a data directory, or creates one where there is nothing, and holds it for this process.
    ///
    /// # Errors
    /// [`DataDirError`] says in words what is wrong and what to do.
    pub fn open(path: &Path, partitions: PartitionCount) -> Result<Self, DataDirError> {
        std::fs::create_dir_all(path).map_err(LogError::io("create", path))?;
        let lock = lock(path)?;
        let identity = match Identity::load(&path.join("data.toml"))? {
            Some(identity) => identity,
            None => create(path, partitions)?,
        };
        let found = identity.partitions().get();
        if found != partitions.get() {
            return Err(DataDirError::PartitionCount { path: path.to_owned(), found, asked: partitions.get() });
        }
        let dir = Self { path: path.to_owned(), identity, _lock: lock };
        match dir.partitions().find(|partition| !partition.path.is_dir()) {
            Some(missing) => Err(DataDirError::PartitionMissing { path: missing.path }),
            None => Ok(dir),
        }
    }

    /// The number of partitions that the directory at `path` was created with; `None` if there is none yet. For
    /// tools that take a directory as it is.
    ///
    /// # Errors
    /// The identity file is damaged.
    pub fn partition_count(path: &Path) -> Result<Option<PartitionCount>, DataDirError> {
        Ok(Identity::load(&path.join("data.toml"))?.map(|identity| identity.partitions()))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its partitions.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionDir> + use<> {
        let path = self.path.clone();
        self.identity.logs().map(move |(no, log_id)| PartitionDir { no, path: partition_path(&path, no), log_id })
    }
}

fn partition_path(path: &Path, no: PartitionNo) -> PathBuf {
    path.join(format!("partition-{:03}", no.0))
}

/// Lays out a new data directory. The identity file comes last: without it nothing of this counts, and a crash in
/// the middle leaves partitions that were never used.
fn create(path: &Path, partitions: PartitionCount) -> Result<Identity, DataDirError> {
    for name in disk::names_in(path)?.iter().filter(|name| name.starts_with("partition-")) {
        // Left by a creation that did not come to its end, unless there was ever a record in it.
        if disk::names_in(&path.join(name))?.iter().any(|name| name.starts_with("gen-")) {
            return Err(DataDirError::NotWhole { path: path.to_owned() });
        }
    }
    // Whoever made this directory did not make its name durable; without it all that follows is in vain.
    disk::sync_above(path)?;
    let identity = Identity::draw(partitions);
    for (no, log_id) in identity.logs() {
        DiskLog::create(&partition_path(path, no), log_id)?;
    }
    disk::write_whole(&path.join("data.toml"), identity.to_text().as_bytes())?;
    Ok(identity)
}

fn lock(path: &Path) -> Result<File, DataDirError> {
    let at = path.join("lock");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&at);
    let mut file = file.map_err(LogError::io("open", &at))?;
    if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if error != rustix::io::Errno::WOULDBLOCK {
            return Err(LogError::io("lock", &at)(error.into()).into());
        }
        let mut holder = String::new();
        let holder = file.read_to_string(&mut holder).ok().and_then(|_| holder.trim().parse().ok());
        return Err(DataDirError::InUse { path: path.to_owned(), holder });
    }
    // For people only; the lock is what counts.
    let note = |file: &mut File| -> std::io::Result<()> {
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        writeln!(file, "{}", std::process::id())
    };
    note(&mut file).map_err(LogError::io("write", &at))?;
    Ok(file)
}

#[cfg(test)]
mod tests;
