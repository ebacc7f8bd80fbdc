//! Private copies of a data directory's partitions: what replay works on instead of the log itself.
//!
//! The original's lock is neither taken nor asked for, so a server may run. What it writes meanwhile can tear the
//! copy; so a copy says whether the original changed while it was made, and whoever opens it makes another one then
//! if the chain does not hold. The order matters: what tells how far the log must reach is copied before the log.
//!
//! Nothing here knows what the files mean beyond their names (docs/log-format.md).

use crate::error::ReplayError;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Copied before all else of a partition: the log copied after it must reach what it tells.
const FIRST: &[&str] = &["anchor", "snapshots"];

/// Copied last of a database: what else an engine keeps there may be older than its log, never newer. The first is
/// sled's log, the second the directory of fjall's.
const LAST: [&str; 2] = ["db", "journals"];

/// A directory that only this process uses, for private copies; gone when this is dropped. It must outlive the
/// [`crate::Logs`] opened in it.
#[derive(Debug)]
pub struct Workplace(tempfile::TempDir);

impl Workplace {
    /// A new one, in the place that TMPDIR names.
    ///
    /// # Errors
    /// [`ReplayError::Copy`] where there is no room.
    pub fn new() -> Result<Self, ReplayError> {
        // Such a directory is its owner's alone, as the log itself: it holds who bought what.
        let made = tempfile::Builder::new().prefix("holdfast-replay-").tempdir();
        made.map(Self).map_err(failed("make a directory in", &std::env::temp_dir()))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A new directory below it.
    pub(crate) fn room(&self) -> Result<PathBuf, ReplayError> {
        let room = tempfile::Builder::new().prefix("copy-").tempdir_in(self.path());
        // It goes with the workplace.
        Ok(room.map_err(failed("make a directory in", self.path()))?.keep())
    }
}

/// Whether a file stood still while it was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Original {
    /// It did: the copy is what it was.
    StoodStill,
    /// It changed: the copy may be torn.
    Changed,
}

/// What tells whether a file was written to.
type Trace = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// Copies one partition's directory to a place where nothing is.
pub(crate) fn partition(from: &Path, to: &Path) -> Result<Original, ReplayError> {
    let before = trace(from);
    make_dir(to)?;
    let mut whole = true;
    for name in FIRST {
        if from.join(name).exists() {
            whole &= copy(&from.join(name), &to.join(name))?;
        }
    }
    for name in names_in(from)? {
        // A file aside is a write under way: nothing yet.
        if !FIRST.contains(&name.as_str()) && !name.ends_with(".tmp") {
            whole &= copy(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(if whole && before == trace(from) { Original::StoodStill } else { Original::Changed })
}

/// Copies one small file, if it is there.
pub(crate) fn file(from: &Path, to: &Path) -> Result<bool, ReplayError> {
    match fs::copy(from, to) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("copy", from)(error)),
    }
}

/// Makes a directory that only its owner can look into: its parent is such.
pub(crate) fn make_dir(path: &Path) -> Result<(), ReplayError> {
    fs::create_dir(path).map_err(failed("make", path))
}

/// Copies a file or a directory. Whether everything that was listed was still there.
fn copy(from: &Path, to: &Path) -> Result<bool, ReplayError> {
    if !from.is_dir() {
        return file(from, to);
    }
    make_dir(to)?;
    let mut names = match names_in(from) {
        Ok(names) => names,
        Err(ReplayError::Copy { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    names.sort_by_key(|name| LAST.contains(&name.as_str()));
    let mut whole = true;
    for name in names.iter().filter(|name| !name.ends_with(".tmp")) {
        whole &= copy(&from.join(name), &to.join(name))?;
    }
    Ok(whole)
}

/// Every file below a directory, with its length and the time of its last change. What vanishes meanwhile is left
/// out, and missed the next time.
fn trace(dir: &Path) -> Trace {
    let mut trace = Trace::new();
    for name in names_in(dir).unwrap_or_default() {
        let path = dir.join(name);
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => trace.extend(self::trace(&path)),
            Ok(found) => trace.push((path, found.len(), found.modified().ok())),
            Err(_) => {}
        }
    }
    trace
}

fn names_in(dir: &Path) -> Result<Vec<String>, ReplayError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed("list", dir))? {
        names.extend(entry.map_err(failed("list", dir))?.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}

pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ReplayError {
    let path = path.to_owned();
    move |source| ReplayError::Copy { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_holds_what_the_original_holds_and_leaves_writes_under_way_behind() {
        let place = Workplace::new().expect("a directory");
        let from = place.path().join("from");
        for dir in ["", "gen-00000001", "gen-00000001/sled"] {
            fs::create_dir(from.join(dir)).expect("a directory");
        }
        for name in ["anchor", "anchor.tmp", "gen-00000001/sled/db", "gen-00000001/sled/conf"] {
            fs::write(from.join(name), name).expect("a file");
        }
        let to = place.path().join("to");
        assert_eq!(partition(&from, &to).expect("a copy"), Original::StoodStill);
        assert_eq!(fs::read_to_string(to.join("gen-00000001/sled/db")).expect("a file"), "gen-00000001/sled/db");
        assert!(to.join("anchor").exists() && !to.join("anchor.tmp").exists());
    }

    #[test]
    fn a_workplace_is_gone_when_it_is_dropped() {
        let place = Workplace::new().expect("a directory");
        let room = place.room().expect("a room");
        fs::write(room.join("file"), "x").expect("a file");
        let path = place.path().to_owned();
        drop(place);
        assert!(!path.exists());
    }
}
