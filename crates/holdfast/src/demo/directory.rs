//! The demo's data directory: fresh, and gone afterwards unless it is evidence or somebody named it.

use anyhow::{Context, ensure};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A fresh directory.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    is_ours: bool,
}

impl Directory {
    /// The directory that was named, if it is empty or does not exist; else a new one in the temporary directory.
    pub(super) fn choose(named: Option<&Path>) -> anyhow::Result<Self> {
        match named {
            Some(path) => {
                ensure!(
                    is_fresh(path)?,
                    "the directory {} is not empty; the demo begins with a fresh one. `holdfast serve` opens existing ones",
                    path.display()
                );
                Ok(Self { path: path.to_owned(), is_ours: false })
            }
            None => {
                let mut random = [0; 4];
                getrandom::fill(&mut random).context("the system has no randomness")?;
                let name = format!("holdfast-demo-{:08x}", u32::from_le_bytes(random));
                let path = std::env::temp_dir().join(name);
                let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
                made.with_context(|| format!("the directory {} cannot be made", path.display()))?;
                Ok(Self { path, is_ours: true })
            }
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it if it was made here and everything went well; else tells where it is.
    pub(super) fn leave(&self, all_is_well: bool) -> Option<String> {
        if self.is_ours && all_is_well {
            let _still_there = std::fs::remove_dir_all(&self.path);
            None
        } else {
            Some(format!("The data directory is left as it is: {}", self.path.display()))
        }
    }
}

fn is_fresh(path: &Path) -> anyhow::Result<bool> {
    match std::fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error).with_context(|| format!("the directory {} cannot be looked at", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_directory_is_taken_only_if_nothing_is_in_it() {
        let dir = tempfile::tempdir().expect("it works");
        assert!(Directory::choose(Some(dir.path())).is_ok());
        assert!(Directory::choose(Some(&dir.path().join("not-there"))).is_ok());
        std::fs::write(dir.path().join("something"), "").expect("it works");
        let error = Directory::choose(Some(dir.path())).expect_err("it is refused").to_string();
        assert!(error.contains("not empty"), "{error}");
    }

    #[test]
    fn a_directory_of_our_own_is_removed_when_all_is_well_and_a_named_one_is_not() {
        let ours = Directory::choose(None).expect("it works");
        assert!(ours.leave(false).is_some());
        assert!(ours.path().is_dir(), "what may be evidence stays");
        assert_eq!(ours.leave(true), None);
        assert!(!ours.path().exists());
        let dir = tempfile::tempdir().expect("it works");
        let named = Directory::choose(Some(dir.path())).expect("it works");
        assert!(named.leave(true).is_some());
        assert!(dir.path().is_dir());
    }
}
