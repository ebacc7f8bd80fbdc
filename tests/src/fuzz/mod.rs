//! What takes bytes from outside, as plain functions over any bytes at all: the log's decoder, the snapshot loader,
//! webhooks and JSON bodies.
//!
//! Each says whether it took the bytes, and panics where something that must always hold does not. The same functions
//! run with coverage under cargo-fuzz (tests/fuzz) and, over the corpus and mutations of it, in tests/tests/fuzz.rs.

pub mod decoder;
pub mod json;
pub mod mutate;
pub mod seeds;
pub mod snapshot;
pub mod webhook;

use anyhow::{Context, Result};
use peak_alloc::PeakAlloc;
use std::path::{Path, PathBuf};

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It means something, and all that must hold of it holds.
    Taken,
    /// It was refused in words.
    Refused,
}

impl Verdict {
    /// Taken or refused, as a result is.
    pub(crate) fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Taken } else { Self::Refused }
    }
}

/// Something that takes bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its folder in the corpus and of its fuzzer.
    pub name: &'static str,
    /// It.
    pub run: fn(&[u8]) -> Verdict,
}

/// Every one.
pub const TARGETS: [Target; 4] = [
    Target { name: "decoder", run: decoder::run },
    Target { name: "snapshot", run: snapshot::run },
    Target { name: "webhook", run: webhook::run },
    Target { name: "json", run: json::run },
];

/// What handling one input may hold at once, in bytes: an input that makes us hold more is an attack that works.
pub const HELD_BYTES_MAX: usize = 1 << 20;

/// Longest input: a body of the largest size that is read, and what stands before it.
pub const INPUT_BYTES_MAX: usize = api::limits::BODY_BYTES_MAX + 64;

/// Runs a target, and counts what it holds at once: bytes. `meter` has to be the allocator of the process, and nothing
/// else may run in it meanwhile.
///
/// # Panics
/// If it holds more than [`HELD_BYTES_MAX`].
pub fn metered(meter: &PeakAlloc, target: fn(&[u8]) -> Verdict, input: &[u8]) -> (Verdict, usize) {
    meter.reset_peak_usage();
    let before = meter.current_usage();
    let verdict = target(input);
    let held = meter.peak_usage().saturating_sub(before);
    assert!(held <= HELD_BYTES_MAX, "{} bytes of input hold {held} bytes", input.len());
    (verdict, held)
}

/// Where the corpus of a target lies.
#[must_use]
pub fn corpus_folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

/// The corpus of a target, by file name.
///
/// # Errors
/// When it cannot be read.
pub fn corpus(target: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let folder = corpus_folder(target);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("no corpus in {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((name, std::fs::read(&path)?));
    }
    files.sort();
    Ok(files)
}

/// Splits the first bytes off as numbers that steer a target.
pub(crate) fn steered<const N: usize>(input: &[u8]) -> Option<([u8; N], &[u8])> {
    input.split_first_chunk::<N>().map(|(steering, rest)| (*steering, rest))
}
