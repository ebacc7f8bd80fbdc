//! Which directory may become a data directory: one of ours, or one in which there is nothing of anybody's.
//!
//! What is in a data directory, and whether it is whole, is the log's to say.

use crate::server::{ADMIN_TOKEN, SERVICE_TOKEN};
use anyhow::{Context, bail};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// What a data directory is known by. It is written last when one is created.
const IDENTITY: &str = "data.toml";

/// What may be there before: a new file system's own, and what a creation leaves that did not come to its end.
const HARMLESS: [&str; 3] = ["lost+found", "lock", "data.tmp"];

/// How many names a refusal shows.
const NAMES_SHOWN_MAX: usize = 3;

/// Takes a directory for the data, and makes it if it is not there. One with other files in it is refused: its name is
/// wrong, or the disk that belongs there is not mounted, and an empty shop would begin in silence.
pub(crate) fn take(path: &Path) -> anyhow::Result<()> {
    refuse_strange(path)?;
    // A new one is its owner's alone: it holds tokens, and who bought what. An old one stays as it is.
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("the data directory {} cannot be made", path.display()))
}

fn refuse_strange(path: &Path) -> anyhow::Result<()> {
    let names = match names_in(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        names => names.with_context(|| format!("the data directory {} cannot be looked at", path.display()))?,
    };
    let strange: Vec<&str> = names.iter().map(String::as_str).filter(|name| !is_harmless(name)).collect();
    if strange.is_empty() || names.iter().any(|name| name == IDENTITY) {
        return Ok(());
    }
    let shown: Vec<&str> = strange.iter().copied().take(NAMES_SHOWN_MAX).collect();
    let more = match strange.len() - shown.len() {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    bail!(
        "the directory {} is not empty, and it is no data directory: there is no {IDENTITY} in it, but {}{more}. A new \
         shop begins in an empty directory, or in one that does not exist yet. If a data directory should be here, look \
         whether its disk is mounted, or restore all of it from a backup",
        path.display(),
        shown.join(", ")
    )
}

/// Partitions are among it: with records in them and no identity the log refuses them with better words. So are tokens
/// that somebody chose before the first start.
fn is_harmless(name: &str) -> bool {
    let token = name.strip_suffix(".new").unwrap_or(name);
    HARMLESS.contains(&name) || name.starts_with("partition-") || [ADMIN_TOKEN, SERVICE_TOKEN].contains(&token)
}

fn names_in(path: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn with(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        for name in names {
            std::fs::write(dir.path().join(name), "").expect("a file");
        }
        dir
    }

    #[test]
    fn a_directory_with_other_files_is_refused_by_their_names_and_left_as_it_was() {
        let dir = with(&["fstab", "hosts", "issue", "passwd", "lock"]);
        let error = take(dir.path()).expect_err("it is somebody else's").to_string();
        for words in ["is not empty", "data.toml", "fstab, hosts, issue and 1 more", "mounted"] {
            assert!(error.contains(words), "{words:?} is missing in: {error}");
        }
        assert_eq!(names_in(dir.path()).expect("it is there").len(), 5);
    }

    #[test]
    fn a_new_an_empty_and_a_freshly_mounted_directory_are_taken_and_so_is_what_a_crash_left_of_a_creation() {
        let dir = tempfile::tempdir().expect("a directory");
        let new = dir.path().join("to/be/made");
        take(&new).expect("it is made");
        assert_eq!(std::fs::metadata(&new).expect("it is there").permissions().mode() & 0o777, 0o700);
        let cases: [&[&str]; 5] = [
            &[],
            &["lost+found"],
            &["lock", "partition-000", "data.tmp"],
            &["admin-token", "service-token.new"],
            &["data.toml", "notes of an operator"],
        ];
        for names in cases {
            take(with(names).path()).unwrap_or_else(|error| panic!("{names:?}: {error}"));
        }
    }

    #[test]
    fn what_is_no_directory_is_refused_in_words() {
        let dir = with(&["file"]);
        let error = take(&dir.path().join("file")).expect_err("it is a file").to_string();
        assert!(error.contains("cannot be looked at"), "{error}");
    }
}
