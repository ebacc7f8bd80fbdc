//! What can be set about a sled log, and injected into it by tests.

use crate::limits::{ANCHOR_EVERY, COMMIT_STALL_MAX, GENERATION_RECORD_BYTES};
use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

/// Called when a commit hangs. The binary ends the process; nothing else helps.
pub type OnStall = Arc<dyn Fn(String) + Send + Sync>;

/// Makes a file's bytes durable. Tests put failing and slow disks in its place.
pub type SyncFile = Arc<dyn Fn(&File) -> std::io::Result<()> + Send + Sync>;

/// How a sled log behaves.
#[derive(Clone)]
pub struct DiskOptions {
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
            .field("stall_max", &self.stall_max)
            .field("anchor_every", &self.anchor_every)
            .field("generation_record_bytes", &self.generation_record_bytes)
            .field("is_throwaway_copy", &self.is_throwaway_copy)
            .finish_non_exhaustive()
    }
}
