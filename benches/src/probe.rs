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
    pub fn look(&mut self, dir: &Path) -> Result<Syncs> {
        let mut now_us = histogram();
        let path = dir.join("probe");
        let mut file = File::create(&path)?;
        for _ in 0..SYNCS {
            file.write_all(&BYTES)?;
            let began = Instant::now();
            file.sync_data()?;
            now_us.saturating_record(micros(began.elapsed()));
        }
        std::fs::remove_file(path)?;
        self.sync_us.add(&now_us)?;
        Ok(Syncs::of(&now_us))
    }

    /// All that it has seen so far.
    #[must_use]
    pub fn all(&self) -> Syncs {
        Syncs::of(&self.sync_us)
    }
}
