//! How long this disk takes to make 4 KiB durable, asked in the same run as everything that is compared with it.
//!
//! Asked twice. Bytes written *in place*, in a file that has its size already, need no more than their own way to the
//! disk; that is how the log writes, so figures are compared with it. *Appended* bytes change the file's size, for which
//! a journalling file system commits its journal too: many times slower here, so that a server which never appends
//! would look fast beside it. It is told, and nothing is compared with it.

use crate::load::tally::{histogram, micros};
use anyhow::Result;
use hdrhistogram::Histogram;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

/// What is written each time: a page, about what a commit of some fifty reservations writes.
const BYTES: [u8; 4096] = [0x5a; 4096];

/// Syncs that one look takes of each kind: a fraction of a second on any disk worth the name.
const SYNCS: usize = 200;

/// How long syncs took, in microseconds.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Syncs {
    /// The middle one.
    pub p50_us: f64,
    /// One in a hundred took longer.
    pub p99_us: f64,
    /// How many there were.
    pub count: u64,
}

impl Syncs {
    fn of(sync_us: &Histogram<u64>) -> Self {
        let at = |quantile| sync_us.value_at_quantile(quantile) as f64;
        Self { p50_us: at(0.5), p99_us: at(0.99), count: sync_us.len() }
    }
}

/// Both kinds.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Disk {
    /// Within a file's size, as the log writes.
    pub in_place: Syncs,
    /// At a file's end.
    pub appended: Syncs,
}

/// Looks at the disk again and again, between rounds.
#[derive(Debug)]
pub struct Probe {
    in_place_us: Histogram<u64>,
    appended_us: Histogram<u64>,
}

impl Default for Probe {
    fn default() -> Self {
        Self { in_place_us: histogram(), appended_us: histogram() }
    }
}

impl Probe {
    /// Writes and syncs for a while, in a file of its own in `dir`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn look(&mut self, dir: &Path) -> Result<Disk> {
        let path = dir.join("probe");
        let mut file = File::create(&path)?;
        let appended = timed(&mut file)?;
        file.sync_all()?;
        file.seek(SeekFrom::Start(0))?;
        let in_place = timed(&mut file)?;
        std::fs::remove_file(path)?;
        self.in_place_us.add(&in_place)?;
        self.appended_us.add(&appended)?;
        Ok(Disk { in_place: Syncs::of(&in_place), appended: Syncs::of(&appended) })
    }

    /// All that it has seen so far.
    #[must_use]
    pub fn all(&self) -> Disk {
        Disk { in_place: Syncs::of(&self.in_place_us), appended: Syncs::of(&self.appended_us) }
    }
}

fn timed(file: &mut File) -> Result<Histogram<u64>> {
    let mut us = histogram();
    for _ in 0..SYNCS {
        file.write_all(&BYTES)?;
        let began = Instant::now();
        file.sync_data()?;
        us.saturating_record(micros(began.elapsed()));
    }
    Ok(us)
}
