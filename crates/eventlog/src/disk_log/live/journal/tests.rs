//! Journals that fjall wrote, read by ourselves: whole, cut short at every byte, and with every bit flipped.

use super::*;
use fjall::{Config, PartitionCreateOptions, PersistMode};
use std::io::Write;

const PARTITION: &str = "records";

/// Where a batch keeps fjall's sequence number, which its checksum does not cover.
const SEQUENCE_AT: std::ops::Range<usize> = 5..13;

/// Batches that set and remove keys, as fjall writes them.
fn written() -> Vec<u8> {
    let place = tempfile::tempdir().expect("a directory");
    let keyspace = Config::new(place.path()).open().expect("a database");
    let records = keyspace.open_partition(PARTITION, PartitionCreateOptions::default()).expect("a partition");
    for (from, count) in [(1_u64, 1), (2, 3), (5, 1), (6, 2)] {
        let mut batch = keyspace.batch();
        for key in from..from + count {
            batch.insert(&records, key.to_be_bytes(), vec![key as u8; 20]);
        }
        batch.commit().expect("it is written");
    }
    let mut batch = keyspace.batch();
    for key in 6..=7_u64 {
        batch.remove(&records, key.to_be_bytes());
    }
    batch.commit().expect("it is written");
    keyspace.persist(PersistMode::SyncData).expect("it is synced");
    let bytes = std::fs::read(place.path().join("journals/0")).expect("a journal");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("it is not empty") + 1;
    bytes.get(..end).expect("in range").to_vec()
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("it is written");
    file
}

/// Where each batch ends, the beginning first.
fn ends(bytes: &[u8]) -> Vec<u64> {
    let (file, mut ends) = (file(bytes), vec![0]);
    while let Some(batch) = batch_at(&file, ends.last().copied().unwrap_or_default(), PARTITION).expect("it is read") {
        ends.push(ends.last().copied().unwrap_or_default() + batch.bytes);
    }
    ends
}

#[test]
fn what_fjall_writes_is_read_back_batch_by_batch() {
    let bytes = written();
    let ends = ends(&bytes);
    assert_eq!((ends.len(), ends.last().copied()), (6, Some(bytes.len() as u64)));
    let file = file(&bytes);
    let second = batch_at(&file, ends.get(1).copied().expect("a second"), PARTITION).expect("it is read");
    let expected = (2..=4_u64).map(|key| Item { key: key.to_be_bytes().to_vec(), value: Some(vec![key as u8; 20]) });
    assert_eq!(second.expect("it is whole").items, expected.collect::<Vec<_>>());
    let whole = Scan { whole: bytes.len() as u64, torn: 0, ends: Some((1, 5)) };
    assert_eq!(scan(&file, PARTITION).expect("it is read"), whole);
    assert_eq!(scan(&file, "others").expect("it is read").whole, 0, "another partition's batches are none of ours");
}

#[test]
fn a_journal_cut_short_at_any_byte_ends_with_the_last_whole_batch() {
    let bytes = written();
    let ends = ends(&bytes);
    for keep in 0..=bytes.len() {
        for zeros in [0, 100_000] {
            let mut torn = bytes.get(..keep).expect("in range").to_vec();
            let filled = torn.iter().rposition(|byte| *byte != 0).map_or(0, |at| at as u64 + 1);
            torn.resize(keep + zeros, 0);
            let found = scan(&file(&torn), PARTITION).expect("it is read");
            let whole = ends.iter().copied().filter(|end| *end <= keep as u64).max().unwrap_or_default();
            assert_eq!((found.whole, found.torn), (whole, filled.saturating_sub(whole)), "{keep} and {zeros} zeros");
        }
    }
}

#[test]
fn any_flipped_bit_but_of_fjalls_sequence_number_ends_the_journal_before_its_batch() {
    let bytes = written();
    let ends = ends(&bytes);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped.get_mut(bit / 8).map(|byte| *byte ^= 1 << (bit % 8)).expect("in range");
        let before = ends.iter().copied().filter(|end| *end <= bit as u64 / 8).max().unwrap_or_default();
        let expected = if SEQUENCE_AT.contains(&(bit / 8 - before as usize)) { bytes.len() as u64 } else { before };
        assert_eq!(scan(&file(&flipped), PARTITION).expect("it is read").whole, expected, "bit {bit}");
    }
}
