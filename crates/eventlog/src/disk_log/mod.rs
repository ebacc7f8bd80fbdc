//! The log on disk. Its current generation lies in a storage engine, sled 0.34.7 or fjall 2, each used in the one way
//! that keeps what it acknowledges; closed ones are flat files.
//!
//! Whichever single thread owns a [`DiskLog`] is the only writer. Readers, the anchor's thread, the watchdog and the
//! sealing of closed generations run beside it and never write to the engine.

mod clean;
mod generations;
mod keeper;
mod layout;
mod live;
mod opening;
mod options;
mod sealed;
mod shared;
mod spare;

pub use options::{DiskOptions, OnStall, StorageEngine, SyncFile};

use crate::admission::{Admission, Standing, admit};
use crate::anchor;
use crate::disk;
use crate::ids::{ChainPoint, Epoch, LogId, RecordNo};
use crate::log::{Appended, Claim, EventLog, LocalLog, LogError, LogReader, Place};
use crate::record::{Chain, Record};
use keeper::{Ticker, Watch};
use layout::Layout;
use live::Live;
use shared::{Body, DiskReader, Shared};
use spare::Spare;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

/// A log in a directory of its own.
#[derive(Debug)]
pub struct DiskLog {
    layout: Layout,
    options: DiskOptions,
    shared: Arc<Shared>,
    current: Arc<Live>,
    anchor: ChainPoint,
    epoch: Option<Epoch>,
    /// Bytes of records in the current generation, as far as this process wrote them.
    generation_bytes: u64,
    settled: bool,
    poison: Option<String>,
    watch: Arc<Watch>,
    background: Background,
}

/// Threads that run beside the writer.
#[derive(Debug)]
struct Background {
    anchor: Option<Ticker>,
    _watchdog: Ticker,
    sealing: Vec<JoinHandle<()>>,
    spare: Option<Spare>,
}

impl Background {
    fn finish_sealing(&mut self) {
        for thread in self.sealing.drain(..) {
            let _panic_was_printed = thread.join();
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.finish_sealing();
        // Left as a crash would leave it, but not in the making.
        self.spare.take().map(Spare::wait);
    }
}

impl DiskLog {
    /// Lays out an empty log in a directory that holds none. Done once, when a data directory is created: a log that
    /// later lacks its anchor is damaged, not new.
    ///
    /// # Errors
    /// The directory could not be written.
    pub fn create(dir: &Path, log_id: LogId) -> Result<(), LogError> {
        let layout = Layout::new(dir);
        disk::create_dir(dir)?;
        disk::create_dir(&layout.snapshots())?;
        anchor::store(&layout.anchor(), log_id, ChainPoint::START)
    }

    /// Opens a log. [`crate::recover`] must follow before it can be claimed.
    ///
    /// # Errors
    /// [`LogError::Unopenable`] says in words what happened and what to do.
    pub fn open(dir: &Path, log_id: LogId, options: DiskOptions) -> Result<Self, LogError> {
        let layout = Layout::new(dir);
        let anchor = generations::load_anchor(&layout, log_id)?;
        let clean = options.is_throwaway_copy || clean::take(&layout, &generations::databases(&layout)?)?;
        let opened = generations::open_all(&layout, clean, &options)?;
        // Until recovery has checked it, everything that is there may be read.
        let seen = ChainPoint { record: opened.last, ..ChainPoint::START };
        let shared = Arc::new(Shared::new(log_id, opened.generations, seen));
        let watch = Arc::new(Watch::default());
        let watchdog = watch.guard(options.stall_max, Arc::clone(&options.on_stall));
        let watchdog = watchdog.map_err(LogError::io("start a thread for", dir))?;
        let background = Background { anchor: None, sealing: Vec::new(), spare: None, _watchdog: watchdog };
        Ok(Self {
            layout,
            options,
            shared,
            current: opened.current,
            anchor,
            epoch: None,
            generation_bytes: opened.current_bytes,
            settled: false,
            poison: None,
            watch,
            background,
        })
    }

    /// Where this log's snapshots lie.
    #[must_use]
    pub fn snapshots(&self) -> crate::snapshot::SnapshotStore {
        crate::snapshot::SnapshotStore::new(&self.layout.snapshots(), self.shared.log_id)
    }

    fn standing(&self) -> Standing {
        Standing { log_id: self.shared.log_id, tail: self.shared.durable(), epoch: self.epoch }
    }

    fn check_usable(&self) -> Result<(), LogError> {
        match &self.poison {
            Some(first) => Err(LogError::Poisoned { first: first.clone() }),
            None if !self.settled => Err(LogError::NotRecovered),
            None => Ok(()),
        }
    }

    /// Writes records behind the tail and makes them durable, under the watchdog's eyes.
    fn write(&mut self, records: &[Record]) -> Result<(), LogError> {
        let Some(last) = records.last() else { return Ok(()) };
        self.watch.begin();
        let written = self.current.write(records);
        self.watch.end();
        if let Err(error) = written {
            // Nobody knows what the disk holds now, and a second sync may well lie: recovery must tell.
            self.poison = Some(error.to_string());
            return Err(error);
        }
        let event = last.header().first_event.before().plus(u64::from(last.header().event_count));
        self.shared.set_durable(ChainPoint { record: last.number(), hash: last.hash(), event });
        let bytes: u64 = records.iter().map(|record| record.bytes().len() as u64).sum();
        self.generation_bytes = self.generation_bytes.saturating_add(bytes);
        self.make_spare_in_time();
        Ok(())
    }

    fn store_anchor(&mut self) -> Result<(), LogError> {
        let durable = self.shared.durable();
        // The anchor's thread writes the same file; it is stopped meanwhile so that the two do not cross.
        self.background.anchor = None;
        anchor::store(&self.layout.anchor(), self.shared.log_id, durable)?;
        self.anchor = durable;
        self.start_anchor_thread()
    }

    fn start_anchor_thread(&mut self) -> Result<(), LogError> {
        let (path, shared) = (self.layout.anchor(), Arc::clone(&self.shared));
        let mut written = self.anchor;
        let tick = move || {
            let durable = shared.durable();
            if durable == written {
                return;
            }
            match anchor::store(&path, shared.log_id, durable) {
                Ok(()) => written = durable,
                Err(error) => {
                    tracing::error!(%error, "the anchor could not be written; the log itself is not affected");
                }
            }
        };
        let ticker = Ticker::start("log anchor", self.options.anchor_every, tick);
        self.background.anchor = Some(ticker.map_err(LogError::io("start a thread for", self.layout.dir()))?);
        Ok(())
    }
}

impl EventLog for DiskLog {
    fn log_id(&self) -> LogId {
        self.shared.log_id
    }

    fn claim(&mut self, claimant: &str) -> Result<Claim, LogError> {
        self.check_usable()?;
        let (record, chain) = Chain::claim(self.shared.log_id, self.shared.durable(), claimant)?;
        self.write(&[record])?;
        self.epoch = Some(chain.epoch());
        Ok(Claim { epoch: chain.epoch(), chain })
    }

    fn append(&mut self, expected: RecordNo, group: &[Record]) -> Appended {
        if let Err(error) = self.check_usable() {
            return Appended::Failed(error);
        }
        let admission = admit(&self.standing(), expected, group, |record| self.shared.read_one(record));
        match admission {
            Admission::Fenced => Appended::Fenced,
            Admission::NotTheNext => Appended::Failed(LogError::NotTheNext { expected }),
            Admission::Write { skip } => match self.write(group.get(skip..).unwrap_or_default()) {
                Ok(()) => Appended::Durable,
                Err(error) => Appended::Failed(error),
            },
        }
    }

    fn tail(&self) -> RecordNo {
        self.shared.durable().record
    }

    fn reader(&self) -> Arc<dyn LogReader> {
        Arc::new(DiskReader(Arc::clone(&self.shared)))
    }

    fn rotation_due(&self) -> bool {
        self.generation_bytes >= self.options.generation_record_bytes
    }

    fn rotate(&mut self) -> Result<(), LogError> {
        self.check_usable()?;
        self.watch.begin();
        let rotated = self.rotate_generation();
        self.watch.end();
        if let Err(error) = &rotated {
            self.poison = Some(error.to_string());
        }
        rotated
    }

    fn retire(&mut self, before: RecordNo) -> Result<RecordNo, LogError> {
        self.retire_generations(before)
    }

    fn close(self: Box<Self>) -> Result<(), LogError> {
        if self.poison.is_some() || !self.settled {
            // What the disk holds is for recovery to tell; nothing is marked clean.
            return self.check_usable();
        }
        let Self { layout, shared, current, watch, mut background, .. } = *self;
        // From here on nobody else touches a file; only the watchdog stays to the end.
        background.anchor = None;
        background.finish_sealing();
        watch.begin();
        background.spare.take().map_or(Ok(()), Spare::discard)?;
        let generations = std::mem::take(&mut *shared.generations_mut());
        drop(current);
        for generation in generations {
            if let Body::Live(live) = generation.body {
                // Nobody else holds it: readers and sealing only borrow it, and both are over.
                Arc::into_inner(live).map_or(Err(LogError::Read(crate::log::ReadError::Closed)), Live::close)?;
            }
        }
        anchor::store(&layout.anchor(), shared.log_id, shared.durable())?;
        clean::mark(&layout, shared.durable().record, &generations::databases(&layout)?)
    }
}

impl LocalLog for DiskLog {
    fn anchor(&self) -> ChainPoint {
        self.anchor
    }

    fn place_of(&self, record: RecordNo) -> Place {
        self.shared.place_of(record)
    }

    fn cut(&mut self, from: RecordNo) -> Result<(), LogError> {
        let current_first = self.shared.generations().last().map_or(RecordNo(1), |current| current.first);
        // Everything in earlier generations is behind an anchor too: rotating writes one.
        if from <= self.anchor.record || from < current_first {
            return Err(LogError::CutBehindAnchor { from, anchor: self.anchor.record });
        }
        self.current.remove_from(from)
    }

    fn settle(&mut self, tail: ChainPoint) -> Result<(), LogError> {
        // What was recovered may so far be in memory only, after a kill.
        self.current.commit()?;
        self.shared.set_durable(tail);
        self.store_anchor()?;
        for generation in self.shared.generations().iter() {
            opening::forget_aside(&generation.dir)?;
        }
        self.settled = true;
        self.seal_closed_generations()
    }

    fn write_anchor(&mut self) -> Result<(), LogError> {
        if self.settled { self.store_anchor() } else { Err(LogError::NotRecovered) }
    }
}
