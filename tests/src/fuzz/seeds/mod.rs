//! The corpus: a small file for every kind of input there is, made from real encodings.
//!
//! The same every time, and committed. Files that no seed makes are findings; writing the seeds leaves them alone.

mod requests;
mod sale;

use super::{decoder, snapshot};
use anyhow::{Context, Result};
use domain::ids::PartitionNo;
use engine::fold::Folded;
use eventlog::{Chain, ChainPoint, EncodedEvent, LogId, RawEvent, Section as _};
use std::path::Path;

/// A file of the corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// Whose.
    pub target: &'static str,
    /// Its name.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Seed {
    fn new(target: &'static str, name: impl Into<String>, steering: u8, rest: &[u8]) -> Self {
        Self { target, name: name.into(), bytes: [&[steering], rest].concat() }
    }
}

/// Every one.
///
/// # Errors
/// When a real encoding cannot be made.
pub fn all() -> Result<Vec<Seed>> {
    let mut seeds = golden_events()?;
    let sales = sale::run();
    seeds.extend(logs(&sales)?);
    seeds.extend(snapshots(&sales)?);
    seeds.extend(requests::webhooks());
    seeds.extend(requests::bodies());
    Ok(seeds)
}

/// One of every event there is or was, as the log's own tests keep them.
fn golden_events() -> Result<Vec<Seed>> {
    let now = include_str!("../../../../crates/eventlog/tests/golden/events.txt");
    let first = include_str!("../../../../crates/eventlog/tests/golden/events-v1.txt");
    let mut seeds = Vec::new();
    for (version, golden) in [("now", now), ("v1", first)] {
        for line in golden.lines() {
            let (name, hex) = line.split_once(' ').context("a name and bytes")?;
            seeds.push(Seed::new("decoder", format!("event-{version}-{name}"), decoder::EVENT_REPAIRED, &unhex(hex)?));
        }
    }
    let whole = seeds.first().context("events")?.bytes.clone();
    seeds.push(Seed::new("decoder", "event-as-it-is", decoder::EVENT, whole.get(1..).unwrap_or_default()));
    Ok(seeds)
}

/// A claim, a record, and a log of several groups.
fn logs(sales: &sale::Sales) -> Result<Vec<Seed>> {
    let (claim, mut chain) = Chain::claim(LogId([7; 16]), ChainPoint::START, "a writer")?;
    let mut records = vec![claim.clone()];
    let sizes = [1, 2, 5, 90];
    let mut events = sales.events.iter();
    for size in sizes {
        let group: Vec<EncodedEvent> = events.by_ref().take(size).map(|event| event.encoded.clone()).collect();
        records.extend(chain.frame(group.iter()));
    }
    let log: Vec<u8> = records.iter().flat_map(|record| behind_length(record.bytes())).collect();
    let few = records.get(2).context("a record of two events")?.bytes();
    Ok(vec![
        Seed::new("decoder", "record-claim", decoder::RECORD, claim.bytes()),
        Seed::new("decoder", "record-as-it-is", decoder::RECORD, few),
        Seed::new("decoder", "record-repaired", decoder::RECORD_REPAIRED, few),
        Seed::new("decoder", "log", decoder::LOG, &log),
    ])
}

/// Snapshots of sales, small and larger, as files and as sections.
fn snapshots(sales: &sale::Sales) -> Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    for share in [1, 2, 4] {
        let upto = sales.events.len() / share;
        let mut folded = Folded::new(PartitionNo(0));
        for event in sales.events.iter().take(upto) {
            let raw = RawEvent::parse(event.encoded.bytes()).context("an event")?;
            folded.apply(event.stream, &eventlog::decode_event(&raw)?);
        }
        let sections: Vec<Vec<u8>> = engine::snapshots::sections(&folded).map(|section| section.bytes()).collect();
        for (at, section) in sections.iter().enumerate() {
            let (kind, name) = if at == 0 { (snapshot::PARTITION, "partition") } else { (snapshot::ITEM, "item") };
            seeds.push(Seed::new("snapshot", format!("{name}-{at}-after-{upto:03}"), kind, section));
        }
        let joined: Vec<u8> = sections.iter().flat_map(|section| behind_length(section)).collect();
        seeds.push(Seed::new("snapshot", format!("sections-after-{upto:03}"), snapshot::SECTIONS, &joined));
        let file = written(sections)?;
        seeds.push(Seed::new("snapshot", format!("file-after-{upto:03}"), snapshot::FILE, &file));
        seeds.push(Seed::new("snapshot", format!("file-repaired-after-{upto:03}"), snapshot::FILE_REPAIRED, &file));
    }
    Ok(seeds)
}

/// The file that the snapshot store makes of these sections.
fn written(sections: Vec<Vec<u8>>) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let store = eventlog::SnapshotStore::new(folder.path(), snapshot::OURS);
    Ok(std::fs::read(store.write(ChainPoint::START, sections)?)?)
}

fn behind_length(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_le_bytes(), bytes].concat()
}

fn unhex(text: &str) -> Result<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Ok(u8::from_str_radix(str::from_utf8(pair)?, 16)?)).collect()
}

/// Writes the seeds of every target below a folder; how many.
///
/// # Errors
/// When they cannot be made or written.
pub fn write(corpus: &Path) -> Result<usize> {
    let seeds = all()?;
    for seed in &seeds {
        let folder = corpus.join(seed.target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(&seed.name), &seed.bytes)?;
    }
    Ok(seeds.len())
}
