//! The clean marker: says that the last stop was a clean one, and what the open databases' files were then.
//!
//! Opening an engine on files in which a bit has changed writes over, or cuts, everything behind it. So the marker holds a hash of
//! the files: only if they still are what they were is opening them without a copy harmless.

use super::layout::Layout;
use crate::disk;
use crate::ids::RecordNo;
use crate::log::LogError;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Marks a clean stop. `databases` are closed by now and synced.
pub(super) fn mark(layout: &Layout, tail: RecordNo, databases: &[PathBuf]) -> Result<(), LogError> {
    let text = format!("clean up to record {tail}\nfiles {}\n", fingerprint(databases)?);
    disk::write_whole(&layout.clean(), text.as_bytes())
}

/// Takes the marker away, for opening makes it untrue. Whether the stop was clean and the files are still the same.
pub(super) fn take(layout: &Layout, databases: &[PathBuf]) -> Result<bool, LogError> {
    let Some(marker) = disk::read_if_there(&layout.clean())? else { return Ok(false) };
    let marker = String::from_utf8_lossy(&marker);
    let told = marker.lines().find_map(|line| line.strip_prefix("files "));
    let unchanged = told == Some(fingerprint(databases)?.as_str());
    if !unchanged {
        let dir = layout.dir().display();
        tracing::warn!(%dir, "the log's files have changed since the clean stop; they are copied aside before they are opened");
    }
    disk::remove_file(&layout.clean())?;
    Ok(unchanged)
}

/// BLAKE3 over every file below the directories: name, length, content.
fn fingerprint(databases: &[PathBuf]) -> Result<String, LogError> {
    let mut hasher = blake3::Hasher::new();
    for dir in databases {
        hash_tree(dir, &mut hasher)?;
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn hash_tree(dir: &Path, hasher: &mut blake3::Hasher) -> Result<(), LogError> {
    for name in disk::names_in(dir)? {
        let path = dir.join(&name);
        if path.is_dir() {
            hash_tree(&path, hasher)?;
            continue;
        }
        let hash = || -> std::io::Result<blake3::Hasher> {
            let mut content = blake3::Hasher::new();
            content.update_reader(File::open(&path)?)?;
            Ok(content)
        };
        let content = hash().map_err(LogError::io("read", &path))?;
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
        hasher.update(&content.count().to_le_bytes()).update(content.finalize().as_bytes());
    }
    Ok(())
}
