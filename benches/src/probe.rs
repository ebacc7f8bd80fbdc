//! How long this disk takes to make 4 KiB durable, asked in the same run as everything that is compared with it.

use crate::load::tally::{histogram, micros};
use anyhow::Result;
use hdrhistogram::Histogram;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// What is appended each time: a page, about what a commit of some fifty reservations writes.
const BYTES: [u8; 4096] = [0x5a; 4096];

/// Syncs that one look takes: a fraction of a second on any disk worth the name.
const SYNCS: usize = 200;

/// Looks at the disk again and again, between rounds.
#[derive(Debug)]
pub struct Probe {
    sync_us: Histogram<u64>,
}

impl Default for Probe {
    fn default() -> Self {
        Self { sync_us: histogram() }
    }
}

impl Probe {
    /// Appends and syncs for a while, in a file of its own in `dir`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn look(&mut self, dir: &Path) -> Result<()> {
        let path = dir.join("probe");
        let mut file = File::create(&path)?;
        for _ in 0..SYNCS {
            file.write_all(&BYTES)?;
            let began = Instant::now();
            file.sync_data()?;
            self.sync_us.saturating_record(micros(began.elapsed()));
        }
        std::fs::remove_file(path)?;
        Ok(())
    }

    /// What it has seen so far, in microseconds.
    #[must_use]
    pub const fn sync_us(&self) -> &Histogram<u64> {
        &self.sync_us
    }
}
