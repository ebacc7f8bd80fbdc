//! Every engine keeps the contract of a claimed log: one suite, each engine a module.

use eventlog::conformance::Subject;
use eventlog::{LocalLog, LogId, MemoryDisk, MemoryLog, SledLog, SledOptions};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const LOG: LogId = LogId([0x5a; 16]);

struct Memory {
    disk: MemoryDisk,
    seed: u64,
}

impl Memory {
    fn new() -> Self {
        Self { disk: MemoryDisk::new(LOG), seed: 1 }
    }
}

impl Subject for Memory {
    fn open(&mut self) -> Box<dyn LocalLog> {
        Box::new(MemoryLog::open(self.disk.clone()))
    }

    fn crash(&mut self, log: Box<dyn LocalLog>) {
        self.seed += 1;
        self.disk.crash(self.seed);
        drop(log);
    }
}

/// A directory in memory where there is one: the suite is about behaviour, not about the disk's pace.
struct Sled {
    root: tempfile::TempDir,
    incarnation: u32,
}

impl Sled {
    fn new() -> Self {
        let shm = Path::new("/dev/shm");
        let root = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() };
        let sled = Self { root: root.expect("a temporary directory"), incarnation: 0 };
        SledLog::create(&sled.dir(), LOG).expect("an empty directory");
        sled
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join(format!("{:04}", self.incarnation))
    }
}

impl Subject for Sled {
    fn open(&mut self) -> Box<dyn LocalLog> {
        Box::new(SledLog::open(&self.dir(), LOG, SledOptions::default()).expect("it opens"))
    }

    /// What a killed process leaves is what its files hold at that moment: go on from a copy of them.
    fn crash(&mut self, log: Box<dyn LocalLog>) {
        let from = self.dir();
        self.incarnation += 1;
        copy(&from, &self.dir());
        drop(log);
    }
}

/// Copies a directory as it is at one moment: again, until nothing in it changed while it was copied. Background
/// threads rename and remove files, and half of such a step is nothing that a killed process leaves.
fn copy(from: &Path, to: &Path) {
    loop {
        let before = names(from);
        if try_copy(from, to).is_ok() && names(from) == before {
            return;
        }
        std::fs::remove_dir_all(to).expect("a directory of the test's own");
    }
}

fn try_copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            try_copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Every file below, by name.
fn names(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(names(&path));
        }
        found.insert(path);
    }
    found
}

mod memory {
    use super::Memory;
    eventlog::conformance_suite!(Memory::new());
}

mod sled {
    use super::Sled;
    eventlog::conformance_suite!(Sled::new());
}
