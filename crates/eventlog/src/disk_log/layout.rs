//! Where a partition's files lie.
//!
//! ```text
//! anchor                     the last durable point known, see `anchor`
//! clean                      there after a clean stop, and only then
//! snapshots/                 see `snapshot`
//! gen-00000001/              a closed generation
//!   from-<record>.records    its records, one after another
//! gen-00000002/              the current generation
//!   sled/ or fjall/          the storage engine's own files
//!   aside/ or aside-fjall/   a copy of them, from before an unclean open, until the chain was checked
//! gen-00000003/              a generation made ready before it is needed
//!   unused                   there until its first record may be written
//! ```

use super::options::StorageEngine;
use crate::ids::RecordNo;
use std::path::{Path, PathBuf};

/// The directory of one partition.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    dir: PathBuf,
}

impl Layout {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn anchor(&self) -> PathBuf {
        self.dir.join("anchor")
    }

    pub(crate) fn clean(&self) -> PathBuf {
        self.dir.join("clean")
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.dir.join("snapshots")
    }

    pub(crate) fn generation(&self, no: u32) -> GenerationDir {
        GenerationDir { dir: self.dir.join(format!("gen-{no:08}")) }
    }
}

/// The number in a generation's directory name.
pub(crate) fn generation_no(name: &str) -> Option<u32> {
    name.strip_prefix("gen-").filter(|digits| digits.len() == 8).and_then(|digits| digits.parse().ok())
}

/// The directory of one generation.
#[derive(Clone, Debug)]
pub(crate) struct GenerationDir {
    dir: PathBuf,
}

impl GenerationDir {
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it was made with. Where a crash came while the database was put back, only the copy aside tells.
    pub(crate) fn engine(&self) -> Option<StorageEngine> {
        let is_there = |engine: &StorageEngine| self.database(*engine).exists() || self.aside(*engine).exists();
        StorageEngine::ALL.into_iter().find(is_there)
    }

    pub(crate) fn database(&self, engine: StorageEngine) -> PathBuf {
        self.dir.join(engine.name())
    }

    pub(crate) fn aside(&self, engine: StorageEngine) -> PathBuf {
        self.dir.join(match engine {
            StorageEngine::Sled => "aside",
            StorageEngine::Fjall => "aside-fjall",
        })
    }

    pub(crate) fn aside_unfinished(&self, engine: StorageEngine) -> PathBuf {
        self.aside(engine).with_extension("tmp")
    }

    pub(crate) fn restoring(&self, engine: StorageEngine) -> PathBuf {
        self.database(engine).with_extension("tmp")
    }

    pub(crate) fn sealed(&self, first: RecordNo) -> PathBuf {
        self.dir.join(format!("from-{:020}.records", first.0))
    }

    pub(crate) fn unused(&self) -> PathBuf {
        self.dir.join("unused")
    }

    pub(crate) fn sealing(&self) -> PathBuf {
        self.dir.join("sealing.tmp")
    }
}

/// The first record in a closed generation, by its file's name.
pub(crate) fn sealed_first(name: &str) -> Option<RecordNo> {
    let digits = name.strip_prefix("from-")?.strip_suffix(".records")?;
    digits.parse().ok().filter(|_| digits.len() == 20).map(RecordNo)
}
