//! The sections of a snapshot, read one after the other.

use super::{END, SnapshotError};
use crate::background::Unhurried;
use crate::limits::{SNAPSHOT_SECTION_BYTES_MAX, SNAPSHOT_SECTIONS_MAX};
use std::fs::File;
use std::io::{BufReader, Read, Take};

/// What is read of a file at once.
const READ_AT_ONCE: usize = 64 * 1024;

/// The sections of a snapshot: each to be read piece by piece, or whole by iterating.
#[derive(Debug)]
pub struct Sections {
    /// Gives out what is left of the section that is being read, and no more.
    file: Take<BufReader<Paced>>,
    left: u64,
    count: u64,
    ended: bool,
}

/// A file that is read in one go, or with rests.
#[derive(Debug)]
pub struct Paced {
    file: File,
    pace: Option<Unhurried>,
}

impl Read for Paced {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if let Some(pace) = &mut self.pace {
            pace.breathe();
        }
        self.file.read(into)
    }
}

impl Sections {
    /// Those that stand from here on, in so many bytes.
    pub(super) fn begin_at(file: File, left: u64, pace: Option<Unhurried>) -> Self {
        let file = BufReader::with_capacity(READ_AT_ONCE, Paced { file, pace }).take(0);
        Self { file, left, count: 0, ended: false }
    }

    /// The next section, to be read to its end. `None` after the last.
    ///
    /// # Errors
    /// [`SnapshotError`]: there is no telling what comes after it.
    pub fn next_section(&mut self) -> Result<Option<&mut Take<BufReader<Paced>>>, SnapshotError> {
        if self.ended {
            return Ok(None);
        }
        self.ended = true;
        if self.file.limit() > 0 {
            return Err(SnapshotError::Damaged("a section was left half read"));
        }
        let Some(length) = self.begin()? else { return Ok(None) };
        self.ended = false;
        self.file.set_limit(length);
        Ok(Some(&mut self.file))
    }

    /// The next section, whole.
    fn whole(&mut self) -> Result<Option<Vec<u8>>, SnapshotError> {
        let Some(section) = self.next_section()? else { return Ok(None) };
        // At most what the file still has: that is checked where a section begins.
        let mut bytes = vec![0; usize::try_from(section.limit()).unwrap_or(usize::MAX)];
        section.read_exact(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn number(&mut self) -> Result<u64, SnapshotError> {
        self.left = self.left.checked_sub(8).ok_or(SnapshotError::Damaged("it ends too early"))?;
        let mut bytes = [0; 8];
        self.file.get_mut().read_exact(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// The length of the section that begins here.
    fn begin(&mut self) -> Result<Option<u64>, SnapshotError> {
        let length = self.number()?;
        if length == END {
            let count = self.number()?;
            let whole = count == self.count && self.left == 0;
            return if whole { Ok(None) } else { Err(SnapshotError::Damaged("sections are missing")) };
        }
        if length > SNAPSHOT_SECTION_BYTES_MAX || self.count >= SNAPSHOT_SECTIONS_MAX {
            return Err(SnapshotError::Damaged("a section is too long, or there are too many"));
        }
        self.left = self.left.checked_sub(length).ok_or(SnapshotError::Damaged("a section ends too early"))?;
        self.count = self.count.saturating_add(1);
        Ok(Some(length))
    }
}
impl Iterator for Sections {
    type Item = Result<Vec<u8>, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        let section = self.whole().transpose();
        self.ended |= !matches!(section, Some(Ok(_)));
        section
    }
}
