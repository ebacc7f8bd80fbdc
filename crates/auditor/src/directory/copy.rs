//! A private copy of what tells of a directory's logs: anchors, and each generation's records.
//!
//! The order matters: the anchor says how far a log must reach, so it is copied before the log, and in a database the
//! file `db` comes last.

use super::{DirectoryError, failed};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Whether the original stood still while it was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copied {
    AtOneMoment,
    WhileItChanged,
}

/// What would show that something was written meanwhile.
pub(super) type Trace = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// Copies the logs of so many partitions.
pub(super) fn logs(from: &Path, to: &Path, partitions: usize) -> Result<Copied, DirectoryError> {
    let before = trace(from);
    for number in 0..partitions {
        let name = format!("partition-{number:03}");
        let (from, to) = (from.join(&name), to.join(&name));
        make_dir(&to)?;
        file(&from.join("anchor"), &to.join("anchor"))?;
        for generation in names_in(&from)?.iter().filter(|name| is_generation(name)) {
            copy_generation(&from.join(generation), &to.join(generation))?;
        }
    }
    Ok(if before == trace(from) { Copied::AtOneMoment } else { Copied::WhileItChanged })
}

/// What marks a generation to which nothing was written yet.
const UNUSED: &str = "unused";

/// A flat file of records counts for more than a database that is still being sealed; a copy from before an unclean
/// open, which is the original of a recovery that did not finish, for more than what that left.
fn copy_generation(from: &Path, to: &Path) -> Result<(), DirectoryError> {
    // One that is made ready before it is needed holds nothing, whatever of it is there.
    if from.join(UNUSED).exists() {
        return Ok(());
    }
    make_dir(to)?;
    if let Some(name) = names_in(from)?.iter().find(|name| is_records(name)) {
        return file(&from.join(name), &to.join(name));
    }
    let kind = if database(from, FJALL).exists() { FJALL } else { SLED };
    tree(&database(from, kind), &to.join(kind.own))
}

/// The names of a kind of database, and of a copy of it from before it was opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) own: &'static str,
    aside: &'static str,
}

pub(super) const SLED: Kind = Kind { own: "sled", aside: "aside" };
pub(super) const FJALL: Kind = Kind { own: "fjall", aside: "aside-fjall" };

/// Where a generation's database is, as it was before anything opened it.
pub(super) fn database(generation: &Path, kind: Kind) -> PathBuf {
    let aside = generation.join(kind.aside);
    if aside.exists() { aside } else { generation.join(kind.own) }
}

/// Copies a database's directory.
pub(super) fn tree(from: &Path, to: &Path) -> Result<(), DirectoryError> {
    make_dir(to)?;
    let mut names = names_in(from)?;
    names.sort_by_key(|name| name == "db");
    for name in names.iter().filter(|name| !is_unfinished(name)) {
        let (from, to) = (from.join(name), to.join(name));
        if from.is_dir() { tree(&from, &to)? } else { file(&from, &to)? }
    }
    Ok(())
}

/// A file that is gone again by now is one that changed; what lacks it will not hold.
fn file(from: &Path, to: &Path) -> Result<(), DirectoryError> {
    match fs::copy(from, to) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("copy", from)(error)),
    }
}

fn make_dir(path: &Path) -> Result<(), DirectoryError> {
    fs::create_dir(path).map_err(failed("make", path))
}

/// The names in a directory, in order; none where it is gone.
pub(super) fn names_in(dir: &Path) -> Result<Vec<String>, DirectoryError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", dir)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(failed("list", dir))?.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}

/// Length and time of every file that tells of a log.
pub(super) fn trace(dir: &Path) -> Trace {
    let mut trace = Trace::new();
    for name in names_in(dir).unwrap_or_default() {
        let path = dir.join(&name);
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() && name != "snapshots" => trace.extend(self::trace(&path)),
            Ok(found) if found.is_file() => trace.push((path, found.len(), found.modified().ok())),
            Ok(_) | Err(_) => {}
        }
    }
    trace
}

pub(super) fn is_generation(name: &str) -> bool {
    name.strip_prefix("gen-").is_some_and(|digits| digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit()))
}

pub(super) fn is_records(name: &str) -> bool {
    name.starts_with("from-") && name.ends_with(".records")
}

/// What a crash left half written, and means nothing.
fn is_unfinished(name: &str) -> bool {
    name.ends_with(".tmp") || (name.starts_with("snap.") && name.ends_with(".generating"))
}
