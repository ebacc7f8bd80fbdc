//! A data directory whose one log holds given records, as a server would leave it.

use domain::event::Recorded;
use domain::ids::{ItemNo, PartitionNo};
use eventlog::{
    Appended, ChainPoint, DataDir, DiskLog, DiskOptions, EventLog as _, LocalLog as _, PartitionCount, StorageEngine,
    recover,
};
use eventlog::{encode_item_event, encode_partition_event};
use std::path::Path;

/// Writes the events into a new data directory, the first half into a generation that is closed then, and stops
/// cleanly.
pub(crate) fn written(root: &Path, events: &[Recorded]) {
    written_in(StorageEngine::default(), root, events);
}

/// The same, in an engine of one's choice.
pub(crate) fn written_in(engine: StorageEngine, root: &Path, events: &[Recorded]) {
    let dir = DataDir::open(root, PartitionCount::new(1).expect("one")).expect("an empty directory");
    let place = dir.partitions().next().expect("one partition");
    let mut log =
        DiskLog::open(&place.path, place.log_id, DiskOptions { engine, ..DiskOptions::default() }).expect("it opens");
    recover(&mut log, ChainPoint::START, &mut |_| {}).expect("it is empty");
    let mut chain = log.claim("tests").expect("it was recovered").chain;
    let mut encoded =
        vec![encode_partition_event(ItemNo::partition_stream(PartitionNo(0)), &super::sale::registered())];
    encoded.extend(events.iter().map(|event| encode_item_event(super::sale::ITEM, event)));
    let half = encoded.len() / 2;
    for (number, group) in encoded.chunks(half.max(1)).enumerate() {
        let expected = chain.next_record();
        let records = chain.frame(group);
        assert!(matches!(log.append(expected, &records), Appended::Durable), "it is written");
        if number == 0 {
            log.rotate().expect("a closed generation");
        }
    }
    log.write_anchor().expect("an anchor");
    Box::new(log).close().expect("it closes");
}
