//! Every engine keeps the contract of a claimed log: one suite, each engine a module.

mod common;

use common::copy;
use eventlog::conformance::Subject;
use eventlog::{DiskLog, DiskOptions, LocalLog, LogId, MemoryDisk, MemoryLog, StorageEngine};
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
struct Disk {
    root: tempfile::TempDir,
    incarnation: u32,
    engine: StorageEngine,
    alternates: bool,
}

impl Disk {
    fn new(engine: StorageEngine) -> Self {
        let shm = Path::new("/dev/shm");
        let root = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() };
        let disk = Self { root: root.expect("a temporary directory"), incarnation: 0, engine, alternates: false };
        DiskLog::create(&disk.dir(), LOG).expect("an empty directory");
        disk
    }

    /// Another engine is asked for at every start.
    fn alternating() -> Self {
        Self { alternates: true, ..Self::new(StorageEngine::Sled) }
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join(format!("{:04}", self.incarnation))
    }
}

impl Subject for Disk {
    fn open(&mut self) -> Box<dyn LocalLog> {
        let options = DiskOptions { engine: self.engine, ..DiskOptions::default() };
        if self.alternates {
            self.engine = match self.engine {
                StorageEngine::Sled => StorageEngine::Fjall,
                StorageEngine::Fjall => StorageEngine::Sled,
            };
        }
        Box::new(DiskLog::open(&self.dir(), LOG, options).expect("it opens"))
    }

    /// What a killed process leaves is what its files hold at that moment: go on from a copy of them.
    fn crash(&mut self, log: Box<dyn LocalLog>) {
        let from = self.dir();
        self.incarnation += 1;
        copy(&from, &self.dir());
        drop(log);
    }
}

mod memory {
    use super::Memory;
    eventlog::conformance_suite!(Memory::new());
}

mod sled {
    use super::Disk;
    use eventlog::StorageEngine;
    eventlog::conformance_suite!(Disk::new(StorageEngine::Sled));
}

mod fjall {
    use super::Disk;
    use eventlog::StorageEngine;
    eventlog::conformance_suite!(Disk::new(StorageEngine::Fjall));
}

/// One log may lie in both.
mod either {
    use super::Disk;
    eventlog::conformance_suite!(Disk::alternating());
}
