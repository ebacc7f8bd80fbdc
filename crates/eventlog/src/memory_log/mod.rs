//! The engine for tests: a log in memory that can do everything a disk or a distant log can do to its writer.
//!
//! Deterministic: what goes wrong is scripted, or drawn from a seed. Nothing here sleeps or reads a clock.

mod disk;
mod fault;

pub use disk::MemoryDisk;
pub use fault::{Fault, FaultWeights};

use crate::admission::{Admission, Standing, admit};
use crate::ids::{ChainPoint, LogId, RecordNo};
use crate::log::{Appended, Claim, EventLog, LocalLog, LogError, LogReader, Place, ReadError, Records};
use crate::record::{Chain, Record};
use disk::{Held, State};
use std::path::PathBuf;
use std::sync::Arc;

/// A log on a [`MemoryDisk`]. Several may be open on one disk, as several processes would: the later claim wins.
#[derive(Debug)]
pub struct MemoryLog {
    disk: MemoryDisk,
    settled: bool,
    poison: Option<String>,
}

impl MemoryLog {
    /// Opens the log on a disk, as a process that starts would.
    #[must_use]
    pub const fn open(disk: MemoryDisk) -> Self {
        Self { disk, settled: false, poison: None }
    }

    fn check_usable(&self) -> Result<(), LogError> {
        match &self.poison {
            Some(first) => Err(LogError::Poisoned { first: first.clone() }),
            None if !self.settled => Err(LogError::NotRecovered),
            None => Ok(()),
        }
    }

    fn fail(&mut self, error: LogError) -> Appended {
        self.poison = Some(error.to_string());
        Appended::Failed(error)
    }

    /// Judges and writes a group, without faults.
    fn take(state: &mut State, expected: RecordNo, group: &[Record]) -> Result<bool, LogError> {
        let standing = Standing { log_id: state.log_id, tail: state.written, epoch: state.epoch };
        let admission = admit(&standing, expected, group, |record| state.written_bytes(record));
        match admission {
            Admission::Fenced => Ok(false),
            Admission::NotTheNext => Err(LogError::NotTheNext { expected }),
            Admission::Write { skip } => {
                group.iter().skip(skip).for_each(|record| state.write(record));
                Ok(true)
            }
        }
    }

    fn append_with(&mut self, fault: Fault, expected: RecordNo, group: &[Record]) -> Appended {
        let mut state = self.disk.lock();
        if matches!(fault, Fault::TakenOver) {
            state.claim_by_another();
        }
        if matches!(fault, Fault::DiskFull) {
            drop(state);
            return self.fail(LogError::DiskFull);
        }
        if matches!(fault, Fault::UnknownNotApplied | Fault::Late) {
            if matches!(fault, Fault::Late) {
                state.late = Some(Held { expected, group: group.to_vec() });
            }
            return Appended::Unknown;
        }
        match Self::take(&mut state, expected, group) {
            Ok(true) => {}
            Ok(false) => return Appended::Fenced,
            Err(error) => return Appended::Failed(error),
        }
        if matches!(fault, Fault::Duplicate) {
            // The network delivered it twice; the second one finds its place taken by itself.
            let again = Self::take(&mut state, expected, group);
            assert!(matches!(again, Ok(true)), "the same bytes at the same place are taken as one");
        }
        match fault {
            Fault::SyncFails => {
                drop(state);
                self.fail(io_error("sync", std::io::ErrorKind::Other))
            }
            Fault::TornWrite { keep_bytes } => {
                state.tear_last(keep_bytes);
                drop(state);
                self.fail(io_error("write", std::io::ErrorKind::WriteZero))
            }
            Fault::UnknownApplied => {
                state.sync();
                Appended::Unknown
            }
            Fault::SlowSync => {
                let hook = state.slow_sync.clone();
                drop(state);
                if let Some(hook) = hook {
                    hook();
                }
                let mut state = self.disk.lock();
                let held = state.still_holds(group);
                state.sync();
                if held { Appended::Durable } else { Appended::Fenced }
            }
            Fault::None
            | Fault::Duplicate
            | Fault::TakenOver
            | Fault::UnknownNotApplied
            | Fault::Late
            | Fault::DiskFull => {
                state.sync();
                Appended::Durable
            }
        }
    }
}

fn io_error(action: &'static str, kind: std::io::ErrorKind) -> LogError {
    LogError::io(action, "memory")(kind.into())
}

impl EventLog for MemoryLog {
    fn log_id(&self) -> LogId {
        self.disk.lock().log_id
    }

    fn claim(&mut self, claimant: &str) -> Result<Claim, LogError> {
        self.check_usable()?;
        let mut state = self.disk.lock();
        state.deliver_late();
        let (record, chain) = Chain::claim(state.log_id, state.written, claimant)?;
        state.write(&record);
        state.sync();
        state.epoch = Some(chain.epoch());
        Ok(Claim { epoch: chain.epoch(), chain })
    }

    fn append(&mut self, expected: RecordNo, group: &[Record]) -> Appended {
        if let Err(error) = self.check_usable() {
            return Appended::Failed(error);
        }
        let fault = {
            let mut state = self.disk.lock();
            state.deliver_late();
            state.next_fault()
        };
        self.append_with(fault, expected, group)
    }

    fn tail(&self) -> RecordNo {
        self.disk.lock().durable_tail()
    }

    fn reader(&self) -> Arc<dyn LogReader> {
        Arc::new(self.disk.clone())
    }

    fn rotate(&mut self) -> Result<(), LogError> {
        self.check_usable()?;
        let mut state = self.disk.lock();
        state.anchor = state.written;
        let first = state.durable_tail().next();
        if state.generations.last() != Some(&first) {
            state.generations.push(first);
        }
        Ok(())
    }

    fn retire(&mut self, before: RecordNo) -> Result<RecordNo, LogError> {
        Ok(self.disk.lock().retire(before))
    }

    fn close(self: Box<Self>) -> Result<(), LogError> {
        self.check_usable()?;
        let mut state = self.disk.lock();
        state.sync();
        state.anchor = state.written;
        Ok(())
    }
}

impl LocalLog for MemoryLog {
    fn anchor(&self) -> ChainPoint {
        self.disk.lock().anchor
    }

    fn place_of(&self, record: RecordNo) -> Place {
        let generations = self.disk.lock().generations.iter().filter(|&&first| first <= record).count();
        Place {
            generation: u32::try_from(generations).unwrap_or(u32::MAX),
            path: PathBuf::from("memory"),
            offset: None,
        }
    }

    fn cut(&mut self, from: RecordNo) -> Result<(), LogError> {
        let mut state = self.disk.lock();
        if from <= state.anchor.record {
            return Err(LogError::CutBehindAnchor { from, anchor: state.anchor.record });
        }
        state.cut(from);
        Ok(())
    }

    fn settle(&mut self, tail: ChainPoint) -> Result<(), LogError> {
        self.disk.lock().settle(tail);
        self.settled = true;
        Ok(())
    }

    fn write_anchor(&mut self) -> Result<(), LogError> {
        self.check_usable()?;
        let mut state = self.disk.lock();
        state.anchor = state.written;
        Ok(())
    }
}

impl LogReader for MemoryDisk {
    fn log_id(&self) -> LogId {
        self.lock().log_id
    }

    fn first(&self) -> RecordNo {
        self.lock().first
    }

    fn tail(&self) -> RecordNo {
        self.lock().durable_tail()
    }

    fn read_from(&self, from: RecordNo) -> Records {
        let (disk, mut next) = (self.clone(), Some(from.max(RecordNo(1))));
        Box::new(std::iter::from_fn(move || {
            let record = next?;
            let state = disk.lock();
            let read = if record < state.first {
                Err(ReadError::Retired { asked: record, first: state.first })
            } else if record > state.durable_tail() {
                return None;
            } else {
                state.durable_bytes(record).map(|bytes| (record, bytes)).ok_or_else(|| ReadError::Missing {
                    record,
                    place: Place { generation: 0, path: PathBuf::from("memory"), offset: None },
                })
            };
            next = read.is_ok().then(|| record.next());
            Some(read)
        }))
    }
}
