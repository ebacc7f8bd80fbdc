//! Files that survive a crash: written aside, synced, renamed, and the directory synced.

use crate::background::Unhurried;
use crate::log::LogError;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

/// What a large file in the background is written and synced in. A journalling file system makes a sync of one file
/// wait for what lies unwritten of others: with all of a snapshot written before its first sync, the log stood still for
/// half a second.
pub(crate) const PIECE_BYTES: usize = 256 * 1024;

/// What of a large file that is not needed any more is given back at once. Where a sled database of 240 MB was removed in
/// one go, a sync of the log waited 20 to 50 ms for the journal to note it all; in steps of this size, 2 ms.
const GIVEN_BACK_BYTES: u64 = 4 << 20;

/// A large file on its way to the disk piece by piece, beside a log whose syncs somebody waits for.
#[derive(Debug)]
pub(crate) struct Steady {
    file: File,
    unsynced: usize,
    pace: Option<Unhurried>,
}

impl Steady {
    /// A new file, or an old one emptied, to be written with rests: nobody waits for it.
    pub(crate) fn create_unhurried(path: &Path) -> std::io::Result<Self> {
        Ok(Self { pace: Some(Unhurried::begin()), ..Self::create(path)? })
    }

    /// A new file, or an old one emptied.
    pub(crate) fn create(path: &Path) -> std::io::Result<Self> {
        Ok(Self { file: File::create(path)?, unsynced: 0, pace: None })
    }

    /// Syncs what is left, and the file's size.
    pub(crate) fn finish(self) -> std::io::Result<()> {
        self.file.sync_all()
    }
}

impl Write for Steady {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // Never more than a piece at once, however much comes in one write.
        let piece = bytes.get(..PIECE_BYTES).unwrap_or(bytes);
        let written = self.file.write(piece)?;
        self.unsynced = self.unsynced.saturating_add(written);
        if self.unsynced >= PIECE_BYTES {
            self.file.sync_data()?;
            self.unsynced = 0;
            self.pace.iter_mut().for_each(Unhurried::breathe);
        }
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Syncs a directory: what was created, renamed or removed in it stays so.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), LogError> {
    File::open(dir).and_then(|opened| opened.sync_all()).map_err(LogError::io("sync the directory", dir))
}

/// Syncs the directory that holds `path`.
pub(crate) fn sync_parent(path: &Path) -> Result<(), LogError> {
    path.parent().map_or(Ok(()), sync_dir)
}

/// Syncs a directory and everything below it.
pub(crate) fn sync_tree(dir: &Path) -> Result<(), LogError> {
    for name in names_in(dir)? {
        let path = dir.join(name);
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            File::open(&path).and_then(|file| file.sync_all()).map_err(LogError::io("sync", &path))?;
        }
    }
    sync_dir(dir)
}

/// Syncs every directory above `dir`, of which any may have been made a moment ago, by whomever.
pub(crate) fn sync_above(dir: &Path) -> Result<(), LogError> {
    let whole = fs::canonicalize(dir).map_err(LogError::io("find", dir))?;
    for above in whole.ancestors().skip(1) {
        match sync_dir(above) {
            // Where this process may not even look, it has made nothing.
            Err(LogError::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => return Ok(()),
            synced => synced?,
        }
    }
    Ok(())
}

/// Creates a directory unless it is there, durably.
pub(crate) fn create_dir(dir: &Path) -> Result<(), LogError> {
    // The log holds who bought what, and the keys behind the ids: it is its owner's alone.
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => sync_parent(dir),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(LogError::io("create", dir)(error)),
    }
}

/// Replaces a file in one step: after a crash it is the old one or the new one. A temporary file left by an earlier
/// crash is written over.
///
/// # Errors
/// [`LogError`] names what could not be done with which file.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), LogError> {
    let aside = path.with_extension("tmp");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(LogError::io("write", &aside))?;
    rename(&aside, path)
}

/// Renames, durably.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), LogError> {
    fs::rename(from, to).map_err(LogError::io("rename", from))?;
    sync_parent(to)
}

/// Reads a small file whole; `None` if there is none.
///
/// # Errors
/// [`LogError`] names what could not be done with which file.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, LogError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LogError::io("read", path)(error)),
    }
}

/// Removes a file if it is there, durably. Says whether it was.
pub(crate) fn remove_file(path: &Path) -> Result<bool, LogError> {
    match fs::remove_file(path) {
        Ok(()) => sync_parent(path).map(|()| true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(LogError::io("remove", path)(error)),
    }
}

/// Removes a directory and all in it if it is there, durably.
pub(crate) fn remove_tree(dir: &Path) -> Result<(), LogError> {
    match fs::remove_dir_all(dir) {
        Ok(()) => sync_parent(dir),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(LogError::io("remove", dir)(error)),
    }
}

/// Removes a directory and all in it so that after a crash it is there whole or not at all, but for what lies under the
/// same name with the ending `.tmp`.
pub(crate) fn remove_tree_whole(dir: &Path) -> Result<(), LogError> {
    let aside = dir.with_extension("tmp");
    remove_tree(&aside)?;
    if dir.exists() {
        rename(dir, &aside)?;
    }
    remove_tree(&aside)
}

/// Removes a directory and all in it, step by step, beside a log whose syncs somebody waits for. A crash meanwhile leaves
/// files that are too short: only for what nobody would read any more.
pub(crate) fn remove_tree_unhurried(dir: &Path) -> Result<(), LogError> {
    if dir.exists() {
        give_back_tree(dir, &mut Unhurried::begin())?;
    }
    remove_tree(dir)
}

/// Removes a file likewise, if it is there. A crash meanwhile leaves it whole, or what is left of it under the same name
/// with the ending `.tmp`.
pub(crate) fn remove_file_unhurried(path: &Path) -> Result<(), LogError> {
    if !path.exists() {
        return Ok(());
    }
    let aside = path.with_extension("tmp");
    rename(path, &aside)?;
    give_back(&aside, &mut Unhurried::begin())?;
    remove_file(&aside).map(drop)
}

fn give_back_tree(dir: &Path, pace: &mut Unhurried) -> Result<(), LogError> {
    for name in names_in(dir)? {
        let path = dir.join(name);
        if path.is_dir() { give_back_tree(&path, pace)? } else { give_back(&path, pace)? }
    }
    Ok(())
}

/// Cuts a file down to nothing. Each step is synced, so that none waits in the journal for the next.
fn give_back(path: &Path, pace: &mut Unhurried) -> Result<(), LogError> {
    let mut cut = || -> std::io::Result<()> {
        let file = File::options().write(true).open(path)?;
        for length in shorter_and_shorter(file.metadata()?.len()) {
            file.set_len(length)?;
            file.sync_all()?;
            pace.breathe();
        }
        Ok(())
    };
    cut().map_err(LogError::io("cut", path))
}

/// The lengths on the way to nothing, each shorter by no more than is given back at once.
fn shorter_and_shorter(length: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(length), |&left| (left > 0).then(|| left.saturating_sub(GIVEN_BACK_BYTES))).skip(1)
}

/// Copies a directory of files and directories to a place where nothing is, and syncs every one of them.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> Result<(), LogError> {
    create_dir(to)?;
    for entry in fs::read_dir(from).map_err(LogError::io("list", from))? {
        let entry = entry.map_err(LogError::io("list", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().map_err(LogError::io("look at", &source))?.is_dir() {
            copy_tree(&source, &target)?;
        } else {
            // Shares blocks where the file system can.
            fs::copy(&source, &target).map_err(LogError::io("copy", &source))?;
            File::open(&target).and_then(|file| file.sync_all()).map_err(LogError::io("sync", &target))?;
        }
    }
    sync_dir(to)
}

/// Names of what is in a directory.
pub(crate) fn names_in(dir: &Path) -> Result<Vec<String>, LogError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(LogError::io("list", dir))? {
        let entry = entry.map_err(LogError::io("list", dir))?;
        names.extend(entry.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_down_to_nothing_in_steps_of_which_none_gives_back_much() {
        const STEP: u64 = GIVEN_BACK_BYTES;
        let cases: [(u64, &[u64]); 5] =
            [(0, &[]), (1, &[0]), (STEP, &[0]), (STEP + 1, &[1, 0]), (3 * STEP, &[2 * STEP, STEP, 0])];
        for (length, steps) in cases {
            assert!(shorter_and_shorter(length).eq(steps.iter().copied()), "{length}");
        }
    }

    #[test]
    fn what_is_removed_step_by_step_is_gone_large_or_small_or_not_there_at_all() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let (tree, file) = (root.path().join("tree"), root.path().join("a.snapshot"));
        fs::create_dir_all(tree.join("below")).expect("it is made");
        for path in [&tree.join("small"), &tree.join("below/large"), &file] {
            let made = File::create(path).expect("it is made");
            made.set_len(if path.ends_with("small") { 1 } else { 2 * GIVEN_BACK_BYTES + 1 }).expect("it grows");
        }
        for _ in 0..2 {
            remove_tree_unhurried(&tree).expect("it is removed");
            remove_file_unhurried(&file).expect("it is removed");
            assert!(names_in(root.path()).expect("it is there").is_empty());
        }
    }
}
