//! What can be set about a log on disk, and injected into it by tests.

use crate::limits::{ANCHOR_EVERY, COMMIT_STALL_MAX, GENERATION_RECORD_BYTES};
use std::fmt;
use std::fs::File;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Called when a commit hangs. The binary ends the process; nothing else helps.
pub type OnStall = Arc<dyn Fn(String) + Send + Sync>;

/// Makes a file's bytes durable. Tests put failing and slow disks in its place.
pub type SyncFile = Arc<dyn Fn(&File) -> std::io::Result<()> + Send + Sync>;

/// What holds the records of a generation until it is closed (docs/decisions/0013).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StorageEngine {
    /// sled 0.34, the default.
    #[default]
    Sled,
    /// fjall 2.
    Fjall,
}

impl StorageEngine {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Sled, Self::Fjall];

    /// Its name, also that of its directory in a generation's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Fjall => "fjall",
        }
    }
}

impl fmt::Display for StorageEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for StorageEngine {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|engine| engine.name() == text).ok_or("it is `sled` or `fjall`")
    }
}

/// How a log on disk behaves.
#[derive(Clone)]
pub struct DiskOptions {
    /// What a new generation is made with. One that is there is opened with what it holds.
    pub engine: StorageEngine,
    /// Called, once per commit, when one takes longer than `stall_max`.
    pub on_stall: OnStall,
    /// How long a commit may take.
    pub stall_max: Duration,
    /// How often the anchor follows.
    pub anchor_every: Duration,
    /// Bytes of records after which rotation is due.
    pub generation_record_bytes: u64,
    /// The sync that makes a commit durable.
    pub sync: SyncFile,
    /// The files are a copy that somebody made only to read it: nothing is copied aside before it is opened.
    pub is_throwaway_copy: bool,
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self {
            engine: StorageEngine::default(),
            on_stall: Arc::new(|words| tracing::error!("{words}")),
            stall_max: COMMIT_STALL_MAX,
            anchor_every: ANCHOR_EVERY,
            generation_record_bytes: GENERATION_RECORD_BYTES,
            sync: Arc::new(File::sync_data),
            is_throwaway_copy: false,
        }
    }
}

impl fmt::Debug for DiskOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskOptions")
            .field("engine", &self.engine)
            .field("stall_max", &self.stall_max)
            .field("anchor_every", &self.anchor_every)
            .field("generation_record_bytes", &self.generation_record_bytes)
            .field("is_throwaway_copy", &self.is_throwaway_copy)
            .finish_non_exhaustive()
    }
}
