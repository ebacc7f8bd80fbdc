//! The next generation, made ready while the current one fills: making a database takes some ten syncs, and nobody who
//! waits for a commit should wait for those too.
//!
//! Until it is begun, a marker in its directory says that nothing was written to it. A start that finds the marker, or a
//! directory without anything, removes it, however far its making had come. The first generation is made likewise.

use super::layout::{GenerationDir, Layout};
use super::live::Live;
use super::options::DiskOptions;
use crate::disk;
use crate::log::LogError;
use std::path::Path;
use std::thread::JoinHandle;

/// A generation that is being made, or is ready.
#[derive(Debug)]
pub(super) struct Spare {
    dir: GenerationDir,
    making: JoinHandle<Result<Live, LogError>>,
}

impl Spare {
    /// Has it made by a thread of its own.
    pub(super) fn start(dir: GenerationDir, options: &DiskOptions) -> std::io::Result<Self> {
        let (its_dir, options) = (dir.clone(), options.clone());
        // At the usual priority: the engine's own threads are begun by this one and inherit it, and commits wait for them.
        let making =
            std::thread::Builder::new().name("log spare".to_owned()).spawn(move || make(&its_dir, &options))?;
        Ok(Self { dir, making })
    }

    /// Waits until it is made. `None` where it could not be: whoever needs it makes it then, and meets the error.
    pub(super) fn wait(self) -> Option<Live> {
        let made = self.making.join().ok()?;
        let dir = self.dir.dir().display();
        made.inspect_err(|error| tracing::warn!(%error, %dir, "the next generation of the log could not be made early"))
            .ok()
    }

    /// Removes it: the log ends before it is needed.
    pub(super) fn discard(self) -> Result<(), LogError> {
        let dir = self.dir.clone();
        drop(self.wait());
        disk::remove_tree_whole(dir.dir())
    }
}

/// Makes a generation in which nothing is written yet. What an earlier try left is removed.
pub(super) fn make(at: &GenerationDir, options: &DiskOptions) -> Result<Live, LogError> {
    disk::remove_tree_whole(at.dir())?;
    disk::create_dir(at.dir())?;
    // Before the database is: half a database without the marker could not be told from a damaged one.
    disk::write_whole(&at.unused(), b"")?;
    Live::open(at, options.engine, &options.sync)
}

/// From here on the generation may be written to.
pub(super) fn begin(at: &GenerationDir) -> Result<(), LogError> {
    disk::remove_file(&at.unused()).map(drop)
}

/// Removes a generation that a crash found unused, and what was left of one that was being removed.
pub(super) fn forget_unused(layout: &Layout, numbers: &mut Vec<u32>) -> Result<(), LogError> {
    for name in disk::names_in(layout.dir())?.iter().filter(|name| name.starts_with("gen-") && name.ends_with(".tmp")) {
        disk::remove_tree(&layout.dir().join(name))?;
    }
    while let Some(newest) = numbers.last().map(|&no| layout.generation(no)) {
        if !is_unused(&newest)? {
            break;
        }
        disk::remove_tree_whole(newest.dir())?;
        numbers.pop();
    }
    Ok(())
}

/// Whether its making had not come to an end, or it was not begun: the marker is there, or nothing else is yet.
fn is_unused(generation: &GenerationDir) -> Result<bool, LogError> {
    let marker = generation.unused();
    let of_marker = |name: &String| marker.file_stem().is_some_and(|stem| Path::new(name).file_stem() == Some(stem));
    Ok(marker.exists() || disk::names_in(generation.dir())?.iter().all(of_marker))
}
