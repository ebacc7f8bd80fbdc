//! What is left of a process on the real disk: the truth about calls that a kill cut off.

use anyhow::Result;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What a process left below a directory when it ended: each name, and what it is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left(pub(super) BTreeMap<PathBuf, Kind>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File { private: bool },
}

impl Left {
    /// What there is below `root`, in which nobody is at work.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn below(root: &Path) -> Result<Self> {
        let mut left = Self::default();
        left.add(root)?;
        Ok(left)
    }

    fn add(&mut self, dir: &Path) -> Result<()> {
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let (path, metadata) = (entry.path(), entry.metadata()?);
            if metadata.is_dir() {
                self.add(&path)?;
                self.0.insert(path, Kind::Directory);
            } else {
                let private = metadata.permissions().mode() & 0o077 == 0;
                self.0.insert(path, Kind::File { private });
            }
        }
        Ok(())
    }
}
