//! Opening, rotating, sealing and retiring generations.

use super::layout::{GenerationDir, Layout, generation_no, sealed_first};
use super::live::Live;
use super::options::{DiskOptions, StorageEngine};
use super::sealed::{Sealed, seal};
use super::shared::{Body, Generation, Shared};
use super::spare::{self, Spare};
use super::{DiskLog, opening};
use crate::anchor;
use crate::background;
use crate::disk;
use crate::ids::{ChainPoint, LogId, RecordNo};
use crate::limits::SPARE_SHARE;
use crate::log::LogError;
use std::path::PathBuf;
use std::sync::Arc;

pub(super) struct Opened {
    pub(super) generations: Vec<Generation>,
    pub(super) current: Arc<Live>,
    pub(super) current_bytes: u64,
    pub(super) last: RecordNo,
}

pub(super) fn load_anchor(layout: &Layout, log_id: LogId) -> Result<ChainPoint, LogError> {
    anchor::load(&layout.anchor(), log_id)?.map_err(|error| LogError::Unopenable {
        instructions: format!(
            "the log's anchor cannot be used: {error}.\n  where: {}\n  what it means: without it a torn tail cannot be \
             told from lost events.\n  what to do: nothing was changed. Keep a copy of the whole data directory, look \
             at the disk's health, restore the latest backup of this partition's directory, and start again.",
            layout.anchor().display()
        ),
    })
}

fn numbers(layout: &Layout) -> Result<Vec<u32>, LogError> {
    Ok(disk::names_in(layout.dir())?.iter().filter_map(|name| generation_no(name)).collect())
}

/// The databases there are: of the current generation, and of closed ones that are not sealed yet.
pub(super) fn databases(layout: &Layout) -> Result<Vec<PathBuf>, LogError> {
    let generations = numbers(layout)?.into_iter().map(|no| layout.generation(no));
    let all = generations.flat_map(|at| StorageEngine::ALL.map(|engine| at.database(engine)));
    Ok(all.filter(|database| database.exists()).collect())
}

/// Opens every generation; creates the first one in a new log.
pub(super) fn open_all(layout: &Layout, clean: bool, options: &DiskOptions) -> Result<Opened, LogError> {
    let mut numbers = numbers(layout)?;
    spare::forget_unused(layout, &mut numbers)?;
    let mut generations: Vec<Generation> = Vec::new();
    if numbers.is_empty() {
        generations.push(first(layout, options)?);
    }
    for no in numbers {
        let generation = open_one(no, layout.generation(no), clean, options, generations.last())?;
        generations.push(generation);
    }
    let last = generations.last().map_or(Ok(RecordNo(0)), last_of)?;
    // The newest is the one to write to. A crash after it was sealed and before a newer one was made cannot be:
    // the newer one is made first.
    let current = match generations.last().map(|newest| &newest.body) {
        Some(Body::Live(live)) => Arc::clone(live),
        Some(Body::Sealed(_)) | None => return Err(no_current(layout)),
    };
    let current_bytes = current.record_bytes();
    Ok(Opened { generations, current, current_bytes, last })
}

fn no_current(layout: &Layout) -> LogError {
    LogError::Unopenable {
        instructions: format!(
            "the log has no current generation.\n  where: {}\n  what it means: the newest gen-* directory is missing.\n  \
             what to do: nothing was changed. Restore the latest backup of this partition's directory, and start again.",
            layout.dir().display()
        ),
    }
}

/// Makes the first generation of a log. It counts only once it is whole.
fn first(layout: &Layout, options: &DiskOptions) -> Result<Generation, LogError> {
    let (no, dir) = (1, layout.generation(1));
    let live = spare::make(&dir, options)?;
    spare::begin(&dir)?;
    Ok(Generation { no, dir, first: RecordNo(1), body: Body::Live(Arc::new(live)) })
}

/// Opens the generation behind `before`.
fn open_one(
    no: u32,
    dir: GenerationDir,
    clean: bool,
    options: &DiskOptions,
    before: Option<&Generation>,
) -> Result<Generation, LogError> {
    disk::create_dir(dir.dir())?;
    disk::remove_file(&dir.sealing())?;
    let sealed = disk::names_in(dir.dir())?.iter().find_map(|name| sealed_first(name));
    if let Some(first) = sealed {
        // A crash may have come between the flat file and the removal of what it replaces.
        opening::forget_aside(&dir)?;
        for engine in StorageEngine::ALL {
            disk::remove_tree(&dir.database(engine))?;
        }
        let sealed = Sealed::new(dir.sealed(first), first);
        return Ok(Generation { no, dir, first, body: Body::Sealed(sealed) });
    }
    let live = opening::open(&dir, clean, options)?;
    let first = match live.ends()? {
        Some((first, _)) => first,
        None => before.map_or(Ok(RecordNo(0)), last_of)?.next(),
    };
    Ok(Generation { no, dir, first, body: Body::Live(Arc::new(live)) })
}

/// The last record of a generation; of an empty one, the last before it. Reads a closed one's file, so it is asked
/// only for the newest.
fn last_of(generation: &Generation) -> Result<RecordNo, LogError> {
    match &generation.body {
        Body::Live(live) => Ok(live.ends()?.map_or(generation.first.before(), |(_, last)| last)),
        Body::Sealed(sealed) => sealed.last(),
    }
}

impl DiskLog {
    pub(super) fn rotate_generation(&mut self) -> Result<(), LogError> {
        let tail = self.shared.durable().record;
        let (newest, first) =
            self.shared.generations().last().map_or((0, RecordNo(1)), |newest| (newest.no, newest.first));
        if tail < first {
            return Ok(());
        }
        self.current.check()?;
        // From here on a torn tail can only lie in the new generation.
        self.store_anchor()?;
        let no = newest.saturating_add(1);
        let dir = self.layout.generation(no);
        let live = match self.background.spare.take().and_then(Spare::wait) {
            Some(live) => live,
            None => spare::make(&dir, &self.options)?,
        };
        spare::begin(&dir)?;
        let live = Arc::new(live);
        self.current = Arc::clone(&live);
        self.generation_bytes = 0;
        self.shared.generations_mut().push(Generation { no, dir, first: tail.next(), body: Body::Live(live) });
        self.seal_closed_generations()
    }

    /// Starts making the next generation once the current one is full enough. Where that fails, rotating tries again.
    pub(super) fn make_spare_in_time(&mut self) {
        let left = self.options.generation_record_bytes.saturating_sub(self.generation_bytes);
        if self.background.spare.is_some() || left > self.options.generation_record_bytes / SPARE_SHARE {
            return;
        }
        let newest = self.shared.generations().last().map_or(0, |newest| newest.no);
        let dir = self.layout.generation(newest.saturating_add(1));
        match Spare::start(dir, &self.options) {
            Ok(spare) => self.background.spare = Some(spare),
            Err(error) => tracing::warn!(%error, "there was no thread to make the log's next generation early"),
        }
    }

    /// Starts sealing every closed generation that is not sealed yet, one after another, on a thread of its own.
    pub(super) fn seal_closed_generations(&mut self) -> Result<(), LogError> {
        self.background.sealing.retain(|thread| !thread.is_finished());
        let shared = Arc::clone(&self.shared);
        let current = shared.generations().last().map_or(0, |current| current.no);
        let waiting = shared.generations().iter().any(|older| older.no != current && is_live(older));
        if !waiting || !self.background.sealing.is_empty() {
            return Ok(());
        }
        let thread = std::thread::Builder::new().name("log sealing".to_owned()).spawn(move || {
            background::give_way();
            seal_all(&shared);
        });
        self.background.sealing.push(thread.map_err(LogError::io("start a thread for", self.layout.dir()))?);
        Ok(())
    }

    pub(super) fn retire_generations(&mut self, before: RecordNo) -> Result<RecordNo, LogError> {
        let tail = self.shared.durable().record;
        let is_sealing = self.background.sealing.iter().any(|thread| !thread.is_finished());
        loop {
            let mut generations = self.shared.generations_mut();
            let oldest = generations.first().map_or(RecordNo(1), |oldest| oldest.first);
            let next = generations.get(1).map(|next| next.first);
            let sealed = generations.first().is_some_and(|oldest| !is_live(oldest));
            // The generation with the last record stays, also when a newer and empty one is there already.
            if is_sealing || !sealed || !next.is_some_and(|next| next <= before && next <= tail) {
                return Ok(oldest);
            }
            let retired = generations.remove(0);
            drop(generations);
            disk::remove_tree(retired.dir.dir())?;
        }
    }
}

fn is_live(generation: &Generation) -> bool {
    matches!(generation.body, Body::Live(_))
}

/// Seals closed generations, oldest first, until none is left.
fn seal_all(shared: &Shared) {
    while let Some(work) = next_to_seal(shared) {
        let no = work.no;
        if let Err(error) = seal_one(shared, work) {
            tracing::error!(generation = no, %error, "a closed generation could not be sealed; it stays as it is");
            return;
        }
    }
}

struct Work {
    no: u32,
    dir: GenerationDir,
    live: Arc<Live>,
    first: RecordNo,
    last: RecordNo,
}

fn next_to_seal(shared: &Shared) -> Option<Work> {
    let generations = shared.generations();
    generations.iter().zip(generations.iter().skip(1)).find_map(|(closed, next)| match &closed.body {
        Body::Live(live) => Some(Work {
            no: closed.no,
            dir: closed.dir.clone(),
            live: Arc::clone(live),
            first: closed.first,
            last: next.first.before(),
        }),
        Body::Sealed(_) => None,
    })
}

fn seal_one(shared: &Shared, work: Work) -> Result<(), LogError> {
    let sealed = seal(&work.dir, &work.live, shared.log_id, work.first, work.last)?;
    let mut generations = shared.generations_mut();
    let replaced = generations
        .iter_mut()
        .find(|generation| generation.no == work.no)
        .map(|generation| std::mem::replace(&mut generation.body, Body::Sealed(sealed)));
    drop(generations);
    let engine = work.live.engine();
    // The last two hands on the database let go here, outside the lock: closing takes a while.
    drop(replaced);
    drop(work.live);
    disk::remove_tree_unhurried(&work.dir.database(engine))
}
