//! Where a follower's table is kept between starts: one small file, replaced whole.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Where a follower's table is kept.
#[derive(Clone, Debug)]
pub enum FollowUpStore {
    /// In a file.
    File(PathBuf),
    /// In memory, for tests: it outlives an engine as a file would.
    Memory(Arc<Mutex<Option<Vec<u8>>>>),
}

impl FollowUpStore {
    /// A place in memory.
    #[must_use]
    pub fn memory() -> Self {
        Self::Memory(Arc::default())
    }

    pub(super) fn load(&self) -> Result<Option<Vec<u8>>, String> {
        match self {
            Self::File(path) => eventlog::read_small_file(path).map_err(|error| error.to_string()),
            Self::Memory(bytes) => Ok(bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()),
        }
    }

    pub(super) fn save(&self, bytes: Vec<u8>) -> Result<(), String> {
        match self {
            Self::File(path) => eventlog::replace_small_file(path, &bytes).map_err(|error| error.to_string()),
            Self::Memory(kept) => {
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
                Ok(())
            }
        }
    }
}
