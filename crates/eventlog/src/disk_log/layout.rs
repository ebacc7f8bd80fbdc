//! Where a partition's files lie.
//!
//! ```text
//! anchor                     the last durable point known, see `anchor`
//! clean                      there after a clean stop, and only then
//! snapshots/                 see `snapshot`
//! gen-00000001/              a closed generation
//!   from-<record>.records    its records, one after another
//! gen-00000002/              the current generation
//!   sled/                    sled's own files
//!   aside/                   a copy of them, from before an unclean open, until the chain was checked
//! ```

use std::path::{Path, PathBuf};

use crate::ids::RecordNo;

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

    pub(crate) fn sled(&self) -> PathBuf {
        self.dir.join("sled")
    }

    pub(crate) fn aside(&self) -> PathBuf {
        self.dir.join("aside")
    }

    pub(crate) fn aside_unfinished(&self) -> PathBuf {
        self.dir.join("aside.tmp")
    }

    pub(crate) fn restoring(&self) -> PathBuf {
        self.dir.join("sled.tmp")
    }

    pub(crate) fn sealed(&self, first: RecordNo) -> PathBuf {
        self.dir.join(format!("from-{:020}.records", first.0))
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
