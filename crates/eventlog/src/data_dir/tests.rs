//! A data directory belongs to one process and stays what it was created as.

use super::*;

fn count(count: u16) -> PartitionCount {
    PartitionCount::new(count).expect("from 1 to 256")
}

fn fresh() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

#[test]
fn a_directory_keeps_its_identity() {
    let root = fresh();
    let path = root.path().join("new/data");
    let first: Vec<_> = DataDir::open(&path, count(3)).expect("it is created").partitions().collect();
    let again: Vec<_> = DataDir::open(&path, count(3)).expect("it opens").partitions().collect();
    assert_eq!((first.len(), &first), (3, &again));
    assert_eq!(DataDir::partition_count(&path).expect("it is read"), Some(count(3)));
    let wrong = DataDir::open(&path, count(4)).expect_err("the count is fixed").to_string();
    assert!(wrong.contains("created with 3 partitions"), "{wrong}");
}

#[test]
fn one_process_at_a_time_uses_a_directory() {
    let root = fresh();
    let held = DataDir::open(root.path(), PartitionCount::ONE).expect("it is created");
    let refused = DataDir::open(root.path(), PartitionCount::ONE).expect_err("it is held").to_string();
    assert!(refused.contains(&format!("in use by process {}", std::process::id())), "{refused}");
    drop(held);
    DataDir::open(root.path(), PartitionCount::ONE).expect("it is free again");
}

#[test]
fn creation_that_a_crash_interrupted_is_done_again() {
    let root = fresh();
    std::fs::create_dir(root.path().join("partition-000")).expect("a directory");
    std::fs::write(root.path().join("data.tmp"), b"half").expect("a file");
    DataDir::open(root.path(), count(2)).expect("it is created");
}

#[test]
fn what_was_lost_is_never_taken_for_new() {
    let root = fresh();
    drop(DataDir::open(root.path(), count(2)).expect("it is created"));
    let second = root.path().join("partition-001");
    std::fs::rename(&second, root.path().join("moved")).expect("it is moved");
    assert!(
        matches!(DataDir::open(root.path(), count(2)), Err(DataDirError::PartitionMissing { path }) if path == second)
    );
    std::fs::rename(root.path().join("moved"), &second).expect("it is moved");

    std::fs::create_dir(second.join("gen-00000001")).expect("a directory");
    std::fs::remove_file(root.path().join("data.toml")).expect("it is removed");
    assert!(matches!(DataDir::open(root.path(), count(2)), Err(DataDirError::NotWhole { .. })));
}

#[test]
fn a_damaged_identity_is_not_used() {
    let root = fresh();
    drop(DataDir::open(root.path(), count(2)).expect("it is created"));
    let path = root.path().join("data.toml");
    let text = std::fs::read_to_string(&path).expect("a file");
    for (from, to) in [("partitions = 2", "partitions = 1"), ("format = 1", "format = 9"), ("check", "chock")] {
        std::fs::write(&path, text.replace(from, to)).expect("it is written");
        assert!(matches!(DataDir::open(root.path(), count(2)), Err(DataDirError::Identity { .. })), "{to}");
    }
}

#[test]
fn every_partition_has_a_log_of_its_own() {
    use crate::{ChainPoint, DiskLog, DiskOptions, EventLog, RecordNo, recover};
    let root = fresh();
    for epoch in 1..=2 {
        let dir = DataDir::open(root.path(), count(2)).expect("it opens");
        for partition in dir.partitions() {
            let log = DiskLog::open(&partition.path, partition.log_id, DiskOptions::default());
            let mut log = log.expect("its directory was laid out");
            recover(&mut log, ChainPoint::START, &mut |_| {}).expect("it is intact");
            assert_eq!(log.claim("tests").expect("it was recovered").epoch.0, epoch);
            assert_eq!((log.log_id(), log.tail()), (partition.log_id, RecordNo(epoch)));
            Box::new(log).close().expect("it closes");
        }
    }
    let swapped = DataDir::open(root.path(), count(2)).expect("it opens").partitions().collect::<Vec<_>>();
    let (Some(first), Some(second)) = (swapped.first(), swapped.last()) else { panic!("two partitions") };
    let refused = DiskLog::open(&first.path, second.log_id, DiskOptions::default()).expect_err("another log's files");
    assert!(refused.to_string().contains("belongs to log"), "{refused}");
}
