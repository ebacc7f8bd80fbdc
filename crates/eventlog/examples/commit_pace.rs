//! How fast a log on a real disk commits: `commit_pace DIRECTORY [COMMITS] [EVENTS PER COMMIT] [ENGINE]`. Prints every
//! acknowledged event's number when a fifth argument is given, so that a harness can kill it and compare.

use eventlog::conformance::event;
use eventlog::{Appended, ChainPoint, DiskLog, DiskOptions, EncodedEvent, EventLog, LogId, StorageEngine, recover};
use std::path::Path;
use std::time::Instant;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |at: usize, default: u64| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default);
    let dir = Path::new(arguments.get(1).expect("a directory"));
    let (commits, events, tell) = (number(2, 2_000), number(3, 64), arguments.len() > 5);
    let engine = arguments.get(4).map_or(Ok(StorageEngine::default()), |name| name.parse()).expect("an engine");
    let log_id = LogId([7; 16]);
    if !dir.join("anchor").exists() {
        DiskLog::create(dir, log_id).expect("an empty directory");
    }
    let begun = Instant::now();
    let mut log = DiskLog::open(dir, log_id, DiskOptions { engine, ..DiskOptions::default() }).expect("it opens");
    let recovered = recover(&mut log, ChainPoint::START, &mut |_| {}).expect("it is intact");
    println!("recovered {} events in {:?}, cut {:?}", recovered.events, begun.elapsed(), recovered.cut);
    let mut chain = log.claim("commit_pace").expect("it was recovered").chain;
    let mut taken = Vec::new();
    for _ in 0..commits {
        let first = chain.next_event().0;
        let group: Vec<EncodedEvent> = (first..first + events).map(event).collect();
        let begun = Instant::now();
        let (expected, records) = (chain.next_record(), chain.frame(&group));
        assert!(matches!(log.append(expected, &records), Appended::Durable));
        taken.push(begun.elapsed());
        if tell {
            println!("acknowledged {}", first + events - 1);
        }
        if log.rotation_due() {
            let begun = Instant::now();
            log.rotate().expect("it rotates");
            println!("rotated in {:?}", begun.elapsed());
        }
    }
    taken.sort_unstable();
    let at = |permille: usize| taken.get(taken.len().saturating_sub(1) * permille / 1_000).copied().unwrap_or_default();
    println!("p50 {:?}  p99 {:?}  p99.9 {:?}  max {:?}", at(500), at(990), at(999), at(1_000));
    let begun = Instant::now();
    Box::new(log).close().expect("it closes");
    println!("closed in {:?}", begun.elapsed());
}
