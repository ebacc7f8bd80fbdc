//! The commit path: groups of holds framed, written and synced, one after another, in each engine.

use crate::{Measured, histogram};
use counts::counted::bytes::hold;
use domain::ids::ItemNo;
use eventlog::{Appended, ChainPoint, DiskLog, DiskOptions, EncodedEvent, EventLog, LogId, StorageEngine, recover};
use std::error::Error;
use std::time::Instant;

const ITEM: ItemNo = ItemNo::from_u32(1);
const COMMITS: usize = 1_000;
const GROUPS: [usize; 3] = [1, 64, 256];

/// Commits of several sizes, each synced before the next begins.
pub(crate) fn all() -> Result<Measured, Box<dyn Error>> {
    let mut measured = Vec::new();
    for engine in StorageEngine::ALL {
        measured.extend(commits(engine)?);
    }
    Ok(measured)
}

fn commits(engine: StorageEngine) -> Result<Measured, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("log");
    let log_id = LogId::random();
    DiskLog::create(&path, log_id)?;
    let mut log = DiskLog::open(&path, log_id, DiskOptions { engine, ..DiskOptions::default() })?;
    recover(&mut log, ChainPoint::START, &mut |_| {})?;
    let mut chain = log.claim("the bench")?.chain;
    let mut measured = Vec::new();
    for size in GROUPS {
        let group: Vec<EncodedEvent> =
            (0..size as u32).map(|number| eventlog::encode_item_event(ITEM, &hold(number))).collect();
        let mut histogram = histogram();
        for _ in 0..COMMITS {
            let begin = Instant::now();
            let expected = chain.next_record();
            let records = chain.frame(&group);
            match log.append(expected, &records) {
                Appended::Durable => {}
                Appended::Failed(error) => return Err(error.into()),
                Appended::Fenced | Appended::Unknown => return Err("the log was taken over".into()),
            }
            histogram.saturating_record(u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
        measured.push((format!("{engine}: commit of {size} holds, synced"), histogram));
    }
    Box::new(log).close()?;
    Ok(measured)
}
