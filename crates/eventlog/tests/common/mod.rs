//! What several tests of the log need.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Copies a directory as it is at one moment: again, until nothing in it changed while it was copied. Background
/// threads rename and remove files, and half of such a step is nothing that a killed process leaves.
pub(crate) fn copy(from: &Path, to: &Path) {
    loop {
        let before = names(from);
        if try_copy(from, to).is_ok() && names(from) == before {
            return;
        }
        std::fs::remove_dir_all(to).expect("a directory of the test's own");
    }
}

fn try_copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            try_copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Every file below, by name.
fn names(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(names(&path));
        }
        found.insert(path);
    }
    found
}
