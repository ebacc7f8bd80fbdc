//! Why a log cannot be replayed. Every message says what happened, what it means and what to do.
//!
//! A broken invariant is no error here: it is a [`crate::Finding`], and the replay goes on.

use crate::walk::WalkError;
use domain::ids::PartitionNo;
use domain::text::Sku;
use eventlog::{DataDirError, LogError, RecordNo};
use std::path::PathBuf;

/// Why a log cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// There is no data directory at this place.
    #[error("{} is no data directory: it has no data.toml. Give the directory that holds data.toml and partition-000 (of a server, a copy or a backup)", path.display())]
    NotADataDirectory {
        /// The place.
        path: PathBuf,
    },
    /// The copy cannot be made.
    #[error("the private copy cannot be made: could not {action} {}: {source}. Replay never works on the log itself; make room, or name another place with TMPDIR", path.display())]
    Copy {
        /// What was tried.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data directory is not whole.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The directory has no such partition.
    #[error("there is no partition {}: the directory has {count}", partition.0)]
    NoSuchPartition {
        /// The one asked for.
        partition: PartitionNo,
        /// How many there are.
        count: u16,
    },
    /// The copy of a log cannot be opened.
    #[error("partition {}: {error}", partition.0)]
    Log {
        /// Of which partition.
        partition: PartitionNo,
        /// Why.
        error: LogError,
    },
    /// The log cannot be read on.
    #[error("partition {}: {error}", partition.0)]
    Walk {
        /// Of which partition.
        partition: PartitionNo,
        /// Why.
        error: WalkError,
    },
    /// Old records were removed, and no snapshot stands for them.
    #[error("partition {}: the log begins at record {first}, and no snapshot of record {} or later can be read. What came before is not known any more; restore a backup that has it", partition.0, first.before())]
    Retired {
        /// In which partition.
        partition: PartitionNo,
        /// The first record there is.
        first: RecordNo,
    },
    /// The log knows no such item.
    #[error("the log knows no item {sku}. `holdfast replay` without --item lists those it knows")]
    UnknownItem {
        /// Its name.
        sku: Sku,
    },
    /// A number names an event of one stream only.
    #[error("an event number says nothing in {count} partitions: each counts its own. Add --item, or give an instant")]
    NumberOfManyLogs {
        /// How many partitions there are.
        count: usize,
    },
    /// The system gave no thread to read with.
    #[error(
        "the system gave no thread to read the log with: {0}. Nothing was replayed; try again when less is going on"
    )]
    Thread(std::io::Error),
    /// What was read cannot be written out.
    #[error("the output cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

impl ReplayError {
    /// Whether the log itself is damaged (or newer than this program), as against unreachable.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Walk { error, .. } => error.is_damage(),
            Self::Log { error, .. } => matches!(error, LogError::Unopenable { .. } | LogError::Spilled { .. }),
            Self::DataDir(error) => match error {
                DataDirError::Identity { .. } | DataDirError::PartitionMissing { .. } => true,
                DataDirError::InUse { .. }
                | DataDirError::PartitionCount { .. }
                | DataDirError::NotWhole { .. }
                | DataDirError::Log(_) => false,
            },
            Self::Retired { .. } => true,
            Self::NotADataDirectory { .. }
            | Self::Copy { .. }
            | Self::NoSuchPartition { .. }
            | Self::UnknownItem { .. }
            | Self::NumberOfManyLogs { .. }
            | Self::Thread(_)
            | Self::Output(_) => false,
        }
    }
}
